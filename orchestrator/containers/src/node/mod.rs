//! What the API server asks of a node: logs, programs in containers, connections to ports.

mod exec;
mod logs;
mod ports;
mod sys;
mod terminal;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use coracle_agent::runtime::State;
use coracle_client::resources::PODS;
use coracle_client::{Client, object};
use coracle_node_connection::{Answer, Bytes, Connection, Error, ExecRequest, ExecSession, LogQuery, Node, Pod};
use tokio::sync::watch;

use crate::runtime::{Containers, Instance};
pub(crate) use ports::Network;

/// The node that these containers run on.
#[derive(Debug, Clone)]
pub struct ContainerNode {
    containers: Containers,
    client: Arc<dyn Client>,
}

impl ContainerNode {
    /// Answers for these containers; the client tells what pods are called and wait for.
    #[must_use]
    pub fn new(containers: Containers, client: Arc<dyn Client>) -> Self {
        Self { containers, client }
    }

    /// The instances of a container, the newest first.
    fn instances(&self, pod: &Pod, container: &str) -> Result<Vec<Instance>, Error> {
        let missing = || Error::NotFound(format!("pod {:?} not found", pod.name));
        // Whoever asks by name means the pod that has it now.
        let uid = if pod.uid.is_empty() {
            let found = self.client.view().get(&PODS, &pod.namespace, &pod.name).ok_or_else(missing)?;
            object::uid(&found).to_owned()
        } else {
            pod.uid.clone()
        };
        self.containers.instances(&uid, container).ok_or_else(missing)
    }

    /// Why a container that has no instance has none, in the kubelet's words.
    fn waits(&self, pod: &Pod, container: &str) -> Error {
        let place = format!("container {container:?} in pod {:?}", pod.name);
        let view = self.client.view();
        let found = view.get(&PODS, &pod.namespace, &pod.name);
        let lists = ["containerStatuses", "initContainerStatuses"];
        let reason = found.as_deref().and_then(|pod| {
            let status = lists
                .iter()
                .find_map(|list| object::named(object::items(pod, &["status", list]), "name", container))?;
            Some(status.text_at(&["state", "waiting", "reason"]).to_owned()).filter(|reason| !reason.is_empty())
        });
        Error::Refused(match reason.as_deref() {
            Some("ErrImagePull") => format!("{place} is waiting to start: image can't be pulled"),
            Some("ImagePullBackOff") => format!("{place} is waiting to start: trying and failing to pull image"),
            Some(reason) => format!("{place} is waiting to start: {reason}"),
            None => format!("{place} is not available"),
        })
    }

    fn running(&self, pod: &Pod, container: &str) -> Result<Instance, Error> {
        let newest = self.instances(pod, container)?.into_iter().next();
        let runs = |instance: &Instance| matches!(*instance.state.borrow(), State::Running { .. });
        newest.filter(runs).ok_or_else(|| Error::NotFound(format!("container not found ({container:?})")))
    }
}

/// Whether a container is over.
fn is_over(state: &watch::Receiver<State>) -> bool {
    matches!(*state.borrow(), State::Exited(_))
}

impl Node for ContainerNode {
    fn logs(&self, query: LogQuery) -> Answer<'_, Bytes> {
        Box::pin(async move {
            let mut instances = self.instances(&query.pod, &query.container)?.into_iter();
            let newest = instances.next();
            let chosen = if query.previous {
                let place = format!("container {:?} in pod {:?}", query.container, query.pod.name);
                instances.next().ok_or_else(|| Error::Refused(format!("previous terminated {place} not found")))?
            } else {
                newest.ok_or_else(|| self.waits(&query.pod, &query.container))?
            };
            let wanted = logs::Wanted {
                follow: query.follow && !query.previous,
                timestamps: query.timestamps,
                tail: query.tail_lines,
                since: query.since,
                limit: query.limit_bytes,
            };
            logs::read(chosen.log, wanted, chosen.state).await.map_err(|error| Error::Failed(error.to_string()))
        })
    }

    fn exec(&self, request: ExecRequest) -> Answer<'_, ExecSession> {
        Box::pin(async move {
            let instance = self.running(&request.pod, &request.container)?;
            exec::start(&self.containers, &instance.id, &request).await
        })
    }

    fn port_forward(&self, pod: Pod, port: u16) -> Answer<'_, Connection> {
        Box::pin(async move {
            // Any container's name finds the pod.
            self.instances(&pod, "")?;
            let namespace = self
                .containers
                .network_namespace(&pod.uid)
                .ok_or_else(|| Error::NotFound(format!("pod {:?} has no sandbox", pod.name)))?;
            ports::connect(namespace, &pod.uid, port).await
        })
    }
}
