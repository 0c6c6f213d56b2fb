//! Which pods a change concerns.

use coracle_apimachinery::Value;
use coracle_client::object::is_ending;
use coracle_client::resources::NODES;
use coracle_client::{Change, View};

use super::finished::{self, is_finished};
use super::{is_out_of_service, node_of, orphan};
use crate::controller::Key;

/// Pods that are being deleted, or whose node is not there; and all finished ones together when another has finished.
pub(super) fn of_pod(view: &View, change: &Change) -> Vec<Key> {
    let Some(pod) = change.new.as_deref() else { return Vec::new() };
    let mut woken = Vec::new();
    let node = node_of(pod);
    let is_stranded = || !node.is_empty() && view.get(&NODES, "", node).is_none();
    if is_ending(pod) || orphan::is_marked(pod) || is_stranded() {
        woken.push(Key::of(pod));
    }
    if is_finished(pod) && !change.old.as_deref().is_some_and(is_finished) {
        woken.push(finished::key());
    }
    woken
}

/// The pods of a node that came, went or was taken out of service. Heartbeats are none of these.
pub(super) fn of_node(view: &View, change: &Change) -> Vec<Key> {
    let is_out = |side: Option<&Value>| side.is_some_and(is_out_of_service);
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    let is_news = old.is_none() || new.is_none() || (is_out(new) && !is_out(old));
    if !is_news {
        return Vec::new();
    }
    let pods = view.pods_on(change.name());
    let concerned = pods.iter().filter(|pod| new.is_none() || is_ending(pod) || orphan::is_marked(pod));
    concerned.map(|pod| Key::of(pod)).collect()
}
