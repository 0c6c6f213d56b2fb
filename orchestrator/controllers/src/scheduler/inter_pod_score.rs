//! Scores for what pods would like to be near to, or far from.

use super::domain::Domains;
use super::score::{BEST, Scores};
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::term::{Term, labels};

/// Weights of the wishes of the pod and of the pods that are there. What pods there demand to be near to counts as a
/// wish of weight one.
pub(super) fn scores(pod: &PodInfo, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Scores {
    let mut sums = Domains::default();
    let labelled = snapshot.nodes.iter().filter(|node| labels(&node.node).is_some_and(|labels| !labels.is_empty()));
    for (node, other) in labelled.flat_map(|node| node.pods.iter().map(move |other| (node, other))) {
        let mut count = |terms: &[Term], target: &PodInfo, sign: i64| {
            for term in terms.iter().filter(|term| term.is_about(&target.pod, &snapshot.namespaces)) {
                sums.add(&node.node, &term.key, sign * term.weight);
            }
        };
        count(&pod.terms.rather_near, other, 1);
        count(&pod.terms.rather_far, other, -1);
        count(&other.terms.near, pod, 1);
        count(&other.terms.rather_near, pod, 1);
        count(&other.terms.rather_far, pod, -1);
    }
    if sums.is_empty() {
        return None;
    }
    let sum = |node: &&NodeInfo| sums.keys().map(|key| sums.at(&node.node, key)).sum::<i64>();
    let sums: Vec<i64> = nodes.iter().map(sum).collect();
    let (least, most) = (sums.iter().min().copied()?, sums.iter().max().copied()?);
    Some(sums.iter().map(|sum| if most > least { scaled(sum - least, most - least) } else { 0 }).collect())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "upstream computes with 64-bit floats, and the result is between 0 and 100"
)]
fn scaled(part: i64, all: i64) -> i64 {
    (BEST as f64 * (part as f64 / all as f64)) as i64
}
