//! Which pods a ReplicaSet deletes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;
use coracle_client::object::{condition, int, is_active_pod, is_ready_pod, items, named, time, uid};

use crate::trees::annotation;

/// The annotation that says how much the deletion of a pod costs.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What the order depends on.
#[derive(Debug, Clone)]
struct Rank {
    assigned: bool,
    phase: u8,
    ready: bool,
    ready_since: Option<Instant>,
    cost: i32,
    colocated: usize,
    restarts: (i64, i64),
    created: Option<Instant>,
    uid: String,
}

/// The first `size` pods of those that are active, those first whose loss hurts least. `related` are the pods that crowd
/// a node.
pub(super) fn surplus(active: &[Arc<Value>], related: &[Arc<Value>], size: usize, now: Instant) -> Vec<Arc<Value>> {
    // Nothing is to be chosen when all go.
    if size >= active.len() {
        return active.to_vec();
    }
    let mut crowd: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in related.iter().filter(|pod| is_active_pod(pod)) {
        *crowd.entry(node(pod)).or_default() += 1;
    }
    let mut sorted: Vec<(Rank, &Arc<Value>)> = Vec::with_capacity(active.len());
    // The order has cycles, because the logarithm of an age makes some differences count and others not. The sort of
    // the standard library may refuse such an order, an insertion cannot.
    for pod in active {
        let rank = Rank::of(pod, crowd.get(node(pod)).copied().unwrap_or(0));
        let at = sorted.partition_point(|(other, _)| !rank.goes_before(other, now));
        sorted.insert(at, (rank, pod));
    }
    sorted.into_iter().take(size).map(|(_, pod)| Arc::clone(pod)).collect()
}

fn node(pod: &Value) -> &str {
    pod.text_at(&["spec", "nodeName"])
}

impl Rank {
    fn of(pod: &Value, colocated: usize) -> Self {
        let ready = is_ready_pod(pod);
        let since = condition(pod, "Ready").and_then(|ready| time(ready, &["lastTransitionTime"]));
        Self {
            assigned: !node(pod).is_empty(),
            phase: match pod.text_at(&["status", "phase"]) {
                "Unknown" => 1,
                "Running" => 2,
                _ => 0,
            },
            ready,
            ready_since: since.filter(|_| ready),
            cost: annotation(pod, DELETION_COST).and_then(cost).unwrap_or(0),
            colocated,
            restarts: restarts(pod),
            created: time(pod, &["metadata", "creationTimestamp"]),
            uid: uid(pod).to_owned(),
        }
    }

    fn goes_before(&self, other: &Self, now: Instant) -> bool {
        if self.assigned != other.assigned {
            return !self.assigned;
        }
        if self.phase != other.phase {
            return self.phase < other.phase;
        }
        if self.ready != other.ready {
            return !self.ready;
        }
        if self.cost != other.cost {
            return self.cost < other.cost;
        }
        if self.colocated != other.colocated {
            return self.colocated > other.colocated;
        }
        if self.ready && self.ready_since != other.ready_since {
            return self.is_younger(other, self.ready_since, other.ready_since, now);
        }
        if self.restarts != other.restarts {
            return self.restarts > other.restarts;
        }
        self.created != other.created && self.is_younger(other, self.created, other.created, now)
    }

    /// Whether the first time is later than the second by the binary logarithm of their ages. Of two alike, the uid
    /// decides, which is as good as chance. No time at all is the latest.
    fn is_younger(&self, other: &Self, first: Option<Instant>, second: Option<Instant>, now: Instant) -> bool {
        let (Some(first), Some(second)) = (first, second) else { return first.is_none() };
        let (first, second) = (magnitude(first, now), magnitude(second, now));
        if first == second { self.uid < other.uid } else { first < second }
    }
}

/// The binary logarithm of an age in nanoseconds; none for an age that is not positive.
fn magnitude(since: Instant, now: Instant) -> Option<u32> {
    let nanoseconds = |at: Instant| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.micros) * 1_000;
    (nanoseconds(now) - nanoseconds(since)).checked_ilog2()
}

/// A number as the annotation may hold it: without a plus sign or leading zeros.
fn cost(text: &str) -> Option<i32> {
    let first = *text.as_bytes().first()?;
    (first == b'-' || text == "0" || (b'1'..=b'9').contains(&first)).then(|| text.parse().ok()).flatten()
}

