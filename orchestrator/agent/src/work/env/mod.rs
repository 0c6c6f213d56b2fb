//! The environment of a container with its references resolved.

mod expand;
mod fields;
mod services;

use std::collections::BTreeMap;

use coracle_apimachinery::{Value, base64};
use coracle_client::resources::{CONFIG_MAPS, SECRETS};
use coracle_client::{Resource, View, object};

use crate::node::Machine;

/// Where a container will run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) pod: &'a Value,
    /// The addresses of the pod.
    pub(super) ips: &'a [String],
    /// The addresses of the node.
    pub(super) host_ips: &'a [String],
    pub(super) machine: &'a Machine,
}

/// Variables by name.
type Variables = BTreeMap<String, String>;

/// The environment of a container, by name.
pub(super) fn resolve(view: &View, place: &Place<'_>, container: &Value) -> Result<Vec<(String, String)>, String> {
    let namespace = object::namespace(place.pod);
    let links = place.pod.at(&["spec", "enableServiceLinks"]).and_then(Value::as_bool).unwrap_or(true);
    let services = services::variables(view, namespace, links);
    let mut own = Variables::new();
    for source in object::items(container, &["envFrom"]) {
        let prefix = source.text_at(&["prefix"]);
        for bag in BAGS {
            let Some(reference) = source.at(&[bag.from]) else { continue };
            let Some(bag_object) = bag.get(view, namespace, reference)? else { continue };
            let data = bag_object.at(&["data"]).and_then(Value::as_object);
            for (name, value) in data.into_iter().flat_map(|data| data.iter()) {
                own.insert(format!("{prefix}{name}"), bag.text(value));
            }
        }
    }
    for variable in object::items(container, &["env"]) {
        let text = variable.text_at(&["value"]);
        let value = match variable.at(&["valueFrom"]) {
            Some(source) if text.is_empty() => value_from(view, place, container, source)?,
            _ => Some(expand::expand(text, |name| own.get(name).or_else(|| services.get(name)).cloned())),
        };
        if let Some(value) = value {
            own.insert(variable.text_at(&["name"]).to_owned(), value);
        }
    }
    for (name, value) in services {
        own.entry(name).or_insert(value);
    }
    Ok(own.into_iter().collect())
}

/// The value from a source; nothing if it may be missing and is.
fn value_from(view: &View, place: &Place<'_>, container: &Value, source: &Value) -> Result<Option<String>, String> {
    if let Some(field) = source.at(&["fieldRef"]) {
        return fields::field(place, field.text_at(&["fieldPath"])).map(Some);
    }
    if let Some(reference) = source.at(&["resourceFieldRef"]) {
        return fields::resource(place, container, reference).map(Some);
    }
    for bag in BAGS {
        let Some(reference) = source.at(&[bag.key]) else { continue };
        let namespace = object::namespace(place.pod);
        let Some(found) = bag.get(view, namespace, reference)? else { return Ok(None) };
        let key = reference.text_at(&["key"]);
        return match found.at(&["data", key]) {
            Some(value) => Ok(Some(bag.text(value))),
            None if object::flag(reference, &["optional"]) => Ok(None),
            None => {
                let (kind, name) = (&bag.resource.kind, object::name(&found));
                Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
            }
        };
    }
    if source.at(&["fileKeyRef"]).is_some() {
        return Err("this node does not support fileKeyRef".to_owned());
    }
    Ok(Some(String::new()))
}

/// A kind whose objects hold data by key.
#[derive(Debug, Clone, Copy)]
struct Bag {
    resource: &'static Resource,
    from: &'static str,
    key: &'static str,
    /// The name by which a missing one is reported.
    singular: &'static str,
    encoded: bool,
}

static BAGS: [Bag; 2] = [
    Bag { resource: &CONFIG_MAPS, from: "configMapRef", key: "configMapKeyRef", singular: "configmap", encoded: false },
    Bag { resource: &SECRETS, from: "secretRef", key: "secretKeyRef", singular: "secret", encoded: true },
];

impl Bag {
    /// The object that is referred to; nothing if it may be missing and is.
    fn get(&self, view: &View, namespace: &str, reference: &Value) -> Result<Option<std::sync::Arc<Value>>, String> {
        let name = reference.text_at(&["name"]);
        match view.get(self.resource, namespace, name) {
            Some(found) => Ok(Some(found)),
            None if object::flag(reference, &["optional"]) => Ok(None),
            None => Err(format!("{} {name:?} not found", self.singular)),
        }
    }

    fn text(&self, value: &Value) -> String {
        let text = value.as_str().unwrap_or_default();
        if !self.encoded {
            return text.to_owned();
        }
        let bytes = base64::decode(text).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests;
