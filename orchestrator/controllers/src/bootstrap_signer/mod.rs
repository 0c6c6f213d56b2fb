//! Keeps the signatures of `kube-public/cluster-info` in step with the bootstrap tokens, and removes expired tokens.
//!
//! Source: kubernetes v1.37.2, pkg/controller/bootstrap; cluster-bootstrap v0.37.2.

mod cluster_info;
pub mod jws;
pub(crate) mod token;
mod token_cleaner;

use std::collections::BTreeMap;

use coracle_apimachinery::Value;
use coracle_client::resources::{CONFIG_MAPS, SECRETS};
use coracle_client::{Change, View, Write};

use crate::controller::{Controller, Key, Plan, Round, Step, Watches};

pub use cluster_info::ClusterInfo;
pub use token_cleaner::TokenCleaner;

/// Namespace of the ConfigMap.
pub const NAMESPACE: &str = "kube-public";
/// Name of the ConfigMap.
pub const NAME: &str = "cluster-info";
/// Its member that is signed.
pub const CONTENT: &str = "kubeconfig";
/// What the names of signatures begin with; the id of the token follows.
pub const PREFIX: &str = "jws-kubeconfig-";

/// Signs the `kubeconfig` of `kube-public/cluster-info` with every token that is good for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootstrapSigner;

impl Controller for BootstrapSigner {
    fn name(&self) -> &'static str {
        "bootstrap-signer"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&CONFIG_MAPS, cluster_info), (&SECRETS, tokens)])
    }

    fn plan(&self, view: &View, _: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(map) = view.get(&CONFIG_MAPS, NAMESPACE, NAME) else { return plan };
        let Some(content) = map.at(&["data", CONTENT]).and_then(Value::as_str) else { return plan };
        let mut wanted = BTreeMap::new();
        for secret in view.list(&SECRETS, token::NAMESPACE) {
            if let Some(token) = token::for_signing(&secret, round.now) {
                wanted.insert(format!("{PREFIX}{}", token.id), jws::detached(content, &token.id, &token.secret));
                if let Some(left) = token.left {
                    plan.again_after(left);
                }
            }
        }
        if signatures(&map) != wanted {
            // After a conflict the change that caused it asks again.
            let write = Write::update(&CONFIG_MAPS, signed(&map, wanted));
            plan.step(Step::new(write).fine(&["Conflict", "NotFound"]));
        }
        plan
    }
}

/// The signatures that are there.
fn signatures(map: &Value) -> BTreeMap<String, String> {
    let members = map.at(&["data"]).and_then(Value::as_object).into_iter().flat_map(|data| data.iter());
    members
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name.to_owned(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The same ConfigMap with other signatures.
fn signed(map: &Value, signatures: BTreeMap<String, String>) -> Value {
    let mut map = map.clone();
    if let Some(members) = map.as_object_mut() {
        let data = members.object_mut("data");
        data.retain(|name, _| !name.starts_with(PREFIX));
        for (name, signature) in signatures {
            data.insert(name.into(), Value::text(signature));
        }
    }
    map
}

fn cluster_info(_: &View, change: &Change) -> Vec<Key> {
    let concerned = change.namespace() == NAMESPACE && change.name() == NAME;
    concerned.then(|| Key::new(NAMESPACE, NAME)).into_iter().collect()
}

fn tokens(_: &View, change: &Change) -> Vec<Key> {
    let concerned = change.sides().any(token::is_token);
    concerned.then(|| Key::new(NAMESPACE, NAME)).into_iter().collect()
}

#[cfg(test)]
mod tests;
