//! The runtime helper: one short-lived process with one thread for each operation on a container.
//!
//! `create`, `start` and `delete` go through libcontainer, which prepares namespaces, mounts and the root. What makes
//! the process itself (user, capabilities, filter, terminal, execve) is ours, in one place for the first process and
//! for those of exec ([`identity`], [`settle`], [`program`]): libcontainer's own exec leaves out the user namespace and
//! the filter, and its first process cannot get a filter together with `noNewPrivileges: false`.
//!
//! An executable of its own, so that process 1, the initrd and the shims do not carry libcontainer. `docs/containers.md`
//! is the contract.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unreachable, clippy::string_slice))]

mod capabilities;
mod cgroup;
mod create;
mod delete;
mod exec;
mod executor;
mod failure;
mod home;
mod identity;
mod limits;
mod namespaces;
mod process;
mod program;
mod settle;
mod start;
mod sys;
mod terminal;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{MAXIMUM_REPORT, REPORT, REQUEST, Report, Request};
use coracle_shim_protocol::message::{Failure, Reason, is_id};

/// The most bytes of a request.
const MAXIMUM_REQUEST: u64 = 8 << 20;

/// Exit code when the request could not be read or the report could not be written.
const UNREADABLE: u8 = 2;

/// The helper, from its start to its end.
#[must_use]
pub fn main() -> ExitCode {
    // The program is started through a descriptor, whose number would be its name in lists of processes.
    let _ = rustix::thread::set_name(c"coracle-runtime");
    let (Ok(request), Ok(report)) = (sys::inherit(REQUEST), sys::inherit(REPORT)) else {
        return ExitCode::from(UNREADABLE);
    };
    if let Err(errno) = sys::keep_from_programs() {
        diagnose(&format!("close_range: {errno}"));
        return ExitCode::from(UNREADABLE);
    }
    let answer = match read(request) {
        Ok(request) => dispatch(request),
        Err(error) => {
            diagnose(&error);
            return ExitCode::from(UNREADABLE);
        }
    };
    let failed = matches!(answer, Report::Failed(_));
    if let Err(error) = write(report, answer) {
        diagnose(&error);
        return ExitCode::from(UNREADABLE);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn read(request: OwnedFd) -> Result<Request, String> {
    let mut text = Vec::new();
    File::from(request)
        .take(MAXIMUM_REQUEST)
        .read_to_end(&mut text)
        .map_err(|error| format!("the request cannot be read: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("the request is not understood: {error}"))
}

fn dispatch(request: Request) -> Report {
    let (Request::Create { id, .. }
    | Request::Start { id, .. }
    | Request::Delete { id, .. }
    | Request::Exec { id, .. }) = &request;
    if !is_id(id) {
        return Report::Failed(Failure::new(Reason::InvalidArgument, format!("invalid container id {id:?}")));
    }
    let outcome = match request {
        Request::Create { id, bundle, state, tty } => create::create(&id, &bundle, &state, tty),
        Request::Start { id, state } => start::start(&id, &state),
        Request::Delete { id, state } => delete::delete(&id, &state),
        Request::Exec { id, bundle, pid, cgroup, process, tty, size, .. } => {
            exec::exec(&exec::Wanted { id: &id, bundle: &bundle, pid, cgroup: cgroup.as_deref(), process, tty, size })
        }
    };
    outcome.unwrap_or_else(Report::Failed)
}

/// Writes the report; a long message is cut, so that the frame fits into a pipe.
fn write(descriptor: OwnedFd, mut report: Report) -> Result<(), String> {
    if let Report::Failed(failure) = &mut report {
        failure::shorten(failure, MAXIMUM_REPORT / 8);
    }
    let bytes = frame::encode(&report).map_err(|error| error.to_string())?;
    File::from(descriptor).write_all(&bytes).map_err(|error| format!("the report cannot be written: {error}"))
}

fn diagnose(text: &str) {
    // There is nobody else to tell when this fails.
    let _ = writeln!(std::io::stderr(), "coracle-runtime: {text}");
}
