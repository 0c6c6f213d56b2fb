//! What authorisation and authentication ask about stored objects.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_auth::authorise::{Related, pod_uses};
use coracle_auth::{Facts, Objects};
use coracle_store::Store;

use crate::api::Api;
use crate::registry::{Registry, Row};
use crate::stored::Object;

/// Facts from the store.
pub(crate) struct StoredFacts<'a>(pub(crate) &'a Api);

/// Objects of the core group, for checks of credentials, which happen before there is a request.
#[derive(Debug)]
pub struct StoredObjects {
    store: Arc<dyn Store>,
    registry: Registry,
}

impl StoredObjects {
    /// The objects of a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, registry: Registry::built_in() }
    }
}

impl Objects for StoredObjects {
    fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let row = self.registry.row("", "v1", resource)?;
        let entry = self.store.get(&Api::key(row, namespace, name).ok()?)?;
        row.tree(&Object::of_entry(&entry)).ok()
    }
}

impl StoredFacts<'_> {
    /// Whether an object names a node at these members.
    fn names(&self, group: &str, resource: &str, namespace: &str, name: &str, at: &[&str], node: &str) -> bool {
        let registry = self.0.registry();
        let Some(row) = registry.row(group, "v1", resource) else { return false };
        let object = self.0.get(row, namespace, name).ok();
        let tree = object.and_then(|object| self.0.tree(row, &object).ok());
        tree.is_some_and(|tree| tree.text_at(at) == node)
    }

    /// Whether a condition holds for a pod of the node, in one namespace or in all.
    fn any_pod(&self, node: &str, namespace: &str, holds: impl Fn(&Value) -> bool) -> bool {
        let registry = self.0.registry();
        let Some(pods): Option<&Arc<Row>> = registry.row("", "v1", "pods") else { return false };
        let scope = if namespace.is_empty() { pods.storage.all() } else { pods.storage.in_namespace(namespace) };
        let snapshot = self.0.store().snapshot();
        let mut entries = snapshot.range(&scope, None);
        entries.any(|entry| {
            let tree = self.0.tree(pods, &Object::of_entry(entry));
            tree.is_ok_and(|pod| pod.text_at(&["spec", "nodeName"]) == node && holds(&pod))
        })
    }
}

impl Facts for StoredFacts<'_> {
    fn node_uses(&self, node: &str, related: Related, namespace: &str, name: &str) -> bool {
        match related {
            Related::Pod => self.names("", "pods", namespace, name, &["spec", "nodeName"], node),
            Related::VolumeAttachment => {
                self.names("storage.k8s.io", "volumeattachments", "", name, &["spec", "nodeName"], node)
            }
            Related::ResourceSlice => {
                self.names("resource.k8s.io", "resourceslices", "", name, &["spec", "nodeName"], node)
            }
            Related::PodCertificateRequest => {
                let resource = "podcertificaterequests";
                self.names("certificates.k8s.io", resource, namespace, name, &["spec", "nodeName"], node)
            }
            Related::PersistentVolume => self.volume_used(node, name),
            _ => self.any_pod(node, namespace, |pod| pod_uses(pod, related, name)),
        }
    }

    fn certificate_request_owner(&self, name: &str) -> Option<String> {
        let registry = self.0.registry();
        let row = registry.row("certificates.k8s.io", "v1", "certificatesigningrequests")?;
        let object = self.0.get(row, "", name).ok()?;
        let tree = self.0.tree(row, &object).ok()?;
        Some(tree.text_at(&["spec", "username"]).to_owned())
    }
}

impl StoredFacts<'_> {
    /// Whether a pod of the node uses the claim that a volume is bound to.
    fn volume_used(&self, node: &str, name: &str) -> bool {
        let registry = self.0.registry();
        let Some(row) = registry.row("", "v1", "persistentvolumes") else { return false };
        let object = self.0.get(row, "", name).ok();
        let Some(volume) = object.and_then(|object| self.0.tree(row, &object).ok()) else { return false };
        let claim = |member: &str| volume.text_at(&["spec", "claimRef", member]).to_owned();
        let (namespace, claim) = (claim("namespace"), claim("name"));
        !claim.is_empty() && self.any_pod(node, &namespace, |pod| pod_uses(pod, Related::PersistentVolumeClaim, &claim))
    }
}
