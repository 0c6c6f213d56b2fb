//! Workloads that keep pods running.

use super::{each, text, text_default};
use coracle_apimachinery::{Object, Value};

/// A rolling update of a Deployment goes in quarters.
pub(super) fn deployment_strategy(strategy: &mut Object) {
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.object_mut("rollingUpdate");
        rolling.insert_default("maxUnavailable", || Value::text("25%"));
        rolling.insert_default("maxSurge", || Value::text("25%"));
    }
}

/// A rolling update of a DaemonSet takes one node at a time.
pub(super) fn daemon_set_strategy(strategy: &mut Object) {
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.object_mut("rollingUpdate");
        rolling.insert_default("maxUnavailable", || Value::Int(1));
        rolling.insert_default("maxSurge", || Value::Int(0));
    }
}

/// How a StatefulSet is updated. Parameters of a rolling update are made up only if the strategy was not named.
pub(super) fn stateful_set(set: &mut Object) {
    let spec = set.object_mut("spec");
    let strategy = spec.object_mut("updateStrategy");
    if text(strategy, "type").is_empty() {
        strategy.object_mut("rollingUpdate");
    }
    text_default(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate"
        && let Some(rolling) = strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut)
    {
        rolling.insert_default("partition", || Value::Int(0));
        rolling.insert_default("maxUnavailable", || Value::Int(1));
    }
    // Claims print their type here, unlike objects inside other objects elsewhere.
    for claim in each(spec, "volumeClaimTemplates") {
        claim.insert("apiVersion".into(), Value::text("v1"));
        claim.insert("kind".into(), Value::text("PersistentVolumeClaim"));
    }
}

/// A ReplicationController takes selector and labels from its template.
pub(super) fn replication_controller(controller: &mut Object) {
    let labels = controller.get("spec").and_then(|spec| spec.at(&["template", "metadata", "labels"])).cloned();
    let Some(labels) = labels else { return };
    let spec = controller.object_mut("spec");
    if spec.get("selector").is_none_or(Value::is_empty) {
        spec.insert("selector".into(), labels.clone());
    }
    let metadata = controller.object_mut("metadata");
    if metadata.get("labels").is_none_or(Value::is_empty) {
        metadata.insert("labels".into(), labels);
    }
}
