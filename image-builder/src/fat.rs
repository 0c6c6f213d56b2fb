//! Writer of a FAT32 file system with given files in given places. Same input, same bytes: the serial number comes from
//! the caller and every time is 2026-01-01.
//!
//! Names are plain 8.3 names in one case per part (`grub.cfg`, `BOOTX64.EFI`), which every firmware and loader reads
//! without long-name entries.

use std::collections::BTreeMap;

/// A file to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root, as `EFI/BOOT/grub.cfg`.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// Bytes that stay unused between this file and what was placed before it.
    pub gap_before: usize,
}

/// Where the file system goes.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// Its size in bytes; a multiple of the cluster size.
    pub size: u64,
    /// First sector of its partition.
    pub first_sector: u32,
    /// Serial number.
    pub serial: u32,
}

/// Why the files cannot be stored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not an 8.3 name in one case per part.
    #[error("{0:?} is not an 8.3 name in one case per part")]
    Name(String),
    /// The same path twice, or a file that is also a directory.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// More files in a directory than one cluster holds.
    #[error("more files in {0:?} than one cluster of its directory holds")]
    Directory(String),
    /// The files do not fit.
    #[error("the files do not fit into {0} bytes")]
    Full(u64),
    /// The size makes no FAT32 file system with clusters of 2 KiB.
    #[error("a FAT32 file system cannot have {0} bytes")]
    Size(u64),
}

const SECTOR: usize = 512;
const CLUSTER_SECTORS: u8 = 4;
const CLUSTER: usize = SECTOR * CLUSTER_SECTORS as usize;
const RESERVED_SECTORS: u16 = 32;
const FATS: u8 = 2;
const ENTRY: usize = 32;
const ROOT: u32 = 2;
const END_OF_CHAIN: u32 = 0x0fff_ffff;
const ATTRIBUTE_VOLUME: u8 = 0x08;
const ATTRIBUTE_DIRECTORY: u8 = 0x10;
const ATTRIBUTE_ARCHIVE: u8 = 0x20;
const LABEL: &[u8; 11] = b"CORACLE    ";
/// 2026-01-01 in FAT's form.
const DATE: u16 = (2026 - 1980) << 9 | 1 << 5 | 1;
/// FAT32 begins at this number of clusters; below it, drivers take the volume for FAT16.
const LEAST_CLUSTERS: usize = 65_525;

/// Sizes of the areas.
struct Geometry {
    sectors: u32,
    fat_sectors: usize,
    clusters: usize,
}

/// The file system under construction.
struct Writer {
    geometry: Geometry,
    /// Next-cluster numbers; as long as the clusters in use.
    fat: Vec<u32>,
    data: Vec<u8>,
    /// First cluster and used entries by path; the root is "".
    directories: BTreeMap<String, (u32, usize)>,
    taken: BTreeMap<String, ()>,
}

/// The volume's bytes up to the last used one; the rest of the volume is zeros.
///
/// # Errors
/// A name, the number of files or their size does not fit.
pub fn format(volume: &Volume, files: &[File]) -> Result<Vec<u8>, Error> {
    let geometry = Geometry::of(volume.size)?;
    let mut writer = Writer {
        geometry,
        fat: vec![0x0fff_fff8, END_OF_CHAIN],
        data: Vec::new(),
        directories: BTreeMap::new(),
        taken: BTreeMap::new(),
    };
    let root = writer.allocate(&[0; CLUSTER]);
    writer.directories.insert(String::new(), (root, 0));
    writer.add_entry("", *LABEL, 0, ATTRIBUTE_VOLUME, 0, 0)?;
    for file in files {
        writer.add_file(file)?;
    }
    writer.finish(volume)
}

impl Geometry {
    fn of(size: u64) -> Result<Self, Error> {
        let bad = || Error::Size(size);
        let sectors = usize::try_from(size / SECTOR as u64).map_err(|_| bad())?;
        // Each cluster costs its sectors and four bytes in each FAT; rounding up wastes at most a few sectors.
        let data_and_fats = sectors.checked_sub(RESERVED_SECTORS.into()).ok_or_else(bad)?;
        let fat_sectors = (data_and_fats / usize::from(CLUSTER_SECTORS) + 2).div_ceil(SECTOR / 4);
        let clusters = data_and_fats.saturating_sub(usize::from(FATS) * fat_sectors) / usize::from(CLUSTER_SECTORS);
        if clusters < LEAST_CLUSTERS || !size.is_multiple_of(CLUSTER as u64) {
            return Err(bad());
        }
        Ok(Self { sectors: u32::try_from(sectors).map_err(|_| bad())?, fat_sectors, clusters })
    }
}

