//! Whether a pod that was bound to this node may run on it. One that may not fails for good, with the reason.

mod affinity;
mod room;
#[cfg(test)]
mod tests;

use coracle_apimachinery::{Object, Value};

use super::plan::is_over;
use super::status::rejected;
use super::view::Pod;
use super::{Event, Now};

/// The reasons that events can have.
const REASONS: [&str; 10] = [
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "OutOfcpu",
    "OutOfephemeral-storage",
    "OutOfmemory",
    "OutOfpods",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "TaintToleration",
];
/// The reason of the event about a resource that is not one of the usual ones.
const OTHER: &str = "OutOfExtendedResources";

/// Why a pod may not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, for example `OutOfcpu` or `NodeAffinity`.
    pub reason: String,
    /// What exactly.
    pub message: String,
}

impl Rejection {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }

    /// A check that schedulers also make failed.
    fn predicate(name: &str, problem: &str) -> Self {
        Self::new(name, format!("Predicate {name} failed: {problem}"))
    }

    /// The status of the rejected pod, which is final.
    pub fn status(&self, pod: &Value, now: Now) -> Value {
        rejected(pod, &self.reason, &format!("Pod was rejected: {}", self.message), now)
    }

    /// The event about it. What schedulers cannot see goes by one common name there.
    pub fn event(&self) -> Event {
        let reason = REASONS.iter().find(|reason| **reason == self.reason).unwrap_or(&OTHER);
        Event::warning(reason, self.message.clone(), String::new())
    }
}

/// Whether the node has not decided about a pod yet: it is new to the node, and neither over nor being deleted.
pub fn is_due(pod: &Value) -> bool {
    let view = Pod(pod);
    pod.text_at(&["status", "startTime"]).is_empty() && !view.is_deleting() && !is_over(view.phase())
}

/// Whether a pod may run on a node beside the other pods that run there. For a pod of which it [`is_due`]; one that may
/// not starts with [`Memory::rejected`](super::Memory::rejected). `others` must not hold the pod itself nor pods
/// that are over.
pub fn admit(pod: &Value, node: &Value, others: &[&Value]) -> Result<(), Rejection> {
    operating_system(pod)?;
    room::check(pod, node, others)?;
    affinity::check(pod, node)?;
    let name = pod.text_at(&["spec", "nodeName"]);
    if !name.is_empty() && name != node.text_at(&["metadata", "name"]) {
        return Err(Rejection::predicate("NodeName", "node(s) didn't match the requested node name"));
    }
    ports(pod, others)?;
    taints(pod, node)
}

fn operating_system(pod: &Value) -> Result<(), Rejection> {
    let label = pod.text_at(&["metadata", "labels", "kubernetes.io/os"]);
    if !matches!(label, "" | "linux") {
        let message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
        return Err(Rejection::new("PodOSSelectorNodeLabelDoesNotMatch", message));
    }
    if !matches!(pod.text_at(&["spec", "os", "name"]), "" | "linux") {
        let message = "Failed to admit pod as the OS field doesn't match node OS";
        return Err(Rejection::new("PodOSNotSupported", message));
    }
    Ok(())
}

/// Ports of the host that a pod takes: protocol, address and number.
fn host_ports(pod: &Value) -> Vec<(&str, &str, i64)> {
    let lists = ["containers", "initContainers"].iter().flat_map(|list| {
        let containers = pod.at(&["spec", list]).map(Value::items).unwrap_or_default();
        // Only init containers that stay hold their ports.
        containers.iter().filter(move |item| *list == "containers" || item.text_at(&["restartPolicy"]) == "Always")
    });
    let ports = lists.flat_map(|container| container.at(&["ports"]).map(Value::items).unwrap_or_default());
    let read = |port: &'_ Value| port.at(&["hostPort"]).and_then(Value::as_int).filter(|number| *number > 0);
    ports
        .filter_map(|port| {
            let number = read(port)?;
            let protocol = match port.text_at(&["protocol"]) {
                "" => "TCP",
                protocol => protocol,
            };
            let address = match port.text_at(&["hostIP"]) {
                "" => "0.0.0.0",
                address => address,
            };
            Some((protocol, address, number))
        })
        .collect()
}

fn ports(pod: &Value, others: &[&Value]) -> Result<(), Rejection> {
    let taken: Vec<_> = others.iter().flat_map(|other| host_ports(other)).collect();
    let clashes = |(protocol, address, number): (&str, &str, i64)| {
        taken.iter().any(|&(other, other_address, other_number)| {
            let same_address = address == other_address || address == "0.0.0.0" || other_address == "0.0.0.0";
            protocol == other && number == other_number && same_address
        })
    };
    if host_ports(pod).into_iter().any(clashes) {
        return Err(Rejection::predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports"));
    }
    Ok(())
}

fn taints(pod: &Value, node: &Value) -> Result<(), Rejection> {
    let list = |owner: &'_ Value, path: &[&str]| owner.at(path).map(Value::items).unwrap_or_default().to_vec();
    let tolerations = list(pod, &["spec", "tolerations"]);
    let taints = list(node, &["spec", "taints"]);
    let evicts = |taint: &&Value| taint.text_at(&["effect"]) == "NoExecute";
    let tolerated = |taint: &Value| tolerations.iter().any(|toleration| tolerates(toleration, taint));
    if taints.iter().filter(evicts).all(tolerated) {
        return Ok(());
    }
    Err(Rejection::predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate"))
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (effect, key) = (toleration.text_at(&["effect"]), toleration.text_at(&["key"]));
    let (given, held) = (toleration.text_at(&["value"]), taint.text_at(&["value"]));
    let numbers = || Some((given.parse::<i64>().ok()?, held.parse::<i64>().ok()?));
    (effect.is_empty() || effect == taint.text_at(&["effect"]))
        && (key.is_empty() || key == taint.text_at(&["key"]))
        && match toleration.text_at(&["operator"]) {
            "Exists" => true,
            "" | "Equal" => given == held,
            "Lt" => numbers().is_some_and(|(given, held)| held < given),
            "Gt" => numbers().is_some_and(|(given, held)| held > given),
            _ => false,
        }
}

/// The text members of an object.
fn text_members(object: Option<&Value>) -> impl Iterator<Item = (&str, &str)> {
    let members = object.and_then(Value::as_object).into_iter().flat_map(Object::iter);
    members.filter_map(|(name, value)| Some((name, value.as_str()?)))
}
