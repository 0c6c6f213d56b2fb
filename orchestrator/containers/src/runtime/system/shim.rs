//! The orchestrator's end of a shim's socket.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coracle_shim_protocol::files::{Exit, Ready};
use coracle_shim_protocol::frame::{Decoder, encode};
use coracle_shim_protocol::message::{
    Container, Create, Event, Exec, Failure, Message, Operation, Outcome, Reason, Reply, Request, Size,
};
use coracle_shim_protocol::{VERSION, socket};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::runtime::parts::{Execution, Later, Link, Shim};
use crate::runtime::signal::KILL;

/// An answer and the descriptors that came with it.
type Answer = (Result<Reply, Failure>, Vec<OwnedFd>);
/// Executions by container and name, before or after their ends.
type Ends = HashMap<(String, String), End>;

#[derive(Debug)]
enum End {
    Waited(oneshot::Sender<Exit>),
    Came(Exit),
}

/// A connection to a shim.
#[derive(Debug)]
pub(super) struct Connection {
    ready: Ready,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stream: UnixStream,
    /// One frame at a time.
    writing: tokio::sync::Mutex<()>,
    next: AtomicU64,
    /// Absent after the end of the connection.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    ends: Mutex<Ends>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is guarded here is left half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Failure {
    Failure::new(Reason::Internal, "the pod's shim is gone")
}

fn odd() -> Failure {
    Failure::new(Reason::Internal, "the pod's shim answered something else")
}

/// Connects to the shim that listens at a path.
pub(super) async fn connect(path: &Path) -> Result<Link, String> {
    let stream = UnixStream::connect(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
    let (sender, exits) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        stream,
        writing: tokio::sync::Mutex::default(),
        next: AtomicU64::new(1),
        waiting: Mutex::new(Some(HashMap::new())),
        ends: Mutex::default(),
    });
    let reader = Arc::clone(&shared);
    tokio::spawn(async move {
        if let Err(error) = reader.read(&sender).await {
            tracing::warn!(%error, "the connection to a shim broke");
        }
        // Whoever waits gets to know by the closed channels.
        *lock(&reader.waiting) = None;
        lock(&reader.ends).clear();
    });
    let hello = shared.ask(Operation::Hello { versions: vec![VERSION] }, &[]).await;
    let ready = match hello.map_err(|failure| failure.to_string())?.0 {
        Reply::Hello(ready) => ready,
        _ => return Err(odd().to_string()),
    };
    let containers: Vec<Container> =
        match shared.ask(Operation::Events {}, &[]).await.map_err(|failure| failure.to_string())?.0 {
            Reply::List(containers) => containers,
            _ => return Err(odd().to_string()),
        };
    Ok(Link { shim: Arc::new(Connection { ready, shared }), exits, containers })
}

