//! Transactions, durability classes and revisions, on a simulated disk and a clock moved by hand.

mod common;
mod simdisk;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Rig, all, body, commit, delete, key, kind, put, revision, value};
use coracle_store::disk::Disk;
use coracle_store::{Change, Class, Error, EventKind, Expect, LocalStore, Revision, Store, Txn, Watcher, Write};
use simdisk::{Op, SimDisk};

fn next(watcher: &mut Watcher) -> Option<Result<Change, Error>> {
    match watcher.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

fn kinds(change: &Change) -> Vec<(&str, EventKind)> {
    change.events.iter().map(|event| (event.key().name(), event.kind())).collect()
}

#[test]
fn a_write_that_changes_nothing_is_no_write() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    for class in [Class::Durable, Class::Coalesced, Class::Renewal] {
        commit(&mut core, put("a", "x", Class::Durable)).unwrap();
        let (writes, before) = (rig.disk.writes(), revision(&core));
        let mut watcher = core.replica().watch(all(), before).unwrap();
        let same = commit(&mut core, put("a", "x", class)).unwrap();
        assert!(!same.changed);
        assert_eq!(same.entries[0].as_ref().unwrap().revision(), before);
        let absent = commit(&mut core, Txn::new().write(Write::delete(key("nobody")).with_class(class))).unwrap();
        assert!(!absent.changed);
        core.flush();
        assert_eq!((rig.disk.writes(), revision(&core)), (writes, before), "{class:?}");
        assert!(next(&mut watcher).is_none());
    }
}

#[test]
fn conditions_over_several_keys_hold_together_or_nothing_happens() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let first = commit(&mut core, put("a", "1", Class::Durable).when(key("a"), Expect::Absent)).unwrap();
    let both = |a: Expect, b: Expect| {
        let writes = Txn::new().write(Write::put(key("a"), value("2"))).write(Write::put(key("b"), value("2")));
        writes.when(key("a"), a).when(key("b"), b)
    };
    for (a, b) in [
        (Expect::Absent, Expect::Absent),
        (Expect::Present, Expect::Present),
        (Expect::At(Revision::from_u64(first.revision.as_u64() + 1)), Expect::Absent),
        (Expect::At(first.revision), Expect::At(first.revision)),
    ] {
        let error = commit(&mut core, both(a, b)).unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
        assert_eq!((body(&core, "a").as_deref(), body(&core, "b")), (Some("1"), None));
        assert_eq!(revision(&core), first.revision);
    }
    let done = commit(&mut core, both(Expect::At(first.revision), Expect::Absent)).unwrap();
    assert_eq!((body(&core, "a").as_deref(), body(&core, "b").as_deref()), (Some("2"), Some("2")));
    let revisions: Vec<Revision> = done.entries.iter().map(|entry| entry.as_ref().unwrap().revision()).collect();
    assert_eq!(revisions, [done.revision, done.revision]);

    let Error::Conflict { found, .. } =
        commit(&mut core, put("a", "3", Class::Durable).when(key("a"), Expect::Absent)).unwrap_err()
    else {
        panic!("a conflict was expected")
    };
    assert_eq!(found.unwrap().value(), &value("2"));
}

#[test]
fn a_batch_sees_its_own_earlier_transactions_and_costs_one_sync() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let before = rig.disk.trace().len();
    let txns: Vec<Txn> = (0..64).map(|n| put("counter", n.to_string(), Class::Durable)).collect();
    let results = core.commit(&txns);
    assert!(results.iter().all(Result::is_ok));
    let trace = rig.disk.trace();
    let (writes, syncs): (Vec<&Op>, Vec<&Op>) = trace[before..].iter().partition(|op| matches!(op, Op::Write { .. }));
    assert_eq!((writes.len(), syncs.len()), (1, 1), "{trace:?}");
    let create = || put("one", "x", Class::Durable).when(key("one"), Expect::Absent);
    let results = core.commit(&[create(), create()]);
    assert!(results[0].is_ok() && matches!(results[1], Err(Error::Conflict { .. })));
}

