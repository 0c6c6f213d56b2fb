//! Owners that are being deleted and wait for something to become of their dependents.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::uid;
use coracle_client::{Resource, Write};

use super::graph::{FOREGROUND, Graph, ORPHAN, blocks};
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
    if !graph.dependents(owner).any(|(_, dependent)| graph.leads_to(owner, &dependent).any(blocks)) {
        plan.step(gone_is_fine(patch::finalize(resource, owner, FOREGROUND)));
    }
    plan
}

/// A write of an object that may be gone meanwhile.
pub(super) fn gone_is_fine(write: Write) -> Step {
    Step::new(write).fine(&["NotFound"])
}
