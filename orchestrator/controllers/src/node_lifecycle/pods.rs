//! Pods of a node that says nothing are not ready.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_client::event::Event;
use coracle_client::object::is_ready_pod;
use coracle_client::resources::PODS;
use coracle_client::{View, Write};

use crate::controller::Step;

/// The writes that take readiness from the pods of a node.
pub(super) fn unready(view: &View, node: &str, now: Instant) -> Vec<Step> {
    let pods = view.pods_on(node);
    pods.iter().filter(|pod| is_ready_pod(pod)).filter_map(|pod| mark(pod, now)).collect()
}

fn mark(pod: &Arc<Value>, now: Instant) -> Option<Step> {
    let mut marked = Value::clone(pod);
    let conditions = marked.as_object_mut()?.object_mut("status").get_mut("conditions")?.items_mut()?;
    let ready = conditions.iter_mut().find(|condition| condition.text_at(&["type"]) == "Ready")?.as_object_mut()?;
    ready.insert("status".into(), Value::text("False"));
    ready.insert("lastTransitionTime".into(), Value::text(now.print(Precision::Seconds)));
    let event = Event::warning(pod, "NodeNotReady", "Node is not ready");
    Some(Step::new(Write::status(&PODS, marked)).fine(&["NotFound"]).on_success(event))
}
