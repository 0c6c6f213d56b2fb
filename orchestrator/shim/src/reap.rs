//! Ends: every child is reaped, known or not. An unreaped child of a process namespace would keep that from ending.

use std::io::Read as _;
use std::os::fd::AsFd as _;

use coracle_shim_protocol::Nanoseconds;
use coracle_shim_protocol::files::Exit;
use coracle_shim_protocol::frame::Decoder;
use coracle_shim_protocol::helper::Report;
use coracle_shim_protocol::message::{Event, Message, Outcome, Reason, Reply, State};
use rustix::process::{WaitOptions, wait};

use super::cgroup;
use super::clock;
use super::exits::{self, Ended};
use super::jobs::{Kind, failure};
use super::state::{Answered, Shim};

/// Ends of unknown processes that are remembered while a helper may still report them.
const EARLY: usize = 1024;

impl Shim {
    /// Reaps all children that ended.
    pub(super) fn reap(&mut self) {
        let mut helpers = Vec::new();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(ended) = Ended::of(status) else { continue };
            let number = pid.as_raw_nonzero().get();
            if let Some(job) = self.jobs.remove(&number) {
                helpers.push((job, ended));
            } else {
                self.ended(number, ended);
            }
        }
        // Helpers last: the process that one reports may have ended before it.
        for (job, ended) in helpers {
            self.finish(job, ended);
        }
        if !self.jobs.values().any(|job| matches!(job.kind, Kind::Create(_) | Kind::Exec(..))) {
            self.early.clear();
            self.early.shrink_to_fit();
        }
    }

    /// A process that is no helper ended.
    fn ended(&mut self, number: i32, ended: Ended) {
        let now = clock::now();
        let found = self.containers.iter().find_map(|(id, container)| {
            let alive = container.ended.is_none();
            if alive && container.process.as_ref().is_some_and(|process| process.number() == number) {
                return Some((id.clone(), None));
            }
            let exec = container.execs.iter().find(|(_, exec)| exec.process.number() == number);
            exec.map(|(exec, _)| (id.clone(), Some(exec.clone())))
        });
        match found {
            Some((id, None)) => self.container_ended(&id, ended, now),
            Some((id, Some(exec))) => self.exec_ended(&id, &exec, ended, now),
            None => {
                if self.early.len() >= EARLY {
                    self.early.pop_front();
                }
                self.early.push_back((number, ended, now));
            }
        }
    }

    /// Tells of a container that ended before its helper reported it.
    pub(super) fn early_end(&mut self, id: &str) {
        let number = self.containers.get(id).and_then(|container| container.process.as_ref()).map(|p| p.number());
        if let Some((ended, time)) = number.and_then(|number| self.take_early(number)) {
            self.container_ended(id, ended, time);
        }
    }

    /// The same for a process of exec.
    pub(super) fn early_exec(&mut self, id: &str, exec: &str) {
        let number = self.containers.get(id).and_then(|container| container.execs.get(exec));
        if let Some((ended, time)) = number.map(|exec| exec.process.number()).and_then(|number| self.take_early(number))
        {
            self.exec_ended(id, exec, ended, time);
        }
    }

    fn take_early(&mut self, number: i32) -> Option<(Ended, Nanoseconds)> {
        let position = self.early.iter().position(|(early, ..)| *early == number)?;
        self.early.remove(position).map(|(_, ended, time)| (ended, time))
    }

    fn container_ended(&mut self, id: &str, ended: Ended, time: Nanoseconds) {
        // What the process did before its end comes first: its execve, then its last words.
        self.execve(id);
        self.executed(id);
        let Some(container) = self.containers.get_mut(id) else { return };
        container.pump.drain(&mut self.buffer);
        container.ended = Some((ended, time));
        self.watch_output(id);
        self.settle(id);
    }

    fn exec_ended(&mut self, id: &str, exec: &str, ended: Ended, time: Nanoseconds) {
        let Some(gone) = self.containers.get_mut(id).and_then(|container| container.execs.remove(exec)) else { return };
        let exit = Exit {
            id: id.to_owned(),
            exec: Some(exec.to_owned()),
            code: ended.code,
            signal: ended.signal,
            oom: false,
            started: Some(gone.started),
            finished: time.max(gone.started),
        };
        let connection = gone.connection;
        // Its descriptors are closed before anybody is told.
        drop(gone);
        self.tell(&Message::Event(Event::Exited(exit)), connection);
    }

    /// Something came through the pipe that the container's first process holds until its execve.
    pub(super) fn execve(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(execve) = &mut container.execve else { return };
        match (&execve.pipe).take(64 << 10).read_to_end(&mut execve.bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // The end, or nothing can come any more.
            _ => self.executed(id),
        }
    }

    /// The pipe of the execve is done with, because it ended or because its process did.
    fn executed(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(execve) = container.execve.take() else { return };
        self.poller.remove(execve.pipe.as_fd(), execve.token);
        let mut decoder = Decoder::new();
        decoder.push(&execve.bytes);
        // Closed before anybody is answered.
        drop(execve);
        let executed = match decoder.take::<Report>() {
            Ok(Some(Report::Failed(failure))) => Err(failure),
            _ if container.starting.is_none() => Err(failure(
                Reason::StartError,
                format!("the first process of container {id} ended before it was started"),
            )),
            _ => Ok(clock::now()),
        };
        container.executed = Some(executed);
        self.settle(id);
    }

    /// The helper said what came of a start.
    pub(super) fn finish_start(&mut self, id: &str, report: Answered<()>) {
        if let Some(starting) = self.containers.get_mut(id).and_then(|container| container.starting.as_mut()) {
            starting.helper = Some(report);
        }
        self.settle(id);
    }

    /// Answers a start as soon as all is known, and then tells the end if there was one.
    pub(super) fn settle(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if let Some(starting) = &container.starting {
            let answer = match (&starting.helper, &container.executed) {
                // The execve's own word is better than the helper's.
                (Some(_), Some(Err(failure))) | (Some(Err(failure)), _) => Some(Err(failure.clone())),
                (Some(Ok(())), Some(Ok(time))) => Some(Ok(*time)),
                (None, _) | (Some(Ok(())), None) => None,
            };
            let Some(answer) = answer else { return };
            let client = starting.client;
            container.starting = None;
            let outcome = match answer {
                Ok(time) => {
                    container.state = State::Running;
                    container.started = Some(time);
                    Outcome::Ok(Reply::Done)
                }
                Err(failure) => Outcome::Error(failure),
            };
            self.answer(client, outcome, None);
        }
        self.tell_end(id);
    }

    fn tell_end(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some((ended, finished)) = container.ended.filter(|_| container.exit.is_none()) else { return };
        let exit = Exit {
            id: id.to_owned(),
            exec: None,
            code: ended.code,
            signal: ended.signal,
            oom: container.create.cgroup.as_deref().is_some_and(cgroup::had_oom_kill),
            started: container.started,
            finished: finished.max(container.started.unwrap_or(0)),
        };
        // Fails when the folder is gone already; then nobody will read it either.
        let _ = exits::keep(&container.create.bundle, &exit);
        container.state = State::Exited;
        container.exit = Some(exit.clone());
        container.input = None;
        self.tell(&Message::Event(Event::Exited(exit)), None);
    }
}
