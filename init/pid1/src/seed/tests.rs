//! Sources made with mtools and by hand, and the copies that are made of them.
#![expect(clippy::disallowed_methods, reason = "a test that starts the tools that make its volumes")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;
use crate::arguments::Arguments;
use crate::console::Console;
use crate::watchdog::Watchdog;

const DOCUMENT: &[u8] = b"#coracle-config\nbootstrap-token: abcdef.0123456789abcdef\n";

/// A FAT volume with a label and files.
fn fat_volume(bits: &str, label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let kib = if bits == "32" { 40_960 } else { 1_440 };
    fs::File::create(&image).unwrap().set_len(kib * 1024).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let path = "/usr/sbin:/usr/bin:/sbin:/bin";
        let mut command = Command::new(program);
        let output = command.args(arguments).env_clear().env("PATH", path).env("MTOOLS_SKIP_CHECK", "1").output();
        let output = output.unwrap_or_else(|error| panic!("{program} (dosfstools, mtools) cannot be started: {error}"));
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    };
    let name = image.to_str().unwrap();
    run("mkfs.fat", &["-F", bits, "-s", "1", "-n", label, name]);
    for (path, bytes) in files {
        if let Some((directory, _)) = path.trim_start_matches('/').rsplit_once('/') {
            run("mmd", &["-i", name, &format!("::{directory}")]);
        }
        let source = folder.path().join("source");
        fs::write(&source, bytes).unwrap();
        run("mcopy", &["-i", name, source.to_str().unwrap(), &format!("::{path}")]);
    }
    fs::read(&image).unwrap()
}

/// An ISO 9660 volume whose only file has a plain name.
fn iso_volume(label: &[u8; 6], content: &[u8]) -> Vec<u8> {
    const SECTOR: usize = 2048;
    let mut volume = vec![0; 22 * SECTOR + content.len().next_multiple_of(SECTOR)];
    let record = |name: &[u8], sector: u8, size: usize| {
        let mut record = vec![0; 34 + name.len()];
        record[0] = u8::try_from(record.len()).unwrap();
        record[2] = sector;
        record[10..14].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        record[32] = u8::try_from(name.len()).unwrap();
        record[33..33 + name.len()].copy_from_slice(name);
        record
    };
    let mut put = |at: usize, bytes: &[u8]| volume[at..at + bytes.len()].copy_from_slice(bytes);
    put(16 * SECTOR, b"\x01CD001\x01");
    put(16 * SECTOR + 40, label);
    put(16 * SECTOR + 128, &2048_u16.to_le_bytes());
    put(16 * SECTOR + 156, &record(b"\0", 20, SECTOR)[..34]);
    put(17 * SECTOR, b"\xffCD001\x01");
    put(20 * SECTOR, &record(b"USER_DAT.;1", 22, content.len()));
    put(22 * SECTOR, content);
    volume
}

#[test]
fn only_volumes_with_the_label_have_a_document() {
    let user_data: (&str, &[u8]) = ("/user-data", DOCUMENT);
    for (about, volume, want) in [
        ("FAT12", fat_volume("12", "CIDATA", &[user_data]), Some(DOCUMENT)),
        ("FAT32, small letters", fat_volume("32", "cidata", &[("/meta-data", b""), user_data]), Some(DOCUMENT)),
        ("FAT of somebody else", fat_volume("12", "CORACLE", &[user_data]), None),
        ("ISO 9660", iso_volume(b"cidata", DOCUMENT), Some(DOCUMENT)),
        ("empty document", iso_volume(b"CIDATA", b""), Some(&b""[..])),
        ("ISO 9660 of somebody else", iso_volume(b"CIDATB", DOCUMENT), None),
        ("zeros", vec![0; 100_000], None),
        ("nothing", vec![], None),
    ] {
        assert_eq!(volume::document(&volume, "vdb", MOST_BYTES).unwrap().as_deref(), want, "{about}");
    }
    let without = fat_volume("12", "CIDATA", &[("/meta-data", b"")]);
    let error = volume::document(&without, "vdb", MOST_BYTES).unwrap_err();
    assert_eq!(error.to_string(), "user-data of vdb is not on the volume");
    let cut = iso_volume(b"CIDATA", DOCUMENT);
    assert!(volume::document(&&cut[..22 * 2048], "sr0", MOST_BYTES).is_err());
    let large = vec![b'#'; (1 << 20) + 1];
    assert!(volume::document(&iso_volume(b"CIDATA", &large), "sr0", MOST_BYTES).is_err());
    assert!(volume::document(&iso_volume(b"CIDATA", &large[1..]), "sr0", MOST_BYTES).is_ok());
}

