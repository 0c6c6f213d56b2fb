//! The taints of a node that follow from its conditions.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{flag, items};

use super::health::ready;

/// Keeps new pods away.
const NO_SCHEDULE: &str = "NoSchedule";
/// Drives pods away.
pub(crate) const NO_EXECUTE: &str = "NoExecute";

/// Taint of a node that says that it is not ready.
const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a node that says nothing.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Taint of a node that somebody has closed for new pods.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Condition, its status, and the taint that follows.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// What is to become of the taints that drive pods away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driving {
    /// They follow from the condition `Ready`.
    ByCondition,
    /// None is added now; one may take the place of the other.
    NotYet,
    /// There are none.
    Never,
}

/// The taint that drives pods away which follows from the condition `Ready`.
fn driving(node: &Value) -> Option<&'static str> {
    match ready(node) {
        Some("False") => Some(NOT_READY),
        Some("Unknown") => Some(UNREACHABLE),
        _ => None,
    }
}

/// Whether a taint that drives pods away would be new on a node that has none of them.
pub(super) fn would_drive(node: &Value) -> bool {
    driving(node).is_some() && started(node).is_none()
}

/// The taint of this module that drives pods away from a node.
pub(super) fn started(node: &Value) -> Option<&Value> {
    let taints = items(node, &["spec", "taints"]);
    taints.iter().find(|taint| has_effect(taint, NO_EXECUTE) && is_one_of(taint, &[NOT_READY, UNREACHABLE]))
}

/// The taints that a node should have; `None` if it has them.
pub(super) fn wanted(node: &Value, how: Driving, now: Instant) -> Option<Vec<Value>> {
    let before = items(node, &["spec", "taints"]);
    let now = Value::text(now.print(Precision::Seconds));
    let mut taints = before.to_vec();
    // The conditions speak in their own order, so that taints appear in it.
    let mut close: Vec<&str> = Vec::new();
    for condition in items(node, &["status", "conditions"]) {
        let (of, status) = (condition.text_at(&["type"]), condition.text_at(&["status"]));
        close.extend(BY_CONDITION.iter().filter(|row| row.0 == of && row.1 == status).map(|row| row.2));
    }
    close.extend(flag(node, &["spec", "unschedulable"]).then_some(UNSCHEDULABLE));
    let is_ours = |taint: &Value| {
        let key = taint.text_at(&["key"]);
        has_effect(taint, NO_SCHEDULE) && (key == UNSCHEDULABLE || BY_CONDITION.iter().any(|row| row.2 == key))
    };
    taints.retain(|taint| !is_ours(taint) || is_one_of(taint, &close));
    for key in close {
        add(&mut taints, key, NO_SCHEDULE, &now);
    }
    drive(&mut taints, node, how, &now);
    (taints != before).then_some(taints)
}

fn drive(taints: &mut Vec<Value>, node: &Value, how: Driving, now: &Value) {
    let wanted = driving(node).filter(|_| how != Driving::Never);
    // One taking the place of the other is no new start: a node that is first not ready and then silent does not keep
    // its pods for longer.
    let since = started(node).and_then(|taint| taint.at(&["timeAdded"])).cloned();
    if how == Driving::NotYet && started(node).is_none() {
        return;
    }
    let is_stale = |taint: &Value| {
        has_effect(taint, NO_EXECUTE)
            && is_one_of(taint, &[NOT_READY, UNREACHABLE])
            && wanted.is_none_or(|wanted| taint.text_at(&["key"]) != wanted)
    };
    taints.retain(|taint| !is_stale(taint));
    if let Some(wanted) = wanted {
        add(taints, wanted, NO_EXECUTE, since.as_ref().unwrap_or(now));
    }
}

fn add(taints: &mut Vec<Value>, key: &str, effect: &'static str, since: &Value) {
    if taints.iter().any(|taint| taint.text_at(&["key"]) == key && has_effect(taint, effect)) {
        return;
    }
    let mut taint = Object::new();
    taint.insert("key".into(), Value::text(key));
    taint.insert("effect".into(), Value::text(effect));
    taint.insert("timeAdded".into(), since.clone());
    taints.push(Value::Object(taint));
}

pub(crate) fn has_effect(taint: &Value, effect: &str) -> bool {
    taint.text_at(&["effect"]) == effect
}

fn is_one_of(taint: &Value, keys: &[&str]) -> bool {
    keys.contains(&taint.text_at(&["key"]))
}
