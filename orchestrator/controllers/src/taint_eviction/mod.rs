//! Deletes pods that do not tolerate the taints of their node, or no longer.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod tolerations;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::event::Event;
use coracle_client::object::{condition, int, is_ending, name, namespace, uid};
use coracle_client::resources::{NODES, PODS};
use coracle_client::{Change, PatchKind, View, Write};

use crate::controller::{Controller, Key, Plan, Round, Step, Watches};
use tolerations::{Stay, driving, stay};

/// Reason of both events.
const REASON: &str = "TaintManagerEviction";
/// Keys with this resource are for the event about a pod that may stay after all.
const CANCELLED: &str = "Cancelling";
/// Reason of the condition of a pod that is deleted here.
const DELETION: &str = "DeletionByTaintManager";

/// Deletes pods because of taints.
#[derive(Debug, Default)]
pub struct TaintEviction {
    /// When taints without a time were first seen: `kubectl taint` gives none, and the time must not begin anew with each
    /// look. After a restart it does, as upstream's.
    seen: Mutex<BTreeMap<(String, String), Instant>>,
}

impl Controller for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&PODS, keys_of_pod), (&NODES, keys_of_node)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if key.resource == CANCELLED {
            plan.tell(event(key, "Cancelling deletion of"));
            return plan;
        }
        let Some(pod) = view.get(&PODS, &key.namespace, &key.name).filter(|pod| !is_ending(pod)) else { return plan };
        let node = view.get(&NODES, "", pod.text_at(&["spec", "nodeName"]));
        let taints = node.map(|node| self.timed(&node, round.now)).unwrap_or_default();
        match stay(&pod, &taints.iter().collect::<Vec<_>>(), round.now).left(round.now) {
            None => {}
            Some(left) if !left.is_zero() => plan.again_after(left),
            Some(_) => evict(&pod, key, round.now, &mut plan),
        }
        plan
    }
}

impl TaintEviction {
    /// The taints of a node that drive pods away, all with a time.
    fn timed(&self, node: &Value, now: Instant) -> Vec<Value> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taints: Vec<Value> = driving(node).into_iter().cloned().collect();
        let of = |taint: &Value| {
            let text = |member| taint.text_at(&[member]);
            (uid(node).to_owned(), format!("{}={}", text("key"), text("value")))
        };
        let timeless = |taint: &Value| taint.at(&["timeAdded"]).is_none();
        let present: Vec<_> = taints.iter().filter(|taint| timeless(taint)).map(of).collect();
        seen.retain(|known, _| known.0 != uid(node) || present.contains(known));
        for taint in taints.iter_mut().filter(|taint| timeless(taint)) {
            let since = seen.entry(of(taint)).or_insert(now).print(Precision::Micros);
            if let Some(taint) = taint.as_object_mut() {
                taint.insert("timeAdded".into(), Value::text(since));
            }
        }
        taints
    }
}

/// How long a pod may stay where it is.
fn stay_on_node(view: &View, pod: &Value, now: Instant) -> Stay {
    let node = pod.text_at(&["spec", "nodeName"]);
    let node = Some(node).filter(|node| !node.is_empty()).and_then(|node| view.get(&NODES, "", node));
    node.map_or(Stay::Forever, |node| stay(pod, &driving(&node), now))
}

fn evict(pod: &Arc<Value>, key: &Key, now: Instant, plan: &mut Plan) {
    plan.tell(event(key, "Marking for deletion"));
    if let Some(patch) = disruption(pod, now) {
        let write = Write::patch(&PODS, pod, PatchKind::Strategic, patch).at("status");
        plan.step(Step::new(write).fine(&["NotFound"]));
    }
    plan.step(Step::new(Write::delete(&PODS, pod)).fine(&["NotFound"]));
}

