//! Which nodes are near to, or far from, other pods as pods demand it of each other.

use super::domain::Domains;
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::term::Term;
use super::verdict::{Refusal, Verdict};

const NOT_NEAR: &str = "node(s) didn't match pod affinity rules";
const NOT_FAR: &str = "node(s) didn't match pod anti-affinity rules";
const OTHERS_KEEP_IT_OFF: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// Where the pods are that matter to one pod.
#[derive(Debug)]
pub(super) struct InterPod<'a> {
    pod: &'a PodInfo,
    /// Where pods are that demand to be far from it.
    kept_off: Domains,
    /// Where pods are that all its demands for nearness are about.
    near: Domains,
    /// Where pods are that it demands to be far from.
    far: Domains,
    /// Whether it is such a pod itself that it demands to be near to, so that it can be the first one.
    is_first: bool,
}

impl<'a> InterPod<'a> {
    pub(super) fn new(pod: &'a PodInfo, snapshot: &Snapshot) -> Self {
        let namespaces = &snapshot.namespaces;
        let about = |term: &Term, other: &PodInfo| term.is_about(&other.pod, namespaces);
        let terms = &pod.terms;
        let all = |other: &PodInfo| !terms.near.is_empty() && terms.near.iter().all(|term| about(term, other));
        let (mut kept_off, mut near, mut far) = (Domains::default(), Domains::default(), Domains::default());
        for (node, other) in snapshot.nodes.iter().flat_map(|node| node.pods.iter().map(move |other| (node, other))) {
            let count = |domains: &mut Domains, term: &Term| domains.add(&node.node, &term.key, 1);
            for term in other.terms.far.iter().filter(|term| about(term, pod)) {
                count(&mut kept_off, term);
            }
            if all(other) {
                terms.near.iter().for_each(|term| count(&mut near, term));
            }
            for term in terms.far.iter().filter(|term| about(term, other)) {
                count(&mut far, term);
            }
        }
        let is_first = near.is_empty() && all(pod);
        Self { pod, kept_off, near, far, is_first }
    }

    /// Whether the pod may be placed on a node.
    pub(super) fn check(&self, node: &NodeInfo) -> Verdict {
        let terms = &self.pod.terms;
        let has_label = |term: &Term| super::node_affinity::label(&node.node, &term.key).is_some();
        let is_near = |term: &Term| self.near.at(&node.node, &term.key) > 0;
        if !terms.near.iter().all(has_label) || !(self.is_first || terms.near.iter().all(is_near)) {
            return Err(Refusal::for_good(NOT_NEAR));
        }
        if terms.far.iter().any(|term| self.far.at(&node.node, &term.key) > 0) {
            return Err(Refusal::for_now(NOT_FAR));
        }
        if self.kept_off.keys().any(|key| self.kept_off.at(&node.node, key) > 0) {
            return Err(Refusal::for_now(OTHERS_KEEP_IT_OFF));
        }
        Ok(())
    }
}