impl Writer {
    /// Puts bytes into new clusters in a row and returns the first one's number.
    fn allocate(&mut self, bytes: &[u8]) -> u32 {
        let first = self.fat.len();
        let count = bytes.len().div_ceil(CLUSTER);
        for next in 1..=count {
            let next = if next == count { END_OF_CHAIN } else { number(first + next) };
            self.fat.push(next);
        }
        self.data.extend(bytes);
        self.data.resize((first - 2 + count) * CLUSTER, 0);
        number(first)
    }

    fn add_file(&mut self, file: &File) -> Result<(), Error> {
        let (parent, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        self.make_directory(parent)?;
        let gap = file.gap_before.div_ceil(CLUSTER);
        self.fat.resize(self.fat.len() + gap, 0);
        self.data.resize((self.fat.len() - 2) * CLUSTER, 0);
        self.take(&file.path)?;
        let (short, case) = short_name(name)?;
        let size = u32::try_from(file.bytes.len()).map_err(|_| Error::Full(file.bytes.len() as u64))?;
        let first = if file.bytes.is_empty() { 0 } else { self.allocate(&file.bytes) };
        self.add_entry(parent, short, case, ATTRIBUTE_ARCHIVE, first, size)
    }

    fn make_directory(&mut self, path: &str) -> Result<(), Error> {
        if self.directories.contains_key(path) {
            return Ok(());
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.make_directory(parent)?;
        self.take(path)?;
        let (short, case) = short_name(name)?;
        let first = self.allocate(&[0; CLUSTER]);
        self.directories.insert(path.to_owned(), (first, 0));
        // ".." of a directory in the root is 0, whatever the root's cluster is.
        let above = self.directories.get(parent).map_or(0, |(cluster, _)| if parent.is_empty() { 0 } else { *cluster });
        self.add_entry(path, *b".          ", 0, ATTRIBUTE_DIRECTORY, first, 0)?;
        self.add_entry(path, *b"..         ", 0, ATTRIBUTE_DIRECTORY, above, 0)?;
        self.add_entry(parent, short, case, ATTRIBUTE_DIRECTORY, first, 0)
    }

    /// FAT compares names without case.
    fn take(&mut self, path: &str) -> Result<(), Error> {
        match self.taken.insert(path.to_ascii_uppercase(), ()) {
            None => Ok(()),
            Some(()) => Err(Error::Twice(path.to_owned())),
        }
    }

    fn add_entry(
        &mut self,
        directory: &str,
        name: [u8; 11],
        case: u8,
        attributes: u8,
        cluster: u32,
        size: u32,
    ) -> Result<(), Error> {
        let full = || Error::Directory(directory.to_owned());
        let (first, used) = self.directories.get_mut(directory).ok_or_else(full)?;
        if (*used + 1) * ENTRY > CLUSTER {
            return Err(full());
        }
        let at = (*first - ROOT) as usize * CLUSTER + *used * ENTRY;
        *used += 1;
        let entry = &mut self.data[at..at + ENTRY];
        entry[..11].copy_from_slice(&name);
        entry[11] = attributes;
        entry[12] = case;
        for date_at in [16, 18, 24] {
            entry[date_at..date_at + 2].copy_from_slice(&DATE.to_le_bytes());
        }
        let [low, high] = [cluster & 0xffff, cluster >> 16];
        entry[20..22].copy_from_slice(&high.to_le_bytes()[..2]);
        entry[26..28].copy_from_slice(&low.to_le_bytes()[..2]);
        entry[28..32].copy_from_slice(&size.to_le_bytes());
        Ok(())
    }

    fn finish(self, volume: &Volume) -> Result<Vec<u8>, Error> {
        let used = self.fat.len() - 2;
        if used > self.geometry.clusters {
            return Err(Error::Full(volume.size));
        }
        let boot = boot_sector(volume, &self.geometry);
        // Gaps have places in the table but belong to no file.
        let taken = self.fat.iter().skip(2).filter(|next| **next != 0).count();
        let info = information_sector(number(self.geometry.clusters - taken), number(self.fat.len()));
        let mut bytes = vec![0; usize::from(RESERVED_SECTORS) * SECTOR];
        // The specification's places: boot sector, information sector, and copies of both at sector 6.
        for (sector, content) in [(0, &boot), (1, &info), (6, &boot), (7, &info)] {
            bytes[sector * SECTOR..(sector + 1) * SECTOR].copy_from_slice(content);
        }
        let mut fat: Vec<u8> = self.fat.iter().flat_map(|next| next.to_le_bytes()).collect();
        fat.resize(self.geometry.fat_sectors * SECTOR, 0);
        for _ in 0..FATS {
            bytes.extend(&fat);
        }
        bytes.extend(&self.data);
        Ok(bytes)
    }
}

fn boot_sector(volume: &Volume, geometry: &Geometry) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x58, 0x90]);
    put(3, b"CORACLE ");
    put(11, &512u16.to_le_bytes());
    put(13, &[CLUSTER_SECTORS]);
    put(14, &RESERVED_SECTORS.to_le_bytes());
    put(16, &[FATS]);
    // Fixed disk, and a geometry that nothing uses any more.
    put(21, &[0xf8]);
    put(24, &63u16.to_le_bytes());
    put(26, &255u16.to_le_bytes());
    put(28, &volume.first_sector.to_le_bytes());
    put(32, &geometry.sectors.to_le_bytes());
    put(36, &number(geometry.fat_sectors).to_le_bytes());
    put(44, &ROOT.to_le_bytes());
    put(48, &1u16.to_le_bytes());
    put(50, &6u16.to_le_bytes());
    put(64, &[0x80, 0, 0x29]);
    put(67, &volume.serial.to_le_bytes());
    put(71, LABEL);
    put(82, b"FAT32   ");
    // What would run if the volume were started: a halt loop.
    put(90, &[0xf4, 0xeb, 0xfd]);
    put(510, &[0x55, 0xaa]);
    sector
}

