//! All filters in upstream's order, and the nodes that they leave.

use std::cell::OnceCell;

use super::fit;
use super::inter_pod::InterPod;
use super::node_affinity::{is_wanted, only_nodes};
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::spread::Spread;
use super::tolerations::{HARD, UNSCHEDULABLE, tolerate, tolerations, untolerated};
use super::verdict::{Refusal, Verdict};
use super::volumes::Volumes;

const OTHER_NAME: &str = "node(s) didn't match the requested node name";
const CLOSED: &str = "node(s) were unschedulable";
const TAINTED: &str = "node(s) had untolerated taint(s)";
const NOT_WANTED: &str = "node(s) didn't match Pod's node affinity/selector";
/// The required affinity names nodes that exclude each other.
pub(super) const CONTRADICTION: &str = "pod affinity terms conflict";
const NOT_NAMED: &str = "node(s) didn't satisfy plugin(s) [NodeAffinity]";
const PORTS_TAKEN: &str = "node(s) didn't have free ports for the requested pod ports";

/// The filters for one pod among the pods of one snapshot.
#[derive(Debug)]
pub(super) struct Filters<'a> {
    pod: &'a PodInfo,
    volumes: &'a Volumes,
    snapshot: &'a Snapshot,
    /// Both look at all pods, so they wait until a node passes the filters before them.
    spread: OnceCell<Spread>,
    inter_pod: OnceCell<InterPod<'a>>,
}

/// What was found about the nodes.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Places of good nodes in the snapshot.
    pub(super) feasible: Vec<usize>,
    /// Why the others are not good.
    pub(super) refused: Vec<(usize, Refusal)>,
}

impl<'a> Filters<'a> {
    pub(super) fn new(pod: &'a PodInfo, volumes: &'a Volumes, snapshot: &'a Snapshot) -> Self {
        Self { pod, volumes, snapshot, spread: OnceCell::new(), inter_pod: OnceCell::new() }
    }

    /// Whether a node is good.
    pub(super) fn check(&self, node: &NodeInfo) -> Verdict {
        let pod = &self.pod.pod;
        let wanted = pod.text_at(&["spec", "nodeName"]);
        if !wanted.is_empty() && wanted != node.name() {
            return Err(Refusal::for_good(OTHER_NAME));
        }
        let tolerations = tolerations(pod);
        let closed = coracle_client::object::flag(&node.node, &["spec", "unschedulable"]);
        if closed && !tolerate(tolerations, UNSCHEDULABLE, "", "NoSchedule") {
            return Err(Refusal::for_good(CLOSED));
        }
        if untolerated(tolerations, &node.node, HARD).next().is_some() {
            return Err(Refusal::for_good(TAINTED));
        }
        if !is_wanted(pod, &node.node) {
            return Err(Refusal::for_good(NOT_WANTED));
        }
        let mut taken = node.pods.iter().flat_map(|other| &other.ports);
        if !self.pod.ports.is_empty() && taken.any(|taken| self.pod.ports.iter().any(|port| port.collides(taken))) {
            return Err(Refusal::for_now(PORTS_TAKEN));
        }
        fit::check(self.pod, node)?;
        self.volumes.check(self.pod, node, self.snapshot)?;
        self.spread.get_or_init(|| Spread::new(self.pod, self.snapshot)).check(node)?;
        self.inter_pod.get_or_init(|| InterPod::new(self.pod, self.snapshot)).check(node)
    }

    /// Whether the node at a place is good, also once the pods have come that wait for room there and are not less
    /// important.
    pub(super) fn check_at(&self, at: usize) -> Verdict {
        let Some(node) = self.snapshot.nodes.get(at) else { return Err(Refusal::for_good(OTHER_NAME)) };
        let expected = self.snapshot.nominated.iter().filter(|(wanted, other)| {
            wanted == node.name() && other.priority >= self.pod.priority && !other.is(self.pod)
        });
        let mut pods: Vec<_> = expected.map(|(_, pod)| pod.clone()).collect();
        if !pods.is_empty() {
            pods.extend(node.pods.iter().cloned());
            let crowded = self.snapshot.with_pods(at, pods);
            let node = crowded.nodes.get(at).map_or(node, |node| node);
            Filters::new(self.pod, self.volumes, &crowded).check(node)?;
        }
        self.check(node)
    }

    /// Looks at all nodes; at the nominated one first, which is taken if it is good.
    pub(super) fn find(&self) -> Findings {
        let named = only_nodes(&self.pod.pod);
        let nominated = self.pod.pod.text_at(&["status", "nominatedNodeName"]);
        let at = self.snapshot.nodes.iter().position(|node| !nominated.is_empty() && node.name() == nominated);
        if let Some(at) = at.filter(|at| self.check_at(*at).is_ok()) {
            return Findings { feasible: vec![at], refused: Vec::new() };
        }
        let mut findings = Findings::default();
        for (at, node) in self.snapshot.nodes.iter().enumerate() {
            let verdict = match &named {
                Some(named) if !named.contains(node.name()) => Err(Refusal::for_good(NOT_NAMED)),
                _ => self.check_at(at),
            };
            match verdict {
                Ok(()) => findings.feasible.push(at),
                Err(refusal) => findings.refused.push((at, refusal)),
            }
        }
        findings
    }
}
