//! The first process of a pod's shared process namespace: it reaps what the containers leave behind, and nothing more.

use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::{WaitOptions, set_parent_process_death_signal, wait};

/// The duty `coracle-init pause`. Ends on SIGTERM and SIGINT, and with it the namespace.
#[must_use]
pub fn main() -> ExitCode {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
        signals.add(signal);
    }
    // A pod without its shim is killed anyway; this process must not keep the pod's namespaces alive.
    let dies_too = set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if signals.thread_block().is_err() || dies_too.is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        match signals.wait() {
            Ok(Signal::SIGTERM | Signal::SIGINT) => return ExitCode::SUCCESS,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}
