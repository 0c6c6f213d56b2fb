//! Deciding transactions against a working copy of the root. Pure: nothing is written or published here, so a batch
//! whose log write fails is simply dropped.

use std::sync::Arc;

use super::options::Options;
use super::pending::Pending;
use crate::clock::Tick;
use crate::error::Error;
use crate::key::Key;
use crate::log::ChangeSet;
use crate::replica::{Entry, Event, Publication, Root};
use crate::store::Revision;
use crate::txn::{Class, Committed, Condition, Expect, Txn, Write};

/// What a transaction may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// All of it.
    Growth,
    /// The space kept back for deletes.
    Reclaim,
    /// Nothing in the log.
    Nothing,
}

/// A batch that is being decided.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) context: Context<'a>,
    pub(super) root: Root,
    /// The next revision to give out.
    pub(super) next: u64,
    pub(super) publications: Vec<Publication>,
    /// Changes of the classes durable, coalesced and renewal, in order.
    pub(super) changes: Vec<Staged>,
    pub(super) volatile: Vec<Arc<Entry>>,
    /// Whether an acknowledgement of this batch needs the disk.
    pub(super) sync: bool,
}

/// What deciding depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) options: &'a Options,
    pub(super) pending: &'a Pending,
    pub(super) now: Tick,
    pub(super) room: Room,
    /// The most bytes of changes in one transaction.
    pub(super) txn_bytes: usize,
}

/// One decided change that the log must see sooner or later.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) key: Key,
    pub(super) entry: Option<Arc<Entry>>,
    pub(super) class: Class,
}

/// What one write comes to.
enum Effect {
    Nothing,
    Change(Class),
}

impl<'a> Stage<'a> {
    pub(super) fn new(context: Context<'a>, root: Root, next: u64) -> Self {
        let (publications, changes, volatile) = (Vec::new(), Vec::new(), Vec::new());
        Self { context, root, next, publications, changes, volatile, sync: false }
    }

    /// Decides one transaction. After an error the stage is as before.
    pub(super) fn apply(&mut self, txn: &Txn) -> Result<Committed, Error> {
        txn.check()?;
        txn.conditions.iter().try_for_each(|condition| self.check(condition))?;
        let effects = txn.writes.iter().map(|write| self.effect(write)).collect::<Result<Vec<_>, Error>>()?;
        self.check_room(txn, &effects)?;

        let revision = Revision::from_u64(self.next);
        let mut root = self.root.clone();
        let (mut events, mut entries) = (Vec::new(), Vec::new());
        let (mut changes, mut volatile) = (Vec::new(), Vec::new());
        for (write, effect) in txn.writes.iter().zip(&effects) {
            let Effect::Change(class) = *effect else {
                let entry = root.get(&write.key).cloned();
                if self.is_owed(write) {
                    changes.push(Staged { key: write.key.clone(), entry: entry.clone(), class: Class::Durable });
                }
                entries.push(entry);
                continue;
            };
            let entry = write.value.as_ref().map(|value| {
                let entry = Entry::new(write.key.clone(), value.clone(), revision, class == Class::Volatile);
                entry.written(self.context.now, &*self.context.options.indexer)
            });
            let previous = match &entry {
                Some(entry) => root.insert(Arc::clone(entry)),
                None => root.remove(&write.key),
            };
            events.extend(Event::new(write.key.clone(), previous, entry.clone()));
            if class == Class::Volatile {
                volatile.extend(entry.clone());
            } else {
                changes.push(Staged { key: write.key.clone(), entry: entry.clone(), class });
            }
            entries.push(entry);
        }
        self.check_quota(txn, &root)?;

        self.sync |= changes.iter().any(|change| change.class == Class::Durable);
        self.changes.append(&mut changes);
        self.volatile.append(&mut volatile);
        if events.is_empty() {
            return Ok(Committed { revision: self.root.revision(), changed: false, entries });
        }
        self.advance(root, events);
        Ok(Committed { revision, changed: true, entries })
    }

