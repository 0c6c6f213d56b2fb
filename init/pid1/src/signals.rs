//! Signals as messages: blocked, then read from one descriptor.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::error::{Attempt as _, Result};

/// What a signal asks of PID 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A child has ended.
    Reap,
    /// Reboot in order.
    Reboot(&'static str),
    /// Power off in order.
    PowerOff(&'static str),
}

/// The signals that PID 1 listens to. INT is what the kernel sends for Ctrl-Alt-Del; the others follow the customs of
/// small init programs. Every other signal has no effect on PID 1.
const TABLE: [(Signal, Request); 6] = [
    (Signal::SIGCHLD, Request::Reap),
    (Signal::SIGINT, Request::Reboot("ctrl-alt-del")),
    (Signal::SIGTERM, Request::Reboot("signal-term")),
    (Signal::SIGUSR1, Request::PowerOff("signal-usr1")),
    (Signal::SIGUSR2, Request::PowerOff("signal-usr2")),
    (Signal::SIGPWR, Request::PowerOff("power-failure")),
];

/// Asks process 1 for an orderly reboot. False without the right to.
#[must_use]
pub fn request_reboot() -> bool {
    kill(Pid::from_raw(1), Signal::SIGTERM).is_ok()
}

/// Asks process 1 for an orderly power-off. False without the right to.
#[must_use]
pub fn request_power_off() -> bool {
    kill(Pid::from_raw(1), Signal::SIGUSR2).is_ok()
}

/// The descriptor.
#[derive(Debug)]
pub(crate) struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks the table's signals and opens the descriptor. Do it before the first child is started.
    pub(crate) fn open() -> Result<Self> {
        let mut set = SigSet::empty();
        for (signal, _) in TABLE {
            set.add(signal);
        }
        set.thread_block().attempt("block", "signals")?;
        let descriptor =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).attempt("open", "signalfd")?;
        Ok(Self { descriptor })
    }

    /// All requests that are pending.
    pub(crate) fn take(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        while let Ok(Some(info)) = self.descriptor.read_signal() {
            let row = TABLE.iter().find(|(signal, _)| u32::try_from(*signal as i32) == Ok(info.ssi_signo));
            requests.extend(row.map(|(_, request)| *request));
        }
        requests
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