/// The most restarts of a container, and of a sidecar.
fn restarts(pod: &Value) -> (i64, i64) {
    let restarts = |status: &Value| int(status, &["restartCount"], 0);
    let regular = items(pod, &["status", "containerStatuses"]).iter().map(restarts).max().unwrap_or(0);
    let containers = items(pod, &["spec", "initContainers"]);
    let is_sidecar = |status: &&Value| {
        named(containers, "name", status.text_at(&["name"]))
            .is_some_and(|container| container.text_at(&["restartPolicy"]) == "Always")
    };
    let sidecars = items(pod, &["status", "initContainerStatuses"]).iter().filter(is_sidecar);
    (regular, sidecars.map(restarts).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;

    const NOW: Instant = Instant { seconds: 1_767_225_600, micros: 0 };

    fn pod(uid: &str, more: &str) -> Arc<Value> {
        Arc::new(tree(&format!(r#"{{"metadata":{{"name":"{uid}","uid":"{uid}"}},{more}}}"#)))
    }

    fn running(uid: &str, node: &str, created: &str, ready: &str, annotations: &str, status: &str) -> Arc<Value> {
        let condition = if ready.is_empty() {
            String::new()
        } else {
            format!(r#"{{"type":"Ready","status":"True","lastTransitionTime":"{ready}"}}"#)
        };
        Arc::new(tree(&format!(
            r#"{{"metadata":{{"name":"{uid}","uid":"{uid}","creationTimestamp":"{created}","annotations":{{{annotations}}}}},"spec":{{"nodeName":"{node}"}},"status":{{"phase":"Running","conditions":[{condition}]{status}}}}}"#
        )))
    }

    #[test]
    fn each_rule_decides() {
        let old = "2025-12-30T00:00:00Z";
        let new = "2025-12-31T23:00:00Z";
        let cost = |value: &str| format!(r#""{DELETION_COST}":"{value}""#);
        let restarted = r#","containerStatuses":[{"restartCount":2}]"#;
        let table = [
            ("unassigned", pod("x", r#""status":{"phase":"Running"}"#), running("a", "n", old, "", "", "")),
            (
                "pending",
                pod("x", r#""spec":{"nodeName":"n"},"status":{"phase":"Pending"}"#),
                pod("a", r#""spec":{"nodeName":"n"},"status":{"phase":"Unknown"}"#),
            ),
            (
                "unknown",
                pod("x", r#""spec":{"nodeName":"n"},"status":{"phase":"Unknown"}"#),
                running("a", "n", old, "", "", ""),
            ),
            ("not ready", running("x", "n", old, "", "", ""), running("a", "n", new, old, "", "")),
            ("cost", running("x", "n", old, old, &cost("-1"), ""), running("a", "n", new, new, "", "")),
            ("wrong cost", running("x", "n", old, new, &cost("+9"), ""), running("a", "n", old, old, &cost("008"), "")),
            ("colocated", running("x", "crowded", old, old, "", ""), running("a", "n", new, new, "", "")),
            ("ready time", running("x", "n", old, new, "", ""), running("a", "n", old, old, "", restarted)),
            (
                "same magnitude",
                running("w", "n", old, "2025-12-30T00:00:01Z", "", ""),
                running("x", "n", old, old, "", ""),
            ),
            ("restarts", running("x", "n", old, old, "", restarted), running("a", "n", new, old, "", "")),
            ("creation", running("x", "n", new, old, "", ""), running("a", "n", old, old, "", "")),
            ("no creation time", running("x", "n", "", old, "", ""), running("a", "n", old, old, "", "")),
        ];
        let related = [running("r", "crowded", old, old, "", "")];
        for (rule, first, second) in table {
            for pods in [[first.clone(), second.clone()], [second.clone(), first.clone()]] {
                let chosen = surplus(&pods, &related, 1, NOW);
                assert_eq!(chosen, std::slice::from_ref(&first), "{rule}");
            }
        }
    }

    #[test]
    fn all_go_without_a_choice() {
        let pods = [pod("b", r#""spec":{"nodeName":"n"}"#), pod("a", r#""spec":{}"#)];
        assert_eq!(surplus(&pods, &[], 2, NOW), pods);
    }

    #[test]
    fn sidecars_count_after_containers() {
        let pod = tree(
            r#"{"spec":{"initContainers":[{"name":"s","restartPolicy":"Always"},{"name":"i"}]},"status":{"containerStatuses":[{"restartCount":1},{"restartCount":3}],"initContainerStatuses":[{"name":"s","restartCount":4},{"name":"i","restartCount":9}]}}"#,
        );
        assert_eq!(restarts(&pod), (3, 4));
    }
}
