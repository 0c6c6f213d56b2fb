//! Which changes give a pod another chance.

use coracle_apimachinery::Value;
use coracle_client::object::{flag, is_ending, items};
use coracle_client::resources::{NAMESPACES, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS};
use coracle_client::{Change, View};

use crate::controller::{Key, Watches};

use super::amounts::Amounts;
use super::requests::requests;
use super::snapshot::{claims, has_ended};
use super::{is_gated, is_pending, turn};

/// All of them.
pub(super) fn watches() -> Watches {
    Watches::Only(vec![
        (&PODS, pod),
        (&NODES, node),
        (&PERSISTENT_VOLUME_CLAIMS, claim),
        (&PERSISTENT_VOLUMES, volume),
        (&NAMESPACES, namespace),
    ])
}

/// A pod wakes itself when it is new or wants something else, and others when it makes room or changes what they count.
fn pod(view: &View, change: &Change) -> Vec<Key> {
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    let mut keys = Vec::new();
    if let Some(new) = new.filter(|new| is_pending(new))
        && old.is_none_or(|old| {
            !is_pending(old)
                || differ(
                    old,
                    new,
                    &[&["spec"], &["metadata", "labels"], &["metadata", "uid"], &["status", "nominatedNodeName"]],
                )
        })
    {
        keys.push(Key::of(new));
    }
    let others = if old.is_some_and(|old| makes_room(old, new)) {
        waiting(view, |_| true)
    } else if old.is_some_and(takes_part) != new.is_some_and(takes_part) {
        waiting(view, counts_pods)
    } else {
        Vec::new()
    };
    keys.extend(others);
    keys
}

/// Whether a pod takes less of a node than before, or other rules are about it.
fn makes_room(old: &Value, new: Option<&Value>) -> bool {
    let Some(new) = new.filter(|new| holds_room(new)) else { return holds_room(old) };
    holds_room(old) && (differ(old, new, &[&["metadata", "labels"]]) || is_less(&requests(new), &requests(old)))
}

fn is_less(new: &Amounts, old: &Amounts) -> bool {
    old.iter().any(|(name, amount)| new.get(name) < amount)
}

/// Whether a pod takes room on a node, or keeps it for itself.
fn holds_room(pod: &Value) -> bool {
    let is_placed = !pod.text_at(&["spec", "nodeName"]).is_empty();
    let is_promised = !pod.text_at(&["status", "nominatedNodeName"]).is_empty();
    (is_placed || (is_promised && !is_ending(pod))) && !has_ended(pod)
}

/// Whether a pod counts where pods on nodes are counted.
fn takes_part(pod: &Value) -> bool {
    holds_room(pod) && !is_ending(pod)
}

/// Whether it matters to a pod where other pods are.
fn counts_pods(pod: &Value) -> bool {
    !items(pod, &["spec", "topologySpreadConstraints"]).is_empty()
        || pod.at(&["spec", "affinity", "podAffinity"]).is_some()
        || pod.at(&["spec", "affinity", "podAntiAffinity"]).is_some()
}

/// A node wakes others when it is new or gives more than before. What it reports of itself all the time, and what
/// closes it, wakes nobody.
fn node(view: &View, change: &Change) -> Vec<Key> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if !gives_more(old, new) => Vec::new(),
        _ => waiting(view, |_| true),
    }
}

fn gives_more(old: &Value, new: &Value) -> bool {
    let closed = |node: &Value| flag(node, &["spec", "unschedulable"]);
    let taints = |node| items(node, &["spec", "taints"]);
    let of = |node: &Value| Amounts::of(node.at(&["status", "allocatable"]));
    differ(old, new, &[&["metadata", "labels"]])
        || (closed(old) && !closed(new))
        || taints(old).iter().any(|taint| !taints(new).contains(taint))
        || is_less(&of(old), &of(new))
}

fn claim(view: &View, change: &Change) -> Vec<Key> {
    let uses = |pod: &Value| {
        pod.text_at(&["metadata", "namespace"]) == change.namespace() && claims(pod).any(|claim| claim == change.name())
    };
    waiting(view, uses)
}

fn volume(view: &View, _: &Change) -> Vec<Key> {
    waiting(view, |pod| claims(pod).next().is_some())
}

fn namespace(view: &View, change: &Change) -> Vec<Key> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if !differ(old, new, &[&["metadata", "labels"]]) => Vec::new(),
        (_, None) => Vec::new(),
        _ => waiting(view, counts_pods),
    }
}

fn differ(old: &Value, new: &Value, paths: &[&[&str]]) -> bool {
    paths.iter().any(|path| old.at(path) != new.at(path))
}

/// The pods that wait for a node and that something matters to, in the order of their turns.
fn waiting(view: &View, matters: impl Fn(&Value) -> bool) -> Vec<Key> {
    let pods = view.pods_on("");
    let waiting = pods.iter().filter(|pod| is_pending(pod) && !is_gated(pod) && matters(pod));
    let mut keys: Vec<Key> = waiting.map(|pod| Key::of(pod)).collect();
    keys.sort_by_cached_key(|key| turn(view, key));
    keys
}
