//! `NodeRestriction`: a node changes itself and what runs on it, nothing else.

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;

const GROUP: &str = "system:nodes";
const PREFIX: &str = "system:node:";
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Labels that no node may give itself.
const RESERVED_LABEL: &str = "node-restriction.kubernetes.io/";

#[derive(Debug)]
pub(super) struct NodeRestriction;

impl Plugin for NodeRestriction {
    fn validate(&self, api: &Api, context: &Context, review: &Review<'_>) -> Result<(), Status> {
        let Some(node) = node_name(context) else { return Ok(()) };
        match (&*review.row.group, &*review.row.resource) {
            ("", "nodes") => own_node(review, node),
            ("", "pods") => own_pod(review, node),
            ("coordination.k8s.io", "leases") => own_lease(review, node),
            ("", "serviceaccounts") if review.subresource == "token" => bound_token(api, review),
            _ => Ok(()),
        }
    }
}

/// The node's name, if a node asks.
fn node_name(context: &Context) -> Option<&str> {
    let is_node = context.identity.groups.iter().any(|group| group == GROUP);
    context.identity.name.strip_prefix(PREFIX).filter(|_| is_node)
}

fn own_node(review: &Review<'_>, node: &str) -> Result<(), Status> {
    let quoted = coracle_apimachinery::field::quote(node);
    if review.name != node && review.operation != Operation::Delete {
        let other = coracle_apimachinery::field::quote(&review.name);
        return Err(review.forbidden(format!("node {quoted} is not allowed to modify node {other}")));
    }
    if review.operation == Operation::Delete {
        return Err(review.forbidden(format!("node {quoted} is not allowed to delete itself")));
    }
    let object = review.object.as_ref();
    if object.and_then(|object| object.at(&["spec", "configSource"])).is_some() {
        return Err(review.forbidden(format!("node {quoted} is not allowed to set configSource")));
    }
    let reserved = |tree: Option<&Value>| -> Vec<(String, Value)> {
        let labels = tree.and_then(|tree| tree.at(&["metadata", "labels"])).and_then(Value::as_object);
        let owned = labels.into_iter().flat_map(coracle_apimachinery::Object::iter);
        owned
            .filter(|(key, _)| key.contains(RESERVED_LABEL))
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect()
    };
    if reserved(object) != reserved(review.old.as_deref()) {
        let names: Vec<String> = reserved(object).into_iter().map(|(key, _)| key).collect();
        let verb = if review.operation == Operation::Create { "set" } else { "modify" };
        return Err(review.forbidden(format!("is not allowed to {verb} the following labels: {}", names.join(", "))));
    }
    if review.operation == Operation::Update
        && object.and_then(|object| object.at(&["spec", "taints"]))
            != review.old.as_deref().and_then(|old| old.at(&["spec", "taints"]))
    {
        return Err(review.forbidden(format!("node {quoted} is not allowed to modify taints")));
    }
    Ok(())
}

fn own_pod(review: &Review<'_>, node: &str) -> Result<(), Status> {
    let quoted = coracle_apimachinery::field::quote(node);
    let tree = if review.operation == Operation::Create { review.object.as_ref() } else { review.old.as_deref() };
    let Some(tree) = tree else { return Ok(()) };
    let bound = tree.text_at(&["spec", "nodeName"]);
    if review.operation == Operation::Create && tree.at(&["metadata", "annotations", MIRROR]).is_none() {
        let why = format!("pod does not have {} annotation, node {quoted} can only create mirror pods", quote(MIRROR));
        return Err(review.forbidden(why));
    }
    if bound != node {
        let why = format!("node {quoted} can only {} pods with spec.nodeName set to itself", verb(review));
        return Err(review.forbidden(why));
    }
    Ok(())
}

fn verb(review: &Review<'_>) -> &'static str {
    match review.operation {
        Operation::Create => "create",
        Operation::Update => "update pod status for",
        Operation::Delete => "delete",
    }
}

fn own_lease(review: &Review<'_>, node: &str) -> Result<(), Status> {
    if review.namespace != "kube-node-lease" {
        return Err(review.forbidden("can only access leases in the \"kube-node-lease\" system namespace"));
    }
    if review.name != node {
        return Err(review.forbidden("can only access node lease with the same name as the requesting node"));
    }
    Ok(())
}

/// Tokens of a node are bound to a pod on it; the token request itself checks that the pod is there.
fn bound_token(_api: &Api, review: &Review<'_>) -> Result<(), Status> {
    let bound =
        review.object.as_ref().is_some_and(|request| request.text_at(&["spec", "boundObjectRef", "kind"]) == "Pod");
    if bound { Ok(()) } else { Err(review.forbidden("node requested token not bound to a pod")) }
}

fn quote(text: &str) -> String {
    coracle_apimachinery::field::quote(text)
}
