//! What plans ask for, and what comes of it.

use std::time::Duration;

use crate::runtime::{Handled, Image};

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
