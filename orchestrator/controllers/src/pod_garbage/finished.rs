//! Finished pods are kept, but not for ever.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::name;

use super::remove::{delete, only_waits_for_finalizers};
use crate::controller::{Action, Key, Plan};

/// How many finished pods are kept (upstream's default).
pub(super) const THRESHOLD: usize = 12500;

/// The key of all finished pods together.
pub(super) fn key() -> Key {
    Key { resource: "finished".into(), ..Key::default() }
}

/// Whether a pod will not run any more.
pub(super) fn is_finished(pod: &Value) -> bool {
    !matches!(pod.text_at(&["status", "phase"]), "Pending" | "Running" | "Unknown")
}

/// Deletes the evicted and then the oldest of the finished pods that are too many.
pub(super) fn plan(pods: &[Arc<Value>], threshold: usize) -> Plan {
    let mut plan = Plan::nothing();
    let mut finished: Vec<_> = pods.iter().filter(|pod| is_finished(pod)).collect();
    let too_many = finished.len().saturating_sub(threshold);
    if too_many == 0 {
        return plan;
    }
    finished.sort_by(|left, right| order(left).cmp(&order(right)));
    let removed = finished.into_iter().take(too_many).filter(|pod| !only_waits_for_finalizers(pod));
    let deletions: Vec<_> = removed.map(|pod| delete(pod)).collect();
    if !deletions.is_empty() {
        plan.actions.push(Action::Several(deletions));
    }
    plan
}

/// Times of whole seconds in UTC sort as texts.
fn order(pod: &Value) -> (bool, &str, &str) {
    let status = |member| pod.text_at(&["status", member]);
    let is_evicted = status("phase") == "Failed" && status("reason") == "Evicted";
    (!is_evicted, pod.text_at(&["metadata", "creationTimestamp"]), name(pod))
}