#[test]
fn one_document_is_taken_and_two_are_none() {
    let names = || ["sr0", "vda", "vdb", "vdb1"].map(str::to_owned).into_iter();
    let shown = |documents: [Option<&[u8]>; 4]| {
        let mut documents = documents.into_iter();
        match of_volumes(names(), |_| Ok(documents.next().unwrap().map(<[u8]>::to_vec))) {
            Found::Document { device, bytes } => format!("{device} {}", String::from_utf8(bytes).unwrap()),
            Found::Ambiguous(devices) => devices.join(" or "),
            other => format!("{other:?}"),
        }
    };
    for (documents, want) in [
        ([None, None, None, None], "Absent"),
        ([None, None, Some(&b"a"[..]), None], "vdb a"),
        ([None, None, Some(b"a"), Some(b"a")], "vdb a"),
        ([Some(b"a"), None, Some(b"b"), Some(b"c")], "sr0 or vdb"),
    ] {
        assert_eq!(shown(documents), want);
    }
    let mut turn = 0;
    let failed = of_volumes(names(), |_| {
        turn += 1;
        if turn == 2 { Err(fat::Error::Damaged("x")) } else { Ok(Some(b"a".to_vec())) }
    });
    assert!(matches!(failed, Found::Unreadable(error) if chain(&error).ends_with("of vda: damaged volume: x")));
}

#[test]
fn the_esp_of_the_disk_is_read_without_a_mount() {
    use coracle_slots::gpt::{Guid, Guids, shipped};
    let table = shipped(&Guids { disk: Guid::ZERO, partitions: [Guid::ZERO; 6] });
    let start = usize::try_from(table.find(Role::Esp).unwrap().offset_bytes()).unwrap();
    let disk = |files: &[(&str, &[u8])]| {
        let mut disk = vec![0; 258 << 20];
        let volume = fat_volume("32", "CORACLE", files);
        disk[start..start + volume.len()].copy_from_slice(&volume);
        disk
    };
    let with = disk(&[("/CORACLE/CONFIG.YAML", DOCUMENT)]);
    let found = of_esp(&with, "vda", &table);
    assert!(matches!(found, Found::Document { device, bytes } if device == "vda" && bytes == DOCUMENT));
    assert!(matches!(of_esp(&disk(&[("/README", b"x")]), "vda", &table), Found::Absent));
    assert!(matches!(of_esp(&vec![0; 258 << 20], "vda", &table), Found::Unreadable(_)));
}

#[test]
fn copies_are_private_and_the_console_never_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let console = folder.path().join("console");
    let mut context = Context {
        console: Console::to(fs::File::create(&console).unwrap()),
        watchdog: Watchdog::absent(),
        arguments: Arguments::parse("coracle.boot=1 coracle.slot=a coracle.seq=0000000001 coracle.id=0000000000000000")
            .unwrap(),
        development: false,
    };
    let mut facts = Facts::default();
    let seed = folder.path().join("seed");
    let document = Found::Document { device: "vdb".to_owned(), bytes: DOCUMENT.to_vec() };
    keep(&mut context, &mut facts, &seed, "nocloud", document);
    keep(&mut context, &mut facts, &seed, "esp", Found::Absent);
    assert_eq!(fs::read(seed.join("nocloud")).unwrap(), DOCUMENT);
    assert!(!seed.join("esp").exists());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&seed), mode(&seed.join("nocloud"))), (0o700, 0o600));
    keep(&mut context, &mut facts, &seed, "esp", failed("vda", fat::Error::TooLarge { size: 2 << 20, most: 1 << 20 }));
    assert_eq!((facts.get("seed-esp"), facts.get("seed-nocloud")), (Some("too-large"), Some("copied")));
    // A folder that cannot be made is no reason to stop.
    let document = Found::Document { device: "vdb".to_owned(), bytes: DOCUMENT.to_vec() };
    keep(&mut context, &mut facts, &console.join("x"), "nocloud", document);
    assert_eq!(facts.get("seed-nocloud"), Some("unreadable"));
    let said = fs::read_to_string(&console).unwrap();
    let copied = format!("CORACLE-MARK seed source=nocloud status=copied bytes={} device=vdb\r\n", DOCUMENT.len());
    for want in
        [copied.as_str(), "CORACLE-MARK seed source=esp status=absent\r\n", "seed source=esp status=too-large\r\n"]
    {
        assert!(said.contains(want), "{said}");
    }
    assert!(!said.contains("abcdef") && !said.contains("coracle-config"), "{said}");
}
