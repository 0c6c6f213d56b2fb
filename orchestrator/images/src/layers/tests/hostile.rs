//! Whatever a layer says, nothing outside its folder is touched, and what it takes is bounded.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tar::EntryType;

use super::*;

/// Content, mode, owner, links and times.
type Looks = (Vec<u8>, u32, u32, u64, i64, i64);

/// Everything under `folder` but the layers.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Looks> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("layers") || path.ends_with("blob") {
                continue;
            }
            let seen = fs::symlink_metadata(&path).unwrap();
            let content = if seen.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if seen.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (content, seen.mode(), seen.uid(), seen.nlink(), seen.mtime(), seen.ctime_nsec()));
        }
    }
    found
}

fn scene() -> Scene {
    let scene = Scene::with(Limits { entries: 100, bytes: 1 << 20, path: 1024, depth: 32, metadata: 4096 });
    let outside = scene.scratch.path().join("outside/deep");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), b"secret").unwrap();
    fs::write(scene.scratch.path().join("secret"), b"secret").unwrap();
    scene
}

/// Parts of paths: names that repeat, so that entries meet, and all that leads upwards or elsewhere.
fn component() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => prop::sample::select(vec!["a", "b", "c", "up", "secret", "outside", "deep"]),
        2 => prop::sample::select(vec![".", "", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.x", ".wh."]),
        1 => prop::sample::select(vec!["..", ".wh...", ".wh..", "proc", "self", "root", "\u{fffd}"]),
    ]
}

