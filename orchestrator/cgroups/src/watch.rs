//! Changes of many groups through one descriptor. The kernel announces changes of `cgroup.events` and `memory.events`
//! through inotify; which change it was is found by reading the file again.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::error::{Attempt as _, Result};
use crate::group::Group;

/// Room for the events of one read; each has 16 bytes, as files are watched and not folders.
const BUFFER: usize = 4096;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The last process left, the first one came, or the group was frozen or thawed: [`Group::events`].
    Population,
    /// Something was counted: [`Group::memory_events`].
    Memory,
}

/// Watches groups, each under a key of the caller.
#[derive(Debug)]
pub struct Watcher<K> {
    inotify: OwnedFd,
    keys: HashMap<i32, K>,
}

impl<K: Clone + Eq> Watcher<K> {
    /// A watcher of nothing.
    ///
    /// # Errors
    /// The limit of inotify instances is reached.
    pub fn new() -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        Ok(Self { inotify: inotify.attempt("make an", Path::new("inotify"))?, keys: HashMap::new() })
    }

    /// Watches one file of a group. Read the state once after this call: what changed before it is not told.
    ///
    /// # Errors
    /// The file is not there, or the limit of watches is reached.
    pub fn watch(&mut self, group: &Group, what: Watched, key: K) -> Result<()> {
        let path = group.path().join(match what {
            Watched::Population => "cgroup.events",
            Watched::Memory => "memory.events",
        });
        let number = inotify::add_watch(&self.inotify, &path, WatchFlags::MODIFY).attempt("watch", &path)?;
        self.keys.insert(number, key);
        Ok(())
    }

    /// Ends all watches under `key`. To be called when a group is removed: not every kernel tells that.
    pub fn forget(&mut self, key: &K) {
        let inotify = &self.inotify;
        self.keys.retain(|number, known| {
            if known == key {
                // The kernel has ended the watch itself if the file is gone.
                let _ = inotify::remove_watch(inotify, *number);
            }
            known != key
        });
    }

    /// Keys of the groups that changed since the last call, each once. Does not wait.
    ///
    /// # Errors
    /// The descriptor cannot be read.
    pub fn take(&mut self) -> Result<Vec<K>> {
        let mut changed: Vec<K> = Vec::new();
        let mut ended = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).attempt("read", Path::new("inotify")),
            };
            let mut tell = |key: &K| {
                if !changed.contains(key) {
                    changed.push(key.clone());
                }
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Events were lost, so everything may have changed.
                self.keys.values().for_each(&mut tell);
            } else if let Some(key) = self.keys.get(&event.wd()) {
                tell(key);
            }
            if event.events().contains(ReadFlags::IGNORED) {
                ended.push(event.wd());
            }
        }
        for number in ended {
            self.keys.remove(&number);
        }
        Ok(changed)
    }

    /// As [`Self::take`], waiting for the first change; empty at the deadline.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn wait(&mut self, deadline: Instant) -> Result<Vec<K>> {
        loop {
            let changed = self.take()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !changed.is_empty() || left.is_zero() {
                return Ok(changed);
            }
            let mut polled = [PollFd::new(&self.inotify, PollFlags::IN)];
            match poll(&mut polled, Some(&timespec(left))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).attempt("poll", Path::new("inotify")),
            }
        }
    }
}

impl<K> AsFd for Watcher<K> {
    /// Readable when something changed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// A length of time as poll(2) takes it.
pub(crate) fn timespec(left: Duration) -> Timespec {
    let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() }
}
