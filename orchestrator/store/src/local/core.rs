//! The local store without its writer thread: every call runs on the caller's thread.
//!
//! A commit decides its transactions on a working copy ([`Stage`]), writes one record with one sync if any of them
//! needs the disk, then publishes the working copy to the replica. The log is cut by using a segment again, and that
//! happens only after a checkpoint has proven the segment's changes durable in the engine.

use std::sync::Arc;

use super::checkpointer::{CheckpointMode, Checkpointer, Job, Outcome, Worker};
use super::layout;
use super::options::Options;
use super::pending::Pending;
use super::stage::{Context, Room, Stage};
use super::volatile::VolatileRing;
use crate::clock::Tick;
use crate::disk::Disk;
use crate::engine::{Applied, Changes, Engine};
use crate::error::Error;
use crate::key::Key;
use crate::log::batch::{self, change_bytes};
use crate::log::{ChangeSet, Log, Scan};
use crate::replica::{Entry, HistoryLimits, Publication, Replica, Root};
use crate::store::Revision;
use crate::txn::{Class, Committed, Txn};

/// The first revision of a new store: 0 means "any" to Kubernetes clients.
const FIRST_REVISION: u64 = 1;

/// Whether the store takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All of them.
    Healthy,
    /// Only deletes: the disk is full.
    Full,
    /// None: an error that only opening the store again can clear.
    Stopped(Arc<str>),
}

/// A local store that runs on its caller's thread.
#[derive(Debug)]
pub struct Core {
    options: Options,
    replica: Arc<Replica>,
    opened: Tick,
    log: Log,
    checkpointer: Checkpointer,
    /// The newest published state.
    root: Root,
    next: u64,
    /// Every revision below it may be given out; it is on the disk.
    mark: u64,
    pending: Pending,
    volatile: VolatileRing,
    /// Changes in the log that no checkpoint has been started for.
    dirty: ChangeSet,
    /// The last log record that a checkpoint has proven durable.
    checkpointed: u64,
    health: Health,
    /// When to try again to leave the full state.
    retry_at: Tick,
    limits: Limits,
}

/// Sizes that follow from the segment's: together they always fit one segment beside its header.
#[derive(Debug, Clone, Copy)]
struct Limits {
    txn_bytes: usize,
    owed_bytes: usize,
    batch_bytes: usize,
}

impl Core {
    /// Opens the store in a directory, making a new one if the directory is empty.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`], [`Error::UnknownRecord`] and [`Error::Corrupt`] for data that this release cannot
    /// read, before anything is written; [`Error::Io`] and [`Error::Engine`] when the disk fails.
    pub fn open(
        disk: Arc<dyn Disk>,
        mut engine: Box<dyn Engine>,
        options: Options,
        mode: CheckpointMode,
    ) -> Result<Self, Error> {
        let description = layout::open_or_create(&*disk, &mut *engine, &options)?;
        let opened = options.clock.now();
        let mut scan = Scan::read(&disk, description.segment_bytes)?;
        let mut restored = Restored { root: Root::default(), dirty: ChangeSet::new(), mark: FIRST_REVISION, newest: 0 };
        let applied = engine.load(&mut |stored| {
            restored.newest = restored.newest.max(stored.revision.as_u64());
            let entry = Entry::new(stored.key, stored.value, stored.revision, false);
            restored.root.insert(entry.restored_at(opened, &*options.indexer));
            Ok(())
        })?;
        restored.replay(scan.take_after(applied.sequence)?, applied, opened, &options);
        restored.check()?;
        let log = scan.into_log()?;
        let reserve = layout::restore_reserve(&*disk, options.reserve_bytes)?;
        let worker = Worker { disk, engine, applied, reserve_bytes: options.reserve_bytes, reserve };
        let Restored { mut root, dirty, mark, .. } = restored;
        root.set_revision(Revision::from_u64(mark));
        let limits = HistoryLimits { bytes: options.history_bytes, age: options.history_age };
        let mut core = Self {
            replica: Arc::new(Replica::new(root.clone(), limits)),
            opened,
            log,
            checkpointer: Checkpointer::new(mode, worker)?,
            root,
            next: mark + 1,
            mark,
            pending: Pending::default(),
            volatile: VolatileRing::default(),
            dirty,
            checkpointed: applied.sequence,
            health: if reserve { Health::Healthy } else { Health::Full },
            retry_at: opened.after(options.retry_delay),
            limits: Limits::of(description.segment_bytes),
            options,
        };
        core.raise_mark()?;
        Ok(core)
    }

