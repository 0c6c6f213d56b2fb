//! The loop: waits for descriptors and deadlines, and hands each to who deals with it.

use std::io;

use coracle_shim_protocol::files::SOCKET;
use coracle_shim_protocol::message::Reason;
use rustix::event::epoll::{Event, EventFlags};
use rustix::net::{SocketFlags, accept_with, sockopt};
use rustix::process::{Signal, geteuid, pidfd_send_signal};

use super::clock::Moment;
use super::connection::Connection;
use super::log::{Progress, Stream};
use super::process;
use super::state::{Shim, Source};

/// Connections at a time. One more, and the oldest that never said hello goes, or the oldest.
const CONNECTIONS: usize = 128;

/// Serves until the shim may end.
pub(super) fn run(shim: &mut Shim) -> io::Result<()> {
    let mut events: Vec<Event> = Vec::with_capacity(32);
    while !shim.done {
        shim.poller.wait(shim.due(), &mut events)?;
        for event in &events {
            let (token, flags) = (event.data.u64(), event.flags);
            match shim.poller.source(token) {
                // It went in this round.
                None => {}
                Some(Source::Listener) => shim.accept(),
                Some(Source::Signals) => {
                    while let Ok(Some(_)) = shim.signals.read_signal() {}
                    shim.reap();
                }
                Some(Source::Client) => shim.client(token, flags),
                Some(Source::Output(id, stream)) => shim.pump(&id, stream),
                Some(Source::Execve(id)) => shim.execve(&id),
            }
        }
        shim.overdue(Moment::now());
    }
    if let Some(first) = &shim.pause {
        pidfd_send_signal(first, Signal::KILL)?;
    }
    std::fs::remove_file(shim.folder.join(SOCKET))
}

impl Shim {
    /// The next moment at which something is to be done without an event.
    fn due(&self) -> Option<Moment> {
        let jobs = self.jobs.values().filter(|job| !job.overdue).map(|job| job.deadline);
        let starts = self.containers.values().filter_map(|container| container.starting.as_ref());
        let starts = starts.filter(|start| start.helper.is_some()).map(|start| start.deadline);
        let logs = self.containers.values().filter_map(|container| container.pump.due());
        jobs.chain(starts).chain(logs).min()
    }

    /// Does what is due.
    fn overdue(&mut self, now: Moment) {
        self.overdue_jobs(now);
        let ids: Vec<String> = self.containers.keys().cloned().collect();
        for id in ids {
            let Some(container) = self.containers.get_mut(&id) else { continue };
            if container.pump.due().is_some_and(|due| due <= now) && container.pump.retry(now) {
                self.watch_output(&id);
            }
            let Some(container) = self.containers.get_mut(&id) else { continue };
            let late = container.starting.as_ref().is_some_and(|start| start.helper.is_some() && start.deadline <= now);
            if late && container.executed.is_none() {
                container.executed = Some(Err(super::jobs::failure(
                    Reason::DeadlineExceeded,
                    format!("the program of container {id} was not executed in time"),
                )));
                self.settle(&id);
            }
        }
    }

    /// Takes all waiting connections.
    fn accept(&mut self) {
        loop {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => {
                    let same_user = sockopt::socket_peercred(&socket).is_ok_and(|peer| peer.uid == geteuid());
                    if same_user {
                        self.welcome(Connection::new(socket));
                    }
                }
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    // The waiting connection would keep the listener ready for ever: it is taken and closed.
                    let had = self.reserve.take().is_some();
                    let refused = accept_with(&self.listener, SocketFlags::CLOEXEC).is_ok();
                    self.reserve = process::null().ok();
                    if !had || !refused {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn welcome(&mut self, connection: Connection) {
        if self.connections.len() >= CONNECTIONS {
            let silent = self.connections.iter().find(|(_, one)| !one.greeted).map(|(token, _)| *token);
            if let Some(token) = silent.or_else(|| self.connections.keys().next().copied()) {
                self.close(token);
            }
        }
        if let Ok(token) = self.poller.add(&connection, Source::Client, EventFlags::IN) {
            self.connections.insert(token, connection);
        }
    }

    /// Reads a container's output.
    fn pump(&mut self, id: &str, stream: Stream) {
        let Some(container) = self.containers.get_mut(id) else { return };
        match container.pump.read(stream, &mut self.buffer) {
            Progress::Open => {}
            // The descriptor is closed, which ends the waiting; only the names are left.
            Progress::Ended | Progress::Stalled => self.watch_output(id),
        }
    }

    /// Makes the poller wait for those streams that are to be read, and for no others.
    pub(super) fn watch_output(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let stalled = container.pump.is_stalled();
        for (stream, token) in [Stream::Output, Stream::Errors].into_iter().zip(&mut container.tokens) {
            match (container.pump.descriptor(stream), *token) {
                (Some(end), Some(old)) if stalled => {
                    self.poller.remove(end, old);
                    *token = None;
                }
                (Some(end), None) if !stalled => {
                    let source = Source::Output(id.to_owned(), stream);
                    *token = self.poller.add(end, source, EventFlags::IN).ok();
                }
                (None, Some(old)) => {
                    self.poller.forget(old);
                    *token = None;
                }
                _ => {}
            }
        }
    }
}
