//! LIST(rv) followed by WATCH(rv) equals LIST(now), always.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;
mod simdisk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use common::{Rig, all, commit, delete, key, put, revision};
use coracle_store::disk::Disk;
use coracle_store::{Change, Class, Error, Kind, LocalStore, Revision, Snapshot, Store, Txn, Value, Watcher, Write};
use proptest::prelude::*;
use simdisk::{SimDisk, mix};

/// What a client believes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mirror {
    revision: Revision,
    objects: BTreeMap<String, (Revision, Value)>,
}

impl Mirror {
    fn list(snapshot: &Snapshot) -> Self {
        let entries = all();
        let objects = snapshot
            .range(&entries, None)
            .map(|entry| (entry.key().as_str().to_owned(), (entry.revision(), entry.value().clone())));
        Self { revision: snapshot.revision(), objects: objects.collect() }
    }

    /// Applies a change as a client would; the order and the kinds of events must fit what it believes.
    fn apply(&mut self, change: &Change) {
        assert!(change.revision > self.revision, "{} after {}", change.revision, self.revision);
        self.revision = change.revision;
        for event in &change.events {
            let name = event.key().as_str().to_owned();
            let before = match event.entry() {
                Some(entry) => self.objects.insert(name, (change.revision, entry.value().clone())),
                None => self.objects.remove(&name),
            };
            let believed = before.map(|(_, value)| value);
            assert_eq!(believed.as_ref(), event.previous().map(|entry| entry.value()), "{event:?}");
            assert!(event.entry().is_none_or(|entry| entry.revision() == change.revision));
        }
    }
}

fn poll(watcher: &mut Watcher) -> Option<Result<Change, Error>> {
    match watcher.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// One step of the sequential test.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, Option<u8>, u8)>),
    Read { watcher: usize, events: usize },
    Reconnect { watcher: usize },
    Compact { back: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0..6_u8, proptest::option::weighted(0.7, 0..4_u8), 0..3_u8);
    prop_oneof![
        6 => proptest::collection::vec(change, 1..4).prop_map(Step::Write),
        4 => (0..3_usize, 1..5_usize).prop_map(|(watcher, events)| Step::Read { watcher, events }),
        2 => (0..3_usize).prop_map(|watcher| Step::Reconnect { watcher }),
        1 => (0..8_u64).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Restart),
    ]
}

fn transaction(changes: &[(u8, Option<u8>, u8)]) -> Txn {
    let unique: BTreeMap<u8, _> = changes.iter().map(|(name, body, class)| (*name, (*body, *class))).collect();
    unique.into_iter().fold(Txn::new(), |txn, (name, (body, class))| {
        let value = body.map(|body| Value::new(1, &[body]).unwrap());
        let class = [Class::Durable, Class::Coalesced, Class::Renewal][usize::from(class)];
        txn.write(Write { key: key(&format!("k{name}")), value, class })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn list_and_watch_equal_a_later_list(steps in proptest::collection::vec(step(), 1..60)) {
        let mut rig = Rig::new();
        rig.options.history_bytes = 30_000;
        let mut core = rig.open().unwrap();
        let connect = |core: &coracle_store::local::Core| {
            let mirror = Mirror::list(&core.replica().snapshot());
            let watcher = core.replica().watch(all(), mirror.revision).unwrap();
            (mirror, watcher)
        };
        let mut clients: Vec<(Mirror, Watcher)> = (0..3).map(|_| connect(&core)).collect();
        let mut past: BTreeMap<Revision, Mirror> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write(changes) => drop(commit(&mut core, transaction(&changes)).unwrap()),
                Step::Read { watcher, events } => {
                    let (mirror, watcher) = &mut clients[watcher];
                    for _ in 0..events {
                        match poll(watcher) {
                            Some(Ok(change)) => mirror.apply(&change),
                            Some(Err(Error::Compacted { .. } | Error::Closed)) => (*mirror, *watcher) = connect(&core),
                            Some(Err(error)) => panic!("{error}"),
                            None => {
                                let now = Mirror::list(&core.replica().snapshot());
                                prop_assert_eq!(&mirror.objects, &now.objects);
                                break;
                            }
                        }
                    }
                }
                Step::Reconnect { watcher } => {
                    let (mirror, watcher) = &mut clients[watcher];
                    match core.replica().watch(all(), mirror.revision) {
                        Ok(new) => *watcher = new,
                        Err(Error::Compacted { .. }) => (*mirror, *watcher) = connect(&core),
                        Err(error) => panic!("{error}"),
                    }
                }
                Step::Compact { back } => {
                    let before = Revision::from_u64(revision(&core).as_u64().saturating_sub(back));
                    core.replica().compact(before).unwrap();
                }
                Step::Restart => {
                    core.flush();
                    drop(core);
                    core = rig.open().unwrap();
                    past.clear();
                }
            }
            // Every kept past revision reads as it was.
            let now = Mirror::list(&core.replica().snapshot());
            past.insert(now.revision, now);
            for (revision, mirror) in &past {
                match core.replica().snapshot_at(*revision) {
                    Ok(snapshot) => prop_assert_eq!(&Mirror::list(&snapshot), mirror),
                    Err(error) => prop_assert!(matches!(error, Error::Compacted { .. }), "{}", error),
                }
            }
        }
        for (mut mirror, mut watcher) in clients {
            loop {
                match poll(&mut watcher) {
                    Some(Ok(change)) => mirror.apply(&change),
                    Some(Err(Error::Compacted { .. } | Error::Closed)) => break,
                    Some(Err(error)) => panic!("{error}"),
                    None => {
                        prop_assert_eq!(&mirror.objects, &Mirror::list(&core.replica().snapshot()).objects);
                        break;
                    }
                }
            }
        }
    }
}

