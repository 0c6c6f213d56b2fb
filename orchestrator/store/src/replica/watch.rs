//! Watchers: a position in the ring and a waker, no queue.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::Replica;
use super::root::Entry;
use crate::error::Error;
use crate::key::{Key, Kind, Scope};
use crate::store::Revision;

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The key did not exist before.
    Added,
    /// The key has a new value.
    Modified,
    /// The key is gone.
    Deleted,
}

/// One change of one key. At least one of `entry` and `previous` is there.
#[derive(Debug, Clone)]
pub struct Event {
    entry: Option<Arc<Entry>>,
    previous: Option<Arc<Entry>>,
    key: Key,
}

/// The events of one transaction that a watcher is to see, in the order of its writes.
#[derive(Debug, Clone)]
pub struct Change {
    /// The transaction's revision: the resourceVersion of every event in it, deletions included.
    pub revision: Revision,
    /// The events; never empty.
    pub events: Vec<Event>,
}

/// Follows a scope. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    replica: Arc<Replica>,
    scope: Scope,
    position: Revision,
    id: u64,
}

/// Who waits for which kind. A waker is taken when it is woken; the next poll puts it back.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    waiting: HashMap<Kind, HashMap<u64, Waker>>,
    last_id: u64,
}

/// Unparks a thread that waits without a runtime.
struct Unpark(std::thread::Thread);

impl Event {
    /// An event, or `None` when neither side exists.
    pub(crate) fn new(key: Key, previous: Option<Arc<Entry>>, entry: Option<Arc<Entry>>) -> Option<Self> {
        (entry.is_some() || previous.is_some()).then_some(Self { entry, previous, key })
    }

    /// The key that changed.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match (&self.previous, &self.entry) {
            (None, _) => EventKind::Added,
            (Some(_), Some(_)) => EventKind::Modified,
            (Some(_), None) => EventKind::Deleted,
        }
    }

    /// The entry after the change; `None` for a deletion.
    #[must_use]
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// The entry before the change; `None` for a creation. A watch with a selector needs both sides.
    #[must_use]
    pub fn previous(&self) -> Option<&Arc<Entry>> {
        self.previous.as_ref()
    }

    pub(super) fn weight(&self) -> u64 {
        [&self.entry, &self.previous].into_iter().flatten().map(|entry| entry.weight()).sum()
    }
}

impl Watcher {
    pub(super) fn new(replica: Arc<Replica>, scope: Scope, position: Revision, id: u64) -> Self {
        Self { replica, scope, position, id }
    }

    /// The next change of the scope. `Pending` registers the waker; at most one task may wait for one watcher.
    ///
    /// Ready with [`Error::Compacted`] when the watcher was too slow and events of its kind are gone, and with
    /// [`Error::Closed`] when the store is closed.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Change, Error>> {
        let mut shared = self.replica.lock();
        let kind = self.scope.kind();
        if let Some(ring) = shared.ring.kind(kind) {
            let Some(slots) = ring.after(self.position) else {
                return Poll::Ready(Err(Error::Compacted { requested: self.position, oldest: shared.ring.oldest() }));
            };
            for slot in slots {
                self.position = slot.revision;
                let events = slot.events.iter().filter(|event| self.scope.contains(event.key()));
                let events: Vec<Event> = events.cloned().collect();
                if !events.is_empty() {
                    return Poll::Ready(Ok(Change { revision: slot.revision, events }));
                }
            }
        }
        if shared.closed {
            return Poll::Ready(Err(Error::Closed));
        }
        shared.wakers.register(kind, self.id, cx.waker());
        Poll::Pending
    }

    /// The next change of the scope.
    ///
    /// # Errors
    /// As [`Watcher::poll_next`].
    pub async fn next(&mut self) -> Result<Change, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Blocks the calling thread until there is a change. Not for async tasks: those use [`Watcher::next`].
    ///
    /// # Errors
    /// As [`Watcher::poll_next`].
    pub fn wait(&mut self) -> Result<Change, Error> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut next = pin!(self.next());
        loop {
            match next.as_mut().poll(&mut cx) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// A revision that the watcher has caught up with, or `None` while events wait for it: what a BOOKMARK announces.
    #[must_use]
    pub fn bookmark(&mut self) -> Option<Revision> {
        let shared = self.replica.lock();
        if let Some(ring) = shared.ring.kind(self.scope.kind()) {
            let mut waiting = ring.after(self.position)?.flat_map(|slot| slot.events.iter());
            if waiting.any(|event| self.scope.contains(event.key())) {
                return None;
            }
        }
        self.position = shared.root.revision();
        Some(self.position)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.replica.lock().wakers.forget(self.scope.kind(), self.id);
    }
}

impl Wakers {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn take(&mut self, kind: &Kind) -> Vec<Waker> {
        self.waiting.remove(kind).map(|wakers| wakers.into_values().collect()).unwrap_or_default()
    }

    pub(super) fn take_all(&mut self) -> Vec<Waker> {
        self.waiting.drain().flat_map(|(_, wakers)| wakers.into_values()).collect()
    }

    fn register(&mut self, kind: &Kind, id: u64, waker: &Waker) {
        self.waiting.entry(kind.clone()).or_default().insert(id, waker.clone());
    }

    fn forget(&mut self, kind: &Kind, id: u64) {
        if let Some(wakers) = self.waiting.get_mut(kind) {
            wakers.remove(&id);
        }
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
