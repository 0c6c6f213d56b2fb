//! `create`: a container that waits for its start.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{CONSOLE, Report, STARTED, STDERR, STDIN, STDOUT};
use coracle_shim_protocol::message::{Failure, Reason};
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::pipe::{PipeFlags, pipe_with};

use super::executor::{Own, Parts};
use super::failure::{CREATE, Problem};
use super::process::{Configuration, Process, divide, load};
use super::{limits, sys};

/// Makes a container.
pub(super) fn create(id: &str, bundle: &Path, state: &Path, tty: bool) -> Result<Report, Failure> {
    let failed = |problem: Problem| problem.failure(Reason::CreateContainerError, CREATE);
    let Configuration { process, filter, rest } = load(bundle).and_then(|c| divide(c, bundle)).map_err(failed)?;
    let own_bundle = super::start::bundle(state, id);
    if state.join(id).exists() {
        return Err(Failure::new(Reason::AlreadyExists, format!("container {id:?} already exists")));
    }
    write_bundle(&own_bundle, &rest).map_err(failed)?;
    limits::lift(&process.rlimits).map_err(failed)?;
    adjust_score(&process).map_err(failed)?;
    let (problem_reader, problem) =
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| failed(Problem::step("pipe", errno)))?;
    let started = inherit(STARTED).map_err(failed)?;
    let console = if tty { Some(inherit(CONSOLE).map_err(failed)?) } else { None };
    let streams = if tty { None } else { Some(streams().map_err(failed)?) };
    let executor = Own(Rc::new(Parts { process, filter, problem, started, console }));
    let mut builder = ContainerBuilder::new(id.to_owned(), SyscallType::Linux)
        .with_root_path(state)
        .and_then(ContainerBuilder::validate_id)
        .map_err(|error| failed(Problem::new(chain(&error))))?
        .with_executor(executor);
    if let Some([input, output, errors]) = streams {
        builder = builder.with_stdin(input).with_stdout(output).with_stderr(errors);
    }
    let built = builder.as_init(own_bundle).with_systemd(false).as_sibling(true).with_detach(true).build();
    let container =
        built.map_err(|error| told(problem_reader).unwrap_or_else(|| failed(Problem::new(chain(&error)))))?;
    match container.pid() {
        Some(pid) => Ok(Report::Process { pid: pid.as_raw() }),
        None => Err(failed(Problem::new("the container has no first process"))),
    }
}

/// Where libcontainer reads its part of the configuration.
fn write_bundle(folder: &Path, config: &serde_json::Value) -> Result<(), Problem> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("config.json"), config.to_string()))
        .map_err(|error| Problem::io("write the bundle", &error))
}

/// Children inherit the score; only root of the machine may lower it.
pub(super) fn adjust_score(process: &Process) -> Result<(), Problem> {
    let Some(score) = process.oom_score_adj else { return Ok(()) };
    fs::write("/proc/self/oom_score_adj", score.to_string()).map_err(|error| Problem::io("set oom_score_adj", &error))
}

/// Input, output and errors of the process.
pub(super) fn streams() -> Result<[OwnedFd; 3], Problem> {
    Ok([inherit(STDIN)?, inherit(STDOUT)?, inherit(STDERR)?])
}

pub(super) fn inherit(number: i32) -> Result<OwnedFd, Problem> {
    sys::inherit(number).map_err(|errno| Problem::step(&format!("descriptor {number}"), errno))
}

/// What the first process told about its end.
fn told(reader: OwnedFd) -> Option<Failure> {
    match frame::read(&mut File::from(reader)) {
        Ok(Some(Report::Failed(failure))) => Some(failure),
        _ => None,
    }
}

/// An error of libcontainer with its causes, which it leaves out of its own words.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
