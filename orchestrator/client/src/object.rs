//! What many components ask of a tree.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};

use crate::resource::Resource;

/// `metadata.uid`.
#[must_use]
pub fn uid(object: &Value) -> &str {
    object.text_at(&["metadata", "uid"])
}

/// `metadata.name`.
#[must_use]
pub fn name(object: &Value) -> &str {
    object.text_at(&["metadata", "name"])
}

/// `metadata.namespace`.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    object.text_at(&["metadata", "namespace"])
}

/// Whether a deletion has begun.
#[must_use]
pub fn is_ending(object: &Value) -> bool {
    !object.text_at(&["metadata", "deletionTimestamp"]).is_empty()
}

/// The items of a list; none where there is no list.
#[must_use]
pub fn items<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    object.at(path).map_or(&[], Value::items)
}

/// The number at a path, or what stands for an absent one.
#[must_use]
pub fn int(object: &Value, path: &[&str], absent: i64) -> i64 {
    object.at(path).and_then(Value::as_int).unwrap_or(absent)
}

/// The truth at a path; absent is false.
#[must_use]
pub fn flag(object: &Value, path: &[&str]) -> bool {
    object.at(path).and_then(Value::as_bool).unwrap_or(false)
}

/// The point in time at a path.
#[must_use]
pub fn time(object: &Value, path: &[&str]) -> Option<Instant> {
    let text = object.text_at(path);
    let precision = if text.contains('.') { Precision::Micros } else { Precision::Seconds };
    Instant::parse(text, precision).ok()
}

/// The item of a list whose `member` is `text`.
#[must_use]
pub fn named<'a>(list: &'a [Value], member: &str, text: &str) -> Option<&'a Value> {
    list.iter().find(|item| item.text_at(&[member]) == text)
}

/// The condition of a type in the status.
#[must_use]
pub fn condition<'a>(object: &'a Value, of: &str) -> Option<&'a Value> {
    named(items(object, &["status", "conditions"]), "type", of)
}

/// Whether the condition of a type is true.
#[must_use]
pub fn is_true(object: &Value, of: &str) -> bool {
    condition(object, of).is_some_and(|condition| condition.text_at(&["status"]) == "True")
}

/// The owner that controls an object.
#[must_use]
pub fn controller(object: &Value) -> Option<&Value> {
    items(object, &["metadata", "ownerReferences"]).iter().find(|owner| flag(owner, &["controller"]))
}

/// A reference to the owner that controls an object and waits for it when it is deleted in the foreground.
#[must_use]
pub fn controlled_by(resource: &Resource, owner: &Value) -> Value {
    let mut reference = Object::new();
    reference.insert("apiVersion".into(), Value::text(resource.api_version()));
    reference.insert("blockOwnerDeletion".into(), Value::Bool(true));
    reference.insert("controller".into(), Value::Bool(true));
    reference.insert("kind".into(), Value::text(&*resource.kind));
    reference.insert("name".into(), Value::text(name(owner)));
    reference.insert("uid".into(), Value::text(uid(owner)));
    Value::Object(reference)
}

/// Whether a pod neither has finished nor is being deleted.
#[must_use]
pub fn is_active_pod(pod: &Value) -> bool {
    !matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed") && !is_ending(pod)
}

/// Whether a pod is ready.
#[must_use]
pub fn is_ready_pod(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// Whether a pod has been ready for a number of seconds.
///
/// # Errors
/// It has not: with the seconds that are missing if it is ready.
pub fn is_available_pod(pod: &Value, seconds: i64, now: Instant) -> Result<(), Option<i64>> {
    let ready = condition(pod, "Ready").filter(|ready| ready.text_at(&["status"]) == "True").ok_or(None)?;
    if seconds == 0 {
        return Ok(());
    }
    let since = time(ready, &["lastTransitionTime"]).ok_or(None)?;
    let missing = since.seconds.saturating_add(seconds).saturating_sub(now.seconds);
    if missing <= 0 { Ok(()) } else { Err(Some(missing)) }
}
