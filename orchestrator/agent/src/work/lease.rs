//! Keeps the node's lease.

use std::sync::Arc;

use coracle_client::View;
use coracle_client::resources::{LEASES, NODES};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::back_off::{BackOff, until};
use crate::node::{LEASE_NAMESPACE, RENEW_AFTER, plan_lease};

/// Renews the lease until the API closes.
pub(super) async fn keep(shared: Arc<Shared>, mut nodes: watch::Receiver<Option<View>>) {
    let mut back_off = BackOff::default();
    loop {
        let again = match step(&shared).await {
            Step::Renewed => {
                back_off.reset();
                Instant::now() + RENEW_AFTER
            }
            Step::Failed => back_off.failed(),
            Step::NoNode => {
                if nodes.changed().await.is_err() {
                    return;
                }
                continue;
            }
        };
        until(Some(again)).await;
    }
}

enum Step {
    Renewed,
    Failed,
    /// There is no lease, and no node yet that could own one.
    NoNode,
}

async fn step(shared: &Shared) -> Step {
    let name = shared.name();
    let view = shared.client.view();
    let (node, lease) = (view.get(&NODES, "", name), view.get(&LEASES, LEASE_NAMESPACE, name));
    let write = plan_lease(name, node.as_deref(), lease.as_deref(), shared.settings.clock.now());
    let Some(write) = write else { return Step::NoNode };
    match shared.client.write(write).await {
        Ok(_) => Step::Renewed,
        Err(failure) => {
            tracing::warn!(node = name, %failure, "cannot renew the lease");
            Step::Failed
        }
    }
}
