//! Calls of the runtime helper: each is one short-lived process with a deadline; the loop goes on meanwhile.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd, RawFd};

use coracle_shim_protocol::frame::Decoder;
use coracle_shim_protocol::helper::{self, MAXIMUM_REPORT, Report};
use coracle_shim_protocol::message::{Failure, Outcome, Reason, Reply, State};
use coracle_shim_protocol::socket;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::cgroup;
use super::clock::{self, Moment};
use super::container::{Exec, Process};
use super::exits::Ended;
use super::log::Stream;
use super::process::{self, Helper};
use super::state::{Answered, Client, Shim};

/// Helpers at a time.
const JOBS: usize = 128;
/// Bytes of a helper's last words that are quoted.
const QUOTED: u64 = 1024;

/// A helper that runs.
#[derive(Debug)]
pub(super) struct Job {
    /// What for.
    pub(super) kind: Kind,
    /// When it is killed.
    pub(super) deadline: Moment,
    /// It was killed at its deadline.
    pub(super) overdue: bool,
    helper: Helper,
    /// Where the terminal arrives.
    console: Option<OwnedFd>,
    client: Client,
}

/// What a helper was started for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// To make this container.
    Create(String),
    /// To start it.
    Start(String),
    /// To delete it.
    Delete(String),
    /// To remove what a failed create left; the client is told of that failure afterwards.
    CleanUp(String, Failure),
    /// To run a process in it.
    Exec(String, String),
}

/// A failure.
pub(super) fn failure(reason: Reason, message: impl Into<String>) -> Failure {
    Failure::new(reason, message)
}

/// A failure that should not happen.
pub(super) fn internal(what: &str, error: &io::Error) -> Failure {
    Failure { reason: Reason::Internal, message: format!("{what}: {error}"), errno: error.raw_os_error() }
}

impl Shim {
    /// Whether the container's life is in a helper's hands.
    pub(super) fn is_busy(&self, id: &str) -> bool {
        self.jobs.values().any(|job| match &job.kind {
            Kind::Create(of) | Kind::Start(of) | Kind::Delete(of) | Kind::CleanUp(of, _) => of == id,
            Kind::Exec(..) => false,
        })
    }

    /// Starts a helper.
    pub(super) fn call(
        &mut self,
        kind: Kind,
        client: Client,
        request: &helper::Request,
        mut descriptors: Vec<(OwnedFd, RawFd)>,
        tty: bool,
    ) -> Answered<()> {
        if self.jobs.len() >= JOBS {
            return Err(failure(Reason::FailedPrecondition, "too many operations at a time"));
        }
        let attempt = || -> io::Result<(Helper, Option<OwnedFd>)> {
            let console = if tty {
                let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
                ours.set_nonblocking(true)?;
                descriptors.push((OwnedFd::from(theirs), helper::CONSOLE));
                Some(OwnedFd::from(ours))
            } else {
                None
            };
            Ok((process::helper(&self.helper, request, descriptors)?, console))
        };
        let (helper, console) = attempt().map_err(|error| internal("cannot start the runtime helper", &error))?;
        let deadline = Moment::now().after(self.start.helper_milliseconds);
        let job = Job { kind, deadline, overdue: false, helper, console, client };
        self.jobs.insert(job.helper.pid.as_raw_nonzero().get(), job);
        Ok(())
    }

    /// Kills helpers whose time is up. Their ends are reaped as all others.
    pub(super) fn overdue_jobs(&mut self, now: Moment) {
        for job in self.jobs.values_mut().filter(|job| !job.overdue && job.deadline <= now) {
            job.overdue = true;
            // Not reaped yet, so the number is its own.
            let _ = kill_process(job.helper.pid, Signal::KILL);
        }
    }

    /// A helper has ended. Its descriptors are closed before anybody is answered.
    pub(super) fn finish(&mut self, mut job: Job, ended: Ended) {
        let report = job.report(ended);
        let client = job.client;
        match job.kind.clone() {
            Kind::Create(id) => {
                let made = report.and_then(|pid| self.made(&id, &job, pid));
                drop(job);
                match made {
                    Ok(pid) => {
                        self.answer(client, Outcome::Ok(Reply::Process { pid }), None);
                        self.early_end(&id);
                    }
                    Err(failure) => self.clean_up(&id, client, failure),
                }
            }
            Kind::Start(id) => {
                drop(job);
                self.finish_start(&id, report.map(drop));
            }
            Kind::Delete(id) => {
                drop(job);
                if report.is_ok() {
                    self.forget(&id);
                }
                self.answer(client, outcome(report.map(|_| Reply::Done)), None);
            }
            Kind::CleanUp(_, first) => {
                drop(job);
                self.answer(client, Outcome::Error(first), None);
            }
            Kind::Exec(id, exec) => {
                let made = self.finish_exec(&id, &exec, &job, report);
                drop(job);
                match made {
                    Ok((pid, console)) => {
                        self.answer(client, Outcome::Ok(Reply::Process { pid }), console);
                        self.early_exec(&id, &exec);
                    }
                    Err(failure) => self.answer(client, Outcome::Error(failure), None),
                }
            }
        }
    }

    /// The container exists now.
    fn made(&mut self, id: &str, job: &Job, pid: Option<Pid>) -> Answered<i32> {
        let process = adopt(pid).or_else(|failure| self.early_process(pid, failure))?;
        let Some(container) = self.containers.get_mut(id) else {
            return Err(failure(Reason::NotFound, format!("container {id} is gone")));
        };
        if container.create.tty {
            let (console, reader) = job.terminal()?;
            container.pump.attach(Stream::Output, reader);
            container.console = Some(console);
        }
        container.state = State::Created;
        container.created = Some(clock::now());
        let number = process.number();
        container.process = Some(process);
        self.watch_output(id);
        Ok(number)
    }

