//! Unpacking as root: owners, devices and attributes cannot be tested otherwise.

mod archive;
mod hostile;
mod overlay;

use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::testing::scratch;
use archive::{Archive, Item};

struct Scene {
    scratch: tempfile::TempDir,
    layers: Layers,
}

impl Scene {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let scratch = scratch();
        let layers = Layers::open(&scratch.path().join("layers"), limits, Faults::default()).unwrap();
        Self { scratch, layers }
    }

    fn unpack(&self, blob: &[u8], diff_id: Digest, parents: &[Digest]) -> Result<Digest, Error> {
        let path = self.scratch.path().join("blob");
        fs::write(&path, blob).unwrap();
        let packed = Packed { file: File::open(&path).unwrap(), digest: Digest::of(blob), diff_id };
        self.jailed(packed, parents).map(|()| diff_id)
    }

    /// Unpacks in a thread whose root is the scratch folder. Should the unpacking ever lead out of its own folder, the
    /// tests see it there, and the machine they run on is not harmed.
    fn jailed(&self, packed: Packed, parents: &[Digest]) -> Result<(), Error> {
        let inside = Layers { folder: PathBuf::from("/layers"), ..self.layers.clone() };
        let unpack = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
            rustix::process::chroot(self.scratch.path()).unwrap();
            rustix::process::chdir("/").unwrap();
            let chain = packed.diff_id;
            inside.unpack(&chain, packed, parents)
        };
        std::thread::scope(|scope| scope.spawn(unpack).join().unwrap())
    }

    fn plain(&self, tar: &[u8], parents: &[Digest]) -> Result<Digest, Error> {
        self.unpack(tar, Digest::of(tar), parents)
    }

    fn at(&self, chain: &Digest, path: &str) -> PathBuf {
        self.layers.path(chain).join(path)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

#[test]
fn every_compression_gives_the_same_files() {
    let tar = Archive::new().add(Item::file("a", b"hello")).finish();
    let zstd = zstd::encode_all(tar.as_slice(), 1).unwrap();
    let split = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    for blob in [tar.clone(), gzip(&tar), zstd, split] {
        let scene = Scene::new();
        let chain = scene.unpack(&blob, Digest::of(&tar), &[]).unwrap();
        assert_eq!(fs::read(scene.at(&chain, "a")).unwrap(), b"hello");
        assert_eq!(scene.layers.list().unwrap(), [chain]);
        scene.layers.discard(&chain).unwrap();
        assert!(!scene.layers.has(&chain));
    }
}

#[test]
fn what_was_promised_is_checked() {
    let tar = Archive::new().add(Item::file("a", b"hello")).finish();
    let scene = Scene::new();
    assert!(matches!(scene.unpack(&gzip(&tar), Digest::of(b"other"), &[]), Err(Error::DiffId { .. })));
    let path = scene.scratch.path().join("blob");
    fs::write(&path, &tar).unwrap();
    let packed = Packed { file: File::open(&path).unwrap(), digest: Digest::of(b"other"), diff_id: Digest::of(&tar) };
    assert!(matches!(scene.jailed(packed, &[]), Err(Error::Digest { .. })));
    let mut cut = gzip(&tar);
    cut.truncate(cut.len() - 6);
    assert!(scene.unpack(&cut, Digest::of(&tar), &[]).is_err());
    for end in [1, 511, 513, 700] {
        let cut = &tar[..end];
        assert!(scene.plain(cut, &[]).is_err(), "cut at {end}");
    }
    assert_eq!(fs::read_dir(scene.scratch.path().join("layers")).unwrap().count(), 0, "nothing is left");
    // What stands behind the archive belongs to the digest.
    let trailing = [tar.as_slice(), &[7; 4096]].concat();
    scene.plain(&trailing, &[]).unwrap();
}

#[test]
fn files_are_as_the_layer_says() {
    let capability: &[u8] = b"\x01\x00\x00\x02\x0a\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let tar = Archive::new()
        .add(Item::directory("./").mode(0o751).owner(5, 6))
        .add(Item::file("bin/su", b"su").mode(0o4755).owner(1, 2).time(1_000_000_000))
        .add(Item::file("bin/ping", b"ping").pax("SCHILY.xattr.security.capability", capability))
        .add(
            Item::file("x", b"")
                .pax("SCHILY.xattr.user.note", b"hi")
                .pax("SCHILY.xattr.trusted.overlay.opaque", b"y")
                .pax("mtime", b"1000000001.5"),
        )
        .add(Item::hard_link("bin/sudo", "bin/su"))
        .add(Item::symlink("lib", "/usr/lib").owner(3, 4))
        .add(Item::directory("usr/lib").time(1_000_000_002))
        .add(Item::file("lib/so", b"so"))
        .add(Item::device("dev/null", tar::EntryType::Char, 1, 3).mode(0o666))
        .add(Item::device("fifo", tar::EntryType::Fifo, 0, 0))
        .add(Item::file(&long, b"long"))
        .finish();
    let scene = Scene::new();
    let chain = scene.plain(&tar, &[]).unwrap();
    let look = |path: &str| fs::symlink_metadata(scene.at(&chain, path)).unwrap();
    let root = look("");
    assert_eq!((root.mode() & 0o7777, root.uid(), root.gid()), (0o751, 5, 6));
    let su = look("bin/su");
    assert_eq!((su.mode() & 0o7777, su.uid(), su.gid(), su.mtime(), su.nlink()), (0o4755, 1, 2, 1_000_000_000, 2));
    assert_eq!(look("bin/sudo").ino(), su.ino());
    assert_eq!(attribute(&scene.at(&chain, "bin/ping"), "security.capability").as_deref(), Some(capability));
    assert_eq!(attribute(&scene.at(&chain, "x"), "trusted.overlay.opaque"), None);
    assert_eq!((look("x").mtime(), look("x").mtime_nsec()), (1_000_000_001, 500_000_000));
    assert_eq!((look("lib").uid(), look("usr/lib").mtime()), (3, 1_000_000_002));
    assert_eq!(fs::read(scene.at(&chain, "usr/lib/so")).unwrap(), b"so", "the link leads inside");
    assert!(look("dev/null").file_type().is_char_device());
    assert_eq!((look("dev/null").rdev(), look("dev/null").permissions().mode() & 0o777), (0x103, 0o666));
    assert!(look("fifo").file_type().is_fifo());
    assert_eq!(fs::read(scene.at(&chain, &long)).unwrap(), b"long");
    let folder = fs::metadata(scene.scratch.path().join("layers")).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700, "setuid programs are out of reach");
}