#[test]
fn wrong_transactions_are_refused() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let twice = put("a", "1", Class::Durable).write(Write::delete(key("a")));
    assert!(matches!(commit(&mut core, twice), Err(Error::InvalidTransaction { .. })));
    assert!(matches!(commit(&mut core, Txn::new()), Err(Error::InvalidTransaction { .. })));
    let large = put("a", vec![b'x'; 17 * 1024], Class::Durable);
    assert!(matches!(commit(&mut core, large), Err(Error::TooLarge { .. })));
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    commit(&mut core, put("event", "1", Class::Volatile)).unwrap();
    assert!(matches!(commit(&mut core, put("a", "2", Class::Volatile)), Err(Error::ClassMismatch { .. })));
    assert!(matches!(commit(&mut core, put("event", "2", Class::Durable)), Err(Error::ClassMismatch { .. })));
}

#[test]
fn coalesced_writes_reach_the_disk_within_their_delay_or_with_the_next_batch() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let writes = rig.disk.writes();
    for n in 0..100 {
        commit(&mut core, put("status", n.to_string(), Class::Coalesced)).unwrap();
        rig.clock.advance(Duration::from_millis(49));
        core.tick();
    }
    assert_eq!(body(&core, "status").as_deref(), Some("99"));
    assert_eq!(rig.disk.writes(), writes, "a coalesced write reached the disk early");
    rig.clock.advance(Duration::from_millis(100));
    assert!(core.deadline().is_some());
    core.tick();
    assert_eq!(rig.disk.writes(), writes + 1, "one record was due");

    commit(&mut core, put("status", "with batch", Class::Coalesced)).unwrap();
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    assert_eq!(rig.disk.writes(), writes + 2);
    drop(core);
    assert_eq!(body(&rig.open().unwrap(), "status").as_deref(), Some("with batch"));
}

#[test]
fn renewals_never_cause_a_write_and_ride_with_the_next_batch() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let writes = rig.disk.writes();
    commit(&mut core, put("lease", "0", Class::Renewal)).unwrap();
    assert_eq!(rig.disk.writes(), writes + 1, "the renewal that creates its key is durable");
    let writes = rig.disk.writes();
    for n in 1..=360 {
        rig.clock.advance(Duration::from_secs(10));
        assert!(commit(&mut core, put("lease", n.to_string(), Class::Renewal)).unwrap().changed);
        core.tick();
    }
    core.flush();
    assert_eq!(rig.disk.writes(), writes, "an hour of renewals wrote to the disk");
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    assert_eq!(rig.disk.writes(), writes + 1);
    commit(&mut core, put("lease", "lost", Class::Renewal)).unwrap();
    drop(core);

    rig.clock.advance(Duration::from_mins(10));
    let mut core = rig.open().unwrap();
    let lease = core.replica().snapshot().get(&key("lease")).unwrap().clone();
    assert_eq!(lease.value(), &value("360"));
    // The renewals since the last batch are gone, so the Lease counts as just renewed.
    assert!(lease.is_restored());
    assert_eq!(lease.observed(), core.opened_at());
    rig.clock.advance(Duration::from_secs(10));
    commit(&mut core, put("lease", "361", Class::Renewal)).unwrap();
    let lease = core.replica().snapshot().get(&key("lease")).unwrap().clone();
    assert!(!lease.is_restored());
    assert_eq!(lease.observed(), core.opened_at().after(Duration::from_secs(10)));
}

#[test]
fn a_durable_write_equal_to_an_unwritten_one_still_makes_it_durable() {
    for class in [Class::Coalesced, Class::Renewal] {
        let rig = Rig::new();
        let mut core = rig.open().unwrap();
        commit(&mut core, put("a", "1", Class::Durable)).unwrap();
        commit(&mut core, put("a", "2", class)).unwrap();
        let writes = rig.disk.writes();
        assert!(!commit(&mut core, put("a", "2", Class::Durable)).unwrap().changed);
        assert_eq!(rig.disk.writes(), writes + 1, "{class:?}");
        drop(core);
        assert_eq!(body(&rig.open().unwrap(), "a").as_deref(), Some("2"));
    }
}

