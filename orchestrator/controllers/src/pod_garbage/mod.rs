//! Removes pods of nodes that are gone, and old finished pods.
//!
//! Upstream looks at all pods every 20 seconds; here changes of pods and nodes wake what they concern. Conditions and
//! limits: kubernetes v1.37.2, pkg/controller/podgc.

mod finished;
mod keys;
mod orphan;
mod remove;
#[cfg(test)]
mod tests;

use coracle_apimachinery::Value;
use coracle_client::View;
use coracle_client::object::{is_ending, is_true, items};
use coracle_client::resources::{NODES, PODS};

use crate::controller::{Controller, Key, Plan, Round, Watches};

/// Removes pods that no node agent will ever remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodGarbageCollector;

impl Controller for PodGarbageCollector {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&PODS, keys::of_pod), (&NODES, keys::of_node)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        if *key == finished::key() {
            return finished::plan(&view.list(&PODS, ""), finished::THRESHOLD);
        }
        let Some(pod) = view.get(&PODS, &key.namespace, &key.name) else { return Plan::nothing() };
        let node_name = node_of(&pod);
        if node_name.is_empty() {
            return if is_ending(&pod) { remove::plan(&pod, None) } else { Plan::nothing() };
        }
        match view.get(&NODES, "", node_name) {
            None => orphan::plan(&pod, round.now),
            Some(node) if is_ending(&pod) && is_out_of_service(&node) => remove::plan(&pod, None),
            Some(_) => orphan::forget(&pod),
        }
    }
}

/// The node that a pod is bound to; may be empty.
fn node_of(pod: &Value) -> &str {
    pod.text_at(&["spec", "nodeName"])
}

/// Whether somebody has said that a node is down, and it is.
fn is_out_of_service(node: &Value) -> bool {
    let taints = items(node, &["spec", "taints"]);
    !is_true(node, "Ready") && taints.iter().any(|taint| taint.text_at(&["key"]) == "node.kubernetes.io/out-of-service")
}
