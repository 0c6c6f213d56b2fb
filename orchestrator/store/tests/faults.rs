//! Full disks, failing disks and foreign bytes: a clear error, nothing lost, nothing written that should not be.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;
mod simdisk;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::{Rig, all, body, commit, delete, key, put, revision};
use coracle_store::disk::SyncPoint;
use coracle_store::local::Health;
use coracle_store::{Class, Error, LocalStore, Options, Store};

/// Fills the store until it refuses; gives how many keys it took.
fn fill(core: &mut coracle_store::local::Core) -> usize {
    for n in 0..10_000 {
        match commit(core, put(&format!("fill-{n:05}"), format!("{n} {}", "x".repeat(3000)), Class::Durable)) {
            Ok(_) => {}
            Err(Error::Full { .. }) => return n,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the store never became full")
}

#[test]
fn on_a_full_disk_writes_are_refused_and_deletes_work() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    commit(&mut core, put("lease", "0", Class::Durable)).unwrap();
    rig.disk.limit_free_bytes(Some(400 * 1024));
    let taken = fill(&mut core);
    assert!(taken > 20, "only {taken} objects were taken");
    assert_eq!(core.health(), &Health::Full);
    // What needs no disk goes on; what is a step of a deletion may use the reserve.
    commit(&mut core, put("lease", "1", Class::Renewal)).unwrap();
    commit(&mut core, put("event", "1", Class::Volatile)).unwrap();
    commit(&mut core, put("fill-00000", "deletionTimestamp", Class::Durable).reclaiming()).unwrap();
    let kept = 10;
    for n in 0..taken - kept {
        commit(&mut core, delete(&format!("fill-{n:05}"))).unwrap();
    }
    assert!(matches!(commit(&mut core, put("more", "x", Class::Durable)), Err(Error::Full { .. })));

    // The same after a restart on the full disk.
    drop(core);
    let mut core = rig.open().unwrap();
    assert_eq!(core.replica().snapshot().count(&all()), kept + 1);
    assert_eq!(core.health(), &Health::Full);
    commit(&mut core, delete(&format!("fill-{:05}", taken - 1))).unwrap();
    assert!(matches!(commit(&mut core, put("more", "x", Class::Durable)), Err(Error::Full { .. })));

    // The deletes have made room inside the engine's file; it is given back at the next attempt.
    rig.clock.advance(rig.options.retry_delay);
    commit(&mut core, put("more", "x", Class::Durable)).unwrap();
    assert_eq!(core.health(), &Health::Healthy);
    drop(core);
    let core = rig.open().unwrap();
    assert_eq!(body(&core, "more").as_deref(), Some("x"));
    assert_eq!(core.replica().snapshot().count(&all()), kept + 1);
}

#[test]
fn a_disk_that_gets_room_from_elsewhere_takes_writes_again() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    rig.disk.limit_free_bytes(Some(200 * 1024));
    fill(&mut core);
    rig.disk.limit_free_bytes(None);
    assert!(matches!(commit(&mut core, put("more", "x", Class::Durable)), Err(Error::Full { .. })));
    rig.clock.advance(rig.options.retry_delay);
    commit(&mut core, put("more", "x", Class::Durable)).unwrap();
}

#[test]
fn objects_beyond_their_quota_are_refused() {
    let mut rig = Rig::new();
    rig.options.max_stored_bytes = 50_000;
    let mut core = rig.open().unwrap();
    let taken = fill(&mut core);
    assert_eq!(taken, 50_000 / 3044);
    assert_eq!(core.health(), &Health::Healthy);
    commit(&mut core, put("fill-00000", "smaller", Class::Durable)).unwrap();
    commit(&mut core, delete("fill-00001")).unwrap();
    commit(&mut core, put("more", "y".repeat(3000), Class::Durable)).unwrap();
}

