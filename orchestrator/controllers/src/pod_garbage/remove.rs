//! The removal of a pod that no node agent will stop.

use coracle_apimachinery::Value;
use coracle_client::Write;
use coracle_client::object::{int, is_ending, items};
use coracle_client::resources::PODS;

use super::orphan::{object, status};
use crate::controller::{Plan, Step};

/// Says that a pod has failed, since nobody else will, and deletes it at once.
pub(super) fn plan(pod: &Value, condition: Option<Value>) -> Plan {
    let mut plan = Plan::nothing();
    if !matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed") {
        let mut failed = object([("phase", Value::text("Failed"))]);
        let generation = int(pod, &["metadata", "generation"], 0);
        if let Some(members) = failed.as_object_mut() {
            if generation > 0 {
                members.insert("observedGeneration".into(), Value::Int(generation));
            }
            if let Some(condition) = condition {
                members.insert("conditions".into(), Value::List(vec![condition]));
            }
        }
        plan.step(status(pod, failed));
    }
    if !only_waits_for_finalizers(pod) {
        plan.step(delete(pod));
    }
    plan
}

/// Deletes a pod at once.
pub(super) fn delete(pod: &Value) -> Step {
    Step::new(Write::delete(&PODS, pod).within(0)).fine(&["NotFound"])
}

/// Whether another deletion would change nothing.
pub(super) fn only_waits_for_finalizers(pod: &Value) -> bool {
    is_ending(pod)
        && int(pod, &["metadata", "deletionGracePeriodSeconds"], -1) == 0
        && !items(pod, &["metadata", "finalizers"]).is_empty()
}
