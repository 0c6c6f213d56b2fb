//! Changes that are visible but not yet on the disk: the newest state of each key, until a batch takes them along.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Tick;
use crate::key::Key;
use crate::log::ChangeSet;
use crate::log::batch::change_bytes;
use crate::replica::Entry;
use crate::txn::Class;

/// Coalesced writes, which have a deadline, and renewals, which have none.
#[derive(Debug, Default)]
pub(super) struct Pending {
    coalesced: ChangeSet,
    coalesced_bytes: usize,
    renewals: BTreeMap<Key, Arc<Entry>>,
    deadline: Option<Tick>,
}

impl Pending {
    /// Whether the newest state of a key is not on the disk.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.coalesced.contains_key(key) || self.renewals.contains_key(key)
    }

    /// Whether there is anything that must reach the disk.
    pub(super) fn is_owed(&self) -> bool {
        !self.coalesced.is_empty()
    }

    /// Bytes that the next batch must take along.
    pub(super) fn owed_bytes(&self) -> usize {
        self.coalesced_bytes
    }

    /// When the owed changes must be on the disk.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.deadline
    }

    /// Adds a change of class coalesced or renewal.
    pub(super) fn add(&mut self, key: &Key, entry: Option<&Arc<Entry>>, class: Class, now: Tick, delay: Duration) {
        if let (Class::Renewal, Some(entry), false) = (class, entry, self.coalesced.contains_key(key)) {
            self.renewals.insert(key.clone(), Arc::clone(entry));
            return;
        }
        self.renewals.remove(key);
        self.coalesced_bytes += change_bytes(key, entry.map(|entry| entry.value()));
        if let Some(replaced) = self.coalesced.insert(key.clone(), entry.cloned()) {
            self.coalesced_bytes -= change_bytes(key, replaced.as_ref().map(|entry| entry.value()));
        }
        self.deadline.get_or_insert_with(|| now.after(delay));
    }

    /// What a batch with `changes` has to hold: all owed changes, the changes themselves, and as many renewals as fit
    /// into `room` bytes. Renewals that do not fit ride with a later batch; each concerns its own key only.
    pub(super) fn batch(&self, changes: ChangeSet, room: usize) -> ChangeSet {
        let mut batch = self.coalesced.clone();
        batch.extend(changes);
        let mut bytes: usize = batch.iter().map(|(key, entry)| entry_bytes(key, entry.as_ref())).sum();
        for (key, entry) in &self.renewals {
            let more = entry_bytes(key, Some(entry));
            if !batch.contains_key(key) && bytes + more <= room {
                bytes += more;
                batch.insert(key.clone(), Some(Arc::clone(entry)));
            }
        }
        batch
    }

    /// Forgets what a batch has made durable.
    pub(super) fn settle(&mut self, batch: &ChangeSet) {
        self.coalesced.clear();
        self.coalesced_bytes = 0;
        self.deadline = None;
        self.renewals.retain(|key, _| !batch.contains_key(key));
    }

    /// Tries again later: the log had no room.
    pub(super) fn defer(&mut self, until: Tick) {
        if self.deadline.is_some() {
            self.deadline = Some(until);
        }
    }
}

fn entry_bytes(key: &Key, entry: Option<&Arc<Entry>>) -> usize {
    change_bytes(key, entry.map(|entry| entry.value()))
}
