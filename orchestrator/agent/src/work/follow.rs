//! The newest state of a resource.

use std::sync::Arc;

use coracle_client::{Interest, Resource, View};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;

/// Follows a resource. The channel holds nothing until the first state is known; its sender goes when the API closes.
pub(super) fn follow(
    tasks: &mut JoinSet<()>,
    shared: &Arc<Shared>,
    of: &'static Resource,
) -> watch::Receiver<Option<View>> {
    let mut changes = shared.client.subscribe(Interest::Only(&[of]));
    let (newest, views) = watch::channel(None);
    tasks.spawn(async move {
        while let Some(batch) = changes.next().await {
            newest.send_replace(Some(batch.view));
        }
    });
    views
}
