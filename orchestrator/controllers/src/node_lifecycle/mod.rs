//! Watches over the signs of life of nodes, says what is unknown, and taints nodes by their conditions.

mod health;
mod labels;
mod pods;
pub(crate) mod taints;
#[cfg(test)]
mod tests;
pub(crate) mod told;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::{Object, Value};
use coracle_client::object::{name, uid};
use coracle_client::resources::{LEASES, NODES};
use coracle_client::{Change, PatchKind, View, Write};

use crate::controller::{Action, Controller, Key, Plan, Round, Step, Watches};
use taints::Driving;
use zones::Pace;

/// Keys with this resource are for the event about a new node.
const REGISTERED: &str = "RegisteredNode";
/// Keys with this resource are for the event about a node that is gone; their namespace is its uid.
const REMOVED: &str = "RemovingNode";

/// Watches over nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLifecycle {
    /// How long a node may be silent.
    pub grace: Duration,
    /// How long a node may be silent that has not posted its status yet.
    pub startup_grace: Duration,
}

impl Default for NodeLifecycle {
    fn default() -> Self {
        Self { grace: Duration::from_secs(50), startup_grace: Duration::from_secs(60) }
    }
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NODES, keys_of_node), (&LEASES, keys_of_lease)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if key.resource == REMOVED {
            plan.tell(told::happened(&gone(key), REMOVED, &format!("Removing Node {} from Controller", key.name)));
            return plan;
        }
        let Some(node) = view.get(&NODES, "", &key.name) else { return plan };
        if key.resource == REGISTERED {
            plan.tell(told::happened(&node, REGISTERED, &format!("Registered Node {} in Controller", key.name)));
            return plan;
        }
        // One write of the node in each plan: the next one sees it.
        if !self.watch_over(view, &node, round, &mut plan) {
            self.adapt(view, &node, round, &mut plan);
        }
        plan
    }

    /// The pace at which taints are added depends on all that were added before.
    fn at_once(&self) -> usize {
        1
    }
}

impl NodeLifecycle {
    /// Says what is unknown of a silent node. Whether it wrote the node.
    fn watch_over(&self, view: &View, node: &Arc<Value>, round: &Round<'_>, plan: &mut Plan) -> bool {
        let signs = health::signs(view, node);
        let ready = health::ready(node);
        let grace = if ready.is_some() { self.grace } else { self.startup_grace };
        let left = grace.saturating_sub(signs.age);
        let silent = left.is_zero();
        if !silent {
            plan.again_after(left);
        }
        let unknown = silent.then(|| health::unknown(node, round.now)).flatten();
        let writes = unknown.is_some();
        if let Some(unknown) = unknown {
            let mut step = Step::new(Write::status(&NODES, unknown));
            if ready == Some("True") {
                step = step.on_success(told::status_change(node, "NodeNotReady"));
            }
            plan.step(step);
        }
        // Only the node itself ends `Unknown`. Where it has no lease, the write that began it looks like a sign of life.
        let was_lost = ready == Some("Unknown") && (silent || !signs.has_lease);
        if was_lost || (writes && ready.is_some()) {
            let steps = pods::unready(view, name(node), round.now);
            if !steps.is_empty() {
                plan.actions.push(Action::Several(steps));
            }
        }
        writes
    }

    /// Brings taints and labels in line with the conditions.
    fn adapt(&self, view: &View, node: &Arc<Value>, round: &Round<'_>, plan: &mut Plan) {
        let pace = zones::pace(view, node, self.grace, round.now);
        let driving = match pace {
            Pace::Now => Driving::ByCondition,
            Pace::After(_) | Pace::Wait => Driving::NotYet,
            Pace::Never => Driving::Never,
        };
        if taints::would_drive(node) {
            match pace {
                Pace::After(wait) => plan.again_after(wait),
                Pace::Wait | Pace::Never if zones::is_unsettled(view, self.grace) => plan.again_after(self.grace),
                Pace::Now | Pace::Wait | Pace::Never => {}
            }
        }
        let taints = taints::wanted(node, driving, round.now);
        let labels = labels::wanted(node);
        if taints.is_some() || !labels.is_empty() {
            plan.write(Write::patch(&NODES, node, PatchKind::Merge, patch(node, taints, labels)));
        }
    }
}

fn patch(node: &Value, taints: Option<Vec<Value>>, labels: Object) -> Value {
    let mut patch = Object::new();
    let metadata = patch.object_mut("metadata");
    if let Some(version) = node.at(&["metadata", "resourceVersion"]) {
        // Lists are replaced as a whole: nobody may have changed it meanwhile.
        metadata.insert("resourceVersion".into(), version.clone());
    }
    if !labels.is_empty() {
        metadata.insert("labels".into(), Value::Object(labels));
    }
    if let Some(taints) = taints {
        let taints = if taints.is_empty() { Value::Null } else { Value::List(taints) };
        patch.object_mut("spec").insert("taints".into(), taints);
    }
    Value::Object(patch)
}

/// What is left of a node that is gone.
fn gone(key: &Key) -> Value {
    let mut node = Object::new();
    let metadata = node.object_mut("metadata");
    metadata.insert("name".into(), Value::text(&*key.name));
    metadata.insert("uid".into(), Value::text(&*key.namespace));
    Value::Object(node)
}

/// The node; all nodes if the pace for them changes; and one key more where the node is new or gone.
fn keys_of_node(view: &View, change: &Change) -> Vec<Key> {
    let facts = |side: &Option<Arc<Value>>| side.as_deref().map(zones::facts);
    let mut keys = if facts(&change.old) == facts(&change.new) {
        vec![Key::of(change.object())]
    } else {
        view.list(&NODES, "").iter().map(|node| Key::of(node)).collect()
    };
    let event = |resource: &str, namespace: &str, node: &Value| Key {
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name(node).to_owned(),
    };
    match (&change.old, &change.new) {
        (None, Some(new)) => keys.push(event(REGISTERED, "", new)),
        (Some(old), None) => keys.push(event(REMOVED, uid(old), old)),
        _ => {}
    }
    keys
}

/// The node whose lease began or ended. Renewals need no plan: the one at the deadline sees them.
fn keys_of_lease(_: &View, change: &Change) -> Vec<Key> {
    let renewed = change.old.is_some() && change.new.is_some();
    if renewed || change.namespace() != health::LEASE_NAMESPACE {
        return Vec::new();
    }
    vec![Key::new("", change.name())]
}
