//! Objects that may have lost their owners.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_client::event::Event;
use coracle_client::object::{name, namespace, uid};
use coracle_client::resources::EVENTS;
use coracle_client::{Propagation, Resource};

use super::graph::{FOREGROUND, Graph, ORPHAN, Owner, has_finalizer, references, waits_for_dependents};
use super::patch;
use super::release::gone_is_fine;
use crate::controller::Plan;

/// For the case that the definition of the kind is told before it is served; usually its change wakes the dependents.
const UNKNOWN_KIND_AGAIN: Duration = Duration::from_secs(60);

/// An event that has not come through after this time never will: telling it again would go on for ever.
const LONGEST_TELLING: Duration = Duration::from_secs(10);

const INVALID_NAMESPACE: &str = "OwnerRefInvalidNamespace";

/// The uids of an object's owners by their state.
#[derive(Debug, Default)]
struct Owners<'a> {
    /// They are there and stay, or go without regard to dependents.
    solid: Vec<&'a str>,
    /// They are not there.
    dangling: Vec<&'a str>,
    /// They are being deleted in the foreground.
    waiting: Vec<&'a str>,
    /// References across namespaces.
    strayed: Vec<&'a Value>,
}

/// Why nothing can be said of an object.
#[derive(Debug)]
enum Kept<'a> {
    UnknownKind,
    Unreachable(Arc<Resource>, &'a Value),
}

/// Deletes an object without owners, and removes references to owners that are gone or go from one that has another.
pub(super) fn plan(graph: &Graph<'_>, resource: &Arc<Resource>, item: &Arc<Value>) -> Plan {
    let mut plan = Plan::nothing();
    if references(item).is_empty() {
        return plan;
    }
    let owners = match classify(graph, item) {
        Ok(owners) => owners,
        Err(Kept::UnknownKind) => {
            plan.again_after(UNKNOWN_KIND_AGAIN);
            return plan;
        }
        Err(Kept::Unreachable(owner, reference)) => {
            if graph.is_elsewhere(&owner, reference) && !is_told(graph, resource, item) {
                plan.tell(strayed(item, reference));
            }
            return plan;
        }
    };
    for reference in &owners.strayed {
        plan.tell(strayed(item, reference));
    }
    let dependents = || graph.dependents(item);
    if !owners.solid.is_empty() {
        // An owner that waits would do so for ever if the reference stayed.
        let lost: Vec<_> = owners.dangling.iter().chain(&owners.waiting).copied().collect();
        if !lost.is_empty() {
            plan.step(gone_is_fine(patch::disown(resource, item, &lost)));
        }
    } else if !owners.waiting.is_empty() && dependents().next().is_some() {
        // An owner may be a dependent of the item's dependents; in such a circle somebody has to stop waiting.
        let may_be_circle = dependents().any(|(_, dependent)| waits_for_dependents(&dependent));
        if may_be_circle && patch::is_blocking(item) {
            plan.step(gone_is_fine(patch::unblock(resource, item)));
        } else {
            plan.step(gone_is_fine(patch::delete(resource, item, Propagation::Foreground)));
        }
    } else {
        plan.step(gone_is_fine(patch::delete(resource, item, propagation(item))));
    }
    plan
}

fn classify<'a>(graph: &Graph<'_>, item: &'a Value) -> Result<Owners<'a>, Kept<'a>> {
    let mut owners = Owners::default();
    for reference in references(item) {
        let uid = reference.text_at(&["uid"]);
        match graph.owner(reference, item) {
            Owner::There(_, owner) if waits_for_dependents(&owner) => owners.waiting.push(uid),
            Owner::There(..) => owners.solid.push(uid),
            Owner::Absent(resource) => {
                owners.dangling.push(uid);
                if graph.is_elsewhere(&resource, reference) {
                    owners.strayed.push(reference);
                }
            }
            Owner::Unreachable(resource) => return Err(Kept::Unreachable(resource, reference)),
            Owner::UnknownKind => return Err(Kept::UnknownKind),
        }
    }
    Ok(owners)
}

/// What a finalizer that already is there asks for.
fn propagation(item: &Value) -> Propagation {
    if has_finalizer(item, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(item, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

fn strayed(item: &Arc<Value>, reference: &Value) -> Event {
    let place = namespace(item);
    let [version, kind, name, uid] = ["apiVersion", "kind", "name", "uid"].map(|member| reference.text_at(&[member]));
    let owner = format!("[{version}/{kind}, namespace: {place}, name: {name}, uid: {uid}]");
    Event::warning(item, INVALID_NAMESPACE, format!("ownerRef {owner} does not exist in namespace \"{place}\""))
}

/// Whether the event of an object that stays has been told: nothing else about the object changes with the telling.
fn is_told(graph: &Graph<'_>, resource: &Resource, item: &Value) -> bool {
    let is_it = |event: &Arc<Value>| {
        event.text_at(&["reason"]) == INVALID_NAMESPACE && event.text_at(&["involvedObject", "uid"]) == uid(item)
    };
    // Events about objects of the cluster stand in this namespace.
    graph.view.list(&EVENTS, "default").iter().any(is_it)
        || graph.view.age(resource, namespace(item), name(item)).is_some_and(|age| age > LONGEST_TELLING)
}
