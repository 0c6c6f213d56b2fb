//! The power-cut suite: after a power cut at any moment the store opens, holds every acknowledged durable write, holds
//! no half transaction and gives out no revision twice. `simdisk::crash` says which disks are tried.
//!
//! The second half of the suite is its own proof: with each named sync point left out in turn it must find a violation.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod simdisk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coracle_store::clock::ManualClock;
use coracle_store::disk::{Disk, SyncPoint};
use coracle_store::engine::RedbEngine;
use coracle_store::local::{CheckpointMode, Core};
use coracle_store::{Class, Error, Kind, LocalStore, Options, Snapshot, Store, Txn, Value, Write};
use simdisk::crash::{CrashState, Effort, Walk, synced_only, walk};
use simdisk::{Image, Op, SimDisk};

/// What the test does to the store.
#[derive(Debug, Clone)]
enum Step {
    /// Transactions that go into one batch.
    Commit(Vec<Vec<Change>>),
    /// The time goes on and the store does what is due.
    Wait(u64),
    /// An orderly stop and a new start.
    Restart,
    /// The batch's sync fails, so the store stops with the batch in the page cache only; a new start finds it there.
    Abort(Vec<Change>),
}

/// One write: key, the byte that its value is filled with and the value's length (none: delete), class.
type Change = (&'static str, Option<(u8, usize)>, Class);

type Content = BTreeMap<String, (u8, usize)>;

/// What must hold from one acknowledgement on.
#[derive(Debug, Clone, Default)]
struct Acknowledged {
    durable: Content,
    revision: u64,
}

impl Acknowledged {
    fn of(snapshot: &Snapshot) -> Self {
        Self { durable: durable_content(snapshot), revision: snapshot.revision().as_u64() }
    }
}

/// A run of steps on a simulated disk: what it did and what it may expect.
struct Run {
    trace: Vec<Op>,
    acknowledged: Vec<Acknowledged>,
}

const D: Class = Class::Durable;
const C: Class = Class::Coalesced;
const R: Class = Class::Renewal;
const V: Class = Class::Volatile;

fn options(clock: &Arc<ManualClock>) -> Options {
    Options {
        segment_bytes: 16 * 1024,
        reserve_bytes: 4096,
        revision_step: 8,
        clock: Arc::<ManualClock>::clone(clock),
        ..Options::default()
    }
}

fn open(disk: &Arc<SimDisk>, clock: &Arc<ManualClock>) -> Result<Core, Error> {
    let disk: Arc<dyn Disk> = Arc::<SimDisk>::clone(disk);
    let engine = Box::new(RedbEngine::new(Arc::clone(&disk)));
    Core::open(disk, engine, options(clock), CheckpointMode::OnDemand)
}

fn txn(changes: &[Change]) -> Txn {
    changes.iter().fold(Txn::new(), |txn, (name, content, class)| {
        let key = Kind::new("", "configmaps").unwrap().key("default", name).unwrap();
        let value = content.map(|(byte, length)| Value::new(1, &vec![byte; length]).unwrap());
        txn.write(Write { key, value, class: *class })
    })
}

/// What a store holds under keys that were written durably; soft keys begin with `soft`.
fn durable_content(snapshot: &Snapshot) -> Content {
    let scope = Kind::new("", "configmaps").unwrap().all();
    let entries = snapshot.range(&scope, None);
    let hard = entries.filter(|entry| !entry.key().name().starts_with("soft"));
    hard.map(|entry| {
        let body = entry.value().body();
        (entry.key().name().to_owned(), (body[0], body.len()))
    })
    .collect()
}

fn run(steps: &[Step], suppressed: Option<SyncPoint>) -> Result<Run, String> {
    let disk = SimDisk::new();
    disk.suppress(suppressed);
    let clock = Arc::new(ManualClock::default());
    let fail = |error: Error| format!("the run itself failed: {error:?}");
    let mut acknowledged = Vec::new();
    let mut acknowledge = |core: &Core| {
        disk.note(acknowledged.len());
        acknowledged.push(Acknowledged::of(&core.replica().snapshot()));
    };
    let mut core = open(&disk, &clock).map_err(fail)?;
    acknowledge(&core);
    for step in steps {
        match step {
            Step::Commit(txns) => {
                let txns: Vec<Txn> = txns.iter().map(|changes| txn(changes)).collect();
                core.commit(&txns).into_iter().try_for_each(|result| result.map(drop)).map_err(fail)?;
            }
            Step::Wait(seconds) => {
                clock.advance(Duration::from_secs(*seconds));
                core.tick();
            }
            Step::Restart => {
                core.flush();
                drop(core);
                core = open(&disk, &clock).map_err(fail)?;
            }
            Step::Abort(changes) => {
                disk.fail_next_sync(SyncPoint::LogBatch);
                let result = core.commit(&[txn(changes)]);
                assert!(matches!(result.as_slice(), [Err(Error::Poisoned { .. })]), "{result:?}");
                drop(core);
                core = open(&disk, &clock).map_err(fail)?;
            }
        }
        acknowledge(&core);
    }
    Ok(Run { trace: disk.trace(), acknowledged })
}

/// Holds one disk against what was acknowledged before the cut.
fn check(state: &CrashState, acknowledged: &[Acknowledged]) -> Result<(), String> {
    let clock = Arc::new(ManualClock::default());
    let disk = SimDisk::from_image(state.image.clone());
    let mut core = open(&disk, &clock).map_err(|error| format!("the store does not open: {error}"))?;
    let found = durable_content(&core.replica().snapshot());
    let floor = state.note.map(|note| acknowledged[note].clone()).unwrap_or_default();
    let next = acknowledged.get(state.note.map_or(0, |note| note + 1));
    if found != floor.durable && next.is_none_or(|next| found != next.durable) {
        return Err(format!("acknowledged was {:?}, in flight was {next:?}, found is {found:?}", floor.durable));
    }
    let start = core.replica().snapshot().revision().as_u64();
    if start <= floor.revision {
        return Err(format!("revision {} had been given out, the store starts at {start}", floor.revision));
    }
    for (name, content) in soft_content(&core.replica().snapshot()) {
        if !SOFT.contains(&(name.as_str(), content)) {
            return Err(format!("{name} holds {content:?}, which it was never given"));
        }
    }
    check_goes_on(&disk, &mut core, &state.image, start, &clock)
}

/// A store that came back must keep what it acknowledges from now on, through the next power cut.
fn check_goes_on(
    disk: &Arc<SimDisk>,
    core: &mut Core,
    image: &Image,
    start: u64,
    clock: &Arc<ManualClock>,
) -> Result<(), String> {
    let mut expected = durable_content(&core.replica().snapshot());
    let result = core.commit(&[txn(&[("after", Some((9, 99)), D)])]);
    let [Ok(committed)] = result.as_slice() else { return Err(format!("the store refuses a write: {result:?}")) };
    if committed.revision.as_u64() <= start {
        return Err(format!("revision {} was given out after {start}", committed.revision));
    }
    expected.insert("after".to_owned(), (9, 99));
    let again = SimDisk::from_image(synced_only(image, &disk.trace()));
    let again = open(&again, clock).map_err(|error| format!("the store does not open a second time: {error}"))?;
    let found = durable_content(&again.replica().snapshot());
    if found != expected {
        return Err(format!("after a second power cut {found:?} is not {expected:?}"));
    }
    let restart = again.replica().snapshot().revision();
    if restart <= committed.revision {
        return Err(format!("revision {} was given out, the store starts at {restart} again", committed.revision));
    }
    Ok(())
}

fn soft_content(snapshot: &Snapshot) -> Vec<(String, (u8, usize))> {
    let scope = Kind::new("", "configmaps").unwrap().all();
    let soft = snapshot.range(&scope, None).filter(|entry| entry.key().name().starts_with("soft"));
    soft.map(|entry| (entry.key().name().to_owned(), (entry.value().body()[0], entry.value().body().len()))).collect()
}

/// Every content that a soft key is ever given and may come back with. Volatile ones never come back.
const SOFT: [(&str, (u8, usize)); 7] = [
    ("soft-status", (1, 50)),
    ("soft-status", (2, 60)),
    ("soft-status", (3, 70)),
    ("soft-lease", (1, 40)),
    ("soft-lease", (2, 40)),
    ("soft-lease", (3, 40)),
    ("soft-lease", (4, 40)),
];

fn put(name: &'static str, byte: u8, length: usize, class: Class) -> Change {
    (name, Some((byte, length)), class)
}

fn one(change: Change) -> Step {
    Step::Commit(vec![vec![change]])
}

/// A new store and its first writes.
fn birth() -> Vec<Step> {
    vec![one(put("a", 1, 10, D)), one(put("b", 1, 3000, D)), one(("a", None, D))]
}

/// Enough writes to use each segment twice, so that checkpoints cut the log; every class; transactions of several keys.
fn life() -> Vec<Step> {
    vec![
        Step::Commit(vec![vec![put("a", 1, 900, D), put("b", 1, 900, D)], vec![put("c", 1, 10, D)]]),
        one(put("soft-lease", 1, 40, R)),
        one(put("soft-lease", 2, 40, R)),
        one(put("soft-status", 1, 50, C)),
        one(put("soft-event", 1, 30, V)),
        one(put("a", 2, 3000, D)),
        one(put("soft-status", 2, 60, C)),
        one(put("soft-lease", 3, 40, R)),
        Step::Wait(6),
        one(put("b", 2, 3500, D)),
        one(put("a", 3, 3500, D)),
        Step::Commit(vec![vec![put("b", 3, 2000, D), ("c", None, D), put("d", 1, 100, D)]]),
        one(put("a", 4, 3500, D)),
        one(put("soft-status", 3, 70, C)),
        Step::Restart,
        one(put("soft-lease", 4, 40, R)),
        one(put("b", 4, 3800, D)),
        one(put("a", 5, 3800, D)),
        one(("d", None, D)),
        one(put("b", 5, 3800, D)),
    ]
}

/// Crashes of the process alone, whose unsynced last batch the next start finds in the page cache.
fn aborts() -> Vec<Step> {
    vec![
        one(put("a", 1, 3000, D)),
        Step::Abort(vec![put("b", 1, 3500, D)]),
        one(put("c", 1, 100, D)),
        Step::Abort(vec![put("a", 2, 3000, D)]),
        one(put("b", 2, 3000, D)),
        Step::Abort(vec![("c", None, D)]),
        Step::Restart,
        one(put("a", 3, 500, D)),
    ]
}

fn scenarios() -> [(&'static str, Vec<Step>); 3] {
    [("birth", birth()), ("aborts", aborts()), ("life", life())]
}

fn examine(steps: &[Step], suppressed: Option<SyncPoint>) -> Result<Walk, String> {
    let run = run(steps, suppressed)?;
    walk(&run.trace, Effort::Enumerate, |state| check(state, &run.acknowledged))
}

fn hold(name: &str) {
    let (_, steps) = scenarios().into_iter().find(|(found, _)| *found == name).unwrap();
    let walk = examine(&steps, None).unwrap_or_else(|violation| panic!("{name}: {violation}"));
    println!("{name}: {} prefixes, {} of them exhaustive, {} disks", walk.prefixes, walk.exhaustive, walk.states);
    assert!(walk.states > walk.prefixes, "the walk of {name} tried too few disks: {walk:?}");
}

#[test]
fn a_power_cut_while_a_store_is_made() {
    hold("birth");
}

#[test]
fn a_power_cut_at_any_moment_of_a_life() {
    hold("life");
}

#[test]
fn a_power_cut_after_crashes_of_the_process() {
    hold("aborts");
}

/// The store as it runs, with the checkpoints on their own thread beside the commits. The order of the two threads
/// differs from run to run, so only the two extreme disks of each prefix are tried here.
#[test]
fn a_power_cut_beside_a_background_checkpoint() {
    let disk = SimDisk::new();
    let clock = Arc::new(ManualClock::default());
    let recorded: Arc<dyn Disk> = Arc::<SimDisk>::clone(&disk);
    let store = LocalStore::open_on(recorded, options(&clock)).unwrap();
    let mut acknowledged = Vec::new();
    let mut acknowledge = || {
        disk.note(acknowledged.len());
        acknowledged.push(Acknowledged::of(&store.snapshot()));
    };
    acknowledge();
    for n in 0..60 {
        store.commit(txn(&[put(["a", "b", "c"][usize::from(n % 3)], n, 2500, D)])).wait().unwrap();
        acknowledge();
    }
    let walk = walk(&disk.trace(), Effort::Extremes, |state| check(state, &acknowledged));
    let walk = walk.unwrap_or_else(|violation| panic!("{violation}"));
    println!("background: {} prefixes, {} disks", walk.prefixes, walk.states);
    drop(store);
}

#[test]
fn each_sync_point_is_needed() {
    for point in SyncPoint::ALL {
        let found = scenarios().into_iter().find_map(|(name, steps)| {
            examine(&steps, Some(point)).err().map(|violation| format!("{name}: {violation}"))
        });
        let violation = found.unwrap_or_else(|| panic!("nothing is lost without the sync point {point:?}"));
        println!("without {point:?}: {}", violation.lines().next().unwrap_or_default());
    }
}
