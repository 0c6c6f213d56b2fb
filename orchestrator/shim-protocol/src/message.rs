//! Requests, answers and events of the socket `shim.sock`.
//!
//! `{"id":1,"operation":{"start":{"id":"c1"}}}` is answered by `{"answer":{"id":1,"result":{"ok":"done"}}}` or by
//! `{"answer":{"id":1,"result":{"error":{"reason":"NotFound","message":"…"}}}}`. Answers may come in another order than
//! the requests.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Nanoseconds;
use crate::files::{Exit, Ready};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; the answer has it too.
    pub id: u64,
    /// What to do.
    pub operation: Operation,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// The first message. Answer: [`Reply::Hello`].
    Hello {
        /// The versions that the client speaks.
        versions: Vec<u32>,
    },
    /// Makes a container, waiting to be started. Answer: [`Reply::Process`].
    Create(Create),
    /// Starts a created container. Answer: [`Reply::Done`] after its execve, or `StartError` with errno.
    Start {
        /// The container.
        id: String,
    },
    /// Sends a signal.
    Signal {
        /// The container.
        id: String,
        /// The exec; absent for the container itself.
        #[serde(default)]
        exec: Option<String>,
        /// Number of the signal.
        signal: i32,
        /// To all processes in the container's control group instead of one process.
        #[serde(default)]
        all: bool,
    },
    /// Forgets an ended container and removes the runtime's state of it; a container that was never started is killed.
    /// Done also when the container is not known, so that it can be repeated.
    Delete {
        /// The container.
        id: String,
    },
    /// Runs a process in a container. Without a terminal the frame carries exactly three descriptors (input, output,
    /// errors); with one it carries none, and the answer carries the terminal's controlling end.
    /// Answer: [`Reply::Process`]; its end is told as an event to every connection that asked for events, and to this one.
    Exec(Exec),
    /// Sets the size of a terminal.
    Resize {
        /// The container.
        id: String,
        /// The exec; absent for the container's own terminal.
        #[serde(default)]
        exec: Option<String>,
        /// The new size.
        size: Size,
    },
    /// Refused in version 1.
    Attach {
        /// The container.
        id: String,
    },
    /// Refused in version 1.
    Ports {},
    /// Answer: [`Reply::List`].
    List {},
    /// From now on this connection gets events. Answer: [`Reply::List`], the state that the events follow on.
    Events {},
    /// Opens the container's log anew, after its file was renamed.
    Rotate {
        /// The container.
        id: String,
    },
    /// Ends the shim; refused while a container or exec runs.
    End {},
}

/// A container to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Create {
    /// Its id: 1 to 128 of `A-Za-z0-9_.-`, first a letter or digit.
    pub id: String,
    /// Folder with `config.json`; `exit.json` is written here too.
    pub bundle: PathBuf,
    /// Folder of its control group (for kill and OOM). Absent: only the first process is known.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// Path of its log. Absent: output is thrown away.
    #[serde(default)]
    pub log: Option<PathBuf>,
    /// When the log is rotated.
    #[serde(default)]
    pub rotate: Rotate,
    /// Whether it has a terminal; must equal the `terminal` of `config.json`.
    #[serde(default)]
    pub tty: bool,
    /// Whether its input stays open; otherwise it reads the end at once.
    #[serde(default)]
    pub stdin: bool,
}

/// When a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotate {
    /// Above this many bytes.
    pub bytes: u64,
    /// Files in all, the one written to included.
    pub files: u32,
}

impl Default for Rotate {
    /// The kubelet's `containerLogMaxSize` and `containerLogMaxFiles`.
    fn default() -> Self {
        Self { bytes: 10 << 20, files: 5 }
    }
}

/// A process to be run in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// The container.
    pub id: String,
    /// Name of the exec, unique in the container while it runs; the rules of container ids hold.
    pub exec: String,
    /// The whole `process` member of an OCI runtime specification: nothing is taken over from the container.
    pub process: serde_json::Value,
    /// Whether it has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// The terminal's first size.
    #[serde(default)]
    pub size: Option<Size>,
}

