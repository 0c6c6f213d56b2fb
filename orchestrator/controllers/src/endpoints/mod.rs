//! Endpoints of the API's own Service.
//!
//! Source: kubernetes v1.37.2, pkg/controlplane/reconcilers.

mod slice;

use std::net::IpAddr;

use coracle_apimachinery::Value;
use coracle_client::object::items;
use coracle_client::resources::{ENDPOINT_SLICES, ENDPOINTS, NAMESPACES};
use coracle_client::{Change, View, Write};

use crate::compose::{named, object};
use crate::controller::{Controller, Key, Plan, Round, Step, Watches};
use crate::service_account::is_active;

const NAMESPACE: &str = "default";
/// Name of the Service, and of both objects.
const NAME: &str = "kubernetes";
/// Says that nobody else makes a slice of the Endpoints.
const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";

/// Keeps Endpoints and EndpointSlice `default/kubernetes` at the address of this server.
#[derive(Debug, Clone, Copy)]
pub struct KubernetesEndpoints {
    address: IpAddr,
    port: u16,
}

impl KubernetesEndpoints {
    /// Publishes the address and port at which others reach this server.
    #[must_use]
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }

    fn port(&self) -> Value {
        object([
            ("name", Value::text("https")),
            ("port", Value::Int(self.port.into())),
            ("protocol", Value::text("TCP")),
        ])
    }

    fn subsets(&self) -> Value {
        let address = object([("ip", Value::text(self.address.to_string()))]);
        let addresses = Value::List(vec![address]);
        Value::List(vec![object([("addresses", addresses), ("ports", Value::List(vec![self.port()]))])])
    }

    /// Whether the Endpoints name this server and nothing else. What else is known of the address does not matter.
    fn is_published(&self, endpoints: &Value) -> bool {
        let [subset] = items(endpoints, &["subsets"]) else { return false };
        let [address] = items(subset, &["addresses"]) else { return false };
        address.text_at(&["ip"]) == self.address.to_string()
            && items(subset, &["ports"]) == [self.port()]
            && endpoints.text_at(&["metadata", "labels", SKIP_MIRROR]) == "true"
    }

    fn endpoints(&self, plan: &mut Plan, view: &View) {
        match view.get(&ENDPOINTS, NAMESPACE, NAME) {
            None => {
                let mut endpoints = named(&ENDPOINTS, NAMESPACE, NAME, [("subsets", self.subsets())]);
                mark(&mut endpoints);
                plan.step(Step::new(Write::create(&ENDPOINTS, endpoints)).fine(&["AlreadyExists"]));
            }
            Some(endpoints) if self.is_published(&endpoints) => {}
            Some(endpoints) => {
                let mut endpoints = Value::clone(&endpoints);
                if let Some(members) = endpoints.as_object_mut() {
                    members.insert("subsets".into(), self.subsets());
                }
                mark(&mut endpoints);
                plan.write(Write::update(&ENDPOINTS, endpoints));
            }
        }
    }
}

impl Controller for KubernetesEndpoints {
    /// Not a controller of upstream: the API server does it itself.
    fn name(&self) -> &'static str {
        "apiserver"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NAMESPACES, namespace), (&ENDPOINTS, itself), (&ENDPOINT_SLICES, itself)])
    }

    fn plan(&self, view: &View, _: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if is_active(view, NAMESPACE) {
            self.endpoints(&mut plan, view);
            self.slice(&mut plan, view);
        }
        plan
    }
}

fn mark(endpoints: &mut Value) {
    if let Some(members) = endpoints.as_object_mut() {
        members.object_mut("metadata").object_mut("labels").insert(SKIP_MIRROR.into(), Value::text("true"));
    }
}

fn itself(_: &View, change: &Change) -> Vec<Key> {
    let concerned = change.namespace() == NAMESPACE && change.name() == NAME;
    concerned.then(|| Key::new(NAMESPACE, NAME)).into_iter().collect()
}

/// Before the first write there is nothing else to follow.
fn namespace(_: &View, change: &Change) -> Vec<Key> {
    (change.name() == NAMESPACE).then(|| Key::new(NAMESPACE, NAME)).into_iter().collect()
}

#[cfg(test)]
mod tests;