    /// The replica that all reads and watches go to.
    #[must_use]
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// When the store was opened.
    #[must_use]
    pub fn opened_at(&self) -> Tick {
        self.opened
    }

    /// Whether the store takes writes.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Decides transactions in order and makes them durable, as many together as one record may hold. One result for
    /// each.
    pub fn commit(&mut self, mut txns: &[Txn]) -> Vec<Result<Committed, Error>> {
        let mut results = Vec::with_capacity(txns.len());
        while !txns.is_empty() {
            let (batch, rest) = txns.split_at(self.batch_length(txns));
            results.append(&mut self.run(batch, false));
            txns = rest;
        }
        results
    }

    /// Does what is due by the clock: owed writes, volatile entries and history that are too old.
    pub fn tick(&mut self) {
        self.run(&[], false);
    }

    /// Writes what is owed without waiting for its time, as before a shutdown. Renewals alone cause no write.
    pub fn flush(&mut self) {
        self.run(&[], true);
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        let history = self.replica.history_deadline();
        if matches!(self.health, Health::Stopped(_)) {
            return history;
        }
        let volatile = self.volatile.deadline(self.options.volatile_age);
        [history, volatile, self.pending.deadline()].into_iter().flatten().min()
    }

    fn run(&mut self, txns: &[Txn], flush: bool) -> Vec<Result<Committed, Error>> {
        let now = self.options.clock.now();
        let decided = self.decide(txns, flush, now);
        decided.unwrap_or_else(|error| {
            self.replica.publish(Vec::new(), now);
            txns.iter().map(|_| Err(error.clone())).collect()
        })
    }

    /// The whole commit; an error answers every transaction of the batch.
    fn decide(&mut self, txns: &[Txn], flush: bool, now: Tick) -> Result<Vec<Result<Committed, Error>>, Error> {
        if let Health::Stopped(reason) = &self.health {
            return Err(Error::Poisoned { reason: Arc::clone(reason) });
        }
        let quiet = self.needs_no_log(txns) && !self.is_due(flush, now);
        let room =
            if quiet { self.current_room() } else { self.room_for(txns, now).map_err(|error| self.stop(&error))? };
        let context =
            Context { options: &self.options, pending: &self.pending, now, room, txn_bytes: self.limits.txn_bytes };
        let mut stage = Stage::new(context, self.root.clone(), self.next);
        let results = txns.iter().map(|txn| stage.apply(txn)).collect();
        for entry in std::mem::take(&mut stage.volatile) {
            self.volatile.push(&entry);
        }
        let (age, cap) = (self.options.volatile_age, self.options.volatile_bytes);
        stage.drop_volatile(&self.volatile.expired(&stage.root, now, age, cap));

        let decided = Decided {
            changes: stage.change_set(),
            classes: stage.changes.iter().map(|change| (change.key.clone(), change.class)).collect(),
            sync: stage.sync,
            root: stage.root,
            next: stage.next,
            publications: stage.publications,
        };
        self.seal(decided, flush, now)?;
        Ok(results)
    }

    /// Writes a decided batch if it must be, then publishes it.
    fn seal(&mut self, decided: Decided, flush: bool, now: Tick) -> Result<(), Error> {
        let coalesced = decided.classes.iter().filter(|(_, class)| *class == Class::Coalesced);
        let new_owed: usize = coalesced.map(|(key, _)| decided.bytes_of(key)).sum();
        let must = decided.sync || (!decided.publications.is_empty() && decided.next > self.mark);
        let due = self.is_due(flush, now) || self.pending.owed_bytes() + new_owed > self.limits.owed_bytes;
        let mut written = false;
        if must || due {
            match self.write(decided.changes.clone(), decided.next) {
                Ok(()) => written = true,
                Err(Error::Full { .. }) if !must => self.pending.defer(now.after(self.options.retry_delay)),
                Err(error @ Error::Full { .. }) => return Err(error),
                Err(error) => return Err(self.stop(&error)),
            }
        }
        if !written {
            for (key, class) in &decided.classes {
                let entry = decided.changes.get(key).and_then(Option::as_ref);
                self.pending.add(key, entry, *class, now, self.options.coalesce_delay);
            }
        }
        self.root = decided.root;
        self.next = decided.next;
        self.volatile.drop_stale(&self.root);
        self.replica.publish(decided.publications, now);
        Ok(())
    }