/// Size of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// What the shim sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// To a request.
    Answer(Answer),
    /// To connections that asked for them.
    Event(Event),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's id.
    pub id: u64,
    /// What came of it.
    pub result: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was done.
    Ok(Reply),
    /// It was not.
    Error(Failure),
}

/// What a request that was done gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// To `hello`: the shim, with the version that is spoken from now on.
    Hello(Ready),
    /// To `create` and `exec`.
    Process {
        /// Process id in the host's namespace.
        pid: i32,
    },
    /// To `list` and `events`.
    List(Vec<Container>),
    /// Nothing more to say.
    Done,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub reason: Reason,
    /// For people: one sentence that names what failed.
    pub message: String,
    /// The error number of execve or of another call of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// No such container or exec.
    NotFound,
    /// The name is in use.
    AlreadyExists,
    /// The request makes no sense.
    InvalidArgument,
    /// Not in this state (start of an ended container, end of a shim that has work).
    FailedPrecondition,
    /// Not in this version.
    Unimplemented,
    /// The helper did not end in time and was killed.
    DeadlineExceeded,
    /// The runtime could not make the container.
    CreateContainerError,
    /// The container's program could not be started.
    StartError,
    /// The process could not be run in the container.
    ExecError,
    /// Something that should not happen.
    Internal,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// A container or exec ended. For a container its `exit.json` lies on the disk already.
    Exited(Exit),
}

/// A container as `list` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: State,
    /// Its first process.
    #[serde(default)]
    pub pid: Option<i32>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Nanoseconds>,
    /// When it was started.
    #[serde(default)]
    pub started: Option<Nanoseconds>,
    /// How it ended.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// Names of the execs that run.
    #[serde(default)]
    pub execs: Vec<String>,
}

/// States of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The helper makes it.
    Creating,
    /// It waits to be started.
    Created,
    /// Its program runs.
    Running,
    /// It ended.
    Exited,
}

impl Failure {
    /// A failure without an error number.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), errno: None }
    }
}

/// Whether a text may be the id of a container or exec: it becomes a file name and a control group's name.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_fixed() {
        for (operation, want) in [
            (Operation::Hello { versions: vec![1] }, r#"{"id":3,"operation":{"hello":{"versions":[1]}}}"#),
            (Operation::Start { id: "c".into() }, r#"{"id":3,"operation":{"start":{"id":"c"}}}"#),
            (Operation::List {}, r#"{"id":3,"operation":{"list":{}}}"#),
        ] {
            let request = Request { id: 3, operation };
            assert_eq!(serde_json::to_string(&request).unwrap(), want);
            assert_eq!(serde_json::from_str::<Request>(want).unwrap(), request);
        }
        let exit = Exit { id: "c".into(), code: 137, signal: Some(9), finished: 5, ..Exit::default() };
        assert_eq!(
            serde_json::to_string(&Message::Event(Event::Exited(exit))).unwrap(),
            r#"{"event":{"exited":{"id":"c","code":137,"signal":9,"oom":false,"finished":5}}}"#
        );
        let answer = Answer { id: 1, result: Outcome::Error(Failure::new(Reason::NotFound, "no")) };
        assert_eq!(
            serde_json::to_string(&Message::Answer(answer)).unwrap(),
            r#"{"answer":{"id":1,"result":{"error":{"reason":"NotFound","message":"no"}}}}"#
        );
    }

    #[test]
    fn ids_are_names() {
        for (text, want) in [("a", true), ("0a_b.c-d", true), ("", false), (".a", false), ("a/b", false), ("ä", false)]
        {
            assert_eq!(is_id(text), want, "{text}");
        }
        assert!(!is_id(&"x".repeat(129)));
    }
}
