//! Which of the good nodes is best: upstream's scores with its weights.

use coracle_apimachinery::Value;
use coracle_client::View;
use coracle_client::object::{name, uid};

use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::tolerations::{SOFT, tolerations, untolerated};
use super::{images, inter_pod_score, node_affinity, room, spread_score};

/// The best score of one aspect.
pub(super) const BEST: i64 = 100;

/// Scores of the good nodes in their order; `None` if the aspect says nothing of this pod.
pub(super) type Scores = Option<Vec<i64>>;

/// The place of the best node among the good ones.
pub(super) fn best(view: &View, pod: &PodInfo, snapshot: &Snapshot, feasible: &[usize]) -> Option<usize> {
    let nodes: Vec<&NodeInfo> = feasible.iter().filter_map(|at| snapshot.nodes.get(*at)).map(|node| &**node).collect();
    let totals = if nodes.len() > 1 { totals(view, pod, snapshot, &nodes) } else { vec![0; nodes.len()] };
    let ranked = feasible.iter().zip(nodes).zip(totals);
    // Equal nodes are told apart by a hash, so that not all pods prefer the node whose name comes first.
    let place = ranked.max_by_key(|((_, node), total)| (*total, hash(uid(&pod.pod), name(&node.node))));
    place.map(|((at, _), _)| *at)
}

/// The weighted sums.
pub(super) fn totals(view: &View, pod: &PodInfo, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Vec<i64> {
    let aspects = [
        (3, taints(&pod.pod, nodes)),
        (2, affinity(&pod.pod, nodes)),
        (1, Some(room::least_allocated(pod, nodes))),
        (2, spread_score::scores(view, pod, snapshot, nodes)),
        (2, inter_pod_score::scores(pod, snapshot, nodes)),
        (1, room::balanced(pod, nodes)),
        (1, Some(images::scores(&pod.pod, snapshot, nodes))),
    ];
    let mut totals = vec![0; nodes.len()];
    for (weight, scores) in aspects {
        for (total, score) in totals.iter_mut().zip(scores.into_iter().flatten()) {
            *total += weight * score;
        }
    }
    totals
}

fn taints(pod: &Value, nodes: &[&NodeInfo]) -> Scores {
    // Only tolerations that can mean soft taints count here.
    let soft = |toleration: &&Value| ["", "PreferNoSchedule"].contains(&toleration.text_at(&["effect"]));
    let tolerations: Vec<Value> = tolerations(pod).iter().filter(soft).cloned().collect();
    let count = |node: &&NodeInfo| untolerated(&tolerations, &node.node, SOFT).count();
    let counts = nodes.iter().map(|node| i64::try_from(count(node)).unwrap_or(i64::MAX / BEST));
    Some(normalised(counts.collect(), true))
}

fn affinity(pod: &Value, nodes: &[&NodeInfo]) -> Scores {
    let sums: Scores = nodes.iter().map(|node| node_affinity::preference(pod, &node.node)).collect();
    sums.map(|sums| normalised(sums, false))
}

/// Scales the numbers so that the largest one becomes the best score, or the worst one if they are to be small.
fn normalised(mut numbers: Vec<i64>, small_is_good: bool) -> Vec<i64> {
    let largest = numbers.iter().copied().max().unwrap_or(0);
    for number in &mut numbers {
        let scaled = if largest == 0 { 0 } else { BEST * *number / largest };
        *number = if small_is_good { BEST - scaled } else { scaled };
    }
    numbers
}

/// FNV-1a.
fn hash(pod: &str, node: &str) -> u64 {
    let bytes = pod.bytes().chain([0]).chain(node.bytes());
    let mixed =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The last bytes alone would hardly reach the high bits, and names of nodes often differ in their last byte.
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled() {
        assert_eq!(normalised(vec![0, 5, 10], false), [0, 50, 100]);
        assert_eq!(normalised(vec![0, 5, 10], true), [100, 50, 0]);
        assert_eq!(normalised(vec![0, 0], false), [0, 0]);
        assert_eq!(normalised(vec![0, 0], true), [100, 100]);
    }

    #[test]
    fn ties_are_spread_over_the_nodes() {
        let nodes = ["node-1", "node-2", "node-3"];
        let mut counts = [0; 3];
        for pod in 0..300 {
            let uid = format!("uid-{pod}");
            let best = (0..3).max_by_key(|at| hash(&uid, nodes[*at])).unwrap();
            counts[best] += 1;
        }
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}
