//! The shim of one pod, a duty of `coracle-init`: one thread, one epoll loop. `docs/containers.md` is the contract.
//!
//! Synchronous and small: a shim lives as long as its pod, so its memory is paid once a pod. What needs libcontainer is
//! done by short-lived helpers from an executable of their own.
//!
//! [`main`] is started twice: by the orchestrator, then by itself, so that the second is nobody's child but the next
//! subreaper's. `setup` makes what the pod shares, `event_loop` waits, `serve` does what clients ask for, `jobs` runs
//! the helper, `reap` learns of ends, `log` writes what containers print.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unreachable, clippy::string_slice))]

mod cgroup;
mod clock;
mod connection;
mod container;
mod error;
mod event_loop;
mod exits;
mod jobs;
mod log;
mod pause;
mod process;
mod reap;
mod serve;
mod setup;
mod state;
mod sys;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use coracle_shim_protocol::frame;
use coracle_shim_protocol::process::Told;

pub use pause::main as pause_main;

/// Second argument of the start by the orchestrator is the folder; the shim itself adds this.
const STAY: &str = "--stay";

/// The duty `coracle-init shim POD-DIR`; takes the arguments after `shim`.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let (folder, stay) = match arguments {
        [folder] => (folder, false),
        [folder, flag] if flag == STAY => (folder, true),
        _ => return tell(&Err("usage: coracle-init shim POD-DIR".to_owned())),
    };
    let folder = PathBuf::from(folder);
    if stay { run(&folder) } else { leave(&folder) }
}

/// The first start: starts the second and ends, which makes that one an orphan.
fn leave(folder: &Path) -> ExitCode {
    match process::start_again(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tell(&Err(error.to_string())),
    }
}

/// The second start: becomes ready, says so, and serves until `end`.
fn run(folder: &Path) -> ExitCode {
    match setup::ready(folder) {
        Err(error) => tell(&Err(error.to_string())),
        Ok(mut shim) => {
            if tell(&Ok(shim.ready.clone())) == ExitCode::FAILURE || process::detach_output().is_err() {
                // The starter gave up and counts this pod as failed.
                return ExitCode::FAILURE;
            }
            match event_loop::run(&mut shim) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Tells the starter, who waits at the other end of the standard output.
fn tell(told: &Told) -> ExitCode {
    match frame::write(&mut std::io::stdout(), told) {
        Ok(()) if told.is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
