//! The pieces that most kinds are made of.

use coracle_apimachinery::{Object, Value};

/// Members of the metadata that a change of the status leaves alone.
const FIXED_FOR_STATUS: [&str; 7] =
    ["annotations", "deletionTimestamp", "finalizers", "generation", "labels", "ownerReferences", "selfLink"];

/// Nothing is prepared.
pub(super) fn create_as_sent(_: &mut Value) {}

/// The status is for others to write.
pub(super) fn create_without_status(new: &mut Value) {
    if let Some(object) = new.as_object_mut() {
        object.remove("status");
    }
}

/// The first generation.
pub(super) fn create_first_generation(new: &mut Value) {
    set_generation(new, 1);
}

/// The first generation, without status.
pub(super) fn create_first_generation_without_status(new: &mut Value) {
    create_without_status(new);
    set_generation(new, 1);
}

/// Only the generation is kept.
pub(super) fn update_as_sent(new: &mut Value, old: &Value) {
    keep_generation(new, old);
}

/// The status is kept.
pub(super) fn update_keeping_status(new: &mut Value, old: &Value) {
    keep_generation(new, old);
    keep(new, old, "status");
}

/// The generation counts changes of the spec.
pub(super) fn update_counting_spec(new: &mut Value, old: &Value) {
    keep_generation(new, old);
    count_changes(new, old, &["spec"]);
}

/// The status is kept, the generation counts changes of the spec.
pub(super) fn update_keeping_status_counting_spec(new: &mut Value, old: &Value) {
    update_keeping_status(new, old);
    count_changes(new, old, &["spec"]);
}

/// The generation counts changes of the webhooks.
pub(super) fn update_counting_webhooks(new: &mut Value, old: &Value) {
    keep_generation(new, old);
    count_changes(new, old, &["webhooks"]);
}

/// The spec is kept.
pub(super) fn status_keeping_spec(new: &mut Value, old: &Value) {
    keep_generation(new, old);
    keep(new, old, "spec");
}

/// Spec and labels are kept.
pub(super) fn status_keeping_spec_and_labels(new: &mut Value, old: &Value) {
    status_keeping_spec(new, old);
    keep_metadata(new, old, &["labels"]);
}

/// The spec and what matters of the metadata is kept.
pub(super) fn status_keeping_spec_and_metadata(new: &mut Value, old: &Value) {
    status_keeping_spec(new, old);
    keep_metadata(new, old, &FIXED_FOR_STATUS);
}

/// Spec and metadata are kept as a whole.
pub(super) fn status_keeping_all_else(new: &mut Value, old: &Value) {
    keep(new, old, "spec");
    keep(new, old, "metadata");
}

/// Removal at once.
pub(super) fn no_grace(_: &Value, _: Option<i64>) -> Option<i64> {
    None
}

/// Takes a member from the old object.
pub(super) fn keep(new: &mut Value, old: &Value, name: &'static str) {
    let Some(object) = new.as_object_mut() else { return };
    match old.at(&[name]) {
        Some(value) => object.insert(name.into(), value.clone()),
        None => object.remove(name),
    };
}

/// Takes members of the metadata from the old object.
pub(super) fn keep_metadata(new: &mut Value, old: &Value, names: &[&'static str]) {
    let Some(metadata) = metadata(new) else { return };
    for name in names {
        match old.at(&["metadata", name]) {
            Some(value) => metadata.insert((*name).into(), value.clone()),
            None => metadata.remove(name),
        };
    }
}

/// Clients cannot set the generation.
pub(super) fn keep_generation(new: &mut Value, old: &Value) {
    keep_metadata(new, old, &["generation"]);
}

/// Counts the generation up if one of these members changed.
pub(super) fn count_changes(new: &mut Value, old: &Value, names: &[&str]) {
    if names.iter().any(|name| !same(new.at(&[name]), old.at(&[name]))) {
        next_generation(new, old);
    }
}

/// Counts the generation up.
pub(super) fn next_generation(new: &mut Value, old: &Value) {
    set_generation(new, old.at(&["metadata", "generation"]).and_then(Value::as_int).unwrap_or_default() + 1);
}

pub(super) fn set_generation(new: &mut Value, generation: i64) {
    if let Some(metadata) = metadata(new) {
        metadata.insert("generation".into(), Value::Int(generation));
    }
}

/// Whether two values mean the same; an empty one means the same as none.
pub(super) fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left == right,
        (Some(one), None) | (None, Some(one)) => matches!(one, Value::List(_) | Value::Object(_)) && one.is_empty(),
        (None, None) => true,
    }
}

/// The metadata for changing it.
pub(super) fn metadata(new: &mut Value) -> Option<&mut Object> {
    new.as_object_mut().map(|object| object.object_mut("metadata"))
}

/// The spec for changing it, if there is one.
pub(super) fn spec(new: &mut Value) -> Option<&mut Object> {
    new.as_object_mut()?.get_mut("spec")?.as_object_mut()
}
