//! The order in which volatile entries are dropped: oldest write first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Tick;
use crate::key::Key;
use crate::replica::{Entry, Root};
use crate::store::Revision;

/// Every volatile write in order. A slot whose key has been written again, or is gone, is stale and skipped.
#[derive(Debug, Default)]
pub(super) struct VolatileRing {
    slots: VecDeque<Slot>,
    /// How many slots were live when the stale ones were last removed.
    live: usize,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    revision: Revision,
    written: Tick,
}

impl VolatileRing {
    pub(super) fn push(&mut self, entry: &Entry) {
        let (key, revision, written) = (entry.key().clone(), entry.revision(), entry.observed());
        self.slots.push_back(Slot { key, revision, written });
    }

    /// The entries that are too old, or too many bytes, in a root.
    pub(super) fn expired(&self, root: &Root, now: Tick, age: Duration, bytes: u64) -> Vec<Arc<Entry>> {
        let mut excess = root.volatile_bytes().saturating_sub(bytes);
        let mut expired = Vec::new();
        for slot in &self.slots {
            if now.since(slot.written) < age && excess == 0 {
                break;
            }
            if let Some(entry) = slot.live(root) {
                excess = excess.saturating_sub(entry.weight());
                expired.push(Arc::clone(entry));
            }
        }
        expired
    }

    /// Forgets the stale slots: in front always, elsewhere when there may be as many of them as live ones.
    pub(super) fn drop_stale(&mut self, root: &Root) {
        while self.slots.front().is_some_and(|slot| slot.live(root).is_none()) {
            self.slots.pop_front();
        }
        if self.slots.len() > 2 * self.live + 64 {
            self.slots.retain(|slot| slot.live(root).is_some());
            self.live = self.slots.len();
        }
    }

    /// When the oldest entry becomes too old.
    pub(super) fn deadline(&self, age: Duration) -> Option<Tick> {
        self.slots.front().map(|slot| slot.written.after(age))
    }
}

impl Slot {
    fn live<'a>(&self, root: &'a Root) -> Option<&'a Arc<Entry>> {
        root.get(&self.key).filter(|entry| entry.revision() == self.revision && entry.is_volatile())
    }
}