/// Follows the store until it sees the last object, reconnecting at random; gives what it believes then.
fn follow(store: &LocalStore, mut random: u64) -> Mirror {
    let mut mirror = Mirror::default();
    let mut relist = true;
    loop {
        if relist {
            mirror = Mirror::list(&store.snapshot());
        }
        if mirror.objects.contains_key(key("zz-last").as_str()) {
            return mirror;
        }
        let mut watcher = match store.watch(all(), mirror.revision) {
            Ok(watcher) => watcher,
            Err(Error::Compacted { .. }) => {
                relist = true;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        random = mix(random, 1);
        relist = false;
        for _ in 0..random % 64 + 1 {
            match watcher.wait() {
                Ok(change) => mirror.apply(&change),
                Err(Error::Compacted { .. }) => {
                    relist = true;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            if mirror.objects.contains_key(key("zz-last").as_str()) {
                return mirror;
            }
        }
    }
}

#[test]
fn concurrent_writers_reconnecting_watchers_and_compaction_agree() {
    for seed in 1..=6_u64 {
        let mut rig = Rig::new();
        rig.options.history_bytes = 40_000;
        let disk: Arc<dyn Disk> = Arc::<SimDisk>::clone(&rig.disk);
        let store = LocalStore::open_on(disk, rig.options.clone()).unwrap();
        let store = &store;
        let (last, mirrors) = std::thread::scope(|scope| {
            let watchers: Vec<_> = (0..4).map(|n| scope.spawn(move || follow(store, mix(seed, n)))).collect();
            let writers: Vec<_> = (0..4_u64)
                .map(|writer| {
                    scope.spawn(move || {
                        let mut random = mix(seed, 100 + writer);
                        for _ in 0..150 {
                            random = mix(random, 7);
                            let bytes = random.to_le_bytes();
                            let body = (bytes[1] > 80).then_some(bytes[2] % 5);
                            let other = (bytes[3] > 80).then_some(bytes[4] % 5);
                            let changes = [(bytes[0] % 8, body, bytes[5] % 3), (bytes[6] % 8, other, bytes[7] % 3)];
                            store.commit(transaction(&changes)).wait().unwrap();
                            if random.is_multiple_of(40) {
                                store.compact(Revision::from_u64(store.revision().as_u64() - random % 5)).unwrap();
                            }
                        }
                    })
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            store.commit(put("zz-last", "x", Class::Durable)).wait().unwrap();
            let last = Mirror::list(&store.snapshot());
            (last, watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect::<Vec<_>>())
        });
        for mirror in mirrors {
            assert_eq!(mirror, last, "seed {seed}");
        }
    }
}

#[test]
fn a_slow_watcher_is_told_and_a_quiet_one_is_not_harmed() {
    let mut rig = Rig::new();
    rig.options.history_bytes = 20_000;
    let mut core = rig.open().unwrap();
    let start = revision(&core);
    let quiet_kind = Kind::new("apps", "deployments").unwrap();
    let mut slow = core.replica().watch(all(), start).unwrap();
    let mut quiet = core.replica().watch(quiet_kind.all(), start).unwrap();
    for n in 0..100 {
        commit(&mut core, put("a", n.to_string(), Class::Durable)).unwrap();
    }
    assert!(matches!(poll(&mut slow), Some(Err(Error::Compacted { .. }))));
    assert!(poll(&mut quiet).is_none());
    let quiet_key = quiet_kind.key("default", "web").unwrap();
    commit(&mut core, Txn::new().write(Write::put(quiet_key, common::value("x")))).unwrap();
    assert_eq!(poll(&mut quiet).unwrap().unwrap().events.len(), 1);
    // A new watch from the same revision is refused all the same: nobody can tell what it has missed.
    assert!(matches!(core.replica().watch(quiet_kind.all(), start), Err(Error::Compacted { .. })));
}

#[test]
fn history_is_bounded_by_time() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let start = revision(&core);
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    rig.clock.advance(rig.options.history_age - std::time::Duration::from_millis(1));
    core.tick();
    assert!(core.replica().watch(all(), start).is_ok());
    rig.clock.advance(std::time::Duration::from_millis(1));
    core.tick();
    assert!(matches!(core.replica().watch(all(), start), Err(Error::Compacted { .. })));
    assert!(core.replica().snapshot_at(revision(&core)).is_ok());
}

#[test]
fn bookmarks_promise_only_what_was_delivered() {
    let rig = Rig::new();
    let mut core = rig.open().unwrap();
    let mut watcher = core.replica().watch(key("a").scope(), revision(&core)).unwrap();
    commit(&mut core, put("b", "1", Class::Durable)).unwrap();
    assert_eq!(watcher.bookmark(), Some(revision(&core)));
    commit(&mut core, put("a", "1", Class::Durable)).unwrap();
    assert_eq!(watcher.bookmark(), None);
    let change = poll(&mut watcher).unwrap().unwrap();
    assert_eq!((change.revision, watcher.bookmark()), (revision(&core), Some(revision(&core))));
    commit(&mut core, delete("a")).unwrap();
    commit(&mut core, put("b", "2", Class::Durable)).unwrap();
    assert_eq!(watcher.bookmark(), None);
    assert!(poll(&mut watcher).unwrap().is_ok() && poll(&mut watcher).is_none());
}