fn information_sector(free: u32, next: u32) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RRaA");
    put(484, b"rrAa");
    put(488, &free.to_le_bytes());
    put(492, &next.to_le_bytes());
    put(510, &[0x55, 0xaa]);
    sector
}

/// The stored form of a name and its case flags.
fn short_name(name: &str) -> Result<([u8; 11], u8), Error> {
    let bad = || Error::Name(name.to_owned());
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if base.is_empty() || base.len() > 8 || extension.len() > 3 || !plain(base) || !plain(extension) {
        return Err(bad());
    }
    let mut stored = [b' '; 11];
    let mut case = 0;
    for (part, at, flag) in [(base, 0, 0x08), (extension, 8, 0x10)] {
        let lower = part.bytes().any(|byte| byte.is_ascii_lowercase());
        if lower && part.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(bad());
        }
        case |= if lower { flag } else { 0 };
        stored[at..at + part.len()].copy_from_slice(part.to_ascii_uppercase().as_bytes());
    }
    Ok((stored, case))
}

/// Cluster and sector numbers of a volume that [`Geometry::of`] has accepted fit 32 bits.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: Volume = Volume { size: 256 << 20, first_sector: 4096, serial: 0x1234_5678 };

    fn file(path: &str) -> File {
        File { path: path.into(), bytes: b"x".to_vec(), gap_before: 0 }
    }

    #[test]
    fn names_that_firmware_might_not_read_are_refused() {
        for name in ["", ".cfg", "ninechars", "a.html", "Grub.cfg", "a b", "a.b.c", "é"] {
            assert_eq!(format(&VOLUME, &[file(name)]), Err(Error::Name(name.into())), "{name}");
        }
        for name in ["grub.cfg", "BOOTX64.EFI", "STATE1.ENV", "a"] {
            assert!(format(&VOLUME, &[file(name)]).is_ok(), "{name}");
        }
    }

    #[test]
    fn doubles_overflows_and_odd_sizes_are_refused() {
        assert_eq!(format(&VOLUME, &[file("a"), file("A")]), Err(Error::Twice("A".into())));
        assert_eq!(format(&VOLUME, &[file("a"), file("a/b")]), Err(Error::Twice("a".into())));
        let many: Vec<File> = (0..64).map(|n| file(&format!("f{n}"))).collect();
        assert_eq!(format(&VOLUME, &many), Err(Error::Directory(String::new())));
        let far = File { gap_before: 256 << 20, ..file("a") };
        assert_eq!(format(&VOLUME, &[far]), Err(Error::Full(256 << 20)));
        let small = Volume { size: 64 << 20, ..VOLUME };
        assert_eq!(format(&small, &[]), Err(Error::Size(64 << 20)));
    }

    #[test]
    fn a_gap_keeps_files_apart() {
        let second = File { gap_before: 8 << 20, bytes: b"second".to_vec(), ..file("b") };
        let bytes = format(&VOLUME, &[File { bytes: b"first!".to_vec(), ..file("a") }, second]).unwrap();
        let find = |text: &[u8]| bytes.windows(6).position(|window| window == text).unwrap();
        assert!(find(b"second") - find(b"first!") >= 8 << 20);
    }
}
