//! Whether a node is heard of, and what its conditions say once it is not.

use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::View;
use coracle_client::object::{condition, name, time};
use coracle_client::resources::{LEASES, NODES};

/// Namespace of the leases of nodes.
pub(super) const LEASE_NAMESPACE: &str = "kube-node-lease";

/// Conditions that only the node itself can know.
const OF_THE_NODE: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// What is known of the last sign of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// Time since the last sign.
    pub(super) age: Duration,
    /// Whether the node has a lease.
    pub(super) has_lease: bool,
}

/// When a node was last heard of. Ages come from a clock that is never set, so that setting the clock silences nobody.
pub(super) fn signs(view: &View, node: &Value) -> Signs {
    let status = view.age(&NODES, "", name(node)).unwrap_or_default();
    let lease = view.get(&LEASES, LEASE_NAMESPACE, name(node));
    let renewal = view.age(&LEASES, LEASE_NAMESPACE, name(node));
    let (Some(lease), Some(renewal)) = (lease, renewal) else { return Signs { age: status, has_lease: false } };
    // A node object is written by others, too. Its age is a sign only if the node itself says, by its own clock, that it
    // has written its status after its lease.
    let renewed = time(&lease, &["spec", "renewTime"]);
    let heartbeat = condition(node, "Ready").and_then(|ready| time(ready, &["lastHeartbeatTime"]));
    let status_is_later = match (heartbeat, renewed) {
        (Some(heartbeat), Some(renewed)) => heartbeat.seconds > renewed.seconds,
        _ => false,
    };
    Signs { age: if status_is_later { renewal.min(status) } else { renewal }, has_lease: true }
}

/// The status of the condition `Ready`; `None` while nobody has posted it.
pub(super) fn ready(node: &Value) -> Option<&str> {
    condition(node, "Ready").map(|ready| ready.text_at(&["status"]))
}

/// The node with conditions that say that nothing is known of it; `None` if they do already.
pub(super) fn unknown(node: &Value, now: Instant) -> Option<Value> {
    if ready(node) == Some("Unknown") {
        return None;
    }
    let created = node.text_at(&["metadata", "creationTimestamp"]).to_owned();
    let now = now.print(Precision::Seconds);
    let mut node = node.clone();
    let status = node.as_object_mut()?.object_mut("status");
    status.insert_default("conditions", || Value::List(Vec::new()));
    let conditions = status.get_mut("conditions")?.items_mut()?;
    for of in OF_THE_NODE {
        let known = conditions.iter_mut().find(|condition| condition.text_at(&["type"]) == of);
        match known.and_then(Value::as_object_mut) {
            Some(condition) => lose(condition, &now),
            None => conditions.push(never_posted(of, &created, &now)),
        }
    }
    Some(node)
}

fn lose(condition: &mut Object, now: &str) {
    if condition.get("status").and_then(Value::as_str) == Some("Unknown") {
        return;
    }
    for (member, text) in [
        ("status", "Unknown"),
        ("reason", "NodeStatusUnknown"),
        ("message", "Kubelet stopped posting node status."),
        ("lastTransitionTime", now),
    ] {
        condition.insert(member.into(), Value::text(text));
    }
}

fn never_posted(of: &'static str, created: &str, now: &str) -> Value {
    let members = [
        ("type", of),
        ("status", "Unknown"),
        ("reason", "NodeStatusNeverUpdated"),
        ("message", "Kubelet never posted node status."),
        ("lastHeartbeatTime", created),
        ("lastTransitionTime", now),
    ];
    let members = members.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(members.map(|(member, text)| (member.into(), Value::text(text))).collect())
}
