//! Namespaces, volumes, secrets and other single kinds.

use super::common;
use coracle_apimachinery::{Object, Value};

const NAMESPACE_FINALIZER: &str = "kubernetes";

/// An active namespace that the namespace controller has to empty before it goes.
pub(super) fn create_namespace(new: &mut Value) {
    let Some(object) = new.as_object_mut() else { return };
    object.insert("status".into(), object_of([("phase", Value::text("Active"))]));
    let spec = object.object_mut("spec");
    let mut finalizers = spec.get("finalizers").map(|all| all.items().to_vec()).unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer.as_str() == Some(NAMESPACE_FINALIZER)) {
        finalizers.push(Value::text(NAMESPACE_FINALIZER));
    }
    spec.insert("finalizers".into(), Value::List(finalizers));
    label_with_name(new);
}

/// Finalizers change through a subresource of their own.
pub(super) fn update_namespace(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    if let Some(object) = new.as_object_mut() {
        let spec = object.object_mut("spec");
        match old.at(&["spec", "finalizers"]) {
            Some(finalizers) => spec.insert("finalizers".into(), finalizers.clone()),
            None => spec.remove("finalizers"),
        };
    }
    label_with_name(new);
}

/// A change through `namespaces/finalize`: the status is kept.
pub fn finalize_namespace(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    label_with_name(new);
}

fn label_with_name(new: &mut Value) {
    let name = new.text_at(&["metadata", "name"]).to_owned();
    if let Some(metadata) = common::metadata(new) {
        metadata.object_mut("labels").insert("kubernetes.io/metadata.name".into(), Value::text(name));
    }
}

/// A volume waits from its creation.
pub(super) fn create_volume(new: &mut Value) {
    let created = new.at(&["metadata", "creationTimestamp"]).cloned();
    let mut status = Object::new();
    status.insert("phase".into(), Value::text("Pending"));
    if let Some(created) = created {
        status.insert("lastPhaseTransitionTime".into(), created);
    }
    if let Some(object) = new.as_object_mut() {
        object.insert("status".into(), Value::Object(status));
    }
}

/// The time of the last change of phase survives a client that does not know it.
pub(super) fn volume_status(new: &mut Value, old: &Value) {
    common::status_keeping_spec(new, old);
    let same_phase = new.text_at(&["status", "phase"]) == old.text_at(&["status", "phase"]);
    let time = old.at(&["status", "lastPhaseTransitionTime"]).cloned();
    if let (true, Some(time), Some(object)) = (same_phase, time, new.as_object_mut()) {
        object.object_mut("status").insert_default("lastPhaseTransitionTime", || time);
    }
}

/// The two ways to name the source of a claim agree.
pub(super) fn create_claim(new: &mut Value) {
    common::create_without_status(new);
    if let Some(spec) = common::spec(new) {
        data_source(spec, false);
    }
    // Upstream fills in this default when it reads back what it stored.
    if let Some(object) = new.as_object_mut() {
        object.object_mut("status").insert("phase".into(), Value::text("Pending"));
    }
}

/// The same for a change; a source that is already there stays even if it could not be set today.
pub(super) fn update_claim(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    let in_use = ["dataSource", "dataSourceRef"].iter().any(|name| old.at(&["spec", name]).is_some());
    if let Some(spec) = common::spec(new) {
        data_source(spec, in_use);
    }
}

