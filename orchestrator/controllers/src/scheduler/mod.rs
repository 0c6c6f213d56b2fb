//! Binds pods to nodes, as the default profile of upstream's scheduler does.
//!
//! A plan looks at the whole view once: filters leave the nodes that are good enough, scores rank them, and the pod is
//! bound to the best one. If there is none, the pod's condition says why, and pods of lower priority are asked to go if
//! that helps. Since plans are made one by one from consistent views, nothing is assumed and nothing has to be undone.
//!
//! Differences to upstream: nodes with equal scores are told apart by a hash and not by chance; an event about a failure
//! is written only when the condition changes; all nodes are looked at, however many there are. Volumes are looked at
//! only as far as `volumes` says. Dynamic resources, features that nodes declare and pod groups are not looked at.

pub mod amounts;
mod domain;
mod filter;
pub mod fit;
mod images;
mod inter_pod;
mod inter_pod_score;
mod message;
pub mod node_affinity;
pub mod ports;
mod preemption;
pub mod requests;
mod room;
mod score;
mod snapshot;
mod spread;
mod spread_score;
mod term;
pub mod tolerations;
mod verdict;
mod victims;
mod volumes;
mod wake;
mod writes;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::View;
use coracle_client::object::{is_ending, items};
use coracle_client::resources::PODS;

use crate::controller::{Controller, Key, Plan, Round, Watches};

use filter::Filters;
use snapshot::{PodInfo, Snapshot};
use volumes::Volumes;

/// Name of the scheduler in pods and events.
pub const NAME: &str = "default-scheduler";

/// The scheduler.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scheduler;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Watches {
        wake::watches()
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let Some(pod) = view.get(&PODS, &key.namespace, &key.name).filter(|pod| is_pending(pod)) else {
            return Plan::nothing();
        };
        if is_gated(&pod) {
            return writes::gated(&pod, round.now);
        }
        match round.failure {
            Some(failure) => writes::failed(&pod, &failure.message, round.now),
            None => place(view, &pod, round),
        }
    }

    fn at_once(&self) -> usize {
        1
    }

    /// The most important pods first; equal ones in the order in which they came.
    fn precedence(&self, view: &View, key: &Key) -> i64 {
        view.get(&PODS, &key.namespace, &key.name).map_or(0, |pod| -snapshot::priority(&pod))
    }
}

/// The order in which pods get their turn: the most important first, then the oldest. A pod that is gone comes last.
fn turn(view: &View, key: &Key) -> impl Ord + use<> {
    let pod = view.get(&PODS, &key.namespace, &key.name);
    let order = pod.map(|pod| {
        let created = pod.text_at(&["metadata", "creationTimestamp"]).to_owned();
        (std::cmp::Reverse(snapshot::priority(&pod)), created)
    });
    (order.is_none(), order, key.clone())
}

/// Whether a pod waits for this scheduler.
fn is_pending(pod: &Value) -> bool {
    let scheduler = pod.text_at(&["spec", "schedulerName"]);
    (scheduler.is_empty() || scheduler == NAME)
        && pod.text_at(&["spec", "nodeName"]).is_empty()
        && !is_ending(pod)
        && !snapshot::has_ended(pod)
}

/// Whether a pod must not be placed yet.
fn is_gated(pod: &Value) -> bool {
    !items(pod, &["spec", "schedulingGates"]).is_empty()
}

fn place(view: &View, pod: &Arc<Value>, round: &Round<'_>) -> Plan {
    let snapshot = Snapshot::of(view);
    let unschedulable = |message: &str| writes::unschedulable(pod, message, writes::Nomination::Clear, round.now);
    if snapshot.nodes.is_empty() {
        return unschedulable(message::NO_NODES);
    }
    let info = PodInfo::of(pod);
    let nowhere = |reason: &str| {
        let found = message::refused_everywhere(snapshot.nodes.len(), reason);
        let tail = preemption::tail_of_nowhere(pod, snapshot.nodes.len());
        unschedulable(&format!("{found} {tail}"))
    };
    if node_affinity::only_nodes(pod).is_some_and(|names| names.is_empty()) {
        return nowhere(filter::CONTRADICTION);
    }
    let volumes = match Volumes::of(view, &info) {
        Ok(volumes) => volumes,
        Err(reason) => return nowhere(&reason),
    };
    let findings = Filters::new(&info, &volumes, &snapshot).find();
    let best = score::best(view, &info, &snapshot, &findings.feasible);
    if let Some(node) = best.and_then(|at| snapshot.nodes.get(at)) {
        return writes::bound(pod, node.name(), &volumes.waiting);
    }
    preemption::plan(view, &info, &volumes, &snapshot, &findings, round.now)
}