#[test]
fn later_entries_replace_earlier_ones() {
    let tar = Archive::new()
        .add(Item::file("a", b"first"))
        .add(Item::file("a", b"second"))
        .add(Item::directory("b"))
        .add(Item::file("b/c/d", b"deep"))
        .add(Item::file("b", b"file"))
        .add(Item::symlink("l", "target"))
        .add(Item::file("l", b"no link"))
        .add(Item::file("target-of-all", b"1"))
        .add(Item::directory("e"))
        .add(Item::directory("e").mode(0o700))
        .finish();
    let scene = Scene::new();
    let chain = scene.plain(&tar, &[]).unwrap();
    for (path, want) in [("a", "second"), ("b", "file"), ("l", "no link"), ("target-of-all", "1")] {
        assert_eq!(fs::read_to_string(scene.at(&chain, path)).unwrap(), want, "{path}");
    }
    assert!(!scene.at(&chain, "target").exists());
    assert_eq!(fs::metadata(scene.at(&chain, "e")).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn folders_without_an_entry_are_as_below() {
    let scene = Scene::new();
    let lower = Archive::new().add(Item::directory("./").mode(0o700)).add(Item::directory("tmp").mode(0o1777)).finish();
    let lower = scene.plain(&lower, &[]).unwrap();
    let upper = scene.plain(&Archive::new().add(Item::file("tmp/new/x", b"")).finish(), &[lower]).unwrap();
    let mode = |path: &str| fs::metadata(scene.at(&upper, path)).unwrap().mode() & 0o7777;
    assert_eq!((mode(""), mode("tmp"), mode("tmp/new")), (0o700, 0o1777, 0o755));
}

#[test]
fn holes_stay_holes() {
    // Format 1.0 of extended records: the map stands before the data.
    let mut data = b"1\n1048576\n3\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"end");
    let new = Item::file("GNUSparseFile.0/s", &data)
        .pax("GNU.sparse.major", b"1")
        .pax("GNU.sparse.minor", b"0")
        .pax("GNU.sparse.name", b"s")
        .pax("GNU.sparse.realsize", b"1048579");
    let old = Item::gnu_sparse("o", 1_048_579, &[(1_048_576, 3)], b"end");
    for (item, name) in [(new, "s"), (old, "o")] {
        let scene = Scene::new();
        let chain = scene.plain(&Archive::new().add(item).add(Item::file("after", b"1")).finish(), &[]).unwrap();
        let content = fs::read(scene.at(&chain, name)).unwrap();
        assert_eq!((content.len(), &content[1_048_576..]), (1_048_579, &b"end"[..]));
        assert!(fs::metadata(scene.at(&chain, name)).unwrap().blocks() < 100);
        assert!(scene.at(&chain, "after").exists());
    }
    let overlapping = Item::gnu_sparse("o", 10, &[(4, 4), (6, 2)], b"123456");
    assert!(Scene::new().plain(&Archive::new().add(overlapping).finish(), &[]).is_err());
}

#[test]
fn an_unfinished_layer_is_gone_after_opening() {
    let scene = Scene::new();
    let folder = scene.scratch.path().join("layers");
    fs::create_dir_all(folder.join(".new-x/fs/deep")).unwrap();
    Layers::open(&folder, Limits::default(), Faults::default()).unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}
