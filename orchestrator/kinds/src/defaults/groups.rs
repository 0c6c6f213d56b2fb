//! The other groups.

use super::{object_of, text, text_default};
use coracle_apimachinery::{Object, Value};

/// An hour, in seconds.
const HOUR: i64 = 3600;
/// How busy processors may be before an autoscaler adds pods, in percent.
pub(crate) const CPU_UTILIZATION: i64 = 80;

/// An autoscaler scales by processor use; its rules, once it has some, are complete.
pub(super) fn autoscaler(scaler: &mut Object) {
    let spec = scaler.object_mut("spec");
    if spec.get("metrics").is_none_or(Value::is_empty) {
        spec.insert("metrics".into(), Value::List(vec![cpu_metric(CPU_UTILIZATION)]));
    }
    if let Some(behavior) = spec.get_mut("behavior").and_then(Value::as_object_mut) {
        let up = behavior.object_mut("scaleUp");
        up.insert_default("stabilizationWindowSeconds", || Value::Int(0));
        up.insert_default("policies", || Value::List(vec![policy("Pods", 4), policy("Percent", 100)]));
        up.insert_default("selectPolicy", || Value::text("Max"));
        let down = behavior.object_mut("scaleDown");
        down.insert_default("policies", || Value::List(vec![policy("Percent", 100)]));
        down.insert_default("selectPolicy", || Value::text("Max"));
    }
}

/// The metric that keeps processors as busy as this.
pub(crate) fn cpu_metric(percent: i64) -> Value {
    let target = object_of([("type", Value::text("Utilization")), ("averageUtilization", Value::Int(percent))]);
    object_of([
        ("type", Value::text("Resource")),
        ("resource", object_of([("name", Value::text("cpu")), ("target", target)])),
    ])
}

fn policy(kind: &str, value: i64) -> Value {
    object_of([("type", Value::text(kind)), ("value", Value::Int(value)), ("periodSeconds", Value::Int(15))])
}

/// A policy without types is about what comes in, and about what goes out if it has rules for that.
pub(super) fn network_policy(policy: &mut Object) {
    let spec = policy.object_mut("spec");
    if spec.get("policyTypes").is_none_or(Value::is_empty) {
        let mut types = vec![Value::text("Ingress")];
        if spec.get("egress").is_some_and(|rules| !rules.items().is_empty()) {
            types.push(Value::text("Egress"));
        }
        spec.insert("policyTypes".into(), Value::List(types));
    }
}

/// Users and groups are of the group that defines roles.
pub(super) fn subject(subject: &mut Object) {
    if text(subject, "apiGroup").is_empty() && ["User", "Group"].contains(&text(subject, "kind")) {
        subject.insert("apiGroup".into(), Value::text("rbac.authorization.k8s.io"));
    }
}

/// The defaults that no constant in the table gives.
pub(super) fn csi_driver(driver: &mut Object) {
    let spec = driver.object_mut("spec");
    spec.insert_default("seLinuxMount", || Value::Bool(false));
    spec.insert_default("preventPodSchedulingIfMissing", || Value::Bool(false));
}

/// One device, if devices are counted.
pub(super) fn device_request(request: &mut Object) {
    text_default(request, "allocationMode", "ExactCount");
    if text(request, "allocationMode") == "ExactCount" && request.get("count").is_none_or(Value::is_empty) {
        request.insert("count".into(), Value::Int(1));
    }
}

/// Tokens live for an hour.
pub(super) fn token_request(request: &mut Object) {
    request.insert_default("expirationSeconds", || Value::Int(HOUR));
}
