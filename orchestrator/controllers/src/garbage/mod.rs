//! Removes what has lost its owners.
//!
//! There is no graph in memory: the view finds objects by the uid of an owner, so each plan looks at one object, its
//! owners and its dependents as they are now. Names, finalizers and wording: kubernetes v1.37.2,
//! pkg/controller/garbagecollector.

mod collect;
mod graph;
mod keys;
mod patch;
mod release;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod world;

use coracle_client::{View, object};

use crate::controller::{Controller, Key, Plan, Round, Watches};
use graph::{Graph, orphans_dependents, waits_for_dependents};

/// Deletes objects without owners, lets go of the dependents of orphaning owners, and ends deletions in the foreground.
#[derive(Debug, Clone, Copy, Default)]
pub struct GarbageCollector;

/// Upstream's number of workers.
const AT_ONCE: usize = 20;

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "generic-garbage-collector"
    }

    fn watches(&self) -> Watches {
        Watches::Everything(keys::keys)
    }

    fn plan(&self, view: &View, key: &Key, _: &Round<'_>) -> Plan {
        let graph = Graph::new(view);
        let Some(resource) = graph.named(&key.resource) else { return Plan::nothing() };
        let Some(item) = view.get(resource, &key.namespace, &key.name) else { return Plan::nothing() };
        if orphans_dependents(&item) {
            release::orphan(&graph, resource, &item)
        } else if waits_for_dependents(&item) {
            release::after_dependents(&graph, resource, &item)
        } else if object::is_ending(&item) {
            // Its end will be told, and with it come its dependents.
            Plan::nothing()
        } else {
            collect::plan(&graph, resource, &item)
        }
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}
