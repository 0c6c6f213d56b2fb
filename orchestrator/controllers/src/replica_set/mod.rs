//! ReplicaSets: as many pods of one template as are asked for.
//!
//! Source of the facts: k8s.io/kubernetes v1.37.2, pkg/controller/replicaset and pkg/controller.

mod order;
mod pods;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_client::object::{controller, int, is_active_pod, is_ending};
use coracle_client::resources::{NAMESPACES, PODS, REPLICA_SETS};
use coracle_client::{Change, View, Write};

use crate::claims::{self, Claim, claim};
use crate::controller::{Action, Controller, Key, Plan, Round, Step, Watches, itself};
use crate::trees::{count, labels};

/// How many pods are made or deleted in one plan.
const BURST: usize = 500;

/// The controller of ReplicaSets.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicaSets;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&REPLICA_SETS, itself), (&PODS, of_pod)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(set) = view.get(&REPLICA_SETS, &key.namespace, &key.name) else { return plan };
        let Some(pods) = claimed(view, &set, &mut plan) else { return plan };
        let surplus = count(pods.active.len()).saturating_sub(int(&set, &["spec", "replicas"], 1));
        let failure = round.failure.filter(|_| !is_ending(&set)).and_then(|failure| pods::failed(failure, surplus));
        // After a failure, that is put into the status first; the writes are tried again later.
        if failure.is_none() && !is_ending(&set) {
            plan.actions.extend(manage(view, &set, &pods.active, surplus, round));
        }
        let found = status::status(&set, &pods, failure, round.now);
        if let Some(changed) = found.changed {
            plan.write(Write::status(&REPLICA_SETS, changed));
        }
        if let Some(seconds) = found.again_after {
            plan.again_after(Duration::from_secs(seconds));
        }
        plan
    }
}

/// The pods of a ReplicaSet.
#[derive(Debug)]
struct Claimed {
    /// Those that run or will.
    active: Vec<Arc<Value>>,
    /// How many are being deleted.
    terminating: usize,
}

fn of_pod(view: &View, change: &Change) -> Vec<Key> {
    claims::concerned(view, change, &REPLICA_SETS)
}

/// The pods of a set, those included that the plan makes it adopt.
fn claimed(view: &View, set: &Value, plan: &mut Plan) -> Option<Claimed> {
    let selector = claims::selector(set)?;
    let mut pods = Claimed { active: Vec::new(), terminating: 0 };
    for pod in view.list(&PODS, set.text_at(&["metadata", "namespace"])) {
        let claim = claim(set, &selector, &pod);
        if !is_active_pod(&pod) {
            let ended = matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed");
            pods.terminating += usize::from(claim == Claim::Owned && is_ending(&pod) && !ended);
            continue;
        }
        match claim {
            Claim::Owned => pods.active.push(pod),
            Claim::Adopt => {
                plan.step(claims::adopt(&PODS, &pod, set, &REPLICA_SETS));
                pods.active.push(pod);
            }
            Claim::Release => plan.step(claims::release(&PODS, &pod, set)),
            Claim::Foreign => {}
        }
    }
    Some(pods)
}

/// Makes the pods that are missing, or deletes the surplus.
fn manage(view: &View, set: &Arc<Value>, active: &[Arc<Value>], surplus: i64, round: &Round<'_>) -> Option<Action> {
    let size = usize::try_from(surplus.unsigned_abs()).unwrap_or(BURST).min(BURST);
    let steps: Vec<Step> = if surplus < 0 {
        // A namespace that goes away refuses everything new.
        let namespace = view.get(&NAMESPACES, "", set.text_at(&["metadata", "namespace"]));
        if namespace.is_some_and(|namespace| is_ending(&namespace)) {
            return None;
        }
        std::iter::repeat_n(pods::create(set), size).collect()
    } else {
        let related = related(view, set);
        order::surplus(active, &related, size, round.now).iter().map(|pod| pods::delete(set, pod)).collect()
    };
    (!steps.is_empty()).then_some(Action::Several(steps))
}

/// The pods that any ReplicaSet of the same owner selects.
fn related(view: &View, set: &Value) -> Vec<Arc<Value>> {
    let Some(owner) = controller(set).map(|owner| owner.text_at(&["uid"])) else { return Vec::new() };
    let sets = view.owned_by(&REPLICA_SETS, owner);
    let alike = |other: &&Arc<Value>| controller(other).is_some_and(|it| it.text_at(&["uid"]) == owner);
    let selectors: Vec<_> = sets.iter().filter(alike).filter_map(|other| claims::selector(other)).collect();
    let mut pods = view.list(&PODS, set.text_at(&["metadata", "namespace"]));
    pods.retain(|pod| selectors.iter().any(|selector| selector.matches(labels(pod))));
    pods
}
