//! Which objects a change concerns.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::{is_ending, is_true, name, namespace, uid};
use coracle_client::{Change, Resource, View};

use super::graph::{Graph, Owner, is_ignored, orphans_dependents, references, waits_for_dependents};
use crate::controller::Key;

/// The keys of a change. Most changes, such as heartbeats, touch none of the three fields that matter and cost only
/// their comparison.
pub(super) fn keys(view: &View, change: &Change) -> Vec<Key> {
    if is_ignored(&change.resource) {
        return Vec::new();
    }
    let mut woken = Vec::new();
    match (change.old.as_deref(), change.new.as_deref()) {
        (Some(old), Some(new)) if uid(old) == uid(new) => {
            if has_other_links(old, new) {
                changed(&Graph::new(view), &change.resource, old, new, &mut woken);
            }
            if has_become_known(&change.resource, old, new) {
                defined(&Graph::new(view), new, &mut woken);
            }
        }
        (old, new) => {
            if let Some(old) = old {
                gone(&Graph::new(view), old, &mut woken);
            }
            if let Some(new) = new {
                appeared(view, &change.resource, new, &mut woken);
            }
        }
    }
    woken
}

fn key(resource: &Resource, object: &Value) -> Key {
    let (namespace, name) = (namespace(object).to_owned(), name(object).to_owned());
    Key { resource: resource.to_string(), namespace, name }
}

fn has_other_links(old: &Value, new: &Value) -> bool {
    ["deletionTimestamp", "finalizers", "ownerReferences"].iter().any(|member| {
        let path = ["metadata", member];
        old.at(&path) != new.at(&path)
    })
}

fn needs_a_look(object: &Value) -> bool {
    let is_owned = !is_ending(object) && !references(object).is_empty();
    is_owned || waits_for_dependents(object) || orphans_dependents(object)
}

fn appeared(view: &View, resource: &Resource, new: &Value, woken: &mut Vec<Key>) {
    if needs_a_look(new) {
        woken.push(key(resource, new));
    }
    if waits_for_dependents(new) {
        wake_dependents(&Graph::new(view), new, woken);
    }
}

fn changed(graph: &Graph<'_>, resource: &Resource, old: &Value, new: &Value, woken: &mut Vec<Key>) {
    if needs_a_look(new) {
        woken.push(key(resource, new));
    }
    if waits_for_dependents(new) && !waits_for_dependents(old) {
        wake_dependents(graph, new, woken);
    }
    let lost = references(old).iter().filter(|reference| !references(new).contains(reference));
    wake_owners(graph, old, lost, woken);
}

fn gone(graph: &Graph<'_>, old: &Value, woken: &mut Vec<Key>) {
    wake_dependents(graph, old, woken);
    wake_owners(graph, old, references(old).iter(), woken);
}

fn wake_dependents(graph: &Graph<'_>, owner: &Value, woken: &mut Vec<Key>) {
    let open = graph.dependents(owner).filter(|(_, dependent)| !is_ending(dependent));
    woken.extend(open.map(|(resource, dependent)| key(resource, &dependent)));
}

fn wake_owners<'a>(
    graph: &Graph<'_>,
    dependent: &Value,
    references: impl Iterator<Item = &'a Value>,
    woken: &mut Vec<Key>,
) {
    let is_waiting = |owner: &Value| waits_for_dependents(owner) || orphans_dependents(owner);
    let waiting = references.filter_map(|reference| match graph.owner(reference, dependent) {
        Owner::There(resource, owner) if is_waiting(&owner) => Some((resource, owner)),
        _ => None,
    });
    woken.extend(waiting.map(|(resource, owner): (Arc<Resource>, _)| key(&resource, &owner)));
}

fn has_become_known(resource: &Resource, old: &Value, new: &Value) -> bool {
    const DEFINITIONS: Resource =
        Resource::clustered("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition");
    resource.is(&DEFINITIONS) && is_true(new, "Established") && !is_true(old, "Established")
}

/// Objects that were kept because nothing was known of their owners' kind. Definitions are made so seldom that looking
/// at all objects is cheaper than an index.
fn defined(graph: &Graph<'_>, definition: &Value, woken: &mut Vec<Key>) {
    let group = definition.text_at(&["spec", "group"]);
    let kind = definition.text_at(&["spec", "names", "kind"]);
    let is_of_kind = |reference: &Value| {
        let version = reference.text_at(&["apiVersion"]).split_once('/');
        reference.text_at(&["kind"]) == kind && version.is_some_and(|(of, _)| of == group)
    };
    let owned =
        graph.everything().filter(|(_, object)| !is_ending(object) && references(object).iter().any(is_of_kind));
    woken.extend(owned.map(|(resource, object)| key(resource, &object)));
}
