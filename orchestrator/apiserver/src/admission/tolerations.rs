//! `DefaultTolerationSeconds`: a pod stays five minutes on a node that is not ready or cannot be reached.

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object, Value};

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

#[derive(Debug)]
pub(super) struct DefaultTolerationSeconds;

impl Plugin for DefaultTolerationSeconds {
    fn admit(&self, _api: &Api, _context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.is("", "pods") || review.operation == Operation::Delete {
            return Ok(());
        }
        let Some(pod) = review.object.as_mut().and_then(Value::as_object_mut) else { return Ok(()) };
        let spec = pod.object_mut("spec");
        let mut tolerations = spec.get("tolerations").map(|list| list.items().to_vec()).unwrap_or_default();
        let before = tolerations.len();
        for taint in TAINTS {
            if !tolerations.iter().any(|toleration| tolerates(toleration, taint)) {
                let members = [
                    ("key", Value::text(taint)),
                    ("operator", Value::text("Exists")),
                    ("effect", Value::text("NoExecute")),
                    ("tolerationSeconds", Value::Int(SECONDS)),
                ];
                let members = members.into_iter().map(|(name, value)| (name.into(), value));
                tolerations.push(Value::Object(members.collect::<Object>()));
            }
        }
        if tolerations.len() > before {
            spec.insert("tolerations".into(), Value::List(tolerations));
        }
        Ok(())
    }
}

/// Whether a toleration speaks of a taint with effect `NoExecute`.
fn tolerates(toleration: &Value, taint: &str) -> bool {
    let (key, effect) = (toleration.text_at(&["key"]), toleration.text_at(&["effect"]));
    (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
}
