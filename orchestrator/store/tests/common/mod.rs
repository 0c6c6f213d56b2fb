//! What the test programs share: short names for keys, values and stores on a simulated disk.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "shared by several test programs, each of which uses a part; a broken set-up must stop the test"
)]

use std::sync::Arc;

use coracle_store::clock::ManualClock;
use coracle_store::disk::Disk;
use coracle_store::engine::RedbEngine;
use coracle_store::local::{CheckpointMode, Core};
use coracle_store::{Class, Committed, Error, Indexer, Key, Kind, Options, Revision, Scope, Txn, Value, Write};

use crate::simdisk::SimDisk;

/// Indexes an object by the words of its body.
#[derive(Debug)]
pub(crate) struct Words;

impl Indexer for Words {
    fn terms(&self, _key: &Key, value: &Value) -> Vec<String> {
        String::from_utf8_lossy(value.body()).split(' ').map(str::to_owned).collect()
    }
}

/// A store with small limits on a simulated disk and a clock moved by hand.
pub(crate) struct Rig {
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) options: Options,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let options = Options {
            segment_bytes: 64 * 1024,
            reserve_bytes: 256 * 1024,
            clock: Arc::<ManualClock>::clone(&clock),
            indexer: Arc::new(Words),
            ..Options::default()
        };
        Self { disk: SimDisk::new(), clock, options }
    }

    pub(crate) fn open(&self) -> Result<Core, Error> {
        let disk: Arc<dyn Disk> = Arc::<SimDisk>::clone(&self.disk);
        let engine = Box::new(RedbEngine::new(Arc::clone(&disk)));
        Core::open(disk, engine, self.options.clone(), CheckpointMode::OnDemand)
    }
}

pub(crate) fn kind() -> Kind {
    Kind::new("", "configmaps").unwrap()
}

pub(crate) fn all() -> Scope {
    kind().all()
}

pub(crate) fn key(name: &str) -> Key {
    kind().key("default", name).unwrap()
}

pub(crate) fn value(body: impl AsRef<[u8]>) -> Value {
    Value::new(1, body.as_ref()).unwrap()
}

pub(crate) fn put(name: &str, body: impl AsRef<[u8]>, class: Class) -> Txn {
    Txn::new().write(Write::put(key(name), value(body)).with_class(class))
}

pub(crate) fn delete(name: &str) -> Txn {
    Txn::new().write(Write::delete(key(name)))
}

pub(crate) fn commit(core: &mut Core, txn: Txn) -> Result<Committed, Error> {
    core.commit(&[txn]).pop().unwrap()
}

pub(crate) fn body(core: &Core, name: &str) -> Option<String> {
    let snapshot = core.replica().snapshot();
    snapshot.get(&key(name)).map(|entry| String::from_utf8_lossy(entry.value().body()).into_owned())
}

pub(crate) fn revision(core: &Core) -> Revision {
    core.replica().snapshot().revision()
}
