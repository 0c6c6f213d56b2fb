//! The nodes with the pods on them, read once for each plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::View;
use coracle_client::object::{int, is_ending, items, name, namespace, uid};
use coracle_client::resources::{NAMESPACES, NODES, PODS};

use super::amounts::{Amounts, CPU, MEMORY};
use super::ports::{HostPort, host_ports};
use super::requests::{requests, usual_requests};
use super::term::{Namespaces, Terms};

/// A pod with what is asked of it often.
#[derive(Debug)]
pub(super) struct PodInfo {
    pub(super) pod: Arc<Value>,
    pub(super) requests: Amounts,
    pub(super) usual: Amounts,
    pub(super) ports: Vec<HostPort>,
    pub(super) terms: Terms,
    pub(super) priority: i64,
}

/// A node with the sums of its pods.
#[derive(Debug)]
pub(super) struct NodeInfo {
    pub(super) node: Arc<Value>,
    pub(super) allocatable: Amounts,
    pub(super) pods: Vec<Arc<PodInfo>>,
    pub(super) requested: Amounts,
    /// CPU and memory where containers without requests count with usual ones.
    pub(super) usual: Amounts,
}

/// All nodes by name. Cloning is cheap.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) nodes: Vec<Arc<NodeInfo>>,
    pub(super) namespaces: Arc<Namespaces>,
    /// Pods that wait for room on a node where others were asked to go for them.
    pub(super) nominated: Arc<Vec<(String, Arc<PodInfo>)>>,
}

impl PodInfo {
    pub(super) fn of(pod: &Arc<Value>) -> Arc<Self> {
        Arc::new(Self {
            pod: Arc::clone(pod),
            requests: requests(pod),
            usual: usual_requests(pod),
            ports: host_ports(pod),
            terms: Terms::of(pod),
            priority: priority(pod),
        })
    }

    /// Whether both are the same pod.
    pub(super) fn is(&self, other: &Self) -> bool {
        uid(&self.pod) == uid(&other.pod)
            && name(&self.pod) == name(&other.pod)
            && namespace(&self.pod) == namespace(&other.pod)
    }

    /// The names of the claims for volumes that it uses.
    pub(super) fn claims(&self) -> impl Iterator<Item = String> {
        claims(&self.pod)
    }
}

impl NodeInfo {
    fn new(node: Arc<Value>, pods: Vec<Arc<PodInfo>>) -> Self {
        let allocatable = Amounts::of(node.at(&["status", "allocatable"]));
        let (mut requested, mut usual) = (Amounts::default(), Amounts::default());
        for pod in &pods {
            requested.add(&pod.requests);
            for resource in [CPU, MEMORY] {
                usual.set(resource, usual.get(resource).saturating_add(pod.usual.get(resource)));
            }
        }
        Self { node, allocatable, pods, requested, usual }
    }

    pub(super) fn name(&self) -> &str {
        name(&self.node)
    }
}

impl Snapshot {
    /// The nodes and pods of a view. Pods that have ended take no room any more; pods that are ending still do.
    pub(super) fn of(view: &View) -> Self {
        let mut on: BTreeMap<String, Vec<Arc<PodInfo>>> = BTreeMap::new();
        let mut nominated = Vec::new();
        for pod in view.list(&PODS, "") {
            if has_ended(&pod) {
                continue;
            }
            let (node, wanted) = (pod.text_at(&["spec", "nodeName"]), pod.text_at(&["status", "nominatedNodeName"]));
            if !node.is_empty() {
                on.entry(node.to_owned()).or_default().push(PodInfo::of(&pod));
            } else if !wanted.is_empty() && !is_ending(&pod) {
                nominated.push((wanted.to_owned(), PodInfo::of(&pod)));
            }
        }
        let nodes = view.list(&NODES, "").into_iter().map(|node| {
            let pods = on.remove(name(&node)).unwrap_or_default();
            Arc::new(NodeInfo::new(node, pods))
        });
        let namespaces =
            view.list(&NAMESPACES, "").into_iter().map(|namespace| (name(&namespace).to_owned(), namespace));
        Self { nodes: nodes.collect(), namespaces: Arc::new(namespaces.collect()), nominated: Arc::new(nominated) }
    }

    /// The same with other pods on one node.
    pub(super) fn with_pods(&self, at: usize, pods: Vec<Arc<PodInfo>>) -> Self {
        let mut changed = self.clone();
        if let Some(node) = changed.nodes.get_mut(at) {
            *node = Arc::new(NodeInfo::new(Arc::clone(&node.node), pods));
        }
        changed
    }
}

/// Whether all containers of a pod have ended for good.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed")
}

/// The priority of a pod.
pub(super) fn priority(pod: &Value) -> i64 {
    int(pod, &["spec", "priority"], 0)
}

/// The names of the claims for volumes that a pod uses.
pub(super) fn claims(pod: &Value) -> impl Iterator<Item = String> {
    items(pod, &["spec", "volumes"]).iter().filter_map(|volume| claim(pod, volume))
}

/// The name of the claim for a volume of a pod.
pub(super) fn claim(pod: &Value, volume: &Value) -> Option<String> {
    match volume.at(&["persistentVolumeClaim"]) {
        Some(claim) => Some(claim.text_at(&["claimName"]).to_owned()),
        None => volume.at(&["ephemeral"]).map(|_| format!("{}-{}", name(pod), volume.text_at(&["name"]))),
    }
}
