//! Makes room for a pod by asking less important ones to go, and says how that went.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;
use coracle_client::event::Event;
use coracle_client::object::{is_ending, uid};
use coracle_client::resources::PODS;
use coracle_client::{View, Write};

use crate::controller::{Plan, Step};

use super::filter::Findings;
use super::message::refused;
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::verdict::Refusal;
use super::victims::{self, Victims};
use super::volumes::Volumes;
use super::writes::{self, Nomination, Says};

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NEVER: &str = "not eligible due to preemptionPolicy=Never.";
const MESSAGE: &str = "default-scheduler: preempting to accommodate a higher priority pod";

/// What the message about a pod ends with that no node can take, whatever pods are there.
pub(super) fn tail_of_nowhere(pod: &Value, nodes: usize) -> String {
    if never(pod) {
        return format!("preemption: {NEVER}");
    }
    let refusals: Vec<Refusal> = (0..nodes).map(|_| Refusal::for_good(NOT_HELPFUL)).collect();
    format!("preemption: {}", refused(nodes, refusals.iter()))
}

/// What to do for a pod that no node can take now.
pub(super) fn plan(
    view: &View,
    pod: &PodInfo,
    volumes: &Volumes,
    snapshot: &Snapshot,
    findings: &Findings,
    now: Instant,
) -> Plan {
    let count = snapshot.nodes.len();
    let found = refused(count, findings.refused.iter().map(|(_, refusal)| refusal));
    let tell = |tail: &str, nomination| {
        writes::unschedulable(&pod.pod, &format!("{found} preemption: {tail}"), nomination, now)
    };
    if never(&pod.pod) {
        return tell(NEVER, Nomination::Keep);
    }
    if let Some(node) = promised(pod, snapshot, findings)
        && victims::is_going(node, pod)
    {
        // Upstream writes here that the pod is not eligible; the condition says already which pods it waits for.
        return Plan::nothing();
    }
    let budgets = victims::budgets(view);
    let mut candidates = Vec::new();
    let mut refusals = Vec::new();
    for (at, refusal) in &findings.refused {
        let victims = match refusal.is_for_now {
            true => victims::on_node(pod, volumes, snapshot, *at, &budgets),
            false => Err(Refusal::for_good(NOT_HELPFUL)),
        };
        match victims {
            Ok(victims) if !victims.pods.is_empty() => candidates.push(victims),
            Ok(_) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    match victims::least(candidates) {
        Some(victims) => preempt(pod, snapshot, &victims, now, &found),
        None => tell(&refused(count, refusals.iter()), Nomination::Clear),
    }
}

fn preempt(pod: &PodInfo, snapshot: &Snapshot, victims: &Victims, now: Instant, found: &str) -> Plan {
    let node = &victims.node;
    let number = victims.pods.len();
    let message =
        format!("{found} preemption: found a potential placement for pod on node {node}, preempting {number} victims");
    // The promise comes first: once it is written, no less important pod takes the room that becomes free.
    let mut plan = writes::unschedulable(&pod.pod, &message, Nomination::Set(node), now);
    let less = snapshot.nominated.iter().filter(|(wanted, other)| wanted == node && other.priority < pod.priority);
    for (_, other) in less {
        plan.actions.extend(
            writes::patch(&other.pod, None, Nomination::Clear, now).map(|write| writes::action(gone_is_fine(write))),
        );
    }
    for victim in victims.pods.iter().filter(|victim| !is_ending(&victim.pod)) {
        evict(&mut plan, &pod.pod, &victim.pod, node, now);
    }
    plan
}

fn evict(plan: &mut Plan, pod: &Value, victim: &Arc<Value>, node: &str, now: Instant) {
    let says = Says { of: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", message: MESSAGE };
    let marked = writes::patch(victim, Some(says), Nomination::Keep, now);
    plan.actions.extend(marked.map(|write| writes::action(gone_is_fine(write))));
    let told = Event::normal(victim, "Preempted", format!("Preempted by pod {} on node {node}", uid(pod)));
    plan.step(gone_is_fine(Write::delete(&PODS, victim)).on_success(told));
}

fn gone_is_fine(write: Write) -> Step {
    Step::new(write).fine(&["NotFound"])
}

/// The node that was promised to the pod, unless nothing that happens to pods can make it good.
fn promised<'a>(pod: &PodInfo, snapshot: &'a Snapshot, findings: &Findings) -> Option<&'a Arc<NodeInfo>> {
    let name = pod.pod.text_at(&["status", "nominatedNodeName"]);
    let is_hopeless = |node: usize| findings.refused.iter().any(|(at, refusal)| *at == node && !refusal.is_for_now);
    let mut nodes = snapshot.nodes.iter().enumerate();
    nodes.find(|(at, node)| !name.is_empty() && node.name() == name && !is_hopeless(*at)).map(|(_, node)| node)
}

fn never(pod: &Value) -> bool {
    pod.text_at(&["spec", "preemptionPolicy"]) == "Never"
}
