//! The conditions of a Deployment's status.

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Object, Value};
use coracle_client::object::named;

use crate::trees::stamp;

/// Enough pods are available.
pub(super) const AVAILABLE: &str = "Available";
/// The rollout moves on.
pub(super) const PROGRESSING: &str = "Progressing";
/// Pods cannot be made or deleted.
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The new pods are all there.
pub(super) const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Nothing has moved for too long.
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// Nothing moves because somebody said so.
pub(super) const PAUSED: &str = "DeploymentPaused";

/// A condition that begins now.
pub(super) fn new(of: &str, truth: &str, reason: &str, message: impl Into<Box<str>>, now: Instant) -> Value {
    let mut condition = Object::new();
    condition.insert("lastTransitionTime".into(), stamp(now));
    condition.insert("lastUpdateTime".into(), stamp(now));
    condition.insert("message".into(), Value::text(message));
    condition.insert("reason".into(), Value::text(reason));
    condition.insert("status".into(), Value::text(truth));
    condition.insert("type".into(), Value::text(of));
    Value::Object(condition)
}

/// The condition of a type.
pub(super) fn get<'a>(status: &'a Object, of: &str) -> Option<&'a Value> {
    named(status.get("conditions").map_or(&[], Value::items), "type", of)
}

/// The reason of the condition of a type; empty where there is none.
pub(super) fn reason<'a>(status: &'a Object, of: &str) -> &'a str {
    get(status, of).map_or("", |condition| condition.text_at(&["reason"]))
}

/// Sets a condition. One that says the same for the same reason stays as it was; one that says the same for another
/// reason keeps the time of its transition.
pub(super) fn set(status: &mut Object, mut condition: Value) {
    let of = condition.text_at(&["type"]).to_owned();
    if let Some(old) = get(status, &of) {
        let same = |member| old.text_at(&[member]) == condition.text_at(&[member]);
        if same("status") {
            if same("reason") {
                return;
            }
            keep_transition(old, &mut condition);
        }
    }
    remove(status, &of);
    status.insert_default("conditions", || Value::List(Vec::new()));
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::items_mut) {
        conditions.push(condition);
    }
}

/// Gives a condition the time of transition of another one.
pub(super) fn keep_transition(from: &Value, to: &mut Value) {
    if let (Some(time), Some(condition)) = (from.at(&["lastTransitionTime"]), to.as_object_mut()) {
        condition.insert("lastTransitionTime".into(), time.clone());
    }
}

/// Removes the condition of a type.
pub(super) fn remove(status: &mut Object, of: &str) {
    let Some(conditions) = status.get_mut("conditions").and_then(Value::items_mut) else { return };
    conditions.retain(|condition| condition.text_at(&["type"]) != of);
    if conditions.is_empty() {
        status.remove("conditions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;

    #[test]
    fn times_move_only_when_something_is_new() {
        let old = r#"{"lastTransitionTime":"then","lastUpdateTime":"then","message":"m","reason":"r","status":"True","type":"T"}"#;
        let now = Instant { seconds: 0, micros: 0 };
        let zero = "1970-01-01T00:00:00Z";
        for (truth, reason, message, expected) in [
            ("True", "r", "other", ("then", "then", "m")),
            ("True", "s", "other", ("then", zero, "other")),
            ("False", "r", "other", (zero, zero, "other")),
        ] {
            let mut status = tree(&format!(r#"{{"conditions":[{old},{{"type":"U"}}]}}"#));
            let status = status.as_object_mut().unwrap();
            set(status, new("T", truth, reason, message, now));
            let condition = get(status, "T").unwrap();
            let text = |member| condition.text_at(&[member]);
            assert_eq!((text("lastTransitionTime"), text("lastUpdateTime"), text("message")), expected);
            remove(status, "T");
            remove(status, "U");
            assert!(status.is_empty());
        }
    }
}
