//! The in-memory replica: the newest root, a bounded ring of past roots and events, and the watchers that follow it.
//!
//! It knows nothing of logs or disks, so that another store (etcd) can feed the same type. A watcher holds a position
//! in the ring and no queue of its own: its memory is bounded by construction, and one that falls behind the ring is
//! told [`Error::Compacted`].

mod ring;
mod root;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use ring::Publication;
pub(crate) use root::Root;
pub use root::{Entry, Indexer, NoIndex, Snapshot};
pub use watch::{Change, Event, EventKind, Watcher};

use crate::clock::Tick;
use crate::error::Error;
use crate::key::Scope;
use crate::store::Revision;
use ring::Ring;
use watch::Wakers;

/// How much history the replica keeps: whichever bound is met first trims it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryLimits {
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
}

/// All objects, their recent history and their watchers. Shared by every reader of the process.
#[derive(Debug)]
pub struct Replica {
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: Root,
    ring: Ring,
    wakers: Wakers,
    closed: bool,
}

impl Replica {
    /// A replica that begins at a restored root; there is no history before it.
    pub(crate) fn new(root: Root, limits: HistoryLimits) -> Self {
        let ring = Ring::new(root.clone(), limits);
        Self { shared: Mutex::new(Shared { root, ring, wakers: Wakers::default(), closed: false }) }
    }

    /// The newest state.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.lock().root.clone())
    }

    /// The state at a past revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::Future`] for a revision outside the kept history.
    pub fn snapshot_at(&self, revision: Revision) -> Result<Snapshot, Error> {
        let shared = self.lock();
        shared.check(revision)?;
        Ok(Snapshot::new(shared.ring.root_at(revision).clone()))
    }

    /// Follows the changes of a scope after a revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::Future`] for a revision outside the kept history.
    pub fn watch(self: &Arc<Self>, scope: Scope, from: Revision) -> Result<Watcher, Error> {
        let mut shared = self.lock();
        shared.check(from)?;
        let id = shared.wakers.next_id();
        Ok(Watcher::new(Arc::clone(self), scope, from, id))
    }

    /// Drops the history before a revision.
    ///
    /// # Errors
    /// [`Error::Future`] for a revision that has not been issued.
    pub fn compact(&self, before: Revision) -> Result<(), Error> {
        let mut shared = self.lock();
        let current = shared.root.revision();
        if before > current {
            return Err(Error::Future { requested: before, current });
        }
        let dropped = shared.ring.compact(before);
        drop(shared);
        drop(dropped);
        Ok(())
    }

    /// Makes decided transactions visible, each with its own root and revision, and wakes the watchers concerned.
    pub(crate) fn publish(&self, publications: Vec<Publication>, now: Tick) {
        let mut shared = self.lock();
        let mut wake = Vec::new();
        for publication in publications {
            shared.root = publication.root.clone();
            for kind in shared.ring.push(publication, now) {
                wake.append(&mut shared.wakers.take(&kind));
            }
        }
        let dropped = shared.ring.trim(now);
        // Wakers run foreign code and dropped roots may free much memory: neither belongs under the lock.
        drop(shared);
        drop(dropped);
        wake.into_iter().for_each(std::task::Waker::wake);
    }

    /// When the oldest history will be old enough to be dropped.
    pub(crate) fn history_deadline(&self) -> Option<Tick> {
        self.lock().ring.deadline()
    }

    /// Ends every watch: nothing will be published any more.
    pub(crate) fn close(&self) {
        let mut shared = self.lock();
        shared.closed = true;
        let wake = shared.wakers.take_all();
        drop(shared);
        wake.into_iter().for_each(std::task::Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Whether a read or watch may begin at a revision.
    fn check(&self, revision: Revision) -> Result<(), Error> {
        let (oldest, current) = (self.ring.oldest(), self.root.revision());
        if revision < oldest {
            Err(Error::Compacted { requested: revision, oldest })
        } else if revision > current {
            Err(Error::Future { requested: revision, current })
        } else {
            Ok(())
        }
    }
}
