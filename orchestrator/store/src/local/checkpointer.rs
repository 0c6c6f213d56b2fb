//! Moving the changes of a full log segment into the engine, on a thread of its own or when the room is needed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::layout;
use crate::disk::Disk;
use crate::engine::{Applied, Changes, Engine};
use crate::error::Error;

/// When checkpoints are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// By a thread, beside the commits.
    Background,
    /// By the committing thread, when the log has no room left. For tools, and for tests that replay every disk
    /// operation in one order.
    OnDemand,
}

/// One checkpoint.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) changes: Changes,
    pub(super) applied: Applied,
    /// Also give space back to the file system and make the reserve whole again.
    pub(super) recover: bool,
}

/// How a checkpoint ended. The job comes back, because its changes are still owed after a failure.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) result: Result<(), Error>,
    /// Whether the reserve is there.
    pub(super) reserve: bool,
}

/// At most one job at a time.
#[derive(Debug)]
pub(super) struct Checkpointer {
    place: Place,
    busy: bool,
}

#[derive(Debug)]
enum Place {
    Thread { jobs: Option<Sender<Job>>, outcomes: Receiver<Outcome>, thread: Option<JoinHandle<()>> },
    Here { worker: Worker, job: Option<Job> },
}

/// Owns the engine.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) engine: Box<dyn Engine>,
    /// What the engine holds.
    pub(super) applied: Applied,
    pub(super) reserve_bytes: u64,
    pub(super) reserve: bool,
}

impl Checkpointer {
    pub(super) fn new(mode: CheckpointMode, worker: Worker) -> Result<Self, Error> {
        let place = match mode {
            CheckpointMode::OnDemand => Place::Here { worker, job: None },
            CheckpointMode::Background => {
                let (jobs, incoming) = channel();
                let (outgoing, outcomes) = channel();
                let thread = std::thread::Builder::new()
                    .name("store-checkpoint".to_owned())
                    .spawn(move || worker.serve(&incoming, &outgoing))
                    .map_err(|source| Error::io("start the thread of", "checkpoints", source))?;
                Place::Thread { jobs: Some(jobs), outcomes, thread: Some(thread) }
            }
        };
        Ok(Self { place, busy: false })
    }

    /// Whether a job has been started whose outcome was not taken yet.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Starts a job. The caller has seen that none is under way.
    pub(super) fn start(&mut self, new: Job) {
        self.busy = true;
        match &mut self.place {
            // A thread that is gone is noticed by whoever waits for its outcome.
            Place::Thread { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send(new))),
            Place::Here { job, .. } => *job = Some(new),
        }
    }

    /// The outcome, if the job has ended.
    pub(super) fn poll(&mut self) -> Option<Outcome> {
        match &mut self.place {
            Place::Thread { outcomes, .. } => {
                let outcome = outcomes.try_recv().ok()?;
                self.busy = false;
                Some(outcome)
            }
            Place::Here { .. } => None,
        }
    }

    /// Waits for the job to end; `None` if there is none.
    pub(super) fn wait(&mut self) -> Option<Outcome> {
        if !self.busy {
            return None;
        }
        self.busy = false;
        match &mut self.place {
            Place::Thread { outcomes, .. } => outcomes.recv().ok(),
            Place::Here { worker, job } => job.take().map(|job| worker.run(job)),
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        if let Place::Thread { jobs, thread, .. } = &mut self.place {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                // Its only panic would be a bug that has already been reported by the panic hook.
                drop(thread.join());
            }
        }
    }
}

impl Worker {
    fn serve(mut self, jobs: &Receiver<Job>, outcomes: &Sender<Outcome>) {
        while let Ok(job) = jobs.recv() {
            if outcomes.send(self.run(job)).is_err() {
                return;
            }
        }
    }

    fn run(&mut self, job: Job) -> Outcome {
        let result = self.checkpoint(&job);
        Outcome { job, result, reserve: self.reserve }
    }

    /// A full disk costs the reserve and gets a second chance, and a third one with the deletions first: the space
    /// that they free can be used by the next batch of the engine. They are in the log too, so applying them early
    /// changes nothing that a start would find.
    fn append(&mut self, job: &Job) -> Result<(), Error> {
        match self.engine.append(&job.changes, job.applied) {
            Err(error) if error.is_no_space() => {}
            done => return done,
        }
        self.reserve = false;
        layout::release_reserve(&*self.disk)?;
        match self.engine.append(&job.changes, job.applied) {
            Err(error) if error.is_no_space() => {}
            done => return done,
        }
        self.engine.append(&job.changes.deletions(), self.applied)?;
        self.engine.append(&job.changes, job.applied)
    }

    /// Writes, then proves.
    fn checkpoint(&mut self, job: &Job) -> Result<(), Error> {
        self.append(job)?;
        self.applied = job.applied;
        self.engine.checkpoint(&job.changes, job.applied)?;
        if job.recover {
            match self.engine.shrink() {
                // Shrinking needs a little room itself; the next attempt may find it.
                Err(error) if error.is_no_space() => {}
                shrunk => shrunk?,
            }
            self.reserve = layout::restore_reserve(&*self.disk, self.reserve_bytes)?;
        }
        Ok(())
    }
}
