//! The bounded history: past roots for reads at a revision, and per kind the events for watches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::HistoryLimits;
use super::root::Root;
use super::watch::Event;
use crate::clock::Tick;
use crate::key::Kind;
use crate::store::Revision;

/// What a root costs beside its entries: the copied paths of the persistent maps.
const ROOT_BYTES: u64 = 2048;

/// One decided transaction: the root after it and its events in the order of its writes.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) root: Root,
    pub(crate) events: Vec<Event>,
}

/// What trimming gives back, for the caller to drop outside its lock.
#[derive(Debug, Default)]
pub(super) struct Dropped(#[expect(dead_code, reason = "held only to be dropped later")] Vec<(Slot, Vec<KindSlot>)>);

#[derive(Debug)]
pub(super) struct Ring {
    limits: HistoryLimits,
    /// The state at the oldest revision that can still be read.
    base: Root,
    slots: VecDeque<Slot>,
    kinds: BTreeMap<Kind, KindRing>,
    bytes: u64,
}

#[derive(Debug)]
struct Slot {
    root: Root,
    at: Tick,
    bytes: u64,
    kinds: Vec<Kind>,
}

/// The events of one kind by one transaction.
#[derive(Debug)]
pub(super) struct KindSlot {
    pub(super) revision: Revision,
    pub(super) events: Arc<[Event]>,
}

#[derive(Debug, Default)]
pub(super) struct KindRing {
    slots: VecDeque<KindSlot>,
    /// The newest revision of this kind that the ring has forgotten.
    forgotten: Revision,
}

impl Ring {
    pub(super) fn new(base: Root, limits: HistoryLimits) -> Self {
        Self { limits, base, slots: VecDeque::new(), kinds: BTreeMap::new(), bytes: 0 }
    }

    /// The oldest revision from which a read or a watch may begin.
    pub(super) fn oldest(&self) -> Revision {
        self.base.revision()
    }

    /// The root at a revision that is not older than `oldest`.
    pub(super) fn root_at(&self, revision: Revision) -> &Root {
        let newer = self.slots.partition_point(|slot| slot.root.revision() <= revision);
        newer.checked_sub(1).and_then(|at| self.slots.get(at)).map_or(&self.base, |slot| &slot.root)
    }

    pub(super) fn kind(&self, kind: &Kind) -> Option<&KindRing> {
        self.kinds.get(kind)
    }

    /// Adds a transaction; gives the kinds that it touched.
    pub(super) fn push(&mut self, publication: Publication, now: Tick) -> Vec<Kind> {
        let revision = publication.root.revision();
        let mut bytes = ROOT_BYTES;
        let mut by_kind: BTreeMap<Kind, Vec<Event>> = BTreeMap::new();
        for event in publication.events {
            bytes += event.weight();
            by_kind.entry(event.key().kind()).or_default().push(event);
        }
        let kinds: Vec<Kind> = by_kind.keys().cloned().collect();
        for (kind, events) in by_kind {
            self.kinds.entry(kind).or_default().slots.push_back(KindSlot { revision, events: events.into() });
        }
        self.bytes += bytes;
        self.slots.push_back(Slot { root: publication.root, at: now, bytes, kinds: kinds.clone() });
        kinds
    }

    /// Forgets what is beyond the limits.
    pub(super) fn trim(&mut self, now: Tick) -> Dropped {
        let limits = self.limits;
        self.forget_while(|ring, slot| ring.bytes > limits.bytes || now.since(slot.at) >= limits.age)
    }

    /// Forgets everything before a revision; the state at the revision itself stays readable.
    pub(super) fn compact(&mut self, before: Revision) -> Dropped {
        self.forget_while(|_, slot| slot.root.revision() <= before)
    }

    /// When the oldest slot becomes too old.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.slots.front().map(|slot| slot.at.after(self.limits.age))
    }

    fn forget_while(&mut self, condition: impl Fn(&Self, &Slot) -> bool) -> Dropped {
        let mut dropped = Vec::new();
        while self.slots.front().is_some_and(|slot| condition(self, slot)) {
            let Some(slot) = self.slots.pop_front() else { break };
            let revision = slot.root.revision();
            let mut events = Vec::new();
            for kind in &slot.kinds {
                if let Some(ring) = self.kinds.get_mut(kind) {
                    ring.forgotten = revision;
                    events.extend(ring.slots.pop_front());
                }
            }
            self.bytes = self.bytes.saturating_sub(slot.bytes);
            self.base = slot.root.clone();
            dropped.push((slot, events));
        }
        Dropped(dropped)
    }
}

impl KindRing {
    /// The slots after a revision, or `None` if some of them are forgotten.
    pub(super) fn after(&self, revision: Revision) -> Option<impl Iterator<Item = &KindSlot>> {
        if self.forgotten > revision {
            return None;
        }
        let start = self.slots.partition_point(|slot| slot.revision <= revision);
        Some(self.slots.range(start..))
    }
}
