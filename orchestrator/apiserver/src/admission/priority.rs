//! `Priority`: the number behind a pod's priority class.

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;
use crate::stored::Object;

#[derive(Debug)]
pub(super) struct Priority;

/// What a pod gets from its class.
struct Class {
    name: String,
    value: i64,
    policy: String,
}

impl Plugin for Priority {
    fn admit(&self, api: &Api, _context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.is("", "pods") || review.operation == Operation::Delete {
            return Ok(());
        }
        if let (Operation::Update, Some(old)) = (review.operation, review.old.clone()) {
            // Only the admission of the creation sets them; an update that leaves them out keeps them.
            if let Some(pod) = review.object.as_mut().and_then(Value::as_object_mut) {
                for name in ["priority", "preemptionPolicy"] {
                    if let Some(value) = old.at(&["spec", name]) {
                        pod.object_mut("spec").insert_default(name, || value.clone());
                    }
                }
            }
            return Ok(());
        }
        let named = review.object.as_ref().map(|pod| pod.text_at(&["spec", "priorityClassName"]).to_owned());
        let named = named.unwrap_or_default();
        let class = class(api, &named)?
            .ok_or_else(|| review.forbidden(format!("no PriorityClass with name {named} was found")))?;
        let Some(pod) = review.object.as_mut().and_then(Value::as_object_mut) else { return Ok(()) };
        let spec = pod.object_mut("spec");
        let given = spec.get("priority").and_then(Value::as_int);
        let given_policy = spec.get("preemptionPolicy").and_then(Value::as_str).map(str::to_owned);
        spec.insert("priority".into(), Value::Int(class.value));
        if !class.name.is_empty() {
            spec.insert("priorityClassName".into(), Value::text(class.name.as_str()));
        }
        spec.insert("preemptionPolicy".into(), Value::text(class.policy.as_str()));
        if let Some(given) = given.filter(|given| *given != class.value) {
            let computed = class.value;
            return Err(review.forbidden(format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {computed} from the given PriorityClass name"
            )));
        }
        if let Some(given) = given_policy.filter(|given| *given != class.policy) {
            let computed = &class.policy;
            return Err(review.forbidden(format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {computed} from the given PriorityClass name"
            )));
        }
        Ok(())
    }
}

/// The class of this name, or the default one for none.
fn class(api: &Api, name: &str) -> Result<Option<Class>, Status> {
    let registry = api.registry();
    let Some(row) = registry.row("scheduling.k8s.io", "v1", "priorityclasses") else { return Ok(None) };
    let of = |tree: &Value| Class {
        name: tree.text_at(&["metadata", "name"]).to_owned(),
        value: tree.at(&["value"]).and_then(Value::as_int).unwrap_or(0),
        policy: Some(tree.text_at(&["preemptionPolicy"]))
            .filter(|text| !text.is_empty())
            .unwrap_or(DEFAULT_POLICY)
            .to_owned(),
    };
    if !name.is_empty() {
        let found = api.get(row, "", name).ok();
        return found.map(|object| api.tree(row, &object).map(|tree| of(&tree))).transpose();
    }
    let mut best: Option<Class> = None;
    let snapshot = api.store().snapshot();
    for entry in snapshot.range(&row.storage.all(), None) {
        let tree = api.tree(row, &Object::of_entry(entry))?;
        let is_default = tree.at(&["globalDefault"]).and_then(Value::as_bool).unwrap_or(false);
        // Of several defaults the lowest counts.
        if is_default && best.as_ref().is_none_or(|best| of(&tree).value < best.value) {
            best = Some(of(&tree));
        }
    }
    let none = Class { name: String::new(), value: 0, policy: DEFAULT_POLICY.to_owned() };
    Ok(Some(best.unwrap_or(none)))
}

const DEFAULT_POLICY: &str = "PreemptLowerPriority";
