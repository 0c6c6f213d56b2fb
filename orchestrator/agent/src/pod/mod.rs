//! What the node does for one pod: types of the decision.
//!
//! The loop that owns a pod does, whenever the pod, the runtime or the clock changed:
//!
//! 1. `plan(&pod, &observed, &mut memory, &node, now)`;
//! 2. write `status` if it differs from the pod's, record `events`;
//! 3. for each action: `memory.began(&action, now)`, start it (never wait for it), and when it ends
//!    `memory.ended(&action, result, now)`; record the events that both answer, and plan again;
//! 4. plan again after `again_after` at the latest.
//!
//! The memory knows which actions are under way, so a plan never asks for one twice. An agent that starts anew begins
//! with an empty memory; what counts is in the runtime and in the pod.

pub mod admit;
mod backoff;
mod event;
mod image;
pub mod memory;
pub mod plan;
pub mod probe;
mod probes;
mod qos;
mod reset;
pub mod resources;
mod restart;
mod start;
pub mod status;
mod stop;
mod sync;
pub mod unsupported;
mod view;

#[cfg(test)]
mod tests;

pub use memory::Memory;
pub use plan::plan;

use std::borrow::Cow;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

use crate::runtime::{Handled, Image};

/// The present, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What clocks on the wall show.
    pub wall: Instant,
    /// Milliseconds of a clock that never goes back.
    pub ms: u64,
}

/// What the node says of itself in the status of its pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The node's addresses, the primary one first.
    pub ips: Vec<String>,
    /// Whether the runtime takes volumes of every kind (the fake one does).
    pub all_volumes: bool,
}

impl Now {
    /// Milliseconds of the wall clock since the Unix epoch.
    pub(crate) fn wall_ms(self) -> i64 {
        millis(self.wall)
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn millis(instant: Instant) -> i64 {
    instant.seconds * 1_000 + i64::from(instant.micros / 1_000)
}

/// What to do and to say now.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to start; each is to be announced to the memory.
    pub actions: Vec<Action>,
    /// After how long to plan again although nothing changed.
    pub again_after: Option<Duration>,
    /// The whole status of the pod.
    pub status: Value,
    /// What to record about the pod.
    pub events: Vec<Event>,
    /// Whether the pod needs nothing more from this node: it is over and nothing of it runs.
    pub finished: bool,
}

/// One thing to do, by the runtime unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// [`Runtime::ensure_volumes`](crate::runtime::Runtime::ensure_volumes).
    EnsureVolumes,
    /// [`Runtime::ensure_sandbox`](crate::runtime::Runtime::ensure_sandbox).
    EnsureSandbox {
        /// How often a sandbox was made before.
        attempt: u32,
    },
    /// [`Runtime::pull_image`](crate::runtime::Runtime::pull_image).
    Pull {
        /// The container that waits for it.
        container: String,
        /// The image.
        image: String,
    },
    /// [`Runtime::start_container`](crate::runtime::Runtime::start_container), after its environment is resolved (which
    /// may fail with the reason `CreateContainerConfigError`).
    Start {
        /// The container's name.
        container: String,
        /// Whether it stands among the init containers.
        init: bool,
        /// Which instance.
        attempt: u32,
        /// The identity of its image.
        image_id: String,
    },
    /// [`Runtime::stop_container`](crate::runtime::Runtime::stop_container).
    Stop {
        /// The container's name.
        container: String,
        /// The runtime's name for it.
        id: String,
        /// How long it may take.
        grace: Duration,
    },
    /// [`Runtime::run_handler`](crate::runtime::Runtime::run_handler) with `lifecycle.postStart` or `.preStop`.
    RunHook {
        /// The container's name.
        container: String,
        /// The runtime's name for it.
        id: String,
        /// Which hook.
        hook: Hook,
        /// How long it may take.
        timeout: Duration,
    },
    /// [`Runtime::run_handler`](crate::runtime::Runtime::run_handler) with a probe.
    Probe {
        /// The container's name.
        container: String,
        /// The runtime's name for it.
        id: String,
        /// Which probe.
        probe: Probe,
        /// How long it may take.
        timeout: Duration,
    },
    /// [`Runtime::remove_container`](crate::runtime::Runtime::remove_container).
    RemoveContainer {
        /// The runtime's name for it.
        id: String,
    },
    /// [`Runtime::stop_sandbox`](crate::runtime::Runtime::stop_sandbox): the pod is over and stays for its status.
    StopSandbox,
    /// [`Runtime::remove_pod`](crate::runtime::Runtime::remove_pod).
    RemovePod,
    /// Delete the pod from the API with grace 0 and its unique id as precondition. Only after the last status is
    /// written.
    DeletePod,
}

impl Action {
    /// Whether both are the same piece of work, so that one under way makes the other needless.
    pub fn is_same_work(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::EnsureSandbox { .. }, Self::EnsureSandbox { .. }) => true,
            (Self::Start { container: left, .. }, Self::Start { container: right, .. }) => left == right,
            (Self::RunHook { id: left, hook, .. }, Self::RunHook { id: right, hook: other, .. }) => {
                left == right && hook == other
            }
            (Self::Probe { id: left, probe, .. }, Self::Probe { id: right, probe: other, .. }) => {
                left == right && probe == other
            }
            _ => self == other,
        }
    }
}

/// What an action gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// A pulled image.
    Image(Image),
    /// What a hook or probe said.
    Handled(Handled),
}

/// A lifecycle hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// After the start.
    PostStart,
    /// Before the end.
    PreStop,
}

/// A probe of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Did it start? Holds the other two back.
    Startup,
    /// Does it live? If not it is restarted.
    Liveness,
    /// Does it serve?
    Readiness,
}

impl Hook {
    /// The member of `lifecycle`.
    pub fn member(self) -> &'static str {
        match self {
            Self::PostStart => "postStart",
            Self::PreStop => "preStop",
        }
    }
}

impl Probe {
    /// The member of the container.
    pub fn member(self) -> &'static str {
        match self {
            Self::Startup => "startupProbe",
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
        }
    }
}

/// An event about the pod, from the component `kubelet` on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it is a `Warning` rather than `Normal`.
    pub warning: bool,
    /// The reason.
    pub reason: Cow<'static, str>,
    /// The message.
    pub message: String,
    /// The member of the pod that it is about, for example `spec.containers{web}`; empty for the whole pod.
    pub field_path: String,
}