    /// Appends one record with everything that the disk is owed.
    fn write(&mut self, changes: ChangeSet, next: u64) -> Result<(), Error> {
        let room = usize::try_from(self.log.room(false)).unwrap_or(usize::MAX);
        let room = room.saturating_sub(usize::try_from(batch::record_bytes(0)).unwrap_or_default() + 8);
        let batch = self.pending.batch(changes, room.min(self.limits.batch_bytes));
        let step = self.options.revision_step;
        let mark = if next + step / 2 > self.mark { next + step } else { self.mark };
        self.log.append(&batch::encode(mark, &batch))?;
        self.mark = mark;
        self.pending.settle(&batch);
        self.dirty.extend(batch);
        Ok(())
    }

    /// Raises the mark before the first revision is given out. Without room the store opens all the same: no revision
    /// can be given out then, so none can be given out twice.
    fn raise_mark(&mut self) -> Result<(), Error> {
        self.make_room(batch::record_bytes(0), true, self.opened)?;
        match self.write(ChangeSet::new(), self.next) {
            Err(Error::Full { .. }) => {
                self.health = Health::Full;
                Ok(())
            }
            written => written,
        }
    }

    fn is_due(&self, flush: bool, now: Tick) -> bool {
        self.pending.is_owed() && (flush || self.pending.deadline().is_some_and(|deadline| deadline <= now))
    }

    /// How many of the transactions go into the next record: always one, then as many as `batch_bytes` allows.
    fn batch_length(&self, txns: &[Txn]) -> usize {
        let mut bytes = 0;
        let fits = |txn: &&Txn| {
            bytes += txn.log_bytes();
            bytes <= self.limits.batch_bytes
        };
        txns.iter().take_while(fits).count().max(1)
    }

    /// Whether nothing in these transactions can need the disk.
    fn needs_no_log(&self, txns: &[Txn]) -> bool {
        // One more revision for volatile entries that are dropped.
        let revisions = txns.len() as u64 + 1;
        self.next + revisions <= self.mark && txns.iter().all(|txn| txn.needs_no_log(|key| self.root.get(key)))
    }

    fn current_room(&self) -> Room {
        match (&self.health, self.log.room(true)) {
            (_, 0) => Room::Nothing,
            (Health::Healthy, _) => Room::Growth,
            _ => Room::Reclaim,
        }
    }

    /// Makes room for a batch; if not for all of it, for those of its transactions that may use the reserve.
    fn room_for(&mut self, txns: &[Txn], now: Tick) -> Result<Room, Error> {
        let (owed, limit) = (self.pending.owed_bytes(), self.limits.txn_bytes);
        let need = |reclaiming: bool| {
            let counted = txns.iter().filter(|txn| !reclaiming || txn.may_use_reserve());
            batch::record_bytes(owed + counted.map(Txn::log_bytes).filter(|bytes| *bytes <= limit).sum::<usize>())
        };
        let retry = txns.iter().any(Txn::may_use_reserve) || now >= self.retry_at;
        match self.make_room(need(false), retry, now)? {
            Room::Nothing => Ok(match self.make_room(need(true), retry, now)? {
                Room::Growth | Room::Reclaim => Room::Reclaim,
                Room::Nothing => Room::Nothing,
            }),
            room => Ok(room),
        }
    }

    /// Sees to it that a record of `need` bytes fits, taking the other segment if it must and may.
    fn make_room(&mut self, need: u64, retry: bool, now: Tick) -> Result<Room, Error> {
        if let Some(outcome) = self.checkpointer.poll() {
            self.finish(outcome)?;
        }
        if self.health == Health::Full && now >= self.retry_at {
            self.retry_at = now.after(self.options.retry_delay);
            self.checkpoint_now(true)?;
        }
        if self.log.room(false) < need {
            if !self.log.can_switch(self.checkpointed) && (retry || self.health == Health::Healthy) {
                self.checkpoint_now(false)?;
            }
            if self.log.can_switch(self.checkpointed) {
                self.log.switch()?;
                if !self.checkpointer.is_busy() && !self.dirty.is_empty() {
                    let job = self.job(false);
                    self.checkpointer.start(job);
                }
            }
        }
        Ok(match self.health {
            Health::Healthy if self.log.room(false) >= need => Room::Growth,
            _ if self.log.room(true) >= need => Room::Reclaim,
            _ => Room::Nothing,
        })
    }

