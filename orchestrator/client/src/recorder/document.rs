//! Event objects.

use std::hash::{DefaultHasher, Hash, Hasher};

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};

use super::Now;
use crate::event::Event;

/// Longest message, in bytes.
const MESSAGE_LIMIT: usize = 1024;
/// What a message that was cut ends with.
const CUT: &str = " ...";
/// Longest name of an object.
const NAME_LIMIT: usize = 253;

/// What upstream's callers pass as action of an event in the new style, by reason.
const ACTIONS: [(&str, &str); 4] = [
    ("BindingConditionsPending", "Scheduling"),
    ("FailedScheduling", "Scheduling"),
    ("Preempted", "Preempting"),
    ("Scheduled", "Binding"),
];

/// Sets a text unless it is empty.
pub(super) fn set(object: &mut Object, name: &'static str, text: &str) {
    if !text.is_empty() {
        object.insert(name.into(), Value::text(text));
    }
}

/// What both styles have in common: metadata, the object in question, type, reason and message.
pub(super) fn common(event: &Event, now: Now) -> Object {
    let mut document = Object::new();
    document.insert("apiVersion".into(), Value::text("v1"));
    document.insert("kind".into(), Value::text("Event"));
    let subject = event.regarding.text_at(&["metadata", "name"]);
    let namespace = event.regarding.text_at(&["metadata", "namespace"]);
    let metadata = document.object_mut("metadata");
    metadata.insert("name".into(), Value::text(name(subject, now)));
    // Events about objects of the cluster lie in the namespace `default`.
    metadata.insert("namespace".into(), Value::text(if namespace.is_empty() { "default" } else { namespace }));
    document.insert("involvedObject".into(), reference(event));
    set(&mut document, "type", event.kind);
    set(&mut document, "reason", event.reason);
    set(&mut document, "message", &cut(&event.message));
    document
}

/// Name of an event: that of its object and the time in hexadecimal, or a number that nobody else has where that would be
/// no name.
pub(super) fn name(subject: &str, now: Now) -> String {
    let name = format!("{subject}.{:x}", now.unix_nanos);
    if is_subdomain(&name) {
        return name;
    }
    let high = hash(subject);
    let low = now.unix_nanos;
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

/// Action of an event in the new style, where it must not be empty.
pub(super) fn action(reason: &'static str) -> &'static str {
    ACTIONS.iter().find(|(of, _)| *of == reason).map_or(reason, |(_, action)| action)
}

/// The time as `metav1.Time` or `metav1.MicroTime`.
pub(super) fn time(now: Now, precision: Precision) -> Value {
    let seconds = i64::try_from(now.unix_nanos / 1_000_000_000).unwrap_or_default();
    let micros = u32::try_from(now.unix_nanos / 1_000 % 1_000_000).unwrap_or_default();
    Value::text(Instant { seconds, micros }.print(precision))
}

/// A short stand-in for what events are told apart by; collisions only merge two events.
pub(super) fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn reference(event: &Event) -> Value {
    let object = &event.regarding;
    let mut reference = Object::new();
    set(&mut reference, "apiVersion", object.text_at(&["apiVersion"]));
    set(&mut reference, "kind", object.text_at(&["kind"]));
    for member in ["name", "namespace", "resourceVersion", "uid"] {
        set(&mut reference, member, object.text_at(&["metadata", member]));
    }
    set(&mut reference, "fieldPath", &event.field_path);
    Value::Object(reference)
}

fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_LIMIT {
        return message.to_owned();
    }
    let kept = message.get(..message.floor_char_boundary(MESSAGE_LIMIT - CUT.len())).unwrap_or_default();
    format!("{kept}{CUT}")
}

fn is_subdomain(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let part = |part: &str| {
        let bytes = part.as_bytes();
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| edge(Some(byte)) || *byte == b'-')
    };
    name.len() <= NAME_LIMIT && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cut, name};
    use crate::recorder::Now;

    #[test]
    fn names_are_names() {
        let now = Now { unix_nanos: 0x17c8_1f2e_3d4c_5b6a, since_start: Duration::ZERO };
        assert_eq!(name("web-1", now), "web-1.17c81f2e3d4c5b6a");
        assert_eq!(name("a.b", now), "a.b.17c81f2e3d4c5b6a");
        for odd in ["system:node", "UPPER", "", "-a", &"a".repeat(250)] {
            let name = name(odd, now);
            assert_eq!(name.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{odd}: {name}");
            assert!(name.ends_with("-17c8-1f2e3d4c5b6a"), "{odd}: {name}");
        }
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(cut(&"x".repeat(1024)).len(), 1024);
        let long = cut(&"x".repeat(1025));
        assert_eq!((long.len(), long.ends_with("x ...")), (1024, true));
        let wide = cut(&"ü".repeat(1000));
        assert!(wide.len() <= 1024 && wide.ends_with("ü ..."));
    }
}
