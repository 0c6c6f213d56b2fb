//! What the agent remembers of one pod between two plans, and what begun and ended actions change in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coracle_apimachinery::duration;

use super::admit::Rejection;
use super::backoff::Backoff;
use super::probe::Prober;
use super::stop::Stop;
use super::{Action, Event, Now, Outcome, Probe};
use crate::runtime::{Failure, Image};

/// How long after a failed start, sandbox or the like it is tried again.
pub(crate) const RETRY: u64 = 10_000;
/// How long after a failed removal it is tried again.
const CLEANUP_RETRY: u64 = 1_000;

/// What the agent remembers of one pod.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Actions under way and when they began.
    under_way: Vec<(Action, u64)>,
    /// When the agent first saw the pod.
    pub(crate) born: Option<Now>,
    pub(crate) inits: BTreeSet<String>,
    /// The waits before restarts, by container, and the instance that a wait was granted for.
    pub(crate) restarts: BTreeMap<String, (Backoff, u32)>,
    /// When instances ended, by id, on the clock that never goes back.
    pub(crate) ends: BTreeMap<String, i64>,
    /// What pulls failed with, by image.
    pub(crate) pulls: BTreeMap<String, PullFailure>,
    /// Images that were pulled for the coming start of a container.
    pub(crate) pulled: BTreeMap<String, Image>,
    /// Why containers wait.
    pub(crate) reasons: BTreeMap<String, Waiting>,
    /// Hooks after the start that were not run or failed, by container.
    pub(crate) post_starts: BTreeMap<String, PostStart>,
    /// Containers on their way to an end, by id.
    pub(crate) stops: BTreeMap<String, Stop>,
    pub(crate) probers: BTreeMap<(String, Probe), Prober>,
    /// When to try again to set up volumes or the sandbox, and how often it failed in a row.
    pub(crate) volumes: Retry,
    pub(crate) sandbox: Retry,
    /// When to try again to clean up.
    pub(crate) cleanup: u64,
    /// Whether the API was told to delete the pod. Somebody's finalizer may keep it nonetheless.
    pub(crate) deleted: bool,
    /// Whether the end of the pod's time was announced.
    pub(crate) deadline_announced: bool,
    /// Why the node does not take the pod, and whether that was announced.
    pub(crate) rejection: Option<(Rejection, bool)>,
}

/// Why a container waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) message: String,
    /// The instance that waits to be made.
    pub(crate) attempt: u32,
    /// Not to be tried before.
    pub(crate) until: u64,
    /// Whether it is the start itself that failed.
    pub(crate) start_failed: bool,
}

/// A failed pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullFailure {
    pub(crate) backoff: Backoff,
    pub(crate) at: u64,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// A hook after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostStart {
    pub(crate) attempt: u32,
    /// What it failed with, if it did.
    pub(crate) failed: Option<String>,
}

/// When to try again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) at: u64,
    pub(crate) failures: u32,
}

impl Memory {
    /// The memory of a pod that the node does not take. Plans then only report that.
    pub fn rejected(why: Rejection) -> Self {
        Self { rejection: Some((why, false)), ..Self::default() }
    }

    /// Whether the same work is under way.
    pub(crate) fn is_under_way(&self, action: &Action) -> bool {
        self.under_way.iter().any(|(other, _)| other.is_same_work(action))
    }

    /// Whether any action under way fits.
    pub(crate) fn any_under_way(&self, fits: impl Fn(&Action) -> bool) -> bool {
        self.under_way.iter().any(|(action, _)| fits(action))
    }

    /// An action starts; answers what to record about it.
    pub fn began(&mut self, action: &Action, now: Now) -> Vec<Event> {
        self.under_way.push((action.clone(), now.ms));
        match action {
            Action::Pull { container, image } => {
                vec![Event::normal("Pulling", format!("Pulling image {image:?}"), self.path(container))]
            }
            _ => Vec::new(),
        }
    }

    /// An action ended; answers what to record about it.
    pub fn ended(&mut self, action: &Action, result: Result<Outcome, Failure>, now: Now) -> Vec<Event> {
        let at = self.under_way.iter().position(|(other, _)| other == action);
        let began = at.map_or(now.ms, |at| self.under_way.remove(at).1);
        match action {
            Action::Pull { container, image } => self.pull_ended(container, image, result, began, now),
            Action::Start { container, attempt, .. } => self.start_ended(container, *attempt, result, now),
            Action::RunHook { container, id, hook, .. } => self.hook_ended(container, id, *hook, result),
            Action::Probe { container, id, probe, .. } => self.probe_ended(container, id, *probe, result),
            Action::Stop { id, .. } => self.stop_ended(id, result, now),
            Action::EnsureSandbox { .. } => self.sandbox_ended(result, now),
            Action::EnsureVolumes => self.volumes_ended(result, now),
            Action::RemoveContainer { .. } | Action::StopSandbox | Action::RemovePod | Action::DeletePod => {
                if result.is_err() {
                    self.cleanup = now.ms + CLEANUP_RETRY;
                } else if *action == Action::DeletePod {
                    self.deleted = true;
                }
                Vec::new()
            }
        }
    }
}

/// A duration as Go prints it.
pub(crate) fn print(duration: Duration) -> String {
    duration::print(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
