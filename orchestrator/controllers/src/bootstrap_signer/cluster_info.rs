//! `kube-public/cluster-info`: where the API is and whom to trust, for whoever joins.
//!
//! Upstream's `kubeadm init` writes it once; here it follows the address and authority of the server.

use coracle_apimachinery::{Value, base64};
use coracle_client::resources::{CONFIG_MAPS, NAMESPACES};
use coracle_client::{Change, View, Write};

use super::{CONTENT, NAME, NAMESPACE, cluster_info};
use crate::compose::{named, object};
use crate::controller::{Controller, Key, Plan, Round, Step, Watches};
use crate::service_account::is_active;

/// Keeps the ConfigMap. Signatures in it are left to the signer.
#[derive(Debug, Clone)]
pub struct ClusterInfo {
    kubeconfig: String,
}

impl ClusterInfo {
    /// Publishes the URL of the server and the certificates of its authority, written as PEM.
    #[must_use]
    pub fn new(server: &str, authority: &str) -> Self {
        // The form in which client-go v0.37.2 writes a kubeconfig with nothing but a cluster.
        let kubeconfig = format!(
            "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {}
    server: {server}
  name: \"\"
contexts: null
current-context: \"\"
kind: Config
users: null
",
            base64::encode(authority.as_bytes())
        );
        Self { kubeconfig }
    }

    fn content(&self) -> Value {
        Value::text(self.kubeconfig.as_str())
    }
}

impl Controller for ClusterInfo {
    /// Not a controller of upstream: the API server publishes itself.
    fn name(&self) -> &'static str {
        "apiserver"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NAMESPACES, public), (&CONFIG_MAPS, cluster_info)])
    }

    fn plan(&self, view: &View, _: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if !is_active(view, NAMESPACE) {
            return plan;
        }
        match view.get(&CONFIG_MAPS, NAMESPACE, NAME) {
            None => {
                let data = object([(CONTENT, self.content())]);
                let map = named(&CONFIG_MAPS, NAMESPACE, NAME, [("data", data)]);
                plan.step(Step::new(Write::create(&CONFIG_MAPS, map)).fine(&["AlreadyExists"]));
            }
            Some(map) if map.text_at(&["data", CONTENT]) == self.kubeconfig => {}
            Some(map) => {
                let mut map = Value::clone(&map);
                if let Some(members) = map.as_object_mut() {
                    members.object_mut("data").insert(CONTENT.into(), self.content());
                }
                plan.write(Write::update(&CONFIG_MAPS, map));
            }
        }
        plan
    }
}

/// Before the first write there is no ConfigMap to follow, so the namespace asks for it.
fn public(_: &View, change: &Change) -> Vec<Key> {
    (change.name() == NAMESPACE).then(|| Key::new(NAMESPACE, NAME)).into_iter().collect()
}