#[test]
fn volatile_entries_live_in_memory_until_they_are_too_old() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let (writes, start) = (rig.disk.writes(), revision(&core));
    let mut watcher = core.replica().watch(all(), start).unwrap();
    commit(&mut core, put("event-1", "needle one", Class::Volatile)).unwrap();
    assert_eq!(kinds(&next(&mut watcher).unwrap().unwrap()), [("event-1", EventKind::Added)]);
    rig.clock.advance(Duration::from_mins(30));
    commit(&mut core, put("event-2", "needle two", Class::Volatile)).unwrap();
    assert_eq!(kinds(&next(&mut watcher).unwrap().unwrap()), [("event-2", EventKind::Added)]);
    // Writing it again makes it young again.
    commit(&mut core, put("event-1", "needle again", Class::Volatile)).unwrap();
    assert_eq!(kinds(&next(&mut watcher).unwrap().unwrap()), [("event-1", EventKind::Modified)]);
    rig.clock.advance(Duration::from_mins(59));
    core.tick();
    assert!(next(&mut watcher).is_none());
    rig.clock.advance(Duration::from_mins(1));
    assert!(core.deadline().unwrap() <= rig.options.clock.now());
    core.tick();
    let change = next(&mut watcher).unwrap().unwrap();
    assert_eq!(kinds(&change), [("event-2", EventKind::Deleted), ("event-1", EventKind::Deleted)]);
    assert_eq!(change.revision, revision(&core));
    assert_eq!(rig.disk.writes(), writes, "volatile entries reached the disk");
    assert!(core.replica().snapshot().kinds().next().is_none());

    commit(&mut core, put("event-3", "needle three", Class::Volatile)).unwrap();
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    drop(core);
    for (name, bytes) in rig.disk.files() {
        assert!(!bytes.windows(6).any(|window| window == b"needle"), "a volatile entry is in {name}");
    }
    assert_eq!(body(&rig.open().unwrap(), "event-3"), None);
}

#[test]
fn volatile_entries_are_bounded_by_bytes_oldest_first() {
    let mut rig = Rig::new();
    rig.options.volatile_bytes = 1000;
    let mut core = rig.open().unwrap();
    let mut watcher = core.replica().watch(all(), revision(&core)).unwrap();
    for n in 0..200 {
        commit(&mut core, put(&format!("event-{n:03}"), [b'x'; 50], Class::Volatile)).unwrap();
    }
    let snapshot = core.replica().snapshot();
    let names: Vec<&str> = snapshot.range(&all(), None).map(|entry| entry.key().name()).collect();
    assert!(names.len() <= 12 && names.last() == Some(&"event-199"), "{names:?}");
    let mut dropped = 0;
    while let Some(change) = next(&mut watcher) {
        dropped += change.unwrap().events.iter().filter(|event| event.kind() == EventKind::Deleted).count();
    }
    assert_eq!(dropped + names.len(), 200, "an entry was dropped without a DELETED event");
    // A store of many rewrites of one entry does not grow either.
    for n in 0..1000 {
        commit(&mut core, put("event-199", n.to_string(), Class::Volatile)).unwrap();
    }
    assert_eq!(body(&core, "event-199").as_deref(), Some("999"));
}

#[test]
fn every_start_continues_at_the_mark() {
    let mut rig = Rig::new();
    rig.options.revision_step = 10;
    let mut newest = Revision::default();
    for _ in 0..3 {
        let mut core = rig.open().unwrap();
        let start = revision(&core);
        assert!(start > newest, "{start} was given out before: {newest}");
        if newest > Revision::default() {
            assert!(matches!(core.replica().watch(all(), newest), Err(Error::Compacted { .. })));
            assert!(matches!(core.replica().snapshot_at(newest), Err(Error::Compacted { .. })));
        }
        assert!(core.replica().watch(all(), start).is_ok());
        let future = Revision::from_u64(start.as_u64() + 1);
        assert!(matches!(core.replica().watch(all(), future), Err(Error::Future { .. })));
        // More than a step, by writes that touch no disk of themselves.
        for n in 0..35 {
            commit(&mut core, put("event", n.to_string(), Class::Volatile)).unwrap();
        }
        newest = revision(&core);
        assert_eq!(newest.as_u64(), start.as_u64() + 35);
    }
}

