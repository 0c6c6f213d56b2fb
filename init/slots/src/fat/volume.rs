//! The volume's geometry and its chains of clusters.

use super::{Error, Extent};
use crate::ReadAt;
use crate::bytes::{array, u16_le, u32_le};

/// Sectors are read one by one; larger ones are not used on our disks.
const SECTOR: usize = 512;
const SECTOR_BYTES: u64 = 512;

/// Longest chain that is followed. Bounds time and memory on a volume whose chain is a ring.
const MOST_CLUSTERS: u32 = 65_536;

/// Which table entries the volume has; the number of clusters alone decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fat12,
    Fat16,
    Fat32,
}

/// Where a directory starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// The fixed root directory of FAT12 and FAT16.
    Root,
    /// A chain of clusters.
    Cluster(u32),
}

/// An opened volume.
#[derive(Debug)]
pub(super) struct Volume<'a, R> {
    device: &'a R,
    kind: Kind,
    cluster_sectors: u64,
    fat_start: u64,
    root_start: u64,
    root_sectors: u64,
    root_cluster: u32,
    data_start: u64,
    clusters: u32,
    boot_label: Option<[u8; 11]>,
}

impl<'a, R: ReadAt> Volume<'a, R> {
    pub(super) fn open(device: &'a R) -> Result<Self, Error> {
        let mut boot = [0; SECTOR];
        read(device, 0, &mut boot)?;
        Self::geometry(device, &boot).ok_or(Error::Damaged("the boot sector is not that of a FAT volume"))
    }

    fn geometry(device: &'a R, boot: &[u8]) -> Option<Self> {
        let [cluster_sectors, ..] = array::<1>(boot, 13)?;
        let [fats, ..] = array::<1>(boot, 16)?;
        let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
        let fat_sectors = either(u16_le(boot, 22)?, u32_le(boot, 36)?);
        let sectors = either(u16_le(boot, 19)?, u32_le(boot, 32)?);
        let root_entries = u64::from(u16_le(boot, 17)?);
        let sound = u16_le(boot, 510)? == 0xaa55
            && usize::from(u16_le(boot, 11)?) == SECTOR
            && cluster_sectors.is_power_of_two()
            && matches!(fats, 1 | 2)
            && sectors.checked_mul(SECTOR_BYTES)? <= device.len();
        if !sound {
            return None;
        }
        let fat_start = u64::from(u16_le(boot, 14)?);
        let root_start = fat_start.checked_add(fat_sectors.checked_mul(u64::from(fats))?)?;
        let root_sectors = root_entries.checked_mul(32)?.div_ceil(SECTOR_BYTES);
        let data_start = root_start.checked_add(root_sectors)?;
        let cluster_sectors = u64::from(cluster_sectors);
        let clusters = u32::try_from(sectors.checked_sub(data_start)?.checked_div(cluster_sectors)?).ok()?;
        let kind = match clusters {
            0..4085 => Kind::Fat12,
            4085..65_525 => Kind::Fat16,
            _ => Kind::Fat32,
        };
        let root_cluster = if kind == Kind::Fat32 { u32_le(boot, 44)? } else { 0 };
        Some(Self {
            device,
            kind,
            cluster_sectors,
            fat_start,
            root_start,
            root_sectors,
            root_cluster,
            data_start,
            clusters,
            boot_label: boot_label(boot, kind),
        })
    }

    /// The label in the boot sector.
    pub(super) fn boot_label(&self) -> Option<[u8; 11]> {
        self.boot_label
    }

    /// The root directory.
    pub(super) fn root(&self) -> Start {
        if self.kind == Kind::Fat32 { Start::Cluster(self.root_cluster) } else { Start::Root }
    }

