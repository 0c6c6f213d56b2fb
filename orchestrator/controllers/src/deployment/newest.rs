//! The ReplicaSet of a Deployment's own template.

use std::ops::ControlFlow;

use coracle_apimachinery::{Object, Value};
use coracle_client::object::{controlled_by, controller, int, is_ending, name, namespace, uid};
use coracle_client::resources::{DEPLOYMENTS, NAMESPACES, REPLICA_SETS};

use super::rollout::{Rollout, Set};
use super::{bounds, conditions, hash, progress, revision, rolling};
use crate::execute::is_of_ending_namespace;
use crate::trees::{annotation, set_count, within};

/// Reason of the event and of the condition that a set cannot be made.
pub(super) const CREATE_ERROR: &str = "ReplicaSetCreateError";

/// The longest name that an object can have.
const LONGEST_NAME: usize = 253;

/// Keeps the newest set, if there is one, in step with the Deployment, and the Deployment with its revision.
pub(super) fn follow(rollout: &mut Rollout<'_>) {
    let Some(at) = rollout.newest else { return };
    let revision = next_revision(rollout);
    let (deployment, now) = (&rollout.deployment, rollout.now);
    let Some(set) = rollout.sets.get_mut(at) else { return };
    if let Some(annotations) = set.annotations() {
        revision::annotate(deployment, annotations, revision);
    }
    let seconds = int(deployment, &["spec", "minReadySeconds"], 0);
    if seconds != int(&set.tree, &["spec", "minReadySeconds"], 0)
        && let Some(spec) = within(&mut set.tree, &["spec"])
    {
        set_count(spec, "minReadySeconds", seconds);
    }
    let revision = annotation(&set.tree, revision::REVISION).unwrap_or_default().to_owned();
    let found = format!("Found new replica set \"{}\"", name(&set.tree));
    rollout.touch(at);
    if annotation(&rollout.deployment, revision::REVISION).unwrap_or_default() != revision {
        rollout.annotate(revision::REVISION, &revision);
    }
    let has_deadline = progress::deadline(&rollout.deployment).is_some();
    if has_deadline
        && let Some(status) = rollout.status()
        && conditions::get(status, conditions::PROGRESSING).is_none()
    {
        conditions::set(status, conditions::new(conditions::PROGRESSING, "True", "FoundNewReplicaSet", found, now));
    }
}

/// Makes the newest set if there is none. Breaks where the plan must end with that.
pub(super) fn ensure(rollout: &mut Rollout<'_>) -> ControlFlow<()> {
    if rollout.newest.is_some() {
        return ControlFlow::Continue(());
    }
    let set = made(rollout);
    let deployment = &rollout.deployment;
    if let Some(other) = rollout.view.get(&REPLICA_SETS, namespace(&set), name(&set)) {
        collide(rollout, &other);
        return ControlFlow::Break(());
    }
    // A namespace that goes away refuses everything new.
    if rollout.view.get(&NAMESPACES, "", namespace(deployment)).is_some_and(|namespace| is_ending(&namespace)) {
        return ControlFlow::Break(());
    }
    if let Some(message) = failure_message(rollout, &set) {
        note(rollout, "False", CREATE_ERROR, message);
        return ControlFlow::Break(());
    }
    let created = format!("Created new replica set \"{}\"", name(&set));
    let revision = annotation(&set, revision::REVISION).unwrap_or_default().to_owned();
    rollout.add(set);
    rollout.annotate(revision::REVISION, &revision);
    note(rollout, "True", "NewReplicaSetCreated", created);
    progress::sync(rollout);
    ControlFlow::Break(())
}

/// What is said when a set cannot be made.
pub(super) fn failed(set: &Value, why: &str) -> String {
    format!("Failed to create new replica set \"{}\": {why}", name(set))
}