#[test]
fn indexes_follow_writes_and_survive_a_restart() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    commit(&mut core, put("a", "node=n1 owner=x", Class::Durable)).unwrap();
    commit(&mut core, put("b", "node=n2 owner=x", Class::Durable)).unwrap();
    commit(&mut core, put("a", "node=n2 owner=x", Class::Durable)).unwrap();
    drop(core);
    let core = rig.open().unwrap();
    let snapshot = core.replica().snapshot();
    let find = |term| snapshot.by_term(&kind(), term).map(|entry| entry.key().name()).collect::<Vec<_>>();
    assert_eq!(find("node=n1"), [""; 0]);
    assert_eq!(find("node=n2"), ["a", "b"]);
    assert_eq!(find("owner=x"), ["a", "b"]);
}

#[test]
fn a_store_of_many_segments_comes_back_whole() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    for n in 0..300 {
        commit(&mut core, put(&format!("key-{}", n % 37), format!("{n} {}", "x".repeat(2000)), Class::Durable))
            .unwrap();
        if n % 50 == 49 {
            commit(&mut core, delete(&format!("key-{}", n % 37))).unwrap();
        }
    }
    let contents = |core: &coracle_store::local::Core| {
        let snapshot = core.replica().snapshot();
        let entries = snapshot.range(&all(), None);
        entries.map(|entry| (entry.key().clone(), entry.value().clone(), entry.revision())).collect::<Vec<_>>()
    };
    let before = contents(&core);
    drop(core);
    assert_eq!(contents(&rig.open().unwrap()), before);
}

#[test]
fn an_idle_store_writes_nothing_and_then_has_no_deadline() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    commit(&mut core, put("event", "1", Class::Volatile)).unwrap();
    let writes = rig.disk.writes();
    for _ in 0..70 {
        rig.clock.advance(Duration::from_mins(1));
        core.tick();
    }
    rig.clock.advance(Duration::from_mins(5));
    core.tick();
    assert_eq!(rig.disk.writes(), writes);
    assert_eq!(core.deadline(), None, "an idle store wakes up for nothing");
}

#[test]
fn the_writer_thread_serves_many_writers_and_stops_in_order() {
    let rig = Rig::new();
    let disk: Arc<dyn Disk> = Arc::<SimDisk>::clone(&rig.disk);
    let store = LocalStore::open_on(disk, rig.options.clone()).unwrap();
    let mut watcher = store.watch(all(), store.revision()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..50 {
                    let name = format!("key-{writer}");
                    store.commit(put(&name, format!("{n} {}", "x".repeat(700)), Class::Durable)).wait().unwrap();
                }
            });
        }
    });
    let mut events = 0;
    while let Some(change) = next(&mut watcher) {
        events += change.unwrap().events.len();
    }
    assert_eq!(events, 400);
    assert_eq!(store.barrier().wait().unwrap(), store.revision());
    let owed = store.commit(put("owed", "1", Class::Coalesced)).wait().unwrap();
    assert_eq!(store.get(&key("owed")).unwrap().revision(), owed.revision);
    store.tick().wait().unwrap();
    drop(store);
    assert!(matches!(next(&mut watcher), Some(Ok(_))), "what was published before the end is still delivered");
    assert!(matches!(next(&mut watcher), Some(Err(Error::Closed))));
    let core = rig.open().unwrap();
    assert_eq!(body(&core, "owed").as_deref(), Some("1"));
    assert_eq!(core.replica().snapshot().count(&all()), 9);
}

#[test]
fn too_many_waiting_bytes_are_refused() {
    let mut rig = Rig::new();
    rig.options.queue_bytes = 100;
    let disk: Arc<dyn Disk> = Arc::<SimDisk>::clone(&rig.disk);
    let store = LocalStore::open_on(disk, rig.options.clone()).unwrap();
    assert!(matches!(store.commit(put("a", "x".repeat(200), Class::Durable)).wait(), Err(Error::Overloaded)));
    store.commit(put("a", "small", Class::Durable)).wait().unwrap();
}
