//! Scores for the room that nodes have: the emptier, the better, and CPU and memory used alike.

use super::amounts::{CPU, MEMORY};
use super::score::{BEST, Scores};
use super::snapshot::{NodeInfo, PodInfo};

const RESOURCES: [&str; 2] = [CPU, MEMORY];

/// The mean of what stays free of CPU and memory.
pub(super) fn least_allocated(pod: &PodInfo, nodes: &[&NodeInfo]) -> Vec<i64> {
    let score = |node: &&NodeInfo| {
        let shares: Vec<i64> = RESOURCES
            .iter()
            .filter(|name| node.allocatable.get(name) > 0)
            .map(|name| {
                let (all, used) = (node.allocatable.get(name), node.usual.get(name) + pod.usual.get(name));
                if used > all { 0 } else { share(all - used, all) }
            })
            .collect();
        let count = i64::try_from(shares.len()).unwrap_or(1);
        if count == 0 { 0 } else { shares.iter().sum::<i64>() / count }
    };
    nodes.iter().map(score).collect()
}

fn share(part: i64, all: i64) -> i64 {
    let share = i128::from(part) * i128::from(BEST) / i128::from(all);
    i64::try_from(share).unwrap_or(BEST)
}

/// How much the pod makes a node more, or less, balanced. A pod without requests does not matter.
pub(super) fn balanced(pod: &PodInfo, nodes: &[&NodeInfo]) -> Scores {
    if RESOURCES.iter().all(|name| pod.requests.get(name) == 0) {
        return None;
    }
    let score = |node: &&NodeInfo| {
        let with = balance(node, |name| node.requested.get(name) + pod.requests.get(name));
        let without = balance(node, |name| node.requested.get(name));
        BEST / 2 + (BEST / 2 + with - without) / 2
    };
    Some(nodes.iter().map(score).collect())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "upstream computes with 64-bit floats, and the result is between 50 and 100"
)]
fn balance(node: &NodeInfo, used: impl Fn(&str) -> i64) -> i64 {
    let known = RESOURCES.iter().filter(|name| node.allocatable.get(name) > 0);
    let shares: Vec<f64> = known.map(|name| (used(name) as f64 / node.allocatable.get(name) as f64).min(1.0)).collect();
    let deviation = match shares.as_slice() {
        [cpu, memory] => ((cpu - memory) / 2.0).abs(),
        _ => 0.0,
    };
    ((1.0 - deviation) * BEST as f64) as i64
}
