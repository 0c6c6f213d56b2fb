//! Transactions: conditions over several keys, then writes to several keys, all or nothing.

use std::sync::Arc;

use crate::error::Error;
use crate::key::Key;
use crate::log::batch::change_bytes;
use crate::replica::Entry;
use crate::store::Revision;
use crate::value::Value;

/// How durable a write must be when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// On the disk before the acknowledgement.
    #[default]
    Durable,
    /// Visible at once; on the disk within `Options::coalesce_delay` or with the next batch, whichever is first. For
    /// status that our own agent or controllers compute again.
    Coalesced,
    /// A Lease renewal: visible at once, never the cause of a disk write, carried along by the next batch. A renewal
    /// that creates its key is durable. After a restart the entry counts as just renewed: see [`Entry::observed`].
    Renewal,
    /// Never on the disk; dropped with a DELETED event after `Options::volatile_age` or when too many bytes gather.
    Volatile,
}

/// What must hold for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The key does not exist.
    Absent,
    /// The key exists.
    Present,
    /// The key exists and was last changed at this revision.
    At(Revision),
}

/// A condition on one key.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The key.
    pub key: Key,
    /// What must hold.
    pub expect: Expect,
}

/// A change of one key: a value, or `None` to delete.
#[derive(Debug, Clone)]
pub struct Write {
    /// The key.
    pub key: Key,
    /// The new value; `None` deletes. Deleting an absent key is no change.
    pub value: Option<Value>,
    /// How durable the change must be.
    pub class: Class,
}

/// Conditions and writes that are decided together under one revision.
#[derive(Debug, Clone, Default)]
pub struct Txn {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
    pub(crate) reclaiming: bool,
}

/// The outcome of a transaction whose conditions held.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The revision of this transaction; the newest revision of the store if nothing changed.
    pub revision: Revision,
    /// False when every write was equal to what was there: no revision, no event, no disk write.
    pub changed: bool,
    /// For each write in order the entry after it; `None` when the key is absent now.
    pub entries: Vec<Option<Arc<Entry>>>,
}

impl Write {
    /// Puts a value, durably.
    #[must_use]
    pub fn put(key: Key, value: Value) -> Self {
        Self { key, value: Some(value), class: Class::Durable }
    }

    /// Deletes a key, durably.
    #[must_use]
    pub fn delete(key: Key) -> Self {
        Self { key, value: None, class: Class::Durable }
    }

    /// The same write with another durability class.
    #[must_use]
    pub fn with_class(self, class: Class) -> Self {
        Self { class, ..self }
    }
}

impl Txn {
    /// An empty transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, key: Key, expect: Expect) -> Self {
        self.conditions.push(Condition { key, expect });
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Marks an update that is a step of a deletion (setting a deletion time, removing a finalizer): it may use the
    /// space kept back for deletes. A transaction of deletes alone is reclaiming by itself.
    #[must_use]
    pub fn reclaiming(mut self) -> Self {
        self.reclaiming = true;
        self
    }

    /// Whether the transaction may use the space kept back for deletes.
    pub(crate) fn may_use_reserve(&self) -> bool {
        self.reclaiming || self.writes.iter().all(|write| write.value.is_none())
    }

    /// Whether the transaction can be served without the log: renewals of what exists, and writes to volatile entries.
    pub(crate) fn needs_no_log<'a>(&self, find: impl Fn(&Key) -> Option<&'a Arc<Entry>>) -> bool {
        self.writes.iter().all(|write| match (write.class, &write.value, find(&write.key)) {
            (Class::Volatile, Some(_), None) | (_, None, None) => true,
            (Class::Renewal, Some(_), Some(_)) => true,
            (_, _, Some(entry)) => entry.is_volatile(),
            (_, Some(_), None) => false,
        })
    }

    /// Bytes that its changes need in the log.
    pub(crate) fn log_bytes(&self) -> usize {
        self.writes.iter().map(|write| change_bytes(&write.key, write.value.as_ref())).sum()
    }

    /// Refuses a transaction that names a key twice: the outcome would depend on their order.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.writes.is_empty() {
            return Err(Error::InvalidTransaction { reason: "it writes nothing" });
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(|write| &write.key).collect();
        keys.sort_unstable();
        if keys.is_sorted_by(|a, b| a < b) {
            Ok(())
        } else {
            Err(Error::InvalidTransaction { reason: "it writes a key twice" })
        }
    }
}