#[test]
fn a_failed_sync_or_write_stops_the_store_for_good() {
    type Fault = fn(&Rig);
    let faults: [(&str, Fault); 3] = [
        ("sync of the log", |rig| rig.disk.fail_next_sync(SyncPoint::LogBatch)),
        ("write of log-0", |rig| rig.disk.fail_writes(Some("log-0"))),
        ("sync of the engine", |rig| rig.disk.fail_next_sync(SyncPoint::EngineCommit)),
    ];
    for (name, fault) in faults {
        let rig = Rig::new();
        let mut core = rig.open().unwrap();
        commit(&mut core, put("a", "1", Class::Durable)).unwrap();
        let mut acknowledged = 0;
        fault(&rig);
        let error = (0..200).find_map(|n| {
            let result = commit(&mut core, put("b", format!("{n} {}", "x".repeat(3000)), Class::Durable));
            result.map(|_| acknowledged = n + 1).err()
        });
        assert!(matches!(error, Some(Error::Poisoned { .. })), "{name}: {error:?}");
        assert!(matches!(core.health(), Health::Stopped(reason) if reason.contains("simulated")), "{name}");
        // The disk works again, but the page cache can no longer be trusted: no write is tried.
        rig.disk.fail_writes(None);
        let (writes, before) = (rig.disk.writes(), revision(&core));
        for txn in [put("a", "2", Class::Durable), put("a", "2", Class::Coalesced), delete("a")] {
            assert!(matches!(commit(&mut core, txn), Err(Error::Poisoned { .. })), "{name}");
        }
        core.flush();
        assert_eq!((rig.disk.writes(), revision(&core)), (writes, before), "{name}");
        assert_eq!(body(&core, "a").as_deref(), Some("1"), "reads go on");
        drop(core);
        let mut core = rig.open().unwrap();
        assert_eq!(body(&core, "a").as_deref(), Some("1"), "{name}");
        if acknowledged > 0 {
            let found = body(&core, "b").unwrap();
            let number: usize = found.split(' ').next().unwrap().parse().unwrap();
            assert!(number + 1 >= acknowledged, "{name}: {number} after {acknowledged} acknowledgements");
        }
        commit(&mut core, put("a", "2", Class::Durable)).unwrap();
    }
}

fn directory(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// A record of any type behind the last one of `log-0`, with correct checksums and salt.
fn append_record(log: &mut [u8], record_type: u8, payload: &[u8]) {
    let salt = log[32..40].to_vec();
    let (mut at, mut sequence) = (4096, u64::from_le_bytes(log[24..32].try_into().unwrap()));
    while log[at + 16..at + 24] == salt {
        let length = u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize;
        at += (32 + length).next_multiple_of(8);
        sequence += 1;
    }
    let mut record = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    record.extend([record_type, 0, 0, 0]);
    record.extend(sequence.to_le_bytes());
    record.extend(salt);
    record.extend(crc32fast::hash(payload).to_le_bytes());
    record.extend(crc32fast::hash(&record).to_le_bytes());
    record.extend(payload);
    log[at..at + record.len()].copy_from_slice(&record);
}

/// A batch payload with one put of a value with a given header.
fn batch_with_value(header: [u8; 2]) -> Vec<u8> {
    let mut payload = [&1000_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &[1, 7, 0], b"a/b/c/d"].concat();
    payload.extend(5_u64.to_le_bytes());
    payload.extend(6_u32.to_le_bytes());
    payload.extend([header[0], header[1], 0, 0, 0, 0]);
    payload
}

#[test]
fn a_newer_format_is_refused_with_nothing_written() {
    type Forge = fn(&mut BTreeMap<String, Vec<u8>>);
    let forgeries: [(&str, Forge); 3] = [
        ("FORMAT", |files| {
            let text = String::from_utf8(files["FORMAT"].clone()).unwrap();
            files.insert("FORMAT".to_owned(), text.replace("format 1", "format 2").into_bytes());
        }),
        ("segment header", |files| {
            let log = files.get_mut("log-0").unwrap();
            log[8] = 2;
            let crc = crc32fast::hash(&log[..48]).to_le_bytes();
            log[48..52].copy_from_slice(&crc);
        }),
        ("value", |files| append_record(files.get_mut("log-0").unwrap(), 1, &batch_with_value([2, 0]))),
    ];
    for (name, forge) in forgeries {
        let home = tempfile::tempdir().unwrap();
        let store = LocalStore::open(home.path(), Options { segment_bytes: 65536, ..Options::default() }).unwrap();
        store.commit(put("a", "1", Class::Durable)).wait().unwrap();
        drop(store);
        let mut files = directory(home.path());
        forge(&mut files);
        for (file, bytes) in &files {
            std::fs::write(home.path().join(file), bytes).unwrap();
        }
        let error = LocalStore::open(home.path(), Options::default()).unwrap_err();
        let expected = matches!(error, Error::UnsupportedFormat { found: 2, oldest: 1, newest: 1, .. });
        assert!(expected, "{name}: {error}");
        assert!(directory(home.path()) == files, "{name}: the refused open wrote to the directory");
    }
}

#[test]
fn unknown_records_and_envelopes_stop_the_open() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    drop(core);
    let good = rig.disk.image();
    for (record_type, payload, expected) in [
        (2, b"from the future".to_vec(), "unknown type 2"),
        (0, Vec::new(), "unknown type 0"),
        (1, batch_with_value([1, 7]), "encryption envelope 7 is unknown"),
        (1, b"no batch".to_vec(), "cannot be read"),
    ] {
        let rig = Rig { disk: simdisk::SimDisk::from_image(good.clone()), ..Rig::new() };
        rig.disk.tamper("log-0", |log| append_record(log, record_type, &payload));
        let error = rig.open().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(rig.disk.writes(), 0, "{expected}: the refused open wrote to the disk");
    }
}

