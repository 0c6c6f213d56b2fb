//! `NodeTaint`: nothing is placed on a new node before the node lifecycle controller has seen that it is ready.

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const NO_SCHEDULE: &str = "NoSchedule";

#[derive(Debug)]
pub(super) struct NodeTaint;

impl Plugin for NodeTaint {
    fn admit(&self, _api: &Api, _context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.is("", "nodes") || review.operation != Operation::Create {
            return Ok(());
        }
        let Some(node) = review.object.as_mut().and_then(Value::as_object_mut) else { return Ok(()) };
        let spec = node.object_mut("spec");
        let mut taints = spec.get("taints").map(|list| list.items().to_vec()).unwrap_or_default();
        let is_it = |taint: &Value| taint.text_at(&["key"]) == NOT_READY && taint.text_at(&["effect"]) == NO_SCHEDULE;
        if !taints.iter().any(is_it) {
            let members = [("key", NOT_READY), ("effect", NO_SCHEDULE)];
            let members = members.into_iter().map(|(name, text)| (name.into(), Value::text(text)));
            taints.push(Value::Object(members.collect()));
            spec.insert("taints".into(), Value::List(taints));
        }
        Ok(())
    }
}