/// The patch that says why the pod is deleted, unless it says so already.
fn disruption(pod: &Value, now: Instant) -> Option<Value> {
    let message = "Taint manager: deleting due to NoExecute taint";
    let known = condition(pod, "DisruptionTarget");
    let is_true = known.is_some_and(|known| known.text_at(&["status"]) == "True");
    if let Some(known) = known.filter(|_| is_true)
        && (known.text_at(&["reason"]), known.text_at(&["message"])) == (DELETION, message)
    {
        return None;
    }
    let since = known.filter(|_| is_true).map(|known| known.text_at(&["lastTransitionTime"]).to_owned());
    let since = since.filter(|since| !since.is_empty()).unwrap_or_else(|| now.print(Precision::Seconds));
    let mut condition = Object::new();
    for (member, text) in [
        ("type", "DisruptionTarget"),
        ("status", "True"),
        ("reason", DELETION),
        ("message", message),
        ("lastTransitionTime", &since),
    ] {
        condition.insert(member.into(), Value::text(text));
    }
    let generation = int(pod, &["metadata", "generation"], 0);
    if generation > 0 {
        condition.insert("observedGeneration".into(), Value::Int(generation));
    }
    let mut patch = Object::new();
    patch.object_mut("metadata").insert("uid".into(), Value::text(uid(pod)));
    patch.object_mut("status").insert("conditions".into(), Value::List(vec![Value::Object(condition)]));
    Some(Value::Object(patch))
}

/// An event about a pod that may be gone: it is known by its name alone.
fn event(key: &Key, what: &str) -> Event {
    let mut pod = Object::new();
    pod.insert("apiVersion".into(), Value::text("v1"));
    pod.insert("kind".into(), Value::text("Pod"));
    let metadata = pod.object_mut("metadata");
    metadata.insert("name".into(), Value::text(&*key.name));
    metadata.insert("namespace".into(), Value::text(&*key.namespace));
    let message = format!("{what} Pod {}/{}", key.namespace, key.name);
    Event::normal(&Arc::new(Value::Object(pod)), REASON, message)
}

/// The pod if its node or its tolerations are new.
fn keys_of_pod(view: &View, change: &Change) -> Vec<Key> {
    let facts = |pod: &Value| {
        let spec = |member| pod.at(&["spec", member]).cloned();
        (spec("nodeName"), spec("tolerations"))
    };
    let old = change.old.as_deref();
    let new = change.new.as_deref();
    if old.map(facts) == new.map(facts) {
        return Vec::new();
    }
    let is_limited = |pod: &Value| stay_on_node(view, pod, EPOCH).is_limited();
    // A pod that was deleted from here was not spared.
    let is_evicted = |pod: &Value| {
        let reason = condition(pod, "DisruptionTarget").map(|condition| condition.text_at(&["reason"]));
        reason == Some(DELETION)
    };
    let was = old.is_some_and(|old| is_limited(old) && !is_evicted(old));
    keys(change.object(), new.is_some(), was && !new.is_some_and(is_limited))
}

/// The pods of a node if its taints are new.
fn keys_of_node(view: &View, change: &Change) -> Vec<Key> {
    let (old, new) = (taints_of(change.old.as_deref()), taints_of(change.new.as_deref()));
    if old == new {
        return Vec::new();
    }
    let is_limited = |pod: &Value, taints: &[&Value]| stay(pod, taints, EPOCH).is_limited();
    let pods = view.pods_on(change.name());
    let of_pod = |pod: &Arc<Value>| keys(pod, true, is_limited(pod, &old) && !is_limited(pod, &new) && !is_ending(pod));
    pods.iter().flat_map(of_pod).collect()
}

fn taints_of(node: Option<&Value>) -> Vec<&Value> {
    node.map(driving).unwrap_or_default()
}

/// Whether an end is set does not depend on the time.
const EPOCH: Instant = Instant { seconds: 0, micros: 0 };

fn keys(pod: &Value, is_there: bool, cancelled: bool) -> Vec<Key> {
    let key = Key::new(namespace(pod), name(pod));
    let cancelled = cancelled.then(|| Key { resource: CANCELLED.to_owned(), ..key.clone() });
    cancelled.into_iter().chain(is_there.then_some(key)).collect()
}
