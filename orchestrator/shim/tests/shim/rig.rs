//! A pod with its shim, and clients of it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use coracle_shim_protocol::executable::sealed;
use coracle_shim_protocol::files::{EXIT, Exit, POD, Ready, SOCKET, Start};
use coracle_shim_protocol::frame::{self, Decoder};
use coracle_shim_protocol::message::{
    Container, Create, Event, Exec, Failure, Message, Operation, Outcome, Reply, Request, Rotate,
};
use coracle_shim_protocol::process::start;
use coracle_shim_protocol::{VERSION, socket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};

/// How long any step of a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A pod.
pub(crate) struct Pod {
    folder: tempfile::TempDir,
    /// What the shim said.
    pub(crate) ready: Ready,
    pidfd: OwnedFd,
}

/// A client.
pub(crate) struct Client {
    /// Its socket.
    pub(crate) stream: UnixStream,
    next: u64,
    decoder: Decoder,
    /// Descriptors that came with answers.
    pub(crate) received: Vec<OwnedFd>,
    events: VecDeque<Exit>,
}

impl Pod {
    /// With nothing of its own.
    pub(crate) fn new() -> Self {
        Self::with(Start { helper_milliseconds: 20_000, ..Start::default() })
    }

    /// Started in a certain way.
    pub(crate) fn with(start: Start) -> Self {
        Self::started_from(start, &std::env::current_exe().unwrap())
    }

    /// With a certain executable.
    pub(crate) fn started_from(document: Start, executable: &Path) -> Self {
        Self::started(document, |folder| start(folder, executable, helper()).unwrap())
    }

    /// By somebody who is given the folder.
    pub(crate) fn started(document: Start, starter: impl FnOnce(&Path) -> Ready) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let document = Start { version: VERSION, uid: "test".into(), ..document };
        fs::write(folder.path().join(POD), serde_json::to_vec(&document).unwrap()).unwrap();
        let ready = starter(folder.path());
        let pidfd = pidfd_open(Pid::from_raw(ready.pid).unwrap(), PidfdFlags::empty()).unwrap();
        Self { folder, ready, pidfd }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that has said hello and listens to events.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.stranger();
        let Reply::Hello(ready) = client.ask(Operation::Hello { versions: vec![7, VERSION] }).unwrap() else {
            panic!()
        };
        assert_eq!(ready, self.ready);
        client.ask(Operation::Events {}).unwrap();
        client
    }

    /// A client that has said nothing.
    pub(crate) fn stranger(&self) -> Client {
        let stream = UnixStream::connect(self.folder().join(SOCKET)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, next: 0, decoder: Decoder::new(), received: Vec::new(), events: VecDeque::new() }
    }

    /// How a container of this command is to be made; its folder with configuration and log is.
    pub(crate) fn container(&self, id: &str, arguments: &[&str]) -> Create {
        self.configured(id, &serde_json::json!({ "process": { "args": arguments } }))
    }

    /// The same with a certain configuration.
    pub(crate) fn configured(&self, id: &str, config: &serde_json::Value) -> Create {
        let bundle = self.folder().join(id);
        fs::create_dir_all(&bundle).unwrap();
        fs::write(bundle.join("config.json"), serde_json::to_vec(config).unwrap()).unwrap();
        let log = Some(self.log_path(id));
        Create { id: id.into(), bundle, log, rotate: Rotate::default(), ..Create::default() }
    }

    /// Path of a container's log.
    pub(crate) fn log_path(&self, id: &str) -> PathBuf {
        self.folder().join(id).join("0.log")
    }

    /// Entries of a log without their stamps.
    pub(crate) fn log(&self, id: &str) -> Vec<String> {
        let text = fs::read_to_string(self.log_path(id)).unwrap();
        text.split_terminator('\n').map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// The exit file.
    pub(crate) fn exit_file(&self, id: &str) -> Exit {
        serde_json::from_slice(&fs::read(self.folder().join(id).join(EXIT)).unwrap()).unwrap()
    }

    /// What the descriptors of the shim are.
    pub(crate) fn descriptors(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.ready.pid)).unwrap();
        let mut targets: Vec<String> =
            entries.map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string()).collect();
        // Numbers of pipes and sockets differ each time.
        for target in &mut targets {
            if let Some((kind, _)) = target.split_once(":[") {
                target.truncate(kind.len());
            }
        }
        targets.sort_unstable();
        targets
    }

    /// Children of the shim, ended ones that it did not reap included.
    pub(crate) fn children(&self) -> usize {
        let pid = self.ready.pid;
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap().split_whitespace().count()
    }

    /// Waits until the shim has ended and says with which code.
    pub(crate) fn wait(&self) -> Option<i32> {
        assert!(readable(self.pidfd.as_fd()), "the shim did not end");
        let (_, status) = waitpid(Pid::from_raw(self.ready.pid), WaitOptions::empty()).unwrap().unwrap();
        status.exit_status()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Its children first: the shim's end would make them ours.
        let pid = self.ready.pid;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        for child in children.split_whitespace() {
            let _ = rustix::process::kill_process(Pid::from_raw(child.parse().unwrap()).unwrap(), Signal::KILL);
        }
        let _ = waitpid(Pid::from_raw(pid), WaitOptions::empty());
    }
}

