//! What libcontainer runs instead of its own execve, in the container's first process.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use coracle_seccomp::Program;
use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{REPORT, Report};
use coracle_shim_protocol::message::Reason;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};

use super::failure::{CREATE, Problem, exit_code};
use super::process::Process;
use super::{program, settle, sys, terminal};

/// The container's own process.
#[derive(Debug, Clone)]
pub(super) struct Own(pub(super) Rc<Parts>);

/// What it is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// The process.
    pub(super) process: Process,
    /// Its filter.
    pub(super) filter: Option<Program>,
    /// Where a problem of create is told.
    pub(super) problem: OwnedFd,
    /// Where a problem of start is told; closed by execve.
    pub(super) started: OwnedFd,
    /// Where the terminal is sent, if there is one.
    pub(super) console: Option<OwnedFd>,
}

impl Own {
    /// The last step of create.
    fn prepare(&self) -> Result<(), Problem> {
        // It is the helper's, which may be gone long before this process starts its program.
        sys::close(REPORT);
        if let Some(console) = &self.0.console {
            let terminal = terminal::attach(console, self.0.process.console_size.map(terminal::size))?;
            terminal::mount_console(&terminal)?;
        }
        settle::settle(&self.0.process, self.0.filter.as_ref())
    }

    fn tell(descriptor: &OwnedFd, report: &Report) {
        let copy = descriptor.try_clone().map(File::from);
        if let (Ok(mut file), Ok(bytes)) = (copy, frame::encode(report)) {
            // Whoever does not listen any more does not want to know.
            let _ = file.write_all(&bytes);
        }
    }
}

impl Executor for Own {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        self.prepare().map_err(|problem| {
            let failure = problem.clone().failure(Reason::CreateContainerError, CREATE);
            Self::tell(&self.0.problem, &Report::Failed(failure));
            ExecutorValidationError::ArgValidationError(problem.text)
        })
    }

    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        // execve gets the environment itself.
        Ok(())
    }

    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        let parts = &self.0;
        let filter = parts.filter.as_ref().filter(|_| parts.process.no_new_privileges);
        let problem = program::execute(&parts.process, filter);
        let code = exit_code(&problem);
        Self::tell(&parts.started, &Report::Failed(problem.failure(Reason::StartError, CREATE)));
        sys::exit(code)
    }
}
