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

pub mod action;
pub mod admit;
pub(crate) mod amount;
mod backoff;
mod event;
mod image;
pub mod memory;
mod outcome;
pub mod plan;
pub mod probe;
mod probes;
mod qos;
mod reset;
pub mod resources;
mod restart;
mod start;
pub mod status;
mod steps;
mod stop;
mod sync;
pub mod unsupported;
mod view;

#[cfg(test)]
mod tests;

pub use action::{Action, Hook, Outcome, Probe};
pub use amount::Amount;
pub use memory::Memory;
pub use plan::plan;

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

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
    /// Milliseconds of the clock that never goes back.
    pub(crate) fn steady_ms(self) -> i64 {
        i64::try_from(self.ms).unwrap_or(i64::MAX)
    }

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

/// An event about the pod, from the component `kubelet` on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it is a `Warning` rather than `Normal`.
    pub warning: bool,
    /// The reason.
    pub reason: &'static str,
    /// The message.
    pub message: String,
    /// The member of the pod that it is about, for example `spec.containers{web}`; empty for the whole pod.
    pub field_path: String,
}
