//! Which pods of a node would have to go for a more important one.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::{int, name, namespace};
use coracle_client::{Resource, View};

use super::filter::Filters;
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::term::{labels, read};
use super::verdict::Refusal;
use super::volumes::Volumes;

const NONE: &str = "No preemption victims found for incoming pod";

static BUDGETS: Resource = Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");

/// The pods of one node that would have to go.
#[derive(Debug)]
pub(super) struct Victims {
    pub(super) node: String,
    /// The most important first.
    pub(super) pods: Vec<Arc<PodInfo>>,
    /// How many of them a budget protects.
    violations: usize,
}

/// The least pods that must leave a node.
///
/// # Errors
/// It does not help.
pub(super) fn on_node(
    pod: &PodInfo,
    volumes: &Volumes,
    snapshot: &Snapshot,
    at: usize,
    budgets: &[Arc<Value>],
) -> Result<Victims, Refusal> {
    let node = snapshot.nodes.get(at).ok_or_else(|| Refusal::for_good(NONE))?;
    let (mut possible, mut kept): (Vec<_>, Vec<_>) =
        node.pods.iter().cloned().partition(|other| other.priority < pod.priority);
    if possible.is_empty() {
        return Err(Refusal::for_good(NONE));
    }
    let fits = |pods: &[Arc<PodInfo>]| {
        let changed = snapshot.with_pods(at, pods.to_vec());
        Filters::new(pod, volumes, &changed).check_at(at)
    };
    fits(&kept)?;
    possible.sort_by(|left, right| importance(left, right));
    let (protected, others) = protected(possible, budgets);
    let (mut victims, mut violations) = (Vec::new(), 0);
    for (candidate, is_protected) in
        protected.into_iter().map(|pod| (pod, true)).chain(others.into_iter().map(|pod| (pod, false)))
    {
        kept.push(Arc::clone(&candidate));
        if fits(&kept).is_err() {
            kept.pop();
            victims.push(candidate);
            violations += usize::from(is_protected);
        }
    }
    victims.sort_by(|left, right| importance(left, right));
    Ok(Victims { node: node.name().to_owned(), pods: victims, violations })
}

/// The victims that hurt least.
pub(super) fn least(candidates: Vec<Victims>) -> Option<Victims> {
    candidates.into_iter().min_by_key(|candidate| {
        let highest = candidate.pods.first().map_or(i64::MIN, |pod| pod.priority);
        // Priorities may be negative; shifted, each pod adds to the sum.
        let sum: i64 = candidate.pods.iter().map(|pod| pod.priority + (1 << 31)).sum();
        let first = candidate.pods.iter().filter(|pod| pod.priority == highest).map(|pod| started(pod)).min();
        (candidate.violations, highest, sum, candidate.pods.len(), Reverse(first), candidate.node.clone())
    })
}

/// The budgets that protect pods.
pub(super) fn budgets(view: &View) -> Vec<Arc<Value>> {
    view.list(&BUDGETS, "")
}

/// The more important pod first: by priority, then the one that has run longer.
fn importance(left: &PodInfo, right: &PodInfo) -> Ordering {
    let key = |pod: &PodInfo| {
        (Reverse(pod.priority), started(pod), namespace(&pod.pod).to_owned(), name(&pod.pod).to_owned())
    };
    key(left).cmp(&key(right))
}

/// When a pod began; a pod that has not begun is the youngest.
fn started(pod: &PodInfo) -> String {
    let started = pod.pod.text_at(&["status", "startTime"]);
    if started.is_empty() { "~".to_owned() } else { started.to_owned() }
}

/// The pods that a budget protects, and the others.
fn protected(pods: Vec<Arc<PodInfo>>, budgets: &[Arc<Value>]) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
    let mut allowed: Vec<i64> =
        budgets.iter().map(|budget| int(budget, &["status", "disruptionsAllowed"], 0)).collect();
    let mut violates = |pod: &Value| {
        budgets.iter().zip(&mut allowed).any(|(budget, allowed)| {
            if !covers(budget, pod) {
                return false;
            }
            *allowed -= 1;
            *allowed < 0
        })
    };
    pods.into_iter().partition(|pod| violates(&pod.pod))
}

fn covers(budget: &Value, pod: &Value) -> bool {
    let selector = budget.at(&["spec", "selector"]).map(read);
    namespace(budget) == namespace(pod)
        && labels(pod).is_some_and(|labels| !labels.is_empty())
        && selector.is_some_and(|selector| !selector.is_empty() && selector.matches(labels(pod)))
        && budget.at(&["status", "disruptedPods", name(pod)]).is_none()
}

/// Whether a pod is going because another one needs its room.
pub(super) fn is_going(node: &NodeInfo, pod: &PodInfo) -> bool {
    node.pods.iter().any(|other| {
        let target = coracle_client::object::condition(&other.pod, "DisruptionTarget");
        let preempted = target.is_some_and(|target| {
            target.text_at(&["status"]) == "True" && target.text_at(&["reason"]) == "PreemptionByScheduler"
        });
        other.priority < pod.priority && coracle_client::object::is_ending(&other.pod) && preempted
    })
}
