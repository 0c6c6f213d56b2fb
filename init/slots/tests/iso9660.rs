//! ISO 9660 volumes made by hand, with each kind of names, and damage.
#![expect(clippy::unwrap_used, reason = "a test")]

use coracle_slots::fat::Error;
use coracle_slots::iso9660::{find, label};
use proptest::prelude::*;

const SECTOR: usize = 2048;
const CONTENT: &[u8] = b"#coracle-config\nnode-name: porch\n";

/// Sectors of the volume: the root directory, that of Joliet, the file.
const ROOT: usize = 20;
const JOLIET_ROOT: usize = 21;
const FILE: usize = 22;

fn both(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap();
    [number.to_le_bytes(), number.to_be_bytes()].concat()
}

/// A record of a directory; `own` is what Rock Ridge adds.
fn record(name: &[u8], flags: u8, sector: usize, size: usize, own: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0];
    record.extend(both(sector));
    record.extend(both(size));
    record.extend([0; 7]);
    record.extend([flags, 0, 0, 1, 0, 0, 1, u8::try_from(name.len()).unwrap()]);
    record.extend(name);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record.extend(own);
    record[0] = u8::try_from(record.len()).unwrap();
    record
}

fn descriptor(kind: u8, label: &[u8], root: usize, escape: &[u8]) -> Vec<u8> {
    let mut sector = vec![0; SECTOR];
    sector[0] = kind;
    sector[1..6].copy_from_slice(b"CD001");
    sector[6] = 1;
    sector[40..72].fill(b' ');
    sector[40..40 + label.len()].copy_from_slice(label);
    sector[88..88 + escape.len()].copy_from_slice(escape);
    sector[128..130].copy_from_slice(&2048_u16.to_le_bytes());
    let root = record(&[0], 2, root, SECTOR, &[]);
    sector[156..156 + root.len()].copy_from_slice(&root);
    sector
}

/// A volume whose file has these names; an absent kind of names is not there.
fn volume(plain: &str, rock_ridge: Option<&str>, joliet: Option<&str>) -> Vec<u8> {
    let mut volume = vec![0; SECTOR * (FILE + 1)];
    let mut put = |sector: usize, bytes: &[u8]| volume[sector * SECTOR..][..bytes.len()].copy_from_slice(bytes);
    put(16, &descriptor(1, b"CIDATA", ROOT, b""));
    put(if joliet.is_some() { 18 } else { 17 }, &descriptor(255, b"", 0, b""));
    let own = rock_ridge.map_or_else(Vec::new, |name| {
        let length = u8::try_from(name.len() + 5).unwrap();
        [b"PX\x08\x01abcdNM", &[length, 1, 0][..], name.as_bytes()].concat()
    });
    let here = [record(&[0], 2, ROOT, SECTOR, &[]), record(&[1], 2, ROOT, SECTOR, &[])].concat();
    let meta = record(b"META_DAT.;1", 0, FILE, 0, b"");
    put(ROOT, &[here.clone(), meta, record(plain.as_bytes(), 0, FILE, CONTENT.len(), &own)].concat());
    if let Some(name) = joliet {
        put(17, &descriptor(2, b"\0C\0I", JOLIET_ROOT, b"%/E"));
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        put(JOLIET_ROOT, &[here, record(&name, 0, FILE, CONTENT.len(), b"")].concat());
    }
    put(FILE, CONTENT);
    volume
}

#[test]
fn a_file_is_found_by_each_kind_of_name() {
    for (plain, rock_ridge, joliet) in [
        ("USER_DAT.;1", Some("user-data"), Some("user-data")),
        ("USER_DAT.;1", Some("user-data"), None),
        ("USER_DAT.;1", None, Some("user-data")),
        ("U.;1", None, Some("user-data;1")),
        ("USER_DAT.;1", None, None),
        ("USER_DATA.;1", None, None),
        ("USER-DATA", None, None),
    ] {
        let volume = volume(plain, rock_ridge, joliet);
        assert_eq!(label(&volume).unwrap().as_deref(), Some("CIDATA"));
        let file = find(&volume, "user-data").unwrap();
        assert_eq!(file.read(&volume, 1 << 20).unwrap(), CONTENT, "{plain} {rock_ridge:?} {joliet:?}");
        let missing = find(&volume, "vendor-data");
        assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
        assert_eq!(find(&volume, "meta-data").map(|file| file.size).unwrap_or(0), 0);
    }
    let other = volume("USER_DAT.;1", Some("user.data"), None);
    assert!(find(&other, "user-data").is_err(), "Rock Ridge's name is the real one");
}

#[test]
fn what_is_no_volume_has_no_label() {
    for bytes in [vec![], vec![0; 100], vec![0; SECTOR * 20]] {
        assert_eq!(label(&bytes).unwrap(), None);
        assert!(matches!(find(&bytes, "user-data"), Err(Error::NotFound(_))));
    }
    let mut several = volume("USER_DAT.;1", None, None);
    let at = several.windows(8).position(|bytes| bytes == b"USER_DAT").unwrap();
    several[at - 8] = 0x80;
    assert!(matches!(find(&several, "user-data"), Err(Error::Damaged("the file lies in several parts"))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_an_error_or_a_bounded_read(
        changes in prop::collection::vec((SECTOR * 16..SECTOR * (FILE + 1), any::<u8>()), 1..40),
    ) {
        let mut volume = volume("USER_DAT.;1", Some("user-data"), Some("user-data"));
        for (at, byte) in changes {
            volume[at] = byte;
        }
        let _ = label(&volume);
        if let Ok(file) = find(&volume, "user-data") {
            let read = file.read(&volume, 1 << 20);
            prop_assert!(read.is_err() || read.is_ok_and(|bytes| bytes.len() <= 1 << 20));
        }
    }
}
