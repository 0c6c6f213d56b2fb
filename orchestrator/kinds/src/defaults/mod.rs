//! Defaults: what the API fills in where the client says nothing.
//!
//! Constants stand in the schema tables, what depends on other members stands in rules per Go type. One walk along the
//! schema does both: a struct's own members first, then the structs inside it, as upstream orders it.

mod amount;
mod apps;
mod batch;
mod groups;
mod image;
mod pod;
mod service;
mod storage;

pub(crate) use amount::Amount;
pub(crate) use batch::job;
pub(crate) use groups::{CPU_UTILIZATION, cpu_metric};
pub(crate) use service::externally_accessible;

use coracle_apimachinery::schema::{self, Field, Node, Scalar, Shape, Type};
use coracle_apimachinery::{Object, Value, json};
use std::borrow::Cow;

/// What a rule does to a value of its type.
type Rule = fn(&mut Object);

/// A rule: Go type name, group-version it belongs to, what it does. Sorted by name.
static RULES: &[(&str, &str, Rule)] = &[
    ("CSIDriver", "storage.k8s.io/v1", groups::csi_driver),
    ("Container", "core/v1", pod::container),
    ("DaemonSetUpdateStrategy", "apps/v1", apps::daemon_set_strategy),
    ("DeploymentStrategy", "apps/v1", apps::deployment_strategy),
    ("DeviceSubRequest", "resource.k8s.io/v1", groups::device_request),
    ("EphemeralContainer", "core/v1", pod::container),
    ("ExactDeviceRequest", "resource.k8s.io/v1", groups::device_request),
    ("HorizontalPodAutoscaler", "autoscaling/v2", groups::autoscaler),
    ("Job", "batch/v1", batch::job),
    ("LimitRangeItem", "core/v1", storage::limit_range_item),
    ("Namespace", "core/v1", service::namespace),
    ("NetworkPolicy", "networking.k8s.io/v1", groups::network_policy),
    ("NodeSpec", "core/v1", service::node_spec),
    ("NodeStatus", "core/v1", service::node_status),
    ("PersistentVolume", "core/v1", storage::persistent_volume),
    ("Pod", "core/v1", pod::pod),
    ("PodSpec", "core/v1", pod::pod_spec),
    ("PodStatus", "core/v1", pod::pod_status),
    ("ReplicationController", "core/v1", apps::replication_controller),
    ("Secret", "core/v1", service::secret),
    ("Service", "core/v1", service::service),
    ("StatefulSet", "apps/v1", apps::stateful_set),
    ("Subject", "rbac.authorization.k8s.io/v1", groups::subject),
    ("TokenRequestSpec", "authentication.k8s.io/v1", groups::token_request),
    ("Volume", "core/v1", storage::volume),
];

/// Group-versions to whose kinds upstream applies no defaults, though they hold types that have some.
const WITHOUT_DEFAULTS: &[&str] = &["node.k8s.io/v1", "apiextensions.k8s.io/v1"];

/// Fills in the defaults of an object of this kind. Unknown kinds stay as they are.
pub fn apply(group_version: &str, kind: &str, object: &mut Value) {
    if WITHOUT_DEFAULTS.contains(&group_version) {
        return;
    }
    if let (Some(of), Some(object)) = (schema::kind(group_version, kind), object.as_object_mut()) {
        structure(of, object);
    }
}

fn structure(of: Type<'static>, object: &mut Object) {
    for field in &of.definition().fields {
        if object.get(&field.name).is_some_and(|value| is_lost(field, value)) {
            object.remove(&field.name);
        }
        constant(field, object);
    }
    if let Some(rule) = rule_of(of) {
        rule(object);
    }
    for field in &of.definition().fields {
        member(of.shape_of(field), field, object);
    }
}

/// Sets a member that has a constant default and is absent, or empty where Go cannot tell that from absent.
fn constant(field: &Field, object: &mut Object) {
    let Some(default) = field.extra.as_ref().and_then(|extra| extra.default.as_ref()) else { return };
    if object.get(&field.name).is_some_and(|value| field.pointer || !value.is_empty()) {
        return;
    }
    let Ok(value) = json::decode_any(default.as_bytes()) else { return };
    if field.pointer || !value.is_empty() {
        object.insert(field.name.clone(), value);
    }
}

/// Whether Go's storage cannot tell this value from an absent one: an empty list does not come back from it.
fn is_lost(field: &Field, value: &Value) -> bool {
    !field.pointer && !field.omit_zero && matches!(value, Value::List(items) if items.is_empty())
}

/// Walks into a member. A struct that is no pointer exists in Go even if the client did not send it.
fn member(shape: Shape<'static>, field: &Field, object: &mut Object) {
    if let Some(value) = object.get_mut(&field.name) {
        descend(shape, value);
    } else if !field.pointer
        && let Some(of) = shape.as_type()
    {
        let mut made = Object::new();
        structure(of, &mut made);
        if !made.is_empty() {
            object.insert(field.name.clone(), Value::Object(made));
        }
    }
}

fn descend(shape: Shape<'static>, value: &mut Value) {
    if let Some(of) = shape.as_type() {
        if let Some(object) = value.as_object_mut() {
            structure(of, object);
        }
        return;
    }
    let Some(item) = shape.item() else { return };
    match value {
        Value::List(items) => items.iter_mut().for_each(|value| descend(item, value)),
        Value::Object(members) if is_resource_list(shape, item) => round_resources(members),
        Value::Object(members) => members.iter_mut().for_each(|(_, value)| descend(item, value)),
        _ => {}
    }
}

/// Whether it is a map of quantities. The ones of device allocation are no ResourceList, and never rounded.
fn is_resource_list(shape: Shape<'_>, item: Shape<'_>) -> bool {
    matches!((shape.node(), item.node()), (Node::Map(_), Node::Scalar(Scalar::Quantity)))
}

/// Quantities of a ResourceList are rounded up to thousandths, which also prints them anew.
fn round_resources(members: &mut Object) {
    for (_, value) in members.iter_mut() {
        if let Some(rounded) = value.as_str().and_then(Amount::parse).and_then(Amount::rounded_to_milli) {
            *value = Value::text(rounded.to_string());
        }
    }
}

/// The rule of a type. Names are not unique over groups, so the type itself is compared where a name fits.
fn rule_of(of: Type<'static>) -> Option<Rule> {
    let first = RULES.partition_point(|(name, ..)| *name < of.name());
    let candidates = RULES.iter().skip(first).take_while(|(name, ..)| *name == of.name());
    let is_it = |group_version: &str| {
        schema::lookup(group_version, of.name()).is_some_and(|found| std::ptr::eq(found.definition(), of.definition()))
    };
    candidates.filter(|(_, group_version, _)| is_it(group_version)).map(|(.., rule)| *rule).next()
}

/// The text of a member; empty when there is none.
fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Sets a text where it is absent or empty.
fn text_default(object: &mut Object, name: &'static str, value: &'static str) {
    if text(object, name).is_empty() {
        object.insert(Cow::Borrowed(name), Value::text(value));
    }
}

/// An object of these members.
fn object_of<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
}

/// The objects in a list member.
fn each<'a>(object: &'a mut Object, name: &str) -> impl Iterator<Item = &'a mut Object> {
    let items = object.get_mut(name).and_then(Value::items_mut).map(|items| items.iter_mut());
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}
