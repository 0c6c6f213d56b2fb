//! What the status of an ending namespace says.

use std::collections::BTreeMap;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::object::items;

/// What was found in a namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Findings {
    /// Why content could not be deleted.
    pub(super) errors: Vec<String>,
    /// How many objects there are of each resource.
    pub(super) remaining: BTreeMap<String, usize>,
    /// How many objects wait for each finalizer.
    pub(super) finalizers: BTreeMap<String, usize>,
}

/// One sort of condition: its type, and what it says when all is well.
struct Sort {
    of: &'static str,
    reason: &'static str,
    message: &'static str,
    /// Reason and message when it is not.
    trouble: fn(&Findings) -> Option<(&'static str, String)>,
}

/// In the order in which they stand in the status. Discovery never fails: the controller lives where the kinds are.
const SORTS: [Sort; 5] = [
    Sort {
        of: "NamespaceDeletionDiscoveryFailure",
        reason: "ResourcesDiscovered",
        message: "All resources successfully discovered",
        trouble: |_| None,
    },
    Sort {
        of: "NamespaceDeletionGroupVersionParsingFailure",
        reason: "ParsedGroupVersions",
        message: "All legacy kube types successfully parsed",
        trouble: |_| None,
    },
    Sort {
        of: "NamespaceDeletionContentFailure",
        reason: "ContentDeleted",
        message: "All content successfully deleted, may be waiting on finalization",
        trouble: |found| {
            let mut errors = found.errors.clone();
            errors.sort();
            let message =
                format!("Failed to delete all resource types, {} remaining: {}", errors.len(), errors.join(", "));
            (!errors.is_empty()).then_some(("ContentDeletionFailed", message))
        },
    },
    Sort {
        of: "NamespaceContentRemaining",
        reason: "ContentRemoved",
        message: "All content successfully removed",
        trouble: |found| {
            let each = |resource: &str, count| format!("{resource} has {count} resource instances");
            let message = format!("Some resources are remaining: {}", list(&found.remaining, each));
            (!found.remaining.is_empty()).then_some(("SomeResourcesRemain", message))
        },
    },
    Sort {
        of: "NamespaceFinalizersRemaining",
        reason: "ContentHasNoFinalizers",
        message: "All content-preserving finalizers finished",
        trouble: |found| {
            let each = |finalizer: &str, count| format!("{finalizer} in {count} resource instances");
            let list = list(&found.finalizers, each);
            let message = format!("Some content in the namespace has finalizers remaining: {list}");
            (!found.finalizers.is_empty()).then_some(("SomeFinalizersRemain", message))
        },
    },
];

/// Sorted by the whole text, as upstream does.
fn list(counts: &BTreeMap<String, usize>, each: fn(&str, usize) -> String) -> String {
    let mut texts: Vec<_> = counts.iter().map(|(name, count)| each(name, *count)).collect();
    texts.sort();
    texts.join(", ")
}

impl Findings {
    /// The namespace with conditions that tell of this, if it does not have them already.
    pub(super) fn tell(&self, namespace: &Value, now: Instant) -> Option<Value> {
        let old = items(namespace, &["status", "conditions"]);
        let mut conditions = old.to_vec();
        for sort in &SORTS {
            let trouble = (sort.trouble)(self);
            let status = if trouble.is_some() { "True" } else { "False" };
            let (reason, message) = trouble.unwrap_or_else(|| (sort.reason, sort.message.to_owned()));
            let known = conditions.iter_mut().find(|condition| condition.text_at(&["type"]) == sort.of);
            match known.and_then(Value::as_object_mut) {
                Some(known) => {
                    if known.get("status").and_then(Value::as_str) != Some(status) {
                        known.insert("lastTransitionTime".into(), Value::text(now.print(Precision::Seconds)));
                    }
                    known.extend([("message", message.as_str()), ("reason", reason), ("status", status)]);
                }
                None => {
                    let mut made = Object::new();
                    let time = now.print(Precision::Seconds);
                    made.extend([("lastTransitionTime", &*time), ("message", &message), ("reason", reason)]);
                    made.extend([("status", status), ("type", sort.of)]);
                    conditions.push(Value::Object(made));
                }
            }
        }
        (conditions != old).then(|| with_status(namespace, "conditions", Value::List(conditions)))
    }
}

/// Sets texts.
trait Extend {
    fn extend<const COUNT: usize>(&mut self, members: [(&'static str, &str); COUNT]);
}

impl Extend for Object {
    fn extend<const COUNT: usize>(&mut self, members: [(&'static str, &str); COUNT]) {
        for (name, text) in members {
            self.insert(name.into(), Value::text(text));
        }
    }
}

/// The namespace in the phase of its deletion.
pub(super) fn terminating(namespace: &Value) -> Value {
    with_status(namespace, "phase", Value::text("Terminating"))
}

fn with_status(namespace: &Value, member: &'static str, value: Value) -> Value {
    let mut namespace = namespace.clone();
    if let Some(members) = namespace.as_object_mut() {
        members.object_mut("status").insert(member.into(), value);
    }
    namespace
}
