//! Events about nodes, as all controllers of nodes word them.

use std::sync::Arc;

use coracle_apimachinery::{Object, Value};
use coracle_client::event::Event;
use coracle_client::object::{name, uid};

/// An event about a node: `Node x event: …`.
pub(crate) fn happened(node: &Value, reason: &'static str, what: &str) -> Event {
    Event::normal(&reference(node), reason, format!("Node {} event: {what}", name(node)))
}

/// An event about the status of a node, which is its reason, too.
pub(crate) fn status_change(node: &Value, status: &'static str) -> Event {
    Event::normal(&reference(node), status, format!("Node {} status is now: {status}", name(node)))
}

/// Name and uid only: the node changes too often for a version of it to say anything.
fn reference(node: &Value) -> Arc<Value> {
    let mut tree = Object::new();
    tree.insert("apiVersion".into(), Value::text("v1"));
    tree.insert("kind".into(), Value::text("Node"));
    let metadata = tree.object_mut("metadata");
    metadata.insert("name".into(), Value::text(name(node)));
    metadata.insert("uid".into(), Value::text(uid(node)));
    Arc::new(Value::Object(tree))
}
