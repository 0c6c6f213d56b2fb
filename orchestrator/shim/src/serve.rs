//! What clients ask for.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::path::PathBuf;

use coracle_shim_protocol::VERSION;
use coracle_shim_protocol::files::{Exit, STATE};
use coracle_shim_protocol::helper;
use coracle_shim_protocol::message::{
    Answer, Create, Event, Exec, Message, Operation, Outcome, Reason, Reply, Size, State, is_id,
};
use rustix::event::epoll::EventFlags;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::termios::{Winsize, tcsetwinsize};

use super::cgroup;
use super::clock::{self, Moment};
use super::container::{Container, Execve, Starting};
use super::jobs::{Kind, failure, internal};
use super::log::{Pump, Stream};
use super::process;
use super::state::{Answered, Client, Shim, Source};
use super::sys;

/// A request whose operation may be unknown.
type Raw = serde_json::Map<String, serde_json::Value>;

impl Shim {
    /// A connection is ready for something.
    pub(super) fn client(&mut self, token: u64, flags: EventFlags) {
        if self.exchange(token, flags).is_err() {
            self.close(token);
        }
        self.refresh(token);
    }

    fn exchange(&mut self, token: u64, flags: EventFlags) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&token) else { return Ok(()) };
        if flags.contains(EventFlags::OUT) {
            connection.flush()?;
        }
        let hung_up = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if connection.wants_input() && flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            connection.ended = !connection.receive(&mut self.buffer)?;
        } else if hung_up {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        while let Some(connection) = self.connections.get_mut(&token).filter(|one| !one.closing) {
            let Some(raw) = connection.decoder.take::<Raw>().map_err(io::Error::other)? else {
                let stray = connection.decoder.is_empty() && !connection.received.is_empty();
                let broken = connection.ended && !connection.decoder.is_empty();
                if stray || broken {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                break;
            };
            self.request(token, raw)?;
        }
        Ok(())
    }

    /// Waits for what the connection needs now, or closes it.
    pub(super) fn refresh(&mut self, token: u64) {
        let Some(connection) = self.connections.get(&token) else { return };
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, connection.wants_input());
        flags.set(EventFlags::OUT, connection.wants_output());
        if connection.is_over() || self.poller.change(connection, token, flags).is_err() {
            self.close(token);
        }
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, token: u64) {
        if let Some(connection) = self.connections.remove(&token) {
            self.poller.remove(connection.as_fd(), token);
        }
    }

    /// Answers a request; a client that is gone needs none.
    pub(super) fn answer(&mut self, client: Client, result: Outcome, descriptor: Option<OwnedFd>) {
        let Some(connection) = self.connections.get_mut(&client.connection) else { return };
        connection.open = connection.open.saturating_sub(1);
        let message = Message::Answer(Answer { id: client.request, result });
        if connection.send(&message, descriptor).is_err() {
            self.close(client.connection);
        }
        self.refresh(client.connection);
    }

    /// Tells an event to all who want events, and to one connection more.
    pub(super) fn tell(&mut self, message: &Message, also: Option<u64>) {
        let listeners = self.connections.iter().filter(|(token, one)| one.events || Some(**token) == also);
        let tokens: Vec<u64> = listeners.map(|(token, _)| *token).collect();
        for token in tokens {
            let sent = self.connections.get_mut(&token).map(|connection| connection.send(message, None));
            if matches!(sent, Some(Err(_))) {
                self.close(token);
            }
            self.refresh(token);
        }
    }

    fn request(&mut self, token: u64, mut raw: Raw) -> io::Result<()> {
        // Without an id no answer can be given.
        let request = raw.get("id").and_then(serde_json::Value::as_u64).ok_or(io::ErrorKind::InvalidData)?;
        let client = Client { connection: token, request };
        let Some(connection) = self.connections.get_mut(&token) else { return Ok(()) };
        connection.open = connection.open.saturating_add(1);
        let operation = serde_json::from_value::<Operation>(raw.remove("operation").unwrap_or_default());
        if !connection.greeted && !matches!(operation, Ok(Operation::Hello { .. })) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let done = match operation {
            Err(error) => Err(failure(Reason::InvalidArgument, format!("the operation is not understood: {error}"))),
            Ok(operation) => self.operate(client, operation),
        };
        // `None`: a helper's end brings the answer.
        match done {
            Ok(None) => {}
            Ok(Some(reply)) => self.answer(client, Outcome::Ok(reply), None),
            Err(failure) => self.answer(client, Outcome::Error(failure), None),
        }
        Ok(())
    }

    fn operate(&mut self, client: Client, operation: Operation) -> Answered<Option<Reply>> {
        match operation {
            Operation::Hello { versions } => self.hello(client, &versions).map(Some),
            Operation::Create(create) => self.create(client, create).map(|()| None),
            Operation::Start { id } => self.start_container(client, &id).map(|()| None),
            Operation::Signal { id, exec, signal, all } => self.signal(&id, exec.as_deref(), signal, all).map(Some),
            Operation::Delete { id } => self.delete(client, &id).map(|()| None),
            Operation::Exec(exec) => self.exec(client, exec).map(|()| None),
            Operation::Resize { id, exec, size } => self.resize(&id, exec.as_deref(), size).map(Some),
            Operation::Attach { .. } | Operation::Ports {} => {
                Err(failure(Reason::Unimplemented, "not in version 1 of the protocol"))
            }
            Operation::List {} => Ok(Some(self.list())),
            Operation::Events {} => {
                if let Some(connection) = self.connections.get_mut(&client.connection) {
                    connection.events = true;
                }
                Ok(Some(self.list()))
            }
            Operation::Rotate { id } => {
                let reopened = self.known(&id)?.pump.reopen();
                reopened.map(|()| Some(Reply::Done)).map_err(|error| internal("cannot open the log anew", &error))
            }
            Operation::End {} => self.end().map(Some),
        }
    }

    fn hello(&mut self, client: Client, versions: &[u32]) -> Answered<Reply> {
        let Some(connection) = self.connections.get_mut(&client.connection) else { return Ok(Reply::Done) };
        if !versions.contains(&VERSION) {
            connection.closing = true;
            return Err(failure(Reason::Unimplemented, format!("this shim speaks version {VERSION} only")));
        }
        connection.greeted = true;
        Ok(Reply::Hello(self.ready.clone()))
    }

    fn list(&self) -> Reply {
        Reply::List(self.containers.values().map(Container::described).collect())
    }

    fn end(&mut self) -> Answered<Reply> {
        if !self.jobs.is_empty() || self.containers.values().any(Container::is_alive) {
            return Err(failure(Reason::FailedPrecondition, "containers or operations of the pod still run"));
        }
        self.done = true;
        Ok(Reply::Done)
    }

    fn create(&mut self, client: Client, create: Create) -> Answered<()> {
        let id = create.id.clone();
        if !is_id(&id) {
            return Err(failure(Reason::InvalidArgument, format!("{id:?} cannot be the id of a container")));
        }
        if self.containers.contains_key(&id) || self.is_busy(&id) {
            return Err(failure(Reason::AlreadyExists, format!("container {id} exists")));
        }
        let (container, descriptors) = self.prepare(create).map_err(|error| {
            failure(Reason::CreateContainerError, format!("cannot open the log or the streams: {error}"))
        })?;
        let request = helper::Request::Create {
            id: id.clone(),
            bundle: container.create.bundle.clone(),
            state: self.state_folder(),
            tty: container.create.tty,
        };
        let tty = container.create.tty;
        self.containers.insert(id.clone(), container);
        self.watch_output(&id);
        let called = self.call(Kind::Create(id.clone()), client, &request, descriptors, tty);
        if called.is_err() {
            self.forget(&id);
        }
        called
    }

    /// Opens the log and the streams.
    fn prepare(&mut self, create: Create) -> io::Result<(Container, Vec<(OwnedFd, RawFd)>)> {
        let mut pump = Pump::new(create.log.as_deref(), create.rotate)?;
        let mut descriptors = Vec::new();
        let mut input = None;
        if !create.tty {
            for (stream, number) in [(Stream::Output, helper::STDOUT), (Stream::Errors, helper::STDERR)] {
                let (reader, writer) = process::output_pipe()?;
                pump.attach(stream, reader);
                descriptors.push((writer, number));
            }
            let theirs = if create.stdin {
                let (reader, writer) = std::io::pipe()?;
                input = Some(OwnedFd::from(writer));
                OwnedFd::from(reader)
            } else {
                process::null()?
            };
            descriptors.push((theirs, helper::STDIN));
        }
        let (reader, writer) = process::output_pipe()?;
        descriptors.push((writer, helper::STARTED));
        let token = self.poller.add(&reader, Source::Execve(create.id.clone()), EventFlags::IN)?;
        let mut container = Container::new(create, pump);
        container.input = input;
        container.execve = Some(Execve { pipe: File::from(reader), token, bytes: Vec::new() });
        Ok((container, descriptors))
    }

    fn start_container(&mut self, client: Client, id: &str) -> Answered<()> {
        let busy = self.is_busy(id);
        let deadline = Moment::now().after(self.start.helper_milliseconds);
        let state = self.state_folder();
        let container = self.known(id)?;
        if busy || container.state != State::Created || container.starting.is_some() {
            return Err(failure(Reason::FailedPrecondition, format!("container {id} does not wait to be started")));
        }
        container.starting = Some(Starting { client, helper: None, deadline });
        let request = helper::Request::Start { id: id.to_owned(), state };
        let called = self.call(Kind::Start(id.to_owned()), client, &request, Vec::new(), false);
        if called.is_err()
            && let Some(container) = self.containers.get_mut(id)
        {
            container.starting = None;
        }
        called
    }

    fn signal(&mut self, id: &str, exec: Option<&str>, number: i32, all: bool) -> Answered<Reply> {
        let signal = sys::signal(number)
            .ok_or_else(|| failure(Reason::InvalidArgument, format!("{number} is not the number of a signal")))?;
        let container = self.known(id)?;
        let sent = if let Some(group) = container.create.cgroup.as_deref().filter(|_| all) {
            cgroup::signal(group, signal)
        } else {
            let process = match exec {
                Some(exec) => container.execs.get(exec).map(|exec| &exec.process),
                None => container.process.as_ref().filter(|_| container.ended.is_none()),
            };
            let process =
                process.ok_or_else(|| failure(Reason::NotFound, format!("no process of container {id} runs")))?;
            pidfd_send_signal(&process.pidfd, signal).map_err(io::Error::from)
        };
        sent.map(|()| Reply::Done).map_err(|error| internal("cannot send the signal", &error))
    }

    fn delete(&mut self, client: Client, id: &str) -> Answered<()> {
        if !is_id(id) {
            return Err(failure(Reason::InvalidArgument, format!("{id:?} cannot be the id of a container")));
        }
        let starts = self.containers.get(id).is_some_and(|container| container.starting.is_some());
        if starts || self.is_busy(id) {
            return Err(failure(
                Reason::FailedPrecondition,
                format!("another operation on container {id} is under way"),
            ));
        }
        if self.containers.get(id).is_some_and(|container| container.state == State::Running) {
            return Err(failure(Reason::FailedPrecondition, format!("container {id} runs")));
        }
        let request = helper::Request::Delete { id: id.to_owned(), state: self.state_folder() };
        self.call(Kind::Delete(id.to_owned()), client, &request, Vec::new(), false)
    }

    fn exec(&mut self, client: Client, exec: Exec) -> Answered<()> {
        let received: Vec<OwnedFd> = match self.connections.get_mut(&client.connection) {
            Some(connection) if !exec.tty => {
                let count = connection.received.len().min(3);
                connection.received.drain(..count).collect()
            }
            _ => Vec::new(),
        };
        if !exec.tty && received.len() != 3 {
            return Err(failure(Reason::InvalidArgument, "an exec without a terminal needs three descriptors"));
        }
        if !is_id(&exec.exec) {
            return Err(failure(Reason::InvalidArgument, format!("{:?} cannot be the name of an exec", exec.exec)));
        }
        let kind = Kind::Exec(exec.id.clone(), exec.exec.clone());
        let state = self.state_folder();
        let taken = self.jobs.values().any(|job| job.kind == kind);
        let container = self.known(&exec.id)?;
        if taken || container.execs.contains_key(&exec.exec) {
            return Err(failure(Reason::AlreadyExists, format!("exec {} exists", exec.exec)));
        }
        let process = container.process.as_ref().filter(|_| container.state == State::Running);
        let pid = process.filter(|_| container.ended.is_none()).map(|process| process.number());
        let pid =
            pid.ok_or_else(|| failure(Reason::FailedPrecondition, format!("container {} does not run", exec.id)))?;
        let request = helper::Request::Exec {
            id: exec.id,
            bundle: container.create.bundle.clone(),
            state,
            pid,
            cgroup: container.create.cgroup.clone(),
            process: exec.process,
            tty: exec.tty,
            size: exec.size,
        };
        let numbers = [helper::STDIN, helper::STDOUT, helper::STDERR];
        self.call(kind, client, &request, received.into_iter().zip(numbers).collect(), exec.tty)
    }

    fn resize(&mut self, id: &str, exec: Option<&str>, size: Size) -> Answered<Reply> {
        let container = self.known(id)?;
        let console = match exec {
            None => container.console.as_ref(),
            Some(exec) => container.execs.get(exec).and_then(|exec| exec.console.as_ref()),
        };
        let console =
            console.ok_or_else(|| failure(Reason::NotFound, format!("no such terminal in container {id}")))?;
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        let set = tcsetwinsize(console, size).map_err(|error| internal("cannot set the size", &error.into()));
        set.map(|()| Reply::Done)
    }

    fn known(&mut self, id: &str) -> Answered<&mut Container> {
        self.containers.get_mut(id).ok_or_else(|| failure(Reason::NotFound, format!("container {id} is not known")))
    }

    /// Forgets a container and what was waited for in it.
    pub(super) fn forget(&mut self, id: &str) {
        let Some(mut container) = self.containers.remove(id) else { return };
        container.pump.drain(&mut self.buffer);
        for (stream, token) in [Stream::Output, Stream::Errors].into_iter().zip(container.tokens) {
            match (container.pump.descriptor(stream), token) {
                (Some(end), Some(token)) => self.poller.remove(end, token),
                (None, Some(token)) => self.poller.forget(token),
                (_, None) => {}
            }
        }
        if let Some(execve) = &container.execve {
            self.poller.remove(execve.pipe.as_fd(), execve.token);
        }
        // Their own ends will find nobody, so they are told of now.
        for (name, exec) in std::mem::take(&mut container.execs) {
            let _ = pidfd_send_signal(&exec.process.pidfd, Signal::KILL);
            let exit = Exit {
                id: id.to_owned(),
                exec: Some(name),
                code: 128_i32.saturating_add(Signal::KILL.as_raw()),
                signal: Some(Signal::KILL.as_raw()),
                oom: false,
                started: Some(exec.started),
                finished: clock::now(),
            };
            self.tell(&Message::Event(Event::Exited(exit)), exec.connection);
        }
    }

    /// Where libcontainer keeps its state.
    pub(super) fn state_folder(&self) -> PathBuf {
        self.folder.join(STATE)
    }
}