impl Client {
    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, operation: Operation) -> Result<Reply, Failure> {
        self.ask_with(operation, &[])
    }

    /// The same with descriptors.
    pub(crate) fn ask_with(&mut self, operation: Operation, passed: &[BorrowedFd<'_>]) -> Result<Reply, Failure> {
        let id = self.send(operation, passed);
        self.answer(id)
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, operation: Operation, passed: &[BorrowedFd<'_>]) -> u64 {
        self.next += 1;
        let bytes = frame::encode(&Request { id: self.next, operation }).unwrap();
        socket::send_all(&self.stream, &bytes, passed).unwrap();
        self.next
    }

    /// Waits for an answer.
    pub(crate) fn answer(&mut self, id: u64) -> Result<Reply, Failure> {
        loop {
            match self.message() {
                Message::Answer(answer) if answer.id == id => {
                    return match answer.result {
                        Outcome::Ok(reply) => Ok(reply),
                        Outcome::Error(failure) => Err(failure),
                    };
                }
                Message::Answer(answer) => panic!("an answer to {}", answer.id),
                Message::Event(Event::Exited(exit)) => self.events.push_back(exit),
            }
        }
    }

    /// Waits for an event.
    pub(crate) fn event(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.events.pop_front() {
                return exit;
            }
            match self.message() {
                Message::Answer(answer) => panic!("an answer to {}", answer.id),
                Message::Event(Event::Exited(exit)) => self.events.push_back(exit),
            }
        }
    }

    fn message(&mut self) -> Message {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.decoder.take().unwrap() {
                return message;
            }
            let read = socket::receive(&self.stream, &mut buffer, &mut self.received).unwrap();
            assert!(read > 0, "the shim closed the connection");
            self.decoder.push(&buffer[..read]);
        }
    }

    /// Makes and starts a container.
    pub(crate) fn run(&mut self, create: Create) -> i32 {
        let id = create.id.clone();
        let Reply::Process { pid } = self.ask(Operation::Create(create)).unwrap() else { panic!() };
        self.ask(Operation::Start { id }).unwrap();
        pid
    }

    /// The list.
    pub(crate) fn list(&mut self) -> Vec<Container> {
        let Reply::List(list) = self.ask(Operation::List {}).unwrap() else { panic!() };
        list
    }

    /// Sends a signal to a container's first process.
    pub(crate) fn kill(&mut self, id: &str, signal: i32) {
        self.ask(Operation::Signal { id: id.into(), exec: None, signal, all: false }).unwrap();
    }

    /// Whether the shim closes the connection (and sends nothing any more).
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Sends bytes as they are; the shim may have closed the connection already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

/// This binary as the executable of helpers.
pub(crate) fn helper() -> BorrowedFd<'static> {
    static COPY: OnceLock<File> = OnceLock::new();
    COPY.get_or_init(|| sealed("helper", own()).unwrap()).as_fd()
}

/// This binary.
pub(crate) fn own() -> File {
    File::open(std::env::current_exe().unwrap()).unwrap()
}

/// An exec of this command.
pub(crate) fn exec(id: &str, exec: &str, arguments: &[&str]) -> Exec {
    let process = serde_json::json!({ "args": arguments });
    Exec { id: id.into(), exec: exec.into(), process, ..Exec::default() }
}

/// Waits until a descriptor is readable.
pub(crate) fn readable(descriptor: BorrowedFd<'_>) -> bool {
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], Some(&patience)).unwrap() == 1
}
