//! What the status of a Deployment says of its pods.

use coracle_apimachinery::{Object, Value};
use coracle_client::object::int;

use super::conditions::{self, AVAILABLE};
use super::rollout::Rollout;
use super::{bounds, rollout};
use crate::trees::{generation, set_count};

/// Brings the status up to date without a word on progress.
pub(super) fn sync(rollout: &mut Rollout<'_>) {
    let status = calculate(rollout);
    put(rollout, status);
}

/// Puts a status in place.
pub(super) fn put(rollout: &mut Rollout<'_>, status: Object) {
    if let Some(deployment) = rollout.deployment.as_object_mut() {
        deployment.insert("status".into(), Value::Object(status));
    }
}

/// The status as the sets have it.
pub(super) fn calculate(rollout: &Rollout<'_>) -> Object {
    let deployment = &rollout.deployment;
    let old = deployment.at(&["status"]).and_then(Value::as_object);
    let mut status = Object::new();
    for kept in ["collisionCount", "conditions"] {
        if let Some(value) = old.and_then(|old| old.get(kept)) {
            status.insert(kept.into(), value.clone());
        }
    }
    let available = rollout.total_of("availableReplicas");
    set_count(&mut status, "availableReplicas", available);
    set_count(&mut status, "observedGeneration", generation(deployment));
    set_count(&mut status, "readyReplicas", rollout.total_of("readyReplicas"));
    set_count(&mut status, "replicas", rollout.total_of("replicas"));
    set_count(&mut status, "unavailableReplicas", (rollout.total() - available).max(0));
    set_count(&mut status, "updatedReplicas", rollout.newest().map_or(0, |set| set.counted("replicas")));
    if let Some(terminating) = terminating(&rollout.sets) {
        status.insert("terminatingReplicas".into(), Value::Int(terminating));
    }
    let (truth, reason, message) = if available >= bounds::desired(deployment) - bounds::unavailable(deployment) {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    conditions::set(&mut status, conditions::new(AVAILABLE, truth, reason, message, rollout.now));
    status
}

/// How many pods are being deleted. A set that has been looked at but does not say makes the whole unknown.
fn terminating(sets: &[rollout::Set]) -> Option<i64> {
    sets.iter().try_fold(0, |sum, set| match set.tree.at(&["status", "terminatingReplicas"]).and_then(Value::as_int) {
        Some(terminating) => Some(sum + terminating),
        None if set.counted("observedGeneration") == 0 => Some(sum),
        None => None,
    })
}

/// Whether, by this status, all pods that are asked for are new and available, and no others are there.
pub(super) fn is_complete(deployment: &Value, status: Option<&Value>) -> bool {
    let desired = bounds::desired(deployment);
    let counted = |counter| status.map_or(0, |status| int(status, &[counter], 0));
    ["updatedReplicas", "replicas", "availableReplicas"].into_iter().all(|counter| counted(counter) == desired)
        && counted("observedGeneration") >= generation(deployment)
}

/// A quotient of positive numbers, rounded to the nearest, halves up.
pub(super) fn rounded(dividend: i64, divisor: i64) -> i64 {
    (2 * dividend + divisor).div_euclid(2 * divisor)
}
