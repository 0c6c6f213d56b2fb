//! Empties namespaces that are being deleted.
//!
//! First the pods, then everything else, then the finalizer of the namespace. Conditions, wording and estimates:
//! kubernetes v1.37.2, pkg/controller/namespace/deletion.

mod conditions;
mod content;
#[cfg(test)]
mod tests;

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_client::object::{is_ending, items, name};
use coracle_client::resources::NAMESPACES;
use coracle_client::{Change, View, Write};

use crate::controller::{Controller, Key, Plan, Round, Step, Watches};
use conditions::Findings;
use content::Content;

/// Deletes the content of ending namespaces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Namespaces;

/// Upstream's number of workers.
const AT_ONCE: usize = 10;

/// The finalizer that stands for the content of a namespace.
const FINALIZER: &str = "kubernetes";

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Everything(keys)
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        match view.get(&NAMESPACES, "", &key.name) {
            Some(namespace) if is_ending(&namespace) && is_held(&namespace) => empty(view, &namespace, round),
            _ => Plan::nothing(),
        }
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}

fn is_held(namespace: &Value) -> bool {
    items(namespace, &["spec", "finalizers"]).iter().any(|item| item.as_str() == Some(FINALIZER))
}

/// A namespace that ends, and the one around an object that came, went, began to end or lost a finalizer.
fn keys(view: &View, change: &Change) -> Vec<Key> {
    let place = if change.resource.is(&NAMESPACES) { change.name() } else { change.namespace() };
    let is_news = change.resource.is(&NAMESPACES) || has_moved(change);
    let is_ending_place = || view.get(&NAMESPACES, "", place).is_some_and(|namespace| is_ending(&namespace));
    if !place.is_empty() && is_news && is_ending_place() { vec![Key::new("", place)] } else { Vec::new() }
}

fn has_moved(change: &Change) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    ["deletionTimestamp", "finalizers", "uid"].iter().any(|member| {
        let path = ["metadata", member];
        old.at(&path) != new.at(&path)
    })
}

fn empty(view: &View, namespace: &Value, round: &Round<'_>) -> Plan {
    let mut plan = Plan::nothing();
    if namespace.text_at(&["status", "phase"]) != "Terminating" {
        plan.step(written(Write::status(&NAMESPACES, conditions::terminating(namespace))));
        return plan;
    }
    let content = Content::of(view, name(namespace));
    let failure = round.failure.filter(|failure| !content.deletions().is_empty() && !is_of_namespace(failure));
    if failure.is_none() && !content.deletions().is_empty() {
        plan.actions = content.deletions_in_turn(round.now);
        return plan;
    }
    let estimate = content.seconds_left(namespace, round.now);
    let mut findings = Findings::default();
    findings.errors.extend(failure.map(|failure| failure.message.clone()));
    findings.errors.extend(content.unexpected(name(namespace), estimate));
    if !content.is_pods() {
        // While there are pods upstream does not count what remains.
        findings.remaining = content.remaining();
        findings.finalizers = content.finalizers();
    }
    if let Some(told) = findings.tell(namespace, round.now) {
        plan.step(written(Write::status(&NAMESPACES, told)));
    } else if content.is_empty() {
        plan.step(written(Write::update(&NAMESPACES, finalized(namespace)).at("finalize")));
    }
    if estimate > 0 {
        // Nothing changes when the time is over, but the conditions do.
        plan.again_after(Duration::from_secs(estimate.unsigned_abs()));
    }
    plan
}

fn written(write: Write) -> Step {
    Step::new(write).fine(&["NotFound"])
}

/// Whether a failure comes from a write of the namespace itself.
fn is_of_namespace(failure: &Status) -> bool {
    failure.details.as_ref().is_some_and(|details| matches!(&*details.kind, "namespaces" | "Namespace"))
}

fn finalized(namespace: &Value) -> Value {
    let mut namespace = namespace.clone();
    let mut kept: Vec<_> = items(&namespace, &["spec", "finalizers"]).to_vec();
    kept.retain(|item| item.as_str() != Some(FINALIZER));
    kept.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
    kept.dedup();
    if let Some(members) = namespace.as_object_mut() {
        let spec = members.object_mut("spec");
        if kept.is_empty() {
            spec.remove("finalizers");
        } else {
            spec.insert("finalizers".into(), Value::List(kept));
        }
    }
    namespace
}
