//! Making and deleting the pods of a ReplicaSet, and what is told of it.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object, Value};
use coracle_client::Write;
use coracle_client::event::Event;
use coracle_client::object::{controlled_by, name, namespace};
use coracle_client::resources::{PODS, REPLICA_SETS};

use crate::controller::Step;
use crate::execute::is_of_ending_namespace;

/// The longest name that an object can have.
const LONGEST_NAME: usize = 253;

/// Makes a pod of the template.
pub(super) fn create(set: &Arc<Value>) -> Step {
    Step::new(Write::create(&PODS, pod(set)))
        .on_success(Event::normal(set, "SuccessfulCreate", "Created pod: {name}"))
        .on_failure(Event::warning(set, "FailedCreate", "Error creating: {error}"))
}

/// Deletes a pod. One that is gone already is no failure.
pub(super) fn delete(set: &Arc<Value>, pod: &Value) -> Step {
    Step::new(Write::delete(&PODS, pod))
        .fine(&["NotFound"])
        .on_success(Event::normal(set, "SuccessfulDelete", format!("Deleted pod: {}", name(pod))))
        .on_failure(Event::warning(set, "FailedDelete", "Error deleting: {error}"))
}

/// Reason and message of the condition that a failure of the plan before leads to. That is one only if it was about
/// pods: the status can also fail to be written, and lost races are no failures.
pub(super) fn failed(failure: &Status, surplus: i64) -> Option<(&'static str, String)> {
    let about_set = failure.details.as_ref().is_some_and(|about| about.kind == REPLICA_SETS.plural);
    if about_set || failure.reason == "Conflict" || is_of_ending_namespace(failure) {
        return None;
    }
    match surplus {
        0 => None,
        ..0 => Some(("FailedCreate", failure.message.clone())),
        _ => Some(("FailedDelete", format!("unable to delete pods: {}", failure.message))),
    }
}

fn pod(set: &Value) -> Value {
    let template = |path: &[&str]| set.at(&["spec", "template"]).and_then(|template| template.at(path)).cloned();
    let mut pod = Object::new();
    pod.insert("apiVersion".into(), Value::text(PODS.api_version()));
    pod.insert("kind".into(), Value::text(&*PODS.kind));
    if let Some(spec) = template(&["spec"]) {
        pod.insert("spec".into(), spec);
    }
    let metadata = pod.object_mut("metadata");
    for member in ["annotations", "finalizers", "labels"] {
        if let Some(value) = template(&["metadata", member]) {
            metadata.insert(member.into(), value);
        }
    }
    metadata.insert("generateName".into(), Value::text(prefix(name(set))));
    metadata.insert("namespace".into(), Value::text(namespace(set)));
    metadata.insert("ownerReferences".into(), Value::List(vec![controlled_by(&REPLICA_SETS, set)]));
    Value::Object(pod)
}

/// What the names of pods begin with: a dash is added where that still leaves a valid name.
fn prefix(name: &str) -> String {
    if name.len() < LONGEST_NAME { format!("{name}-") } else { name.to_owned() }
}
