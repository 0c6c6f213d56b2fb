//! FAT look-up against volumes made and filled by Debian's dosfstools and mtools, and against damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that starts the tools it compares with"
)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use coracle_slots::ReadAt;
use coracle_slots::fat::{Error, find, label};
use proptest::prelude::*;

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .unwrap_or_else(|error| panic!("{program} (Debian package dosfstools or mtools) cannot be started: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn content(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap() ^ seed).collect()
}

/// The files of every volume: path, and content.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("/EFI/BOOT/grub.cfg", content(1, 5000)),
        ("/CORACLE/STATE1.ENV", content(2, 1024)),
        ("/CORACLE/STATE2.ENV", content(3, 1024)),
        ("/CORACLE/CONFIG.YAML", content(4, 700)),
        ("/CORACLE/a long name with spaces.yaml", content(5, 2500)),
        ("/EMPTY", Vec::new()),
        ("/BIG.BIN", content(6, 60_000)),
    ]
}

/// A volume with `bits` table bits, one sector a cluster, whose BIG.BIN lies in pieces.
fn volume(directory: &Path, bits: &str, kib: u64) -> Vec<u8> {
    let image = directory.join(format!("fat{bits}"));
    fs::File::create(&image).unwrap().set_len(kib * 1024).unwrap();
    let image_name = image.to_str().unwrap();
    run("mkfs.fat", &["-F", bits, "-s", "1", "-n", "CORACLE", image_name]);
    run("mmd", &["-i", image_name, "::EFI", "::EFI/BOOT", "::CORACLE"]);
    let source = directory.join("source");
    let copy = |path: &str, bytes: &[u8]| {
        fs::write(&source, bytes).unwrap();
        run("mcopy", &["-o", "-i", image_name, source.to_str().unwrap(), &format!("::{path}")]);
    };
    // Small files with holes between them: what comes later is stored in pieces. Thirty names fill several sectors.
    for number in 0..30 {
        copy(&format!("/CORACLE/filler number {number}"), &content(9, 600));
    }
    for number in (0..30).step_by(2) {
        run("mdel", &["-i", image_name, &format!("::/CORACLE/filler number {number}")]);
    }
    if bits == "32" {
        // Forget the hint where free clusters begin, or the holes stay unused.
        fs::File::options().write(true).open(&image).unwrap().write_all_at(&[0xff; 8], 512 + 488).unwrap();
    }
    for (path, bytes) in files() {
        copy(path, &bytes);
    }
    fs::read(&image).unwrap()
}

const VOLUMES: [(&str, u64); 3] = [("12", 1440), ("16", 8192), ("32", 40_960)];

#[test]
fn files_of_every_kind_of_volume_are_found() {
    let directory = tempfile::tempdir().unwrap();
    for (bits, kib) in VOLUMES {
        let volume = volume(directory.path(), bits, kib);
        for (path, want) in files() {
            let file = find(&volume, path).unwrap_or_else(|error| panic!("FAT{bits} {path}: {error}"));
            let mut bytes = Vec::new();
            for extent in &file.extents {
                let mut part = vec![0; usize::try_from(extent.length).unwrap()];
                volume.read_at(extent.offset, &mut part).unwrap();
                bytes.extend(part);
            }
            assert!(bytes == want, "FAT{bits} {path}");
            assert_eq!(file.size, u64::try_from(want.len()).unwrap());
            if path == "/BIG.BIN" {
                assert!(file.extents.len() > 3, "FAT{bits}: in pieces, or this test tests less than it says");
            }
            assert_eq!(find(&volume, &path.to_lowercase()).unwrap(), file, "case does not count");
        }
        for missing in
            ["/CORACLE/STATE3.ENV", "/CORACLE", "/EFI/BOOT/grub.cfg/x", "/filler number 1", "/", "", "/CORACLE/.ENV"]
        {
            assert!(matches!(find(&volume, missing), Err(Error::NotFound(_))), "FAT{bits} {missing:?}");
        }
    }
}

#[test]
fn a_ring_of_clusters_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut volume = volume(directory.path(), "16", 8192);
    // Every table entry points to cluster 2.
    let reserved = usize::from(volume[14]) * 512;
    let tables = usize::from(u16::from_le_bytes([volume[22], volume[23]])) * 512 * 2;
    for pair in volume[reserved + 4..reserved + tables].chunks_exact_mut(2) {
        pair.copy_from_slice(&[2, 0]);
    }
    assert!(matches!(find(&volume, "/CORACLE/nothing"), Err(Error::Damaged(_) | Error::NotFound(_))));
}

/// A volume with some bytes changed.
struct Damaged<'a> {
    volume: &'a Vec<u8>,
    changes: Vec<(usize, u8)>,
}

impl ReadAt for Damaged<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.volume.read_at(offset, buf)?;
        let start = usize::try_from(offset).unwrap();
        for (at, to) in &self.changes {
            if let Some(byte) = at.checked_sub(start).and_then(|at| buf.get_mut(at)) {
                *byte = *to;
            }
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        ReadAt::len(self.volume)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Damage anywhere in the volume's own structures: a file, or an error. What is found stays within the volume.
    #[test]
    fn damage_is_bounded(
        which in 0_usize..3,
        changes in prop::collection::vec((0_usize..60_000, any::<u8>()), 1..12),
        boot in prop::collection::vec((11_usize..64, any::<u8>()), 0..2),
    ) {
        static VOLUME: std::sync::OnceLock<[Vec<u8>; 3]> = std::sync::OnceLock::new();
        let volumes = VOLUME.get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            VOLUMES.map(|(bits, kib)| volume(directory.path(), bits, kib.min(36_000)))
        });
        let volume = Damaged { volume: &volumes[which], changes: changes.into_iter().chain(boot).collect() };
        for path in ["/CORACLE/CONFIG.YAML", "/BIG.BIN"] {
            if let Ok(file) = find(&volume, path) {
                let total: u64 = file.extents.iter().map(|extent| extent.length).sum();
                prop_assert_eq!(total, file.size);
                for extent in file.extents {
                    prop_assert!(extent.offset + extent.length <= ReadAt::len(&volume));
                }
            }
        }
    }
}

#[test]
fn labels_and_whole_files_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for (bits, kib) in VOLUMES {
        let mut volume = volume(directory.path(), bits, kib);
        assert_eq!(label(&volume).unwrap().as_deref(), Some("CORACLE"), "FAT{bits}");
        let file = find(&volume, "/BIG.BIN").unwrap();
        assert!(file.read(&volume, 60_000).unwrap() == content(6, 60_000));
        assert!(matches!(file.read(&volume, 59_999), Err(Error::TooLarge { size: 60_000, most: 59_999 })));
        // Without the entry of the root directory the label of the boot sector counts; with it the entry does.
        let entry = volume.windows(12).position(|bytes| bytes == b"CORACLE    \x08").unwrap();
        volume[entry..entry + 11].copy_from_slice(b"cidata     ");
        assert_eq!(label(&volume).unwrap().as_deref(), Some("cidata"), "FAT{bits}");
        volume[entry] = 0xe5;
        assert_eq!(label(&volume).unwrap().as_deref(), Some("CORACLE"), "FAT{bits}");
        let boot = volume.windows(11).position(|bytes| bytes == b"CORACLE    ").unwrap();
        assert!(boot < 512);
        volume[boot..boot + 11].copy_from_slice(b"NO NAME    ");
        assert_eq!(label(&volume).unwrap(), None, "FAT{bits}");
    }
    assert!(label(&vec![0; 4096]).is_err());
}
