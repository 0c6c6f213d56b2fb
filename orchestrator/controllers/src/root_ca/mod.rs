//! Publishes the authority of the API in every namespace.
//!
//! Source: kubernetes v1.37.2, pkg/controller/certificates/rootcacertpublisher.

use coracle_apimachinery::{Key as Member, Value};
use coracle_client::resources::{CONFIG_MAPS, NAMESPACES};
use coracle_client::{Change, View, Write};

use crate::compose::{named, object};
use crate::controller::{Controller, Key, Plan, Round, Step, Watches, itself};
use crate::service_account::is_active;

const NAME: &str = "kube-root-ca.crt";
const FILE: &str = "ca.crt";
const ANNOTATION: &str = "kubernetes.io/description";
/// What users read in the annotation.
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
    endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
    distributions of Kubernetes clusters.";

/// Keeps the ConfigMap `kube-root-ca.crt` in every active namespace. Its keys are names of namespaces.
#[derive(Debug, Clone)]
pub struct RootCa {
    authority: String,
}

impl RootCa {
    /// Publishes these certificates, written as PEM.
    #[must_use]
    pub fn new(authority: impl Into<String>) -> Self {
        Self { authority: authority.into() }
    }

    fn data(&self) -> Value {
        object([(FILE, Value::text(self.authority.as_str()))])
    }

    fn corrected(&self, map: &Value) -> Value {
        let mut map = map.clone();
        if let Some(members) = map.as_object_mut() {
            members.insert("data".into(), self.data());
            let annotations = members.object_mut("metadata").object_mut("annotations");
            annotations.insert(ANNOTATION.into(), Value::text(DESCRIPTION));
        }
        map
    }
}

impl Controller for RootCa {
    fn name(&self) -> &'static str {
        "root-ca-cert-publisher"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NAMESPACES, itself), (&CONFIG_MAPS, published)])
    }

    fn plan(&self, view: &View, key: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if !is_active(view, &key.name) {
            return plan;
        }
        let Some(map) = view.get(&CONFIG_MAPS, &key.name, NAME) else {
            let mut map = named(&CONFIG_MAPS, &key.name, NAME, [("data", self.data())]);
            if let Some(members) = map.as_object_mut() {
                let annotations = object([(ANNOTATION, Value::text(DESCRIPTION))]);
                members.object_mut("metadata").insert(Member::Borrowed("annotations"), annotations);
            }
            plan.step(Step::new(Write::create(&CONFIG_MAPS, map)).fine(&["AlreadyExists", "NotFound"]));
            return plan;
        };
        // Somebody may word the description otherwise, but the contents are fixed.
        let described = !map.text_at(&["metadata", "annotations", ANNOTATION]).is_empty();
        if !described || map.at(&["data"]) != Some(&self.data()) {
            plan.write(Write::update(&CONFIG_MAPS, self.corrected(&map)));
        }
        plan
    }
}

fn published(_: &View, change: &Change) -> Vec<Key> {
    (change.name() == NAME).then(|| Key::new("", change.namespace())).into_iter().collect()
}

#[cfg(test)]
mod tests;
