//! Limits and times of a local store.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::replica::{Indexer, NoIndex};

/// The smallest log segment: a header page and room for tests.
pub(crate) const MIN_SEGMENT_BYTES: u64 = 16 * 1024;
/// The largest log segment: both are read into memory when the store is opened.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 256 * 1024 * 1024;

/// How a local store behaves. `Options::default()` is what a device uses.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size in bytes of each of the two log files of a new store, a multiple of 4096. An existing store keeps its own.
    /// A transaction may have at most a quarter of it.
    pub segment_bytes: u64,
    /// The most bytes of past events kept for watches and reads at a revision.
    pub history_bytes: u64,
    /// The longest time that past events are kept.
    pub history_age: Duration,
    /// The most bytes of keys and values of [`Volatile`](crate::Class::Volatile) entries.
    pub volatile_bytes: u64,
    /// How long a volatile entry lives after its last write.
    pub volatile_age: Duration,
    /// The longest time that a [`Coalesced`](crate::Class::Coalesced) write waits for a batch.
    pub coalesce_delay: Duration,
    /// The most bytes of keys and values on the disk; writes that grow the store beyond it are refused.
    pub max_stored_bytes: u64,
    /// Size in bytes of the file that is given up when the disk is full, so that what is in the log and the deletes to
    /// come can still be checkpointed: twice the log, because an engine rounds values up to whole pages.
    pub reserve_bytes: u64,
    /// How long to wait between attempts to leave the full state.
    pub retry_delay: Duration,
    /// By how much the revision mark is raised. Every start continues at the mark.
    pub revision_step: u64,
    /// The most bytes that may wait for the writer before writes are refused with `Overloaded`.
    pub queue_bytes: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What objects can be found by.
    pub indexer: Arc<dyn Indexer>,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            segment_bytes: 8 * MIB,
            history_bytes: 32 * MIB,
            history_age: Duration::from_mins(5),
            volatile_bytes: 8 * MIB,
            volatile_age: Duration::from_hours(1),
            coalesce_delay: Duration::from_secs(5),
            max_stored_bytes: 256 * MIB,
            reserve_bytes: 32 * MIB,
            retry_delay: Duration::from_secs(10),
            revision_step: 1 << 20,
            queue_bytes: 32 * 1024 * 1024,
            clock: Arc::new(SystemClock::default()),
            indexer: Arc::new(NoIndex),
        }
    }
}
