//! What the scheduler writes about a pod.

use std::sync::Arc;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::event::Event;
use coracle_client::object::{condition, int, name, namespace, uid};
use coracle_client::resources::{PERSISTENT_VOLUME_CLAIMS, PODS};
use coracle_client::{PatchKind, Write};

use crate::controller::{Plan, Step};

use super::message::note;
use super::volumes::SELECTED_NODE;

const SCHEDULED: &str = "PodScheduled";
const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

/// What becomes of the node that was promised to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nomination<'a> {
    Keep,
    Clear,
    Set(&'a str),
}

/// What a condition says besides its type and times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Says<'a> {
    pub(super) of: &'static str,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: &'a str,
}

/// The pod may not be placed yet. The API server says so when the pod is made; this is for pods of which the condition
/// was lost.
pub(super) fn gated(pod: &Arc<Value>, now: Instant) -> Plan {
    let mut plan = Plan::nothing();
    if condition(pod, SCHEDULED).is_none_or(|known| known.text_at(&["reason"]) != "SchedulingGated") {
        let says = Says { of: SCHEDULED, status: "False", reason: "SchedulingGated", message: GATED };
        plan.actions.extend(patch(pod, Some(says), Nomination::Keep, now).map(|write| action(Step::new(write))));
    }
    plan
}

/// No node is good.
pub(super) fn unschedulable(pod: &Arc<Value>, message: &str, nomination: Nomination<'_>, now: Instant) -> Plan {
    not_scheduled(pod, "Unschedulable", message, nomination, now)
}

/// The pod could not be bound.
pub(super) fn failed(pod: &Arc<Value>, failure: &str, now: Instant) -> Plan {
    let message = format!("running Bind plugin \"DefaultBinder\": {failure}");
    not_scheduled(pod, "SchedulerError", &message, Nomination::Clear, now)
}

fn not_scheduled(
    pod: &Arc<Value>,
    reason: &'static str,
    message: &str,
    nomination: Nomination<'_>,
    now: Instant,
) -> Plan {
    let says = Says { of: SCHEDULED, status: "False", reason, message };
    let is_news = is_news(pod, says);
    let mut plan = Plan::nothing();
    if let Some(write) = patch(pod, Some(says), nomination, now) {
        let step = Step::new(write);
        let told = Event::warning(pod, "FailedScheduling", note(message));
        plan.actions.push(action(if is_news { step.on_success(told) } else { step }));
    }
    plan
}

/// A node is good. Claims that wait for it are told first, and the pod is bound when they are bound.
pub(super) fn bound(pod: &Arc<Value>, node: &str, waiting: &[Arc<Value>]) -> Plan {
    let mut plan = Plan::nothing();
    for claim in waiting {
        if claim.at(&["metadata", "annotations", SELECTED_NODE]).is_none() {
            let annotations = object([(SELECTED_NODE, Value::text(node))]);
            let metadata = object([("annotations", annotations), ("uid", Value::text(uid(claim)))]);
            let patch = object([("metadata", metadata)]);
            plan.write(Write::patch(&PERSISTENT_VOLUME_CLAIMS, claim, PatchKind::Merge, patch));
        }
    }
    if !waiting.is_empty() {
        return plan;
    }
    let metadata = ["name", "namespace", "uid"].map(|member| (member, Value::text(pod.text_at(&["metadata", member]))));
    let target = object([("kind", Value::text("Node")), ("name", Value::text(node))]);
    let binding = object([
        ("apiVersion", Value::text("v1")),
        ("kind", Value::text("Binding")),
        ("metadata", object(metadata)),
        ("target", target),
    ]);
    let message = format!("Successfully assigned {}/{} to {node}", namespace(pod), name(pod));
    let told = Event::normal(pod, "Scheduled", message);
    plan.step(Step::new(Write::create(&PODS, binding).at("binding")).on_success(told));
    plan
}

/// A patch of the status of a pod, if it changes anything. A new generation alone is no change.
pub(super) fn patch(pod: &Value, says: Option<Says<'_>>, nomination: Nomination<'_>, now: Instant) -> Option<Write> {
    let mut status = Object::new();
    if let Some(says) = says.filter(|says| is_news(pod, *says)) {
        status.insert("conditions".into(), Value::List(vec![to_value(pod, says, now)]));
    }
    let nominated = pod.text_at(&["status", "nominatedNodeName"]);
    match nomination {
        Nomination::Set(node) if node != nominated => {
            status.insert("nominatedNodeName".into(), Value::text(node));
        }
        Nomination::Clear if !nominated.is_empty() => {
            status.insert("nominatedNodeName".into(), Value::Null);
        }
        _ => {}
    }
    if status.is_empty() {
        return None;
    }
    let metadata = object([("uid", Value::text(uid(pod)))]);
    let body = object([("metadata", metadata), ("status", Value::Object(status))]);
    Some(Write::patch(&PODS, pod, PatchKind::Strategic, body).at("status"))
}

fn is_news(pod: &Value, says: Says<'_>) -> bool {
    let differs = |known: &Value| {
        [("status", says.status), ("reason", says.reason), ("message", says.message)]
            .iter()
            .any(|(member, text)| known.text_at(&[member]) != *text)
    };
    condition(pod, says.of).is_none_or(differs)
}

fn to_value(pod: &Value, says: Says<'_>, now: Instant) -> Value {
    let known = condition(pod, says.of).filter(|known| known.text_at(&["status"]) == says.status);
    let since = known.map_or("", |known| known.text_at(&["lastTransitionTime"]));
    let since = if since.is_empty() { now.print(Precision::Seconds) } else { since.to_owned() };
    object([
        ("type", Value::text(says.of)),
        ("status", Value::text(says.status)),
        ("reason", Value::text(says.reason)),
        ("message", Value::text(says.message)),
        ("lastTransitionTime", Value::text(since)),
        ("observedGeneration", Value::Int(int(pod, &["metadata", "generation"], 0))),
    ])
}

/// An object without empty members.
fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    let told = members.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(told.map(|(name, value)| (name.into(), value)).collect())
}

pub(super) fn action(step: Step) -> crate::controller::Action {
    crate::controller::Action::Do(Box::new(step))
}