    /// Brings every change of the log into the engine before it returns.
    fn checkpoint_now(&mut self, recover: bool) -> Result<(), Error> {
        if let Some(outcome) = self.checkpointer.wait() {
            self.finish(outcome)?;
            // What was under way may have been enough.
            if !recover && self.log.can_switch(self.checkpointed) {
                return Ok(());
            }
        }
        let job = self.job(recover);
        self.checkpointer.start(job);
        match self.checkpointer.wait() {
            Some(outcome) => self.finish(outcome),
            None => Err(Error::Closed),
        }
    }

    /// Everything that is in the log and in no checkpoint.
    fn job(&mut self, recover: bool) -> Job {
        let applied = Applied { sequence: self.log.last_sequence(), mark: self.mark };
        Job { changes: Changes(std::mem::take(&mut self.dirty)), applied, recover }
    }

    /// Takes note of how a checkpoint ended.
    fn finish(&mut self, outcome: Outcome) -> Result<(), Error> {
        match outcome.result {
            Ok(()) => {
                self.checkpointed = outcome.job.applied.sequence;
                self.health = if outcome.reserve { Health::Healthy } else { Health::Full };
                Ok(())
            }
            Err(error) => {
                // Still owed; what has changed since is newer.
                let newer = std::mem::replace(&mut self.dirty, outcome.job.changes.0);
                self.dirty.extend(newer);
                if error.is_no_space() {
                    self.health = Health::Full;
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// No write is tried again after an error that leaves the disk's content unknown.
    fn stop(&mut self, error: &Error) -> Error {
        let reason: Arc<str> = describe(error).into();
        self.health = Health::Stopped(Arc::clone(&reason));
        Error::Poisoned { reason }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.replica.close();
    }
}

/// A batch between its decision and its publication.
struct Decided {
    changes: ChangeSet,
    classes: Vec<(Key, Class)>,
    sync: bool,
    root: Root,
    next: u64,
    publications: Vec<Publication>,
}

impl Decided {
    fn bytes_of(&self, key: &Key) -> usize {
        let entry = self.changes.get(key).and_then(Option::as_ref);
        change_bytes(key, entry.map(|entry| entry.value()))
    }
}

/// What the disk held when the store was opened.
struct Restored {
    root: Root,
    dirty: ChangeSet,
    mark: u64,
    /// The newest revision of any entry.
    newest: u64,
}

impl Restored {
    /// Applies the log's batches on top of the engine's content.
    fn replay(&mut self, batches: Vec<crate::log::Batch>, applied: Applied, opened: Tick, options: &Options) {
        self.mark = self.mark.max(applied.mark);
        for batch in batches {
            self.mark = self.mark.max(batch.mark);
            for (key, change) in batch.changes {
                let entry = change.map(|(revision, value)| {
                    self.newest = self.newest.max(revision.as_u64());
                    Entry::new(key.clone(), value, revision, false).restored_at(opened, &*options.indexer)
                });
                match &entry {
                    Some(entry) => drop(self.root.insert(Arc::clone(entry))),
                    None => drop(self.root.remove(&key)),
                }
                self.dirty.insert(key, entry);
            }
        }
    }

    /// Holds that no entry claims a revision that was never given out.
    fn check(&self) -> Result<(), Error> {
        if self.newest < self.mark {
            return Ok(());
        }
        let reason = format!("an object has revision {}, but revisions end below {}", self.newest, self.mark);
        Err(Error::corrupt("log", reason))
    }
}

impl Limits {
    fn of(segment_bytes: u64) -> Self {
        let segment = usize::try_from(segment_bytes).unwrap_or(usize::MAX);
        Self { txn_bytes: segment / 4, owed_bytes: segment / 16, batch_bytes: segment / 8 }
    }
}

/// An error with its causes, for operators.
fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}