    /// Drops volatile entries, all under one revision.
    pub(super) fn drop_volatile(&mut self, expired: &[Arc<Entry>]) {
        let mut root = self.root.clone();
        let drop = |entry: &Arc<Entry>| Event::new(entry.key().clone(), root.remove(entry.key()), None);
        let events: Vec<Event> = expired.iter().filter_map(drop).collect();
        if !events.is_empty() {
            self.advance(root, events);
        }
    }

    /// The changes as a batch holds them: the newest of each key.
    pub(super) fn change_set(&self) -> ChangeSet {
        self.changes.iter().map(|change| (change.key.clone(), change.entry.clone())).collect()
    }

    fn advance(&mut self, mut root: Root, events: Vec<Event>) {
        root.set_revision(Revision::from_u64(self.next));
        self.next += 1;
        self.root = root.clone();
        self.publications.push(Publication { root, events });
    }

    fn check(&self, condition: &Condition) -> Result<(), Error> {
        let found = self.root.get(&condition.key);
        let reason = match (condition.expect, found) {
            (Expect::Absent, None) | (Expect::Present, Some(_)) => return Ok(()),
            (Expect::At(revision), Some(entry)) if entry.revision() == revision => return Ok(()),
            (Expect::Absent, Some(entry)) => format!("it exists since revision {}", entry.revision()),
            (Expect::Present | Expect::At(_), None) => "it does not exist".to_owned(),
            (Expect::At(revision), Some(entry)) => {
                format!("it was expected at revision {revision} and is at {}", entry.revision())
            }
        };
        Err(Error::Conflict { key: condition.key.clone(), reason, found: found.cloned() })
    }

    /// What a write comes to, and the class that counts for it.
    fn effect(&self, write: &Write) -> Result<Effect, Error> {
        let class = match (self.root.get(&write.key), &write.value, write.class) {
            (None, None, _) => return Ok(Effect::Nothing),
            (Some(entry), Some(value), class) => {
                if entry.is_volatile() != (class == Class::Volatile) {
                    return Err(Error::ClassMismatch { key: write.key.clone(), volatile: entry.is_volatile() });
                }
                if entry.value() == value {
                    return Ok(Effect::Nothing);
                }
                class
            }
            // What was never on the disk needs no disk to go.
            (Some(entry), None, _) if entry.is_volatile() => Class::Volatile,
            (Some(_), None, Class::Coalesced) => Class::Coalesced,
            (Some(_), None, _) | (None, Some(_), Class::Renewal) => Class::Durable,
            (None, Some(_), class) => class,
        };
        Ok(Effect::Change(class))
    }

    /// A durable write that changes nothing still promises that what is there is durable.
    fn is_owed(&self, write: &Write) -> bool {
        let staged = || self.changes.iter().any(|change| change.key == write.key);
        write.class == Class::Durable && (self.context.pending.holds(&write.key) || staged())
    }

    fn check_room(&self, txn: &Txn, effects: &[Effect]) -> Result<(), Error> {
        let size = txn.log_bytes();
        let limit = self.context.txn_bytes;
        if size > limit {
            return Err(Error::TooLarge { what: "transaction", size, limit });
        }
        let needs_log = |effect: &Effect| matches!(effect, Effect::Change(Class::Durable | Class::Coalesced));
        let allowed = match self.context.room {
            Room::Growth => true,
            Room::Reclaim => txn.may_use_reserve() || !effects.iter().any(needs_log),
            Room::Nothing => !effects.iter().any(needs_log),
        };
        if allowed { Ok(()) } else { Err(Error::Full { reason: "the disk has no room" }) }
    }

    fn check_quota(&self, txn: &Txn, root: &Root) -> Result<(), Error> {
        let (before, after) = (self.root.stored_bytes(), root.stored_bytes());
        if after > before && after > self.context.options.max_stored_bytes && !txn.may_use_reserve() {
            return Err(Error::Full { reason: "the objects have reached max_stored_bytes" });
        }
        Ok(())
    }
}
