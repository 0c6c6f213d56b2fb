//! The changes of several resources in one stream.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use coracle_client::{Batch, Change, Changes, Interest, Pending, Resource, View};
use coracle_store::{Error, Event, Snapshot, Watcher};
use tokio::sync::watch;

use super::view::{LocalView, tree};
use crate::api::Api;
use crate::registry::{Registry, Row};

/// Most changes of one batch; more wait for the next one.
const BATCH: usize = 256;

/// Follows resources of the store.
#[derive(Debug)]
pub(super) struct LocalChanges {
    api: Api,
    /// The resources; none means all.
    only: Option<Vec<Arc<Resource>>>,
    registry: watch::Receiver<Arc<Registry>>,
    followed: Vec<Followed>,
    /// Whether everything that is there must be told (again).
    fresh: bool,
}

#[derive(Debug)]
struct Followed {
    resource: Arc<Resource>,
    row: Arc<Row>,
    watcher: Watcher,
}

/// How waiting for changes ended.
enum Woken {
    Changes(Vec<Change>),
    Gap,
    Closed,
}

impl LocalChanges {
    pub(super) fn new(api: &Api, to: Interest<'_>) -> Self {
        let only = match to {
            Interest::Only(resources) => {
                Some(resources.iter().map(|resource| Arc::new(Resource::clone(resource))).collect())
            }
            Interest::Everything => None,
        };
        Self { api: api.clone(), only, registry: api.registry_changes(), followed: Vec::new(), fresh: true }
    }

    async fn advance(&mut self) -> Option<Batch> {
        if self.fresh {
            self.followed.clear();
            let changes = self.follow()?;
            self.fresh = false;
            return Some(self.batch(changes));
        }
        loop {
            let (followed, api) = (&mut self.followed, &self.api);
            let woken = tokio::select! {
                woken = poll_fn(|cx| poll(followed, api, cx)) => woken,
                // The sender lives as long as the API that this holds.
                Ok(()) = self.registry.changed() => Woken::Changes(self.follow()?),
            };
            match woken {
                Woken::Changes(changes) if changes.is_empty() => {}
                Woken::Changes(changes) => return Some(self.batch(changes)),
                Woken::Closed => return None,
                Woken::Gap => {
                    self.followed.clear();
                    let changes = self.follow()?;
                    return Some(self.batch(changes));
                }
            }
        }
    }

    fn batch(&self, changes: Vec<Change>) -> Batch {
        Batch { changes, view: View::new(Arc::new(LocalView::new(&self.api))) }
    }

    /// Follows what is to be followed and is not yet; gives what is there of it as new. `None` once the store is closed.
    fn follow(&mut self) -> Option<Vec<Change>> {
        let registry = Arc::clone(&self.registry.borrow_and_update());
        let wanted = self.only.as_deref().unwrap_or_else(|| registry.resources());
        let mut before = std::mem::take(&mut self.followed);
        let mut changes = Vec::new();
        let snapshot = self.api.store().snapshot();
        for resource in wanted {
            let Some(row) = registry.row(&resource.group, &resource.version, &resource.plural) else { continue };
            let known = before.iter().position(|followed| *followed.resource == **resource);
            if let Some(known) = known {
                let watcher = before.swap_remove(known).watcher;
                self.followed.push(Followed { resource: Arc::clone(resource), row: Arc::clone(row), watcher });
                continue;
            }
            // The snapshot is the newest there is, so its history cannot be gone.
            let watcher = self.api.store().watch(row.storage.all(), snapshot.revision()).ok()?;
            let followed = Followed { resource: Arc::clone(resource), row: Arc::clone(row), watcher };
            changes.extend(followed.present(&self.api, &snapshot));
            self.followed.push(followed);
        }
        Some(changes)
    }
}

impl Changes for LocalChanges {
    fn next(&mut self) -> Pending<'_, Option<Batch>> {
        Box::pin(self.advance())
    }
}

impl Followed {
    fn present(&self, api: &Api, snapshot: &Snapshot) -> Vec<Change> {
        let entries = snapshot.range(&self.row.storage.all(), None);
        let trees = entries.filter_map(|entry| tree(api, &self.row, entry));
        trees.map(|new| Change { resource: Arc::clone(&self.resource), old: None, new: Some(new) }).collect()
    }

    fn change(&self, api: &Api, event: &Event) -> Change {
        let side = |entry| tree(api, &self.row, entry);
        Change {
            resource: Arc::clone(&self.resource),
            old: event.previous().and_then(|entry| side(entry)),
            new: event.entry().and_then(|entry| side(entry)),
        }
    }
}

/// Takes what the watchers have, up to a whole batch.
fn poll(followed: &mut [Followed], api: &Api, cx: &mut Context<'_>) -> Poll<Woken> {
    let mut changes = Vec::new();
    for each in followed {
        while changes.len() < BATCH {
            match each.watcher.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(change)) => changes.extend(change.events.iter().map(|event| each.change(api, event))),
                Poll::Ready(Err(Error::Closed)) => return Poll::Ready(Woken::Closed),
                // Too slow: what is there is told again.
                Poll::Ready(Err(_)) => return Poll::Ready(Woken::Gap),
            }
        }
    }
    if changes.is_empty() { Poll::Pending } else { Poll::Ready(Woken::Changes(changes)) }
}
