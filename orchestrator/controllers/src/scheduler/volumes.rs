//! Volumes that tie a pod to nodes.
//!
//! Claims must be bound, or be of a class that waits for the first consumer. For such a claim the chosen node is written
//! on the claim, and the pod is bound once the claim is. Which existing volume would fit such a claim, zones in labels of
//! volumes, limits of drivers and conflicts between in-tree disks are not looked at.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::{is_ending, items, name, namespace, uid};
use coracle_client::resources::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES};
use coracle_client::{Resource, View};

use super::node_affinity::selects;
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::verdict::{Refusal, Verdict};

const UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";
const IN_USE: &str =
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";
const WRONG_NODE: &str = "node(s) didn't match PersistentVolume's node affinity";
const NO_VOLUME: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
/// On a claim: the node where its volume is to be.
pub(super) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";

/// Classes of storage.
pub(super) static STORAGE_CLASSES: Resource =
    Resource::clustered("storage.k8s.io", "v1", "storageclasses", "StorageClass");

/// What the volumes of a pod demand.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// The volumes of claims that are bound; `None` for one that does not exist.
    bound: Vec<Option<Arc<Value>>>,
    /// Claims that wait until a node is chosen.
    pub(super) waiting: Vec<Arc<Value>>,
    /// Claims that only one pod may use.
    exclusive: Vec<String>,
}

impl Volumes {
    /// Reads the claims of a pod.
    ///
    /// # Errors
    /// The pod cannot be placed on any node for now, with the reason.
    pub(super) fn of(view: &View, pod: &PodInfo) -> Result<Self, String> {
        let pod = &pod.pod;
        let mut volumes = Self::default();
        for volume in items(pod, &["spec", "volumes"]) {
            let ephemeral = volume.at(&["ephemeral"]).is_some();
            let Some(claim_name) = super::snapshot::claim(pod, volume) else { continue };
            let claim = view.get(&PERSISTENT_VOLUME_CLAIMS, namespace(pod), &claim_name);
            let claim = claim.ok_or_else(|| missing(&claim_name, ephemeral))?;
            check(pod, &claim, ephemeral)?;
            volumes.add(view, claim)?;
        }
        Ok(volumes)
    }

    fn add(&mut self, view: &View, claim: Arc<Value>) -> Result<(), String> {
        if items(&claim, &["spec", "accessModes"]).iter().any(|mode| mode.as_str() == Some("ReadWriteOncePod")) {
            self.exclusive.push(name(&claim).to_owned());
        }
        let volume = claim.text_at(&["spec", "volumeName"]);
        if !volume.is_empty() && claim.at(&["metadata", "annotations", BIND_COMPLETED]).is_some() {
            self.bound.push(view.get(&PERSISTENT_VOLUMES, "", volume));
            return Ok(());
        }
        let class = view.get(&STORAGE_CLASSES, "", claim.text_at(&["spec", "storageClassName"]));
        let waits = class.is_some_and(|class| class.text_at(&["volumeBindingMode"]) == "WaitForFirstConsumer");
        if !waits || !volume.is_empty() {
            return Err(UNBOUND.to_owned());
        }
        self.waiting.push(claim);
        Ok(())
    }

    /// Whether the volumes let the pod be on a node.
    pub(super) fn check(&self, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot) -> Verdict {
        let mut others = snapshot.nodes.iter().flat_map(|node| &node.pods);
        let shares = |other: &PodInfo| {
            namespace(&other.pod) == namespace(&pod.pod) && other.claims().any(|claim| self.exclusive.contains(&claim))
        };
        if !self.exclusive.is_empty() && others.any(|other| shares(other)) {
            return Err(Refusal::for_now(IN_USE));
        }
        for volume in &self.bound {
            let volume = volume.as_ref().ok_or_else(|| Refusal::for_good(NO_VOLUME))?;
            let required = volume.at(&["spec", "nodeAffinity", "required"]);
            if !required.is_none_or(|selector| selects(selector, &node.node)) {
                return Err(Refusal::for_good(WRONG_NODE));
            }
        }
        let selected = |claim: &Value| claim.text_at(&["metadata", "annotations", SELECTED_NODE]).to_owned();
        if self.waiting.iter().map(|claim| selected(claim)).any(|node_name| !["", node.name()].contains(&&*node_name)) {
            return Err(Refusal::for_good(WRONG_NODE));
        }
        Ok(())
    }
}

fn missing(claim: &str, ephemeral: bool) -> String {
    if ephemeral {
        format!("waiting for ephemeral volume controller to create the persistentvolumeclaim \"{claim}\"")
    } else {
        format!("persistentvolumeclaim \"{claim}\" not found")
    }
}

fn check(pod: &Value, claim: &Value, ephemeral: bool) -> Result<(), String> {
    let named = name(claim);
    if claim.text_at(&["status", "phase"]) == "Lost" {
        let volume = claim.text_at(&["spec", "volumeName"]);
        return Err(format!("persistentvolumeclaim \"{named}\" bound to non-existent persistentvolume \"{volume}\""));
    }
    if is_ending(claim) {
        return Err(format!("persistentvolumeclaim \"{named}\" is being deleted"));
    }
    let owner = coracle_client::object::controller(claim);
    if ephemeral && owner.is_none_or(|owner| owner.text_at(&["uid"]) != uid(pod)) {
        let (namespace, pod) = (namespace(claim), name(pod));
        return Err(format!("PVC {namespace}/{named} was not created for pod {namespace}/{pod} (pod is not owner)"));
    }
    Ok(())
}
