//! The status of one container: reading the old one and printing the new one.

use coracle_apimachinery::Value;
use coracle_apimachinery::time::{Instant, Precision};

use super::build::{list, text, tree};
use crate::runtime;

/// The status of one container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) state: State,
    /// How the instance before ended.
    pub(crate) last: Option<End>,
    pub(crate) ready: bool,
    pub(crate) started: Option<bool>,
    pub(crate) restart_count: i64,
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) container_id: String,
    pub(crate) resources: Option<Value>,
    pub(crate) allocated: Option<Value>,
    pub(crate) user: Option<Value>,
    pub(crate) mounts: Option<Value>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// It is not there yet, or not again.
    Waiting { reason: String, message: String },
    /// It runs since then.
    Running(String),
    /// It ended.
    Terminated(End),
}

/// How an instance ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct End {
    pub(crate) exit_code: i64,
    pub(crate) signal: i64,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) started: String,
    pub(crate) finished: String,
    pub(crate) container_id: String,
}

impl Entry {
    /// Reads one of an old status.
    pub(crate) fn read(tree: &Value) -> Self {
        let owned = |name| tree.text_at(&[name]).to_owned();
        let flag = |name| tree.at(&[name]).and_then(Value::as_bool);
        let value = |name| tree.at(&[name]).cloned();
        let state = match (tree.at(&["state", "running"]), tree.at(&["state", "terminated"])) {
            (Some(running), _) => State::Running(running.text_at(&["startedAt"]).to_owned()),
            (None, Some(end)) => State::Terminated(End::read(end)),
            (None, None) => State::Waiting {
                reason: tree.text_at(&["state", "waiting", "reason"]).to_owned(),
                message: tree.text_at(&["state", "waiting", "message"]).to_owned(),
            },
        };
        Self {
            name: owned("name"),
            state,
            last: tree.at(&["lastState", "terminated"]).map(End::read),
            ready: flag("ready").unwrap_or(false),
            started: flag("started"),
            restart_count: tree.at(&["restartCount"]).and_then(Value::as_int).unwrap_or(0),
            image: owned("image"),
            image_id: owned("imageID"),
            container_id: owned("containerID"),
            resources: value("resources"),
            allocated: value("allocatedResources"),
            user: value("user"),
            mounts: value("volumeMounts"),
        }
    }

    /// Prints it. Members that always print are always there.
    pub(crate) fn print(&self) -> Value {
        let last = self.last.as_ref().map(|end| tree([("terminated", Some(end.print()))]));
        let state = match &self.state {
            State::Waiting { reason, message } => {
                ("waiting", tree([("reason", text(reason)), ("message", text(message))]))
            }
            State::Running(started) => ("running", tree([("startedAt", text(started))])),
            State::Terminated(end) => ("terminated", end.print()),
        };
        tree([
            ("name", text(&self.name)),
            ("state", Some(tree([(state.0, Some(state.1))]))),
            ("lastState", last),
            ("ready", Some(Value::Bool(self.ready))),
            ("started", self.started.map(Value::Bool)),
            ("restartCount", Some(Value::Int(self.restart_count))),
            ("image", Some(Value::text(self.image.as_str()))),
            ("imageID", Some(Value::text(self.image_id.as_str()))),
            ("containerID", text(&self.container_id)),
            ("resources", self.resources.clone()),
            ("allocatedResources", self.allocated.clone()),
            ("user", self.user.clone()),
            ("volumeMounts", self.mounts.clone()),
        ])
    }

    /// The exit code of an instance that ended.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        match &self.state {
            State::Terminated(end) => Some(end.exit_code),
            _ => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Gives it an end if it has none, since nothing will run any more.
    pub(crate) fn close(&mut self) {
        if self.exit_code().is_none() {
            self.state = State::Terminated(End::lost("The container could not be located when the pod was terminated"));
        }
    }
}

impl End {
    fn read(tree: &Value) -> Self {
        let owned = |name| tree.text_at(&[name]).to_owned();
        let number = |name| tree.at(&[name]).and_then(Value::as_int).unwrap_or(0);
        Self {
            exit_code: number("exitCode"),
            signal: number("signal"),
            reason: owned("reason"),
            message: owned("message"),
            started: owned("startedAt"),
            finished: owned("finishedAt"),
            container_id: owned("containerID"),
        }
    }

    /// What the runtime says.
    pub(crate) fn of(exit: &runtime::Exit, id: &str) -> Self {
        Self {
            exit_code: exit.exit_code.into(),
            signal: exit.signal.into(),
            reason: exit.reason.clone(),
            message: exit.message.clone(),
            started: time(exit.started),
            finished: time(exit.finished),
            container_id: id.to_owned(),
        }
    }

    /// The end of an instance that nobody saw.
    pub(crate) fn lost(message: &str) -> Self {
        let reason = "ContainerStatusUnknown".to_owned();
        Self { exit_code: 137, reason, message: message.to_owned(), ..Self::default() }
    }

    fn print(&self) -> Value {
        tree([
            ("exitCode", Some(Value::Int(self.exit_code))),
            ("signal", Some(Value::Int(self.signal)).filter(|value| !value.is_empty())),
            ("reason", text(&self.reason)),
            ("message", text(&self.message)),
            ("startedAt", text(&self.started)),
            ("finishedAt", text(&self.finished)),
            ("containerID", text(&self.container_id)),
        ])
    }
}

/// A point in time as the status shows it; empty for none.
pub(crate) fn time(instant: Instant) -> String {
    if instant.is_zero() { String::new() } else { instant.print(Precision::Seconds) }
}

/// Whom a container runs as.
pub(crate) fn user(user: &runtime::User) -> Value {
    let groups = user.groups.iter().map(|group| Value::Int(*group)).collect();
    let linux = tree([
        ("uid", Some(Value::Int(user.uid))),
        ("gid", Some(Value::Int(user.gid))),
        ("supplementalGroups", list(groups)),
    ]);
    tree([("linux", Some(linux))])
}
