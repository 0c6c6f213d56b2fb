//! What is in a namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;
use coracle_client::object::{int, is_ending, items, time};
use coracle_client::resources::PODS;
use coracle_client::{Propagation, Resource, View, Write};

use crate::controller::{Action, Step};

/// Finalizers by which an object waits for its dependents. A deletion in the background takes them away: all dependents
/// go anyway, and owners that wait for each other would stay for ever.
const OF_DEPENDENTS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// The pods of a namespace or, when there are none, everything else in it.
#[derive(Debug)]
pub(super) struct Content(Vec<(Arc<Resource>, Vec<Arc<Value>>)>);

impl Content {
    /// What is to be removed next from a namespace.
    pub(super) fn of(view: &View, namespace: &str) -> Self {
        let pods = view.list(&PODS, namespace);
        if !pods.is_empty() {
            return Self(vec![(Arc::new(PODS.clone()), pods)]);
        }
        let inside = view.resources().into_iter().filter(|resource| resource.namespaced);
        let listed = inside.map(|resource| {
            let objects = view.list(&resource, namespace);
            (resource, objects)
        });
        Self(listed.filter(|(_, objects)| !objects.is_empty()).collect())
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are the pods.
    pub(super) fn is_pods(&self) -> bool {
        self.0.iter().any(|(resource, _)| resource.is(&PODS))
    }

    /// The deletions of each resource that has something to delete.
    pub(super) fn deletions(&self) -> Vec<Vec<Step>> {
        let open = self.0.iter().map(|(resource, objects)| {
            let open = objects.iter().filter(|object| is_open(object));
            open.map(|object| deletion(resource, object)).collect::<Vec<_>>()
        });
        open.filter(|steps| !steps.is_empty()).collect()
    }

    /// The deletions, beginning with another resource each second: one that fails ends a plan, and must not keep all
    /// others for ever.
    pub(super) fn deletions_in_turn(&self, now: Instant) -> Vec<Action> {
        let mut deletions = self.deletions();
        let count = i64::try_from(deletions.len()).unwrap_or(i64::MAX).max(1);
        let first = usize::try_from(now.seconds.rem_euclid(count)).unwrap_or_default();
        deletions.rotate_left(first);
        deletions.into_iter().map(Action::Several).collect()
    }

    /// How many objects there are of each resource, named as the condition names them. A resource whose deletion has
    /// failed is told of as failed only.
    pub(super) fn remaining(&self) -> BTreeMap<String, usize> {
        let name = |resource: &Resource| format!("{}.{}", resource.plural, resource.group);
        self.deleted().map(|(resource, objects)| (name(resource), objects.len())).collect()
    }

    /// How many of those objects have each finalizer.
    pub(super) fn finalizers(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for object in self.deleted().flat_map(|(_, objects)| objects) {
            for finalizer in items(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str) {
                *counts.entry(finalizer.to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }

    fn deleted(&self) -> impl Iterator<Item = &(Arc<Resource>, Vec<Arc<Value>>)> {
        self.0.iter().filter(|(_, objects)| !objects.iter().any(|object| is_open(object)))
    }

    /// For how many seconds pods may still be stopping.
    pub(super) fn seconds_left(&self, namespace: &Value, now: Instant) -> i64 {
        let pods = self.0.iter().filter(|(resource, _)| resource.is(&PODS)).flat_map(|(_, pods)| pods);
        let running = pods.filter(|pod| !matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed"));
        let graces = running.map(|pod| int(pod, &["spec", "terminationGracePeriodSeconds"], 0));
        let since = time(namespace, &["metadata", "deletionTimestamp"]).map_or(now.seconds, |began| began.seconds);
        graces.max().map_or(0, |grace| since.saturating_add(grace).saturating_sub(now.seconds).max(0))
    }

    /// What should have gone by now and has nothing to wait for.
    pub(super) fn unexpected(&self, namespace: &str, seconds_left: i64) -> Vec<String> {
        let waits = |object: &Arc<Value>| !items(object, &["metadata", "finalizers"]).is_empty();
        let is_late = |(_, objects): &&(_, Vec<Arc<Value>>)| seconds_left == 0 && !objects.iter().any(waits);
        let tell = |(resource, _): &(Arc<Resource>, _)| {
            let Resource { group, version, plural, .. } = &**resource;
            format!(
                "unexpected items still remain in namespace: {namespace} for gvr: {group}/{version}, Resource={plural}"
            )
        };
        self.deleted().filter(is_late).map(tell).collect()
    }
}

fn is_open(object: &Value) -> bool {
    let mut finalizers = items(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str);
    !is_ending(object) || finalizers.any(|finalizer| OF_DEPENDENTS.contains(&finalizer))
}

fn deletion(resource: &Arc<Resource>, object: &Value) -> Step {
    Step::new(Write::delete_any(resource, object).with(Propagation::Background)).fine(&["NotFound"])
}