fn path() -> impl Strategy<Value = String> {
    (prop::bool::weighted(0.1), prop::collection::vec(component(), 1..5))
        .prop_map(|(absolute, parts)| format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")))
}

fn target() -> impl Strategy<Value = String> {
    let upwards = (0..8usize, path()).prop_map(|(levels, path)| format!("{}{path}", "../".repeat(levels)));
    let fixed =
        prop::sample::select(vec!["/", "..", ".", "/proc/self/root", "/proc/self/cwd", "/outside", "/outside/deep"]);
    prop_oneof![3 => upwards, 2 => fixed.prop_map(str::to_owned), 2 => path()]
}

fn items() -> impl Strategy<Value = Vec<(u8, String, String)>> {
    prop::collection::vec((0..12u8, path(), target()), 1..24)
}

fn build(items: &[(u8, String, String)]) -> Vec<u8> {
    items
        .iter()
        .fold(Archive::new(), |archive, (kind, path, target)| {
            archive.add(match kind {
                0..=2 => Item::symlink(path, target),
                3..=4 => Item::hard_link(path, target),
                5..=7 => Item::file(path, b"evil").mode(0o6777),
                8 => Item::device(path, EntryType::Char, 0, 0),
                9 => Item::device(path, EntryType::Fifo, 0, 0),
                _ => Item::directory(path).mode(0o777).owner(9, 9),
            })
        })
        .finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_is_touched(first in items(), second in items()) {
        let scene = scene();
        let before = snapshot(scene.scratch.path());
        let lower = scene.plain(&build(&first), &[]).ok();
        let parents: Vec<Digest> = lower.into_iter().collect();
        let _ = scene.plain(&build(&second), &parents);
        prop_assert_eq!(snapshot(scene.scratch.path()), before);
        for entry in fs::read_dir(scene.scratch.path().join("layers")).unwrap() {
            let name = entry.unwrap().file_name();
            prop_assert!(Digest::from_hex(name.to_str().unwrap()).is_ok(), "{name:?} is left");
        }
    }

    #[test]
    fn any_bytes_are_refused_or_unpacked(bytes in prop::collection::vec(any::<u8>(), 0..4096), at in 0..1500usize) {
        let scene = scene();
        let _ = scene.plain(&bytes, &[]);
        let mut tar = Archive::new()
            .add(Item::file("a", b"x").pax("path", b"b"))
            .add(Item::gnu_sparse("s", 10, &[(4, 4)], b"1234"))
            .finish();
        for (offset, byte) in bytes.iter().take(8).enumerate() {
            tar[at + offset] = *byte;
        }
        let _ = scene.plain(&tar, &[]);
    }
}

#[test]
fn known_tricks_fail_or_stay_inside() {
    let inside: fn(&Scene, &Digest) -> bool = |scene, chain| scene.layers.has(chain);
    for (name, items, refused) in [
        ("parent", vec![Item::file("../secret", b"evil")], true),
        ("parent in the middle", vec![Item::file("a/../../secret", b"evil")], true),
        ("absolute", vec![Item::file("/secret", b"evil")], false),
        ("link upwards", vec![Item::symlink("up", "../../.."), Item::file("up/secret", b"evil")], false),
        ("file over a link", vec![Item::symlink("a", "../../../secret"), Item::file("a", b"evil")], false),
        ("hard link out", vec![Item::hard_link("a", "../../../secret")], true),
        ("hard link through a link", vec![Item::symlink("u", "../../.."), Item::hard_link("a", "u/secret")], true),
        ("hard link to a folder", vec![Item::directory("d"), Item::hard_link("a", "d")], true),
        ("whiteout of the parent", vec![Item::file(".wh...", b"")], true),
        ("whiteout of nothing", vec![Item::file(".wh.", b"")], true),
        ("dangling parent", vec![Item::symlink("a", "/nowhere"), Item::file("a/b", b"")], true),
        ("loop", vec![Item::symlink("a", "b"), Item::symlink("b", "a"), Item::file("a/b", b"")], true),
        ("file as a folder", vec![Item::file("a", b""), Item::file("a/b", b"")], true),
        ("root as a file", vec![Item::file("./", b""), Item::symlink("/", "x")], true),
        ("owner too large", vec![Item::file("a", b"").pax("uid", b"4294967296")], true),
        ("zero in a name", vec![Item::file("a", b"").pax("path", b"a\0b")], true),
        ("unknown kind", vec![Item::new("a", EntryType::new(b'V'), "", b"")], true),
    ] {
        let scene = scene();
        let before = snapshot(scene.scratch.path());
        let tar = items.into_iter().fold(Archive::new(), Archive::add).finish();
        let outcome = scene.plain(&tar, &[]);
        assert_eq!(outcome.is_err(), refused, "{name}: {outcome:?}");
        assert!(outcome.is_ok_and(|chain| inside(&scene, &chain)) != refused, "{name}");
        assert_eq!(snapshot(scene.scratch.path()), before, "{name}");
    }
}

#[test]
fn bombs_are_bounded() {
    let many = (0..101).fold(Archive::new(), |archive, _| archive.add(Item::file("a", b""))).finish();
    assert!(matches!(scene().plain(&many, &[]), Err(Error::Entries(100))));
    let large = Archive::new().add(Item::file("a", b"").claims((1 << 20) + 1)).finish();
    assert!(matches!(scene().plain(&large, &[]), Err(Error::Bytes(_))));
    let sparse = Archive::new().add(Item::gnu_sparse("a", 1 << 32, &[], b"")).finish();
    assert!(matches!(scene().plain(&sparse, &[]), Err(Error::Bytes(_))));
    let record = Archive::new().add(Item::file("a", b"").pax("comment", &[b'x'; 5000])).finish();
    assert!(matches!(scene().plain(&record, &[]), Err(Error::Metadata(4096))));
    let deep = Archive::new().add(Item::directory(&"a/".repeat(33))).finish();
    assert!(matches!(scene().plain(&deep, &[]), Err(Error::Path(..))));
    let long = Archive::new().add(Item::directory(&"a".repeat(1025))).finish();
    assert!(matches!(scene().plain(&long, &[]), Err(Error::Path(..))));
    // 16 MiB of zeros behind the archive are 16 KiB of gzip.
    let mut trailing = Archive::new().add(Item::file("a", b"")).finish();
    trailing.resize(16 << 20, 0);
    let outcome = scene().unpack(&gzip(&trailing), Digest::of(&trailing), &[]);
    assert!(outcome.unwrap_err().to_string().contains("unpacks to more than"));
}
