//! What the shim knows of one container.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;

use coracle_shim_protocol::Nanoseconds;
use coracle_shim_protocol::files::Exit;
use coracle_shim_protocol::message::{self, Create, State};
use rustix::process::Pid;

use super::clock::Moment;
use super::exits::Ended;
use super::log::Pump;
use super::state::{Answered, Client};

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    /// How it was asked for.
    pub(super) create: Create,
    /// Its state.
    pub(super) state: State,
    /// Its first process.
    pub(super) process: Option<Process>,
    /// When it was made.
    pub(super) created: Option<Nanoseconds>,
    /// When its program was started.
    pub(super) started: Option<Nanoseconds>,
    /// Its first process ended, which may not be told yet.
    pub(super) ended: Option<(Ended, Nanoseconds)>,
    /// How it ended, once told.
    pub(super) exit: Option<Exit>,
    /// Its log.
    pub(super) pump: Pump,
    /// Tokens of its streams that are waited for.
    pub(super) tokens: [Option<u64>; 2],
    /// The other end of its input: while it is held, reading waits.
    pub(super) input: Option<OwnedFd>,
    /// The controlling end of its terminal.
    pub(super) console: Option<OwnedFd>,
    /// Tells about its execve.
    pub(super) execve: Option<Execve>,
    /// What its execve came to.
    pub(super) executed: Option<Answered<Nanoseconds>>,
    /// A start that is not answered yet.
    pub(super) starting: Option<Starting>,
    /// Processes of exec that run, by name.
    pub(super) execs: BTreeMap<String, Exec>,
}

/// A process that the shim is parent of. The number stays its own until the shim reaps it.
#[derive(Debug)]
pub(super) struct Process {
    /// Its id.
    pub(super) pid: Pid,
    /// Names it for ever.
    pub(super) pidfd: OwnedFd,
}

/// The pipe that a container's first process holds until its execve.
#[derive(Debug)]
pub(super) struct Execve {
    /// The reading end.
    pub(super) pipe: File,
    /// Its token.
    pub(super) token: u64,
    /// What came so far.
    pub(super) bytes: Vec<u8>,
}

/// A start in progress.
#[derive(Debug)]
pub(super) struct Starting {
    /// Who asked.
    pub(super) client: Client,
    /// What the helper said.
    pub(super) helper: Option<Answered<()>>,
    /// When it is given up.
    pub(super) deadline: Moment,
}

/// A process of exec.
#[derive(Debug)]
pub(super) struct Exec {
    /// Its process.
    pub(super) process: Process,
    /// The controlling end of its terminal.
    pub(super) console: Option<OwnedFd>,
    /// The connection that asked for it.
    pub(super) connection: Option<u64>,
    /// When it was started.
    pub(super) started: Nanoseconds,
}

impl Container {
    /// One that the helper is about to make.
    pub(super) const fn new(create: Create, pump: Pump) -> Self {
        Self {
            create,
            state: State::Creating,
            process: None,
            created: None,
            started: None,
            ended: None,
            exit: None,
            pump,
            tokens: [None; 2],
            input: None,
            console: None,
            execve: None,
            executed: None,
            starting: None,
            execs: BTreeMap::new(),
        }
    }

    /// As clients see it.
    pub(super) fn described(&self) -> message::Container {
        message::Container {
            id: self.create.id.clone(),
            state: self.state,
            pid: self.process.as_ref().map(Process::number),
            created: self.created,
            started: self.started,
            exit: self.exit.clone(),
            execs: self.execs.keys().cloned().collect(),
        }
    }

    /// Whether it needs the shim.
    pub(super) fn is_alive(&self) -> bool {
        self.state != State::Exited || !self.execs.is_empty()
    }
}

impl Process {
    /// Its id as a number.
    pub(super) fn number(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
}