    /// Calls `visit` with each sector of a directory until it returns false.
    pub(super) fn for_each_sector(&self, start: Start, mut visit: impl FnMut(&[u8]) -> bool) -> Result<(), Error> {
        let mut sector = [0; SECTOR];
        let mut run = |first: u64, count: u64| -> Result<bool, Error> {
            for number in first..first.saturating_add(count) {
                read(self.device, number.saturating_mul(SECTOR_BYTES), &mut sector)?;
                if !visit(&sector) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match start {
            Start::Root => run(self.root_start, self.root_sectors).map(|_| ()),
            Start::Cluster(first) => self.follow(first, |cluster| run(self.sector_of(cluster), self.cluster_sectors)),
        }
    }

    /// Where the first `size` bytes of a chain lie.
    pub(super) fn extents(&self, first_cluster: u32, size: u64) -> Result<Vec<Extent>, Error> {
        let cluster_bytes = self.cluster_sectors.saturating_mul(SECTOR_BYTES);
        let mut extents: Vec<Extent> = Vec::new();
        let mut rest = size;
        self.follow(first_cluster, |cluster| {
            let offset = self.sector_of(cluster).saturating_mul(SECTOR_BYTES);
            let length = rest.min(cluster_bytes);
            rest = rest.saturating_sub(length);
            match extents.last_mut() {
                Some(last) if last.offset.saturating_add(last.length) == offset => {
                    last.length = last.length.saturating_add(length);
                }
                _ => extents.push(Extent { offset, length }),
            }
            Ok(rest > 0)
        })?;
        if rest > 0 {
            return Err(Error::Damaged("a file is longer than its chain of clusters"));
        }
        Ok(extents)
    }

    /// Calls `visit` with each cluster of a chain until it returns false.
    fn follow(&self, first: u32, mut visit: impl FnMut(u32) -> Result<bool, Error>) -> Result<(), Error> {
        let mut cluster = first;
        for _ in 0..MOST_CLUSTERS {
            if !(2..self.clusters.saturating_add(2)).contains(&cluster) {
                return Err(Error::Damaged("a chain leaves the volume"));
            }
            if !visit(cluster)? {
                return Ok(());
            }
            match self.next(cluster)? {
                Some(next) => cluster = next,
                None => return Ok(()),
            }
        }
        Err(Error::Damaged("a chain is longer than any we use, or a ring"))
    }

    /// The cluster after `cluster`; `None` at the end of the chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>, Error> {
        let number = u64::from(cluster);
        // An entry of FAT12 has 12 bits and may begin in the middle of a byte.
        let (offset, shift, mask): (u64, u64, u32) = match self.kind {
            Kind::Fat12 => (number.saturating_add(number / 2), if number % 2 == 1 { 4 } else { 0 }, 0x0fff),
            Kind::Fat16 => (number.saturating_mul(2), 0, 0xffff),
            Kind::Fat32 => (number.saturating_mul(4), 0, 0x0fff_ffff),
        };
        let mut bytes = [0; 4];
        let width = if self.kind == Kind::Fat32 { 4 } else { 2 };
        let place = self.fat_start.saturating_mul(SECTOR_BYTES).saturating_add(offset);
        read(self.device, place, bytes.get_mut(..width).unwrap_or_default())?;
        let value = (u32::from_le_bytes(bytes) >> shift) & mask;
        let end = mask & !7;
        Ok((value < end).then_some(value))
    }

    fn sector_of(&self, cluster: u32) -> u64 {
        let index = u64::from(cluster.saturating_sub(2));
        self.data_start.saturating_add(index.saturating_mul(self.cluster_sectors))
    }
}

/// The label stands behind a signature, which old volumes lack.
fn boot_label(boot: &[u8], kind: Kind) -> Option<[u8; 11]> {
    let signature = if kind == Kind::Fat32 { 66_usize } else { 38 };
    let label = array(boot, signature.saturating_add(5))?;
    (array(boot, signature) == Some([0x29]) && label != *b"NO NAME    ").then_some(label)
}

fn read(device: &impl ReadAt, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
    device.read_at(offset, buf).map_err(|source| Error::Read { offset, source })
}
