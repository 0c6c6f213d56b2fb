//! What the task of a pod asks of its tree.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::object;

/// The revision of a tree; the API counts them.
pub(super) fn version(pod: &Value) -> u64 {
    pod.text_at(&["metadata", "resourceVersion"]).parse().unwrap_or_default()
}

pub(super) fn images(pod: &Value) -> Vec<String> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.iter().flat_map(|list| object::items(pod, &["spec", list]));
    containers.map(|container| container.text_at(&["image"]).to_owned()).collect()
}

/// The pod as if it were being deleted with its own grace.
pub(super) fn ending(pod: &Value, now: Instant) -> Value {
    let mut ending = pod.as_object().cloned().unwrap_or_default();
    let grace = object::int(pod, &["spec", "terminationGracePeriodSeconds"], 30);
    let metadata = ending.object_mut("metadata");
    metadata.insert_default("deletionTimestamp", || {
        let mut end = now;
        end.seconds = now.seconds.saturating_add(grace);
        Value::text(end.print(Precision::Seconds))
    });
    metadata.insert_default("deletionGracePeriodSeconds", || Value::Int(grace));
    Value::Object(ending)
}

pub(super) fn with_status(pod: &Value, status: Value) -> Value {
    let mut pod: Object = pod.as_object().cloned().unwrap_or_default();
    pod.insert("status".into(), status);
    Value::Object(pod)
}