/// The message for the condition, if the plan before failed to make the set.
fn failure_message(rollout: &Rollout<'_>, set: &Value) -> Option<String> {
    let failure = rollout.failure?;
    let about_deployment = failure.details.as_ref().is_some_and(|about| about.kind == DEPLOYMENTS.plural);
    let lost_race = matches!(&*failure.reason, "Conflict" | "AlreadyExists");
    (!about_deployment && !lost_race && !is_of_ending_namespace(failure)).then(|| failed(set, &failure.message))
}

fn note(rollout: &mut Rollout<'_>, truth: &str, reason: &str, message: String) {
    let (deadline, now) = (progress::deadline(&rollout.deployment), rollout.now);
    if deadline.is_some()
        && let Some(status) = rollout.status()
    {
        conditions::set(status, conditions::new(conditions::PROGRESSING, truth, reason, message, now));
    }
}

/// Another set has the name. The number of collisions becomes part of the next name. A set that is ours in everything
/// but its labels is being released and leaves the name to us or collides the next time.
fn collide(rollout: &mut Rollout<'_>, other: &Value) {
    let template = |object: &Value| object.at(&["spec", "template"]).cloned().unwrap_or(Value::Null);
    let is_ours = controller(other).is_some_and(|owner| owner.text_at(&["uid"]) == uid(&rollout.deployment));
    if is_ours && hash::same_template(&template(other), &template(&rollout.deployment)) {
        return;
    }
    let collisions = int(&rollout.deployment, &["status", "collisionCount"], 0);
    if let Some(status) = rollout.status() {
        status.insert("collisionCount".into(), Value::Int(collisions + 1));
    }
}

fn next_revision(rollout: &Rollout<'_>) -> i64 {
    let old = rollout.old().filter_map(|at| rollout.sets.get(at)).map(|set: &Set| &set.tree);
    revision::highest(old).saturating_add(1)
}

/// The set that is missing.
fn made(rollout: &Rollout<'_>) -> Value {
    let deployment = &rollout.deployment;
    let mut template = deployment.at(&["spec", "template"]).cloned().unwrap_or(Value::Null);
    let hash = hash::of(&template, deployment.at(&["status", "collisionCount"]).and_then(Value::as_int));
    let mut labels = Value::Null;
    if let Some(metadata) = within(&mut template, &["metadata"]) {
        metadata.object_mut("labels").insert(hash::LABEL.into(), Value::text(&*hash));
        labels = metadata.get("labels").cloned().unwrap_or(Value::Null);
    }
    let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or(Value::Null);
    if let Some(selected) = within(&mut selector, &["matchLabels"]) {
        selected.insert(hash::LABEL.into(), Value::text(&*hash));
    }
    let size = match bounds::strategy(deployment) {
        bounds::ROLLING_UPDATE => rolling::room(rollout, 0),
        _ => bounds::desired(deployment),
    };
    let mut set = Object::new();
    set.insert("apiVersion".into(), Value::text(REPLICA_SETS.api_version()));
    set.insert("kind".into(), Value::text(&*REPLICA_SETS.kind));
    let metadata = set.object_mut("metadata");
    metadata.insert("labels".into(), labels);
    metadata.insert("name".into(), Value::text(set_name(name(deployment), &hash)));
    metadata.insert("namespace".into(), Value::text(namespace(deployment)));
    metadata.insert("ownerReferences".into(), Value::List(vec![controlled_by(&DEPLOYMENTS, deployment)]));
    let annotations = metadata.object_mut("annotations");
    revision::annotate(deployment, annotations, next_revision(rollout));
    revision::note_size(deployment, annotations);
    let spec = set.object_mut("spec");
    set_count(spec, "minReadySeconds", int(deployment, &["spec", "minReadySeconds"], 0));
    spec.insert("replicas".into(), Value::Int(size));
    spec.insert("selector".into(), selector);
    spec.insert("template".into(), template);
    Value::Object(set)
}

/// The name of a set, cut where it would be too long.
fn set_name(deployment: &str, hash: &str) -> String {
    let longest = LONGEST_NAME.saturating_sub(hash.len() + 1);
    format!("{}-{hash}", deployment.get(..longest).unwrap_or(deployment))
}
