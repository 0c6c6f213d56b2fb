//! The store on this machine's disk.
//!
//! [`LocalStore`] has two threads: the writer, which owns a [`Core`] and turns everything that waits for it into one
//! batch (group commit), and the checkpointer. Both sleep until there is work or a deadline; an idle store has neither.

mod checkpointer;
mod core;
pub(crate) mod format;
mod layout;
mod options;
mod pending;
mod stage;
mod volatile;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use checkpointer::CheckpointMode;
pub use core::{Core, Health};
pub use options::Options;

use crate::clock::{Clock, Tick};
use crate::completion::{self, Completion, Responder};
use crate::disk::{Disk, RealDisk};
use crate::engine::RedbEngine;
use crate::error::Error;
use crate::key::Scope;
use crate::replica::{Replica, Snapshot, Watcher};
use crate::store::{Revision, Store};
use crate::txn::{Committed, Txn};

/// The least time between two wake-ups by a deadline, so that one that cannot be met does not spin.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// The store of one machine. Dropping it writes what is owed and joins its threads.
#[derive(Debug)]
pub struct LocalStore {
    replica: Arc<Replica>,
    opened: Tick,
    clock: Arc<dyn Clock>,
    commands: Option<Sender<Command>>,
    queued: Arc<AtomicUsize>,
    queue_bytes: usize,
    health: Arc<Mutex<Health>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Commit { txn: Txn, responder: Responder<Committed>, bytes: usize },
    Tick(Responder<()>),
}

/// The writer thread's state.
struct Writer {
    core: Core,
    clock: Arc<dyn Clock>,
    commands: Receiver<Command>,
    queued: Arc<AtomicUsize>,
    health: Arc<Mutex<Health>>,
}

impl LocalStore {
    /// Opens the store in a directory with the default engine, making a new one if the directory is empty.
    ///
    /// # Errors
    /// As [`Core::open`]; [`Error::Io`] also when another process holds the directory.
    pub fn open(directory: &Path, options: Options) -> Result<Self, Error> {
        let disk = RealDisk::open(directory);
        let disk = disk.map_err(|source| Error::io("open", &directory.display().to_string(), source))?;
        Self::open_on(Arc::new(disk), options)
    }

    /// Opens the store on any disk.
    ///
    /// # Errors
    /// As [`Core::open`].
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self, Error> {
        let engine = Box::new(RedbEngine::new(Arc::clone(&disk)));
        let (clock, queue_bytes) = (Arc::clone(&options.clock), options.queue_bytes);
        let core = Core::open(disk, engine, options, CheckpointMode::Background)?;
        let (replica, opened) = (Arc::clone(core.replica()), core.opened_at());
        let (queued, health) = (Arc::<AtomicUsize>::default(), Arc::new(Mutex::new(core.health().clone())));
        let (sender, commands) = channel();
        let writer = Writer {
            core,
            clock: Arc::clone(&clock),
            commands,
            queued: Arc::clone(&queued),
            health: Arc::clone(&health),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.serve())
            .map_err(|source| Error::io("start the thread of", "the store", source))?;
        Ok(Self { replica, opened, clock, commands: Some(sender), queued, queue_bytes, health, writer: Some(thread) })
    }

    /// Whether the store takes writes, for conditions and readiness checks.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does now what is due by the clock. Only needed with a clock that is moved by hand.
    pub fn tick(&self) -> Completion<()> {
        let (responder, completion) = completion::pair();
        self.send(Command::Tick(responder));
        completion
    }

    /// A command that cannot be sent drops its responder, which answers `Closed`.
    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            drop(commands.send(command));
        }
    }
}

impl Store for LocalStore {
    fn snapshot(&self) -> Snapshot {
        self.replica.snapshot()
    }

    fn snapshot_at(&self, revision: Revision) -> Result<Snapshot, Error> {
        self.replica.snapshot_at(revision)
    }

    fn barrier(&self) -> Completion<Revision> {
        // A write is published before it is acknowledged, and nobody else writes this directory.
        Completion::ready(Ok(self.revision()))
    }

    fn commit(&self, txn: Txn) -> Completion<Committed> {
        let bytes = txn.log_bytes();
        if self.queued.fetch_add(bytes, Ordering::SeqCst) + bytes > self.queue_bytes {
            self.queued.fetch_sub(bytes, Ordering::SeqCst);
            return Completion::ready(Err(Error::Overloaded));
        }
        let (responder, completion) = completion::pair();
        self.send(Command::Commit { txn, responder, bytes });
        completion
    }

    fn watch(&self, scope: Scope, from: Revision) -> Result<Watcher, Error> {
        self.replica.watch(scope, from)
    }

    fn compact(&self, before: Revision) -> Result<(), Error> {
        self.replica.compact(before)
    }

    fn now(&self) -> Tick {
        self.clock.now()
    }

    fn opened_at(&self) -> Tick {
        self.opened
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(writer) = self.writer.take() {
            // Its only panic would be a bug that has already been reported by the panic hook.
            drop(writer.join());
        }
    }
}

impl Writer {
    /// Runs until the store is dropped.
    fn serve(mut self) {
        let mut earliest = Tick::default();
        loop {
            let first = match self.receive(earliest) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let commands: Vec<Command> = first.into_iter().chain(self.commands.try_iter()).collect();
            self.handle(commands);
            earliest = self.clock.now().after(MIN_WAIT);
        }
        self.core.flush();
    }

    /// The next command, or `Timeout` when something is due by the clock.
    fn receive(&self, earliest: Tick) -> Result<Command, RecvTimeoutError> {
        let deadline = self.core.deadline().map(|deadline| deadline.max(earliest));
        match deadline.and_then(|deadline| self.clock.wait_for(deadline)) {
            Some(wait) => self.commands.recv_timeout(wait),
            None => self.commands.recv().map_err(RecvTimeoutError::from),
        }
    }

    /// Everything that has gathered becomes one batch.
    fn handle(&mut self, commands: Vec<Command>) {
        let (mut txns, mut responders, mut ticks) = (Vec::new(), Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Commit { txn, responder, bytes } => {
                    self.queued.fetch_sub(bytes, Ordering::SeqCst);
                    txns.push(txn);
                    responders.push(responder);
                }
                Command::Tick(responder) => ticks.push(responder),
            }
        }
        let results = self.core.commit(&txns);
        if txns.is_empty() || !ticks.is_empty() {
            self.core.tick();
        }
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone_from(self.core.health());
        responders.into_iter().zip(results).for_each(|(responder, result)| responder.resolve(result));
        ticks.into_iter().for_each(|responder| responder.resolve(Ok(())));
    }
}
