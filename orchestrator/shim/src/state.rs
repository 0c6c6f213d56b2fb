//! All that a shim knows, and what it waits for.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use coracle_shim_protocol::Nanoseconds;
use coracle_shim_protocol::files::{Ready, Start};
use coracle_shim_protocol::message::Failure;
use nix::sys::signalfd::SignalFd;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::clock::Moment;
use super::connection::Connection;
use super::container::Container;
use super::exits::Ended;
use super::jobs::Job;
use super::log::Stream;

/// A shim.
#[derive(Debug)]
pub(super) struct Shim {
    /// The pod's folder.
    pub(super) folder: PathBuf,
    /// What it was started with.
    pub(super) start: Start,
    /// What it tells about itself.
    pub(super) ready: Ready,
    /// The runtime helper's executable.
    pub(super) helper: OwnedFd,
    /// Descriptors that only have to stay open: the namespaces, the lock on `pod.json`.
    #[expect(dead_code, reason = "held, not used")]
    pub(super) held: Vec<OwnedFd>,
    /// The first process of the shared process namespace (pidfd); its end ends all in there.
    pub(super) pause: Option<OwnedFd>,
    /// What is waited for.
    pub(super) poller: Poller,
    /// The listening socket.
    pub(super) listener: OwnedFd,
    /// Readable when a child ended.
    pub(super) signals: SignalFd,
    /// Given up for the moment in which a connection must be refused because no descriptor is left.
    pub(super) reserve: Option<OwnedFd>,
    /// Clients, by their token.
    pub(super) connections: BTreeMap<u64, Connection>,
    /// Containers, by id.
    pub(super) containers: BTreeMap<String, Container>,
    /// Helpers that run, by process id.
    pub(super) jobs: BTreeMap<i32, Job>,
    /// Ends of processes that no helper has reported yet.
    pub(super) early: VecDeque<(i32, Ended, Nanoseconds)>,
    /// For reading; its content means nothing between two uses.
    pub(super) buffer: Vec<u8>,
    /// `end` was asked for and granted.
    pub(super) done: bool,
}

/// Who waits for an answer: connection and request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Token of the connection.
    pub(super) connection: u64,
    /// The request's id.
    pub(super) request: u64,
}

/// Results of operations that clients ask for.
pub(super) type Answered<T> = Result<T, Failure>;

/// What a descriptor that became ready belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The listening socket.
    Listener,
    /// The signals.
    Signals,
    /// A connection.
    Client,
    /// Output of a container.
    Output(String, Stream),
    /// The pipe that tells about a container's execve.
    Execve(String),
}

/// epoll with names for its numbers. A token is never used twice, so a late event finds nobody.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    sources: BTreeMap<u64, Source>,
    next: u64,
}

impl Poller {
    /// Waits for nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, sources: BTreeMap::new(), next: 1 })
    }

    /// Waits for a descriptor from now on.
    pub(super) fn add(&mut self, descriptor: impl AsFd, source: Source, flags: EventFlags) -> io::Result<u64> {
        let token = self.next;
        epoll::add(&self.epoll, descriptor, EventData::new_u64(token), flags)?;
        self.next = self.next.saturating_add(1);
        self.sources.insert(token, source);
        Ok(token)
    }

    /// Waits for something else of it.
    pub(super) fn change(&self, descriptor: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, descriptor, EventData::new_u64(token), flags)?)
    }

    /// Waits no longer. Must come before the descriptor is closed.
    pub(super) fn remove(&mut self, descriptor: BorrowedFd<'_>, token: u64) {
        self.sources.remove(&token);
        // Fails only for a descriptor that was not waited for.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// As [`Poller::remove`] for a descriptor that is closed already, which ended the waiting.
    pub(super) fn forget(&mut self, token: u64) {
        self.sources.remove(&token);
    }

    /// Whose token it is.
    pub(super) fn source(&self, token: u64) -> Option<Source> {
        self.sources.get(&token).cloned()
    }

    /// Waits until something is ready or `until` is past.
    pub(super) fn wait(&self, until: Option<Moment>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let timeout = until.map(|until| {
            let left = until.0.saturating_sub(Moment::now().0);
            let (seconds, rest) = (left / 1000, left % 1000);
            Timespec {
                tv_sec: seconds.try_into().unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(rest).unwrap_or(0).saturating_mul(1_000_000),
            }
        });
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens what must only be read, close-on-exec.
pub(super) fn open_read(path: &str) -> io::Result<OwnedFd> {
    Ok(OwnedFd::from(File::open(path)?))
}