    /// After a failed create: everything in the control group is killed, then the helper removes the rest.
    pub(super) fn clean_up(&mut self, id: &str, client: Client, failure: Failure) {
        if let Some(group) = self.containers.get(id).and_then(|container| container.create.cgroup.as_deref()) {
            // The group may be gone or never have been.
            let _ = cgroup::signal(group, Signal::KILL);
        }
        self.forget(id);
        let request = helper::Request::Delete { id: id.to_owned(), state: self.state_folder() };
        let kind = Kind::CleanUp(id.to_owned(), failure.clone());
        if self.call(kind, client, &request, Vec::new(), false).is_err() {
            self.answer(client, Outcome::Error(failure), None);
        }
    }

    fn finish_exec(
        &mut self,
        id: &str,
        exec: &str,
        job: &Job,
        report: Answered<Option<Pid>>,
    ) -> Answered<(i32, Option<OwnedFd>)> {
        let pid = report?;
        let process = adopt(pid).or_else(|failure| self.early_process(pid, failure))?;
        let console = if job.console.is_some() { Some(job.terminal()) } else { None };
        let kept = match (self.containers.get_mut(id), console.transpose()) {
            (Some(container), Ok(console)) => Ok((container, console)),
            (None, _) => Err(failure(Reason::NotFound, format!("container {id} is gone"))),
            (_, Err(failure)) => Err(failure),
        };
        let (container, console) = match kept {
            Ok(kept) => kept,
            Err(failure) => {
                let _ = pidfd_send_signal(&process.pidfd, Signal::KILL);
                return Err(failure);
            }
        };
        let number = process.number();
        let (console, passed) = console.unzip();
        let connection = Some(job.client.connection);
        container.execs.insert(exec.to_owned(), Exec { process, console, connection, started: clock::now() });
        Ok((number, passed))
    }

    /// A process that was reaped before its helper reported it has no pidfd any more; one of the shim itself stands in,
    /// which is never used, because the end is told at once.
    fn early_process(&self, pid: Option<Pid>, failure: Failure) -> Answered<Process> {
        let known = pid.filter(|pid| self.early.iter().any(|(early, ..)| *early == pid.as_raw_nonzero().get()));
        let Some(pid) = known else { return Err(failure) };
        let pidfd = process::null().map_err(|error| internal("cannot open /dev/null", &error))?;
        Ok(Process { pid, pidfd })
    }
}

impl Job {
    /// What the helper said, or why it could not.
    fn report(&mut self, ended: Ended) -> Answered<Option<Pid>> {
        if self.overdue {
            return Err(failure(Reason::DeadlineExceeded, "the runtime helper did not end in time and was killed"));
        }
        let mut bytes = Vec::new();
        // Ends with WouldBlock when a copy of the other end is still open somewhere; what came is read all the same.
        let limit = u64::try_from(MAXIMUM_REPORT).unwrap_or(u64::MAX);
        let _ = self.helper.report.by_ref().take(limit).read_to_end(&mut bytes);
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        match decoder.take::<Report>() {
            Ok(Some(Report::Failed(failure))) => Err(failure),
            Ok(Some(Report::Done)) => Ok(None),
            Ok(Some(Report::Process { pid })) => Ok(Pid::from_raw(pid.max(0))),
            Ok(None) | Err(_) => {
                let how = match ended {
                    Ended { signal: Some(signal), .. } => format!("was ended by signal {signal}"),
                    Ended { code, .. } => format!("exited with code {code}"),
                };
                let words = last_words(&mut self.helper.diagnostics);
                Err(failure(Reason::Internal, format!("the runtime helper {how} without a report{words}")))
            }
        }
    }

    /// The controlling end of the terminal, twice: to keep, and to read (which must not block) or to pass on.
    fn terminal(&self) -> Answered<(OwnedFd, OwnedFd)> {
        let attempt = || -> io::Result<(OwnedFd, OwnedFd)> {
            let console = self.console.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            let mut received = Vec::new();
            socket::receive(console, &mut [0; 16], &mut received)?;
            let terminal = received.pop().ok_or(io::ErrorKind::UnexpectedEof)?;
            if matches!(self.kind, Kind::Create(_)) {
                rustix::io::ioctl_fionbio(&terminal, true)?;
            }
            let copy = terminal.as_fd().try_clone_to_owned()?;
            Ok((terminal, copy))
        };
        attempt().map_err(|error| internal("the runtime helper sent no terminal", &error))
    }
}

/// Success or failure as a client is told.
pub(super) fn outcome(answer: Answered<Reply>) -> Outcome {
    match answer {
        Ok(reply) => Outcome::Ok(reply),
        Err(failure) => Outcome::Error(failure),
    }
}

/// Takes a process that a helper made.
fn adopt(pid: Option<Pid>) -> Answered<Process> {
    let pid = pid.ok_or_else(|| failure(Reason::Internal, "the runtime helper reported no process"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| internal("the reported process cannot be found", &error.into()))?;
    Ok(Process { pid, pidfd })
}

/// The end of what a helper wrote to its errors, as a part of a sentence.
fn last_words(file: &mut File) -> String {
    let mut attempt = || -> io::Result<String> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(QUOTED)))?;
        let mut bytes = Vec::new();
        file.take(QUOTED).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    match attempt() {
        Ok(words) if !words.is_empty() => format!(": {words}"),
        _ => String::new(),
    }
}
