//! Owners that are being deleted and wait for something to become of their dependents.

use std::collections::BTreeSet;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::uid;
use coracle_client::{Resource, Write};

use super::graph::{FOREGROUND, Graph, ORPHAN, blocks, waits_for_dependents};
use super::patch;
use crate::controller::{Action, Plan, Step};

/// Takes the owner from its dependents; once none names it any more, the owner may go.
pub(super) fn orphan(graph: &Graph<'_>, resource: &Arc<Resource>, owner: &Value) -> Plan {
    let let_go = |(resource, dependent): (&Arc<Resource>, Arc<Value>)| {
        gone_is_fine(patch::disown(resource, &dependent, &[uid(owner)]))
    };
    let led = graph.dependents(owner).filter(|(_, dependent)| graph.leads_to(owner, dependent).next().is_some());
    let patches: Vec<_> = led.map(let_go).collect();
    let mut plan = Plan::nothing();
    if patches.is_empty() {
        plan.step(gone_is_fine(patch::finalize(resource, owner, ORPHAN)));
    } else {
        plan.actions.push(Action::Several(patches));
    }
    plan
}

/// Lets an owner go that waits in the foreground, once no dependent keeps it. The dependents have keys of their own: the
/// owner's deletion has woken them.
pub(super) fn after_dependents(graph: &Graph<'_>, resource: &Arc<Resource>, owner: &Value) -> Plan {
    let mut plan = Plan::nothing();
    if keepers(graph, owner).next().is_none() {
        plan.step(gone_is_fine(patch::finalize(resource, owner, FOREGROUND)));
    } else if patch::is_blocking(owner) && waits_for_itself(graph, owner) {
        plan.step(gone_is_fine(patch::unblock(resource, owner)));
    }
    plan
}

/// The dependents that an owner must wait for.
fn keepers<'a>(graph: &'a Graph<'_>, owner: &'a Value) -> impl Iterator<Item = Arc<Value>> + 'a {
    let dependents = graph.dependents(owner).map(|(_, dependent)| dependent);
    dependents.filter(|dependent| graph.leads_to(owner, dependent).any(blocks))
}

/// Whether objects that all wait keep each other in a circle. Upstream looks for one only before it deletes a dependent,
/// and leaves alone those who began to wait at the same time.
fn waits_for_itself(graph: &Graph<'_>, owner: &Value) -> bool {
    let waiting = |of: &Value| keepers(graph, of).filter(|keeper| waits_for_dependents(keeper)).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    let mut open = waiting(owner);
    while let Some(keeper) = open.pop() {
        if graph.leads_to(&keeper, owner).any(blocks) {
            return true;
        }
        if seen.insert(uid(&keeper).to_owned()) {
            open.extend(waiting(&keeper));
        }
    }
    false
}

/// A write of an object that may be gone meanwhile.
pub(super) fn gone_is_fine(write: Write) -> Step {
    Step::new(write).fine(&["NotFound"])
}