impl Shared {
    async fn ask(&self, operation: Operation, streams: &[OwnedFd]) -> Result<(Reply, Vec<OwnedFd>), Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).as_mut().ok_or_else(gone)?.insert(id, sender);
        let sent = self.send(&Request { id, operation }, streams).await;
        if let Err(error) = sent {
            if let Some(waiting) = lock(&self.waiting).as_mut() {
                waiting.remove(&id);
            }
            return Err(Failure::new(Reason::Internal, error.to_string()));
        }
        let (result, descriptors) = answer.await.map_err(|_| gone())?;
        Ok((result?, descriptors))
    }

    async fn send(&self, request: &Request, streams: &[OwnedFd]) -> io::Result<()> {
        let bytes = encode(request).map_err(io::Error::other)?;
        let _turn = self.writing.lock().await;
        let mut rest: &[u8] = &bytes;
        let mut descriptors: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
        while !rest.is_empty() {
            self.stream.writable().await?;
            let sent = self.stream.try_io(Interest::WRITABLE, || socket::send(self.stream.as_fd(), rest, &descriptors));
            match sent {
                Ok(sent) => {
                    descriptors.clear();
                    rest = rest.get(sent..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn read(&self, exits: &mpsc::UnboundedSender<Exit>) -> io::Result<()> {
        let (mut decoder, mut descriptors) = (Decoder::new(), VecDeque::new());
        let mut buffer = vec![0; 16 << 10];
        loop {
            self.stream.readable().await?;
            let mut fresh = Vec::new();
            let received = self
                .stream
                .try_io(Interest::READABLE, || socket::receive(self.stream.as_fd(), &mut buffer, &mut fresh));
            descriptors.extend(fresh);
            match received {
                Ok(0) => return Ok(()),
                Ok(read) => decoder.push(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            while let Some(message) = decoder.take::<Message>().map_err(io::Error::other)? {
                self.take(message, &mut descriptors, exits);
            }
        }
    }

    fn take(&self, message: Message, descriptors: &mut VecDeque<OwnedFd>, exits: &mpsc::UnboundedSender<Exit>) {
        match message {
            Message::Answer(answer) => {
                let waits = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&answer.id));
                let result = match answer.result {
                    Outcome::Ok(reply) => Ok(reply),
                    Outcome::Error(failure) => Err(failure),
                };
                // Only the answer to an exec at a terminal brings one, and it comes with that answer's first byte.
                let own = if matches!(result, Ok(Reply::Process { .. })) {
                    descriptors.drain(..).collect()
                } else {
                    Vec::new()
                };
                if let Some(waits) = waits {
                    // Whoever went away does not miss it.
                    let _ = waits.send((result, own));
                }
            }
            Message::Event(Event::Exited(exit)) => {
                if let Some(exec) = exit.exec.clone() {
                    let mut ends = lock(&self.ends);
                    match ends.remove(&(exit.id.clone(), exec.clone())) {
                        Some(End::Waited(sender)) => drop(sender.send(exit)),
                        // It ended before the answer to its start was here.
                        _ => drop(ends.insert((exit.id.clone(), exec), End::Came(exit))),
                    }
                } else {
                    // Nobody listens while the program ends.
                    let _ = exits.send(exit);
                }
            }
        }
    }

    async fn done(&self, operation: Operation) -> Result<(), Failure> {
        self.ask(operation, &[]).await.map(drop)
    }
}

impl Shim for Connection {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    fn create(&self, create: Create) -> Later<'_, i32, Failure> {
        Box::pin(async move {
            match self.shared.ask(Operation::Create(create), &[]).await?.0 {
                Reply::Process { pid } => Ok(pid),
                _ => Err(odd()),
            }
        })
    }

    fn start<'a>(&'a self, id: &'a str) -> Later<'a, (), Failure> {
        Box::pin(self.shared.done(Operation::Start { id: id.to_owned() }))
    }

    fn signal<'a>(&'a self, id: &'a str, signal: i32, all: bool) -> Later<'a, (), Failure> {
        Box::pin(self.shared.done(Operation::Signal { id: id.to_owned(), exec: None, signal, all }))
    }

    fn kill_exec<'a>(&'a self, id: &'a str, exec: &'a str) -> Later<'a, (), Failure> {
        let (id, exec) = (id.to_owned(), Some(exec.to_owned()));
        Box::pin(self.shared.done(Operation::Signal { id, exec, signal: KILL, all: false }))
    }

    fn delete<'a>(&'a self, id: &'a str) -> Later<'a, (), Failure> {
        Box::pin(self.shared.done(Operation::Delete { id: id.to_owned() }))
    }

    fn exec(&self, exec: Exec, streams: Vec<OwnedFd>) -> Later<'_, Execution, Failure> {
        Box::pin(async move {
            let key = (exec.id.clone(), exec.exec.clone());
            let answer = self.shared.ask(Operation::Exec(exec), &streams).await;
            drop(streams);
            let (Reply::Process { pid }, descriptors) = answer? else { return Err(odd()) };
            let (sender, exit) = oneshot::channel();
            let mut ends = lock(&self.shared.ends);
            match ends.remove(&key) {
                Some(End::Came(told)) => drop(sender.send(told)),
                _ => drop(ends.insert(key, End::Waited(sender))),
            }
            Ok(Execution { pid, terminal: descriptors.into_iter().next(), exit })
        })
    }

    fn resize<'a>(&'a self, id: &'a str, exec: &'a str, size: Size) -> Later<'a, (), Failure> {
        let operation = Operation::Resize { id: id.to_owned(), exec: Some(exec.to_owned()), size };
        Box::pin(self.shared.done(operation))
    }

    fn rotate<'a>(&'a self, id: &'a str) -> Later<'a, (), Failure> {
        Box::pin(self.shared.done(Operation::Rotate { id: id.to_owned() }))
    }

    fn end(&self) -> Later<'_, (), Failure> {
        Box::pin(self.shared.done(Operation::End {}))
    }
}
