//! Pods whose node is gone. A node may come back, so they are kept for a while.
//!
//! Since when the node is missing must be known from the pod alone: whoever plans has no memory, and may have started
//! anew. So the pod is marked with a condition when its node is first missed. The condition's time counts, and the
//! condition goes when the node is back.

use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{condition, int, time, uid};
use coracle_client::resources::PODS;
use coracle_client::{PatchKind, Write};

use super::remove;
use crate::controller::{Plan, Step};

/// Condition of a pod whose node is missing. Upstream keeps such a time in memory.
const MARK: &str = "NodeMissing";
/// How long a node may be missing, in seconds.
const QUARANTINE: i64 = 40;
const MESSAGE: &str = "PodGC: node no longer exists";

/// Whether the node of a pod was missing.
pub(super) fn is_marked(pod: &Value) -> bool {
    condition(pod, MARK).is_some()
}

/// Marks a pod, waits, and removes it.
pub(super) fn plan(pod: &Value, now: Instant) -> Plan {
    let mut plan = Plan::nothing();
    let Some(since) = marked_since(pod) else {
        plan.step(mark(pod, made(pod, MARK, "NodeNotFound", now)));
        return plan;
    };
    // A clock that was set back must not make the wait longer.
    let left = since.seconds.saturating_add(QUARANTINE).saturating_sub(now.seconds).min(QUARANTINE);
    if left > 0 {
        plan.again_after(Duration::from_secs(left.unsigned_abs()));
        return plan;
    }
    remove::plan(pod, Some(made(pod, "DisruptionTarget", "DeletionByPodGC", now)))
}

/// Takes the mark from a pod whose node is there.
pub(super) fn forget(pod: &Value) -> Plan {
    let mut plan = Plan::nothing();
    if is_marked(pod) {
        let gone = [("$patch", Value::text("delete")), ("type", Value::text(MARK))];
        plan.step(mark(pod, object(gone)));
    }
    plan
}

fn marked_since(pod: &Value) -> Option<Instant> {
    time(condition(pod, MARK)?, &["lastTransitionTime"])
}

fn made(pod: &Value, of: &str, reason: &str, now: Instant) -> Value {
    let known = condition(pod, of).filter(|known| known.text_at(&["status"]) == "True");
    let since = known.and_then(|known| known.at(&["lastTransitionTime"]).cloned());
    let mut condition = object([
        ("lastTransitionTime", since.unwrap_or_else(|| Value::text(now.print(Precision::Seconds)))),
        ("message", Value::text(MESSAGE)),
        ("reason", Value::text(reason)),
        ("status", Value::text("True")),
        ("type", Value::text(of)),
    ]);
    let generation = int(pod, &["metadata", "generation"], 0);
    if let Some(members) = condition.as_object_mut().filter(|_| generation > 0) {
        members.insert("observedGeneration".into(), Value::Int(generation));
    }
    condition
}

fn mark(pod: &Value, condition: Value) -> Step {
    status(pod, object([("conditions", Value::List(vec![condition]))]))
}

/// Changes the status of this very pod.
pub(super) fn status(pod: &Value, status: Value) -> Step {
    let patch = object([("metadata", object([("uid", Value::text(uid(pod)))])), ("status", status)]);
    Step::new(Write::patch(&PODS, pod, PatchKind::Strategic, patch).at("status")).fine(&["NotFound"])
}

/// An object of these members.
pub(super) fn object<const COUNT: usize>(members: [(&'static str, Value); COUNT]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect::<Object>())
}