fn data_source(spec: &mut Object, in_use: bool) {
    if !in_use && spec.get("dataSourceRef").is_none() {
        let known = spec.get("dataSource").is_some_and(|source| {
            let (group, kind) = (source.text_at(&["apiGroup"]), source.text_at(&["kind"]));
            matches!((group, kind), ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot"))
        });
        if !known {
            spec.remove("dataSource");
        }
    }
    let (old_way, new_way) = (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned());
    match (old_way, new_way) {
        (Some(source), None) => {
            spec.insert("dataSourceRef".into(), source);
        }
        (None, Some(source)) if source.text_at(&["namespace"]).is_empty() => {
            let mut source = source;
            if let Some(members) = source.as_object_mut() {
                members.remove("namespace");
            }
            spec.insert("dataSource".into(), source);
        }
        _ => {}
    }
}

/// The type of a secret cannot be taken away.
pub(super) fn update_secret(new: &mut Value, old: &Value) {
    common::update_as_sent(new, old);
    if new.text_at(&["type"]).is_empty() {
        common::keep(new, old, "type");
    }
}

/// An account refers to secrets by name only.
pub(super) fn create_account(new: &mut Value) {
    let secrets = new.as_object_mut().and_then(|account| account.get_mut("secrets")).and_then(Value::items_mut);
    for secret in secrets.into_iter().flatten().filter_map(Value::as_object_mut) {
        secret.retain(|name, _| name == "name");
    }
}

/// The same for a change.
pub(super) fn update_account(new: &mut Value, old: &Value) {
    common::update_as_sent(new, old);
    create_account(new);
}

/// Who asks for a certificate is for the server to say: the caller of this adds it to the spec.
pub(super) fn create_request(new: &mut Value) {
    common::create_without_status(new);
    if let Some(spec) = common::spec(new) {
        for name in ["extra", "groups", "uid", "username"] {
            spec.remove(name);
        }
    }
}

/// A request does not change.
pub(super) fn update_request(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    common::keep(new, old, "spec");
}

/// Decisions do not change through the status. Times that are missing are for the caller to add.
pub(super) fn request_status(new: &mut Value, old: &Value) {
    common::status_keeping_spec(new, old);
    for kind in ["Approved", "Denied"] {
        let is_kind = |condition: &&Value| condition.text_at(&["type"]) == kind;
        let decided = old.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
        let decided: Vec<Value> = decided.iter().filter(is_kind).cloned().collect();
        let now = new.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
        if now.iter().filter(is_kind).count() != decided.len() {
            continue;
        }
        let conditions =
            new.as_object_mut().and_then(|new| new.get_mut("status")?.as_object_mut()?.get_mut("conditions"));
        let conditions = conditions.and_then(Value::items_mut).into_iter().flatten();
        for (slot, known) in conditions.filter(|slot| is_kind(&&**slot)).zip(decided) {
            *slot = known;
        }
    }
}

/// A change through `certificatesigningrequests/approval`: only the conditions change.
pub fn approve_request(new: &mut Value, old: &Value) {
    let conditions = new.at(&["status", "conditions"]).cloned();
    common::keep_generation(new, old);
    common::keep(new, old, "spec");
    common::keep(new, old, "status");
    if let Some(object) = new.as_object_mut() {
        let status = object.object_mut("status");
        match conditions {
            Some(conditions) => status.insert("conditions".into(), conditions),
            None => status.remove("conditions"),
        };
    }
}

/// A group that this server serves itself is available from the start.
pub(super) fn create_api_service(new: &mut Value) {
    common::create_without_status(new);
    if new.at(&["spec", "service"]).is_some() {
        return;
    }
    let created = new.at(&["metadata", "creationTimestamp"]).cloned().unwrap_or(Value::Null);
    let condition = object_of([
        ("type", Value::text("Available")),
        ("status", Value::text("True")),
        ("lastTransitionTime", created),
        ("reason", Value::text("Local")),
        ("message", Value::text("Local APIServices are always available")),
    ]);
    if let Some(object) = new.as_object_mut() {
        object.object_mut("status").insert("conditions".into(), Value::List(vec![condition]));
    }
}

/// Spec and some of the metadata are kept.
pub(super) fn api_service_status(new: &mut Value, old: &Value) {
    common::status_keeping_spec(new, old);
    common::keep_metadata(new, old, &["annotations", "finalizers", "labels", "ownerReferences"]);
}

fn object_of<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}
