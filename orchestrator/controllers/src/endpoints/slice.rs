//! The EndpointSlice beside the Endpoints.

use coracle_apimachinery::Value;
use coracle_client::resources::ENDPOINT_SLICES;
use coracle_client::{View, Write};

use super::{KubernetesEndpoints, NAME, NAMESPACE};
use crate::compose::{named, object};
use crate::controller::{Plan, Step};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl KubernetesEndpoints {
    pub(super) fn slice(&self, plan: &mut Plan, view: &View) {
        let slice = view.get(&ENDPOINT_SLICES, NAMESPACE, NAME);
        // The family of a slice never changes, so one of the other family makes way.
        let (other, slice) = match slice {
            Some(slice) if slice.text_at(&["addressType"]) != self.family() => (Some(slice), None),
            slice => (None, slice),
        };
        if let Some(other) = other {
            plan.step(Step::new(Write::delete(&ENDPOINT_SLICES, &other)).fine(&["NotFound"]));
        }
        match slice {
            None => {
                let family = ("addressType", Value::text(self.family()));
                let slice = self.published(&named(&ENDPOINT_SLICES, NAMESPACE, NAME, [family]));
                plan.step(Step::new(Write::create(&ENDPOINT_SLICES, slice)).fine(&["AlreadyExists"]));
            }
            Some(slice) => {
                let wanted = self.published(&slice);
                if wanted != *slice {
                    plan.write(Write::update(&ENDPOINT_SLICES, wanted));
                }
            }
        }
    }

    fn family(&self) -> &'static str {
        if self.address.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    /// The same slice with what it should say.
    fn published(&self, slice: &Value) -> Value {
        let mut slice = slice.clone();
        if let Some(members) = slice.as_object_mut() {
            let addresses = Value::List(vec![Value::text(self.address.to_string())]);
            let conditions = object([("ready", Value::Bool(true))]);
            let endpoint = object([("addresses", addresses), ("conditions", conditions)]);
            members.insert("endpoints".into(), Value::List(vec![endpoint]));
            members.insert("ports".into(), Value::List(vec![self.port()]));
            let labels = object([(SERVICE_NAME, Value::text(NAME))]);
            members.object_mut("metadata").insert("labels".into(), labels);
        }
        slice
    }
}