#[test]
fn acknowledged_records_that_rot_are_reported() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    for n in 0..5 {
        commit(&mut core, put("a", format!("{n} {}", "x".repeat(500)), Class::Durable)).unwrap();
    }
    drop(core);
    let good = rig.disk.image();
    // Every record but the last one: only the last one can be the remains of a power cut.
    for at in (4096..4096 + 4 * 580).step_by(97) {
        let rig = Rig { disk: simdisk::SimDisk::from_image(good.clone()), ..Rig::new() };
        rig.disk.tamper("log-0", |log| log[at] ^= 0x10);
        let error = rig.open().expect_err(&format!("byte {at}"));
        assert!(matches!(error, Error::Corrupt { .. }), "byte {at}: {error}");
    }
    for (byte, what) in [(0, "wiped"), (0xff, "overwritten")] {
        let rig = Rig { disk: simdisk::SimDisk::from_image(good.clone()), ..Rig::new() };
        rig.disk.tamper("log-0", |log| log[..4096].fill(byte));
        assert!(matches!(rig.open(), Err(Error::Corrupt { .. })), "a {what} header was accepted");
    }
}

#[test]
fn missing_and_cut_files_are_reported() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    for n in 0..60 {
        commit(&mut core, put("a", format!("{n} {}", "x".repeat(3000)), Class::Durable)).unwrap();
    }
    drop(core);
    let good = rig.disk.image();
    for name in ["FORMAT", "log-0", "log-1", "checkpoint.redb"] {
        for cut in [None, Some(0), Some(100)] {
            let mut image = good.clone();
            match cut {
                None => drop(image.names.remove(name)),
                Some(length) => image.inodes[image.names[name]].set_length(length),
            }
            if name == "FORMAT" && cut == Some(100) {
                continue; // FORMAT is shorter than that.
            }
            let rig = Rig { disk: simdisk::SimDisk::from_image(image), ..Rig::new() };
            let error = rig.open().expect_err(&format!("{name} cut to {cut:?}"));
            assert!(matches!(error, Error::Corrupt { .. } | Error::Engine { .. }), "{name} {cut:?}: {error:?}");
        }
    }
}

/// Any bytes on the disk: the open answers, and what it answers `Ok` to is readable. It never panics.
#[test]
fn any_flipped_bytes_open_or_fail_clearly() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    for n in 0..80 {
        commit(&mut core, put(&format!("key-{}", n % 7), format!("{n} {}", "x".repeat(2000)), Class::Durable)).unwrap();
    }
    drop(core);
    let good = rig.disk.image();
    let mut random = 1_u64;
    let mut draw = |below: usize| {
        random = simdisk::mix(random, 0x9e37_79b9_7f4a_7c15);
        usize::try_from(random >> 33).unwrap() % below
    };
    let (mut opened, mut refused) = (0, 0);
    for round in 0..400 {
        let name = ["FORMAT", "log-0", "log-1", "checkpoint.redb"][round % 4];
        let rig = Rig { disk: simdisk::SimDisk::from_image(good.clone()), ..Rig::new() };
        rig.disk.tamper(name, |bytes| {
            for _ in 0..=draw(8) {
                let at = if draw(2) == 0 { draw(bytes.len()) } else { draw(bytes.len().min(8192)) };
                bytes[at] = u8::try_from(draw(256)).unwrap();
            }
        });
        match rig.open() {
            Ok(core) => {
                opened += 1;
                let snapshot = core.replica().snapshot();
                assert!(snapshot.range(&all(), None).all(|entry| snapshot.get(entry.key()).is_some()));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(opened > 10 && refused > 100, "{opened} opened, {refused} refused");
}

#[test]
fn two_processes_cannot_share_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let options = || Options { segment_bytes: 65536, ..Options::default() };
    let store = LocalStore::open(home.path(), options()).unwrap();
    assert!(matches!(LocalStore::open(home.path(), options()), Err(Error::Io { operation: "open", .. })));
    drop(store);
    let store = LocalStore::open(home.path(), options()).unwrap();
    assert!(store.get(&key("a")).is_none());
    store.commit(put("a", "1", Class::Coalesced)).wait().unwrap();
    drop(store);
    let store = LocalStore::open(home.path(), options()).unwrap();
    assert!(store.get(&key("a")).is_some_and(|entry| entry.is_restored()));
    assert!(Duration::ZERO <= store.opened_at().since(store.opened_at()));
}
