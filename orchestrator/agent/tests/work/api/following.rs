//! Subscriptions to the API in memory.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::{Batch, Change, Changes, Client, Pending, Resource};
use tokio::sync::watch;

use super::{Api, Held};

/// A subscription.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) api: Api,
    pub(super) revision: watch::Receiver<u64>,
    pub(super) resources: Vec<Resource>,
    pub(super) seen: Held,
    pub(super) first: bool,
}

impl Changes for Following {
    fn next(&mut self) -> Pending<'_, Option<Batch>> {
        Box::pin(async move {
            loop {
                self.revision.mark_unchanged();
                let changes = self.changes();
                if self.first || !changes.is_empty() {
                    self.first = false;
                    return Some(Batch { changes, view: self.api.view() });
                }
                self.revision.changed().await.ok()?;
            }
        })
    }
}

impl Following {
    fn changes(&mut self) -> Vec<Change> {
        let state = self.api.state.lock().unwrap();
        let mut now = state.objects.clone();
        now.retain(|_, (of, _)| self.resources.iter().any(|resource| resource.is(of)));
        let mut changes = Vec::new();
        for place in self.seen.keys().chain(now.keys().filter(|place| !self.seen.contains_key(*place))) {
            let (old, new) = (self.seen.get(place), now.get(place));
            let (resource, _) = old.or(new).unwrap();
            let side = |side: Option<&(Resource, Arc<Value>)>| side.map(|(_, object)| Arc::clone(object));
            if side(old) != side(new) {
                changes.push(Change { resource: Arc::new(resource.clone()), old: side(old), new: side(new) });
            }
        }
        self.seen = now;
        changes
    }
}
