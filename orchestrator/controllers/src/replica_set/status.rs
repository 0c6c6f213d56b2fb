//! What the status of a ReplicaSet says.

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{condition, int, is_available_pod, is_ready_pod};

use super::Claimed;
use crate::trees::{count, generation, labels, set_count, stamp, within};

/// The condition that tells of pods that could not be made or deleted.
const REPLICA_FAILURE: &str = "ReplicaFailure";

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The set with its new status, if that differs.
    pub(super) changed: Option<Value>,
    /// Seconds after which a pod becomes available without any change.
    pub(super) again_after: Option<u64>,
}

/// The status of a set with these pods, after a failure with this reason and message if there was one.
pub(super) fn status(set: &Value, pods: &Claimed, failure: Option<(&'static str, String)>, now: Instant) -> Found {
    let least = int(set, &["spec", "minReadySeconds"], 0);
    let template = set.at(&["spec", "template"]).and_then(labels);
    let (mut labelled, mut ready, mut available) = (0, 0, 0);
    let mut missing: Option<i64> = None;
    for pod in &pods.active {
        labelled += i64::from(has_all(labels(pod), template));
        ready += i64::from(is_ready_pod(pod));
        match is_available_pod(pod, least, now) {
            Ok(()) => available += 1,
            Err(seconds) => missing = missing.into_iter().chain(seconds).min(),
        }
    }
    let again_after = (ready != available && least > 0).then(|| missing.unwrap_or(least));
    let mut changed = set.clone();
    if let Some(status) = within(&mut changed, &["status"]) {
        set_count(status, "replicas", count(pods.active.len()));
        set_count(status, "fullyLabeledReplicas", labelled);
        set_count(status, "readyReplicas", ready);
        set_count(status, "availableReplicas", available);
        set_count(status, "observedGeneration", generation(set));
        status.insert("terminatingReplicas".into(), Value::Int(count(pods.terminating)));
        match (condition(set, REPLICA_FAILURE), failure) {
            (None, Some((reason, message))) => add_failure(status, reason, message, now),
            (Some(_), None) => remove_failure(status),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
    Found {
        changed: (changed != *set).then_some(changed),
        again_after: again_after.and_then(|seconds| u64::try_from(seconds).ok()),
    }
}

fn add_failure(status: &mut Object, reason: &'static str, message: String, now: Instant) {
    let mut condition = Object::new();
    condition.insert("lastTransitionTime".into(), stamp(now));
    condition.insert("message".into(), Value::text(message));
    condition.insert("reason".into(), Value::text(reason));
    condition.insert("status".into(), Value::text("True"));
    condition.insert("type".into(), Value::text(REPLICA_FAILURE));
    status.insert_default("conditions", || Value::List(Vec::new()));
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::items_mut) {
        conditions.push(Value::Object(condition));
    }
}

fn remove_failure(status: &mut Object) {
    let Some(conditions) = status.get_mut("conditions").and_then(Value::items_mut) else { return };
    conditions.retain(|condition| condition.text_at(&["type"]) != REPLICA_FAILURE);
    if conditions.is_empty() {
        status.remove("conditions");
    }
}

fn has_all(labels: Option<&Object>, wanted: Option<&Object>) -> bool {
    let has = |(key, value): (&str, &Value)| labels.and_then(|labels| labels.get(key)) == Some(value);
    wanted.is_none_or(|wanted| wanted.iter().all(has))
}
