//! What a run before this one left: pods whose shims live are taken over, of the others it is found out how they ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use coracle_agent::runtime::State;
use coracle_apimachinery::time::Instant;
use coracle_shim_protocol::files::{CONTAINERS, EXIT};
use coracle_shim_protocol::{files, message};

use super::parts::{Attachment, Link};
use super::record::{ContainerRecord, SandboxRecord, read};
use super::sandbox::{descriptor, folders};
use super::state::Held;
use super::{Containers, exit};
use crate::volumes::blocking;

/// What the folder of a pod holds.
#[derive(Debug, Default)]
struct Left {
    sandbox: Option<SandboxRecord>,
    containers: Vec<(ContainerRecord, Option<files::Exit>)>,
}

impl Containers {
    /// Takes over what is there.
    pub(super) async fn adopt(&self) -> Result<(), String> {
        let pods = self.0.settings.places.pods();
        let uids = blocking(move || folders(&pods)).await?;
        let (mut attachments, mut lost) = (Vec::new(), Vec::new());
        for uid in uids {
            let folder = self.0.settings.places.pod(&uid);
            let link = match self.0.parts.sandboxes.adopt(&folder).await {
                Ok(link) => link,
                Err(why) => {
                    tracing::warn!(pod = uid, why, "the shim of a pod cannot be taken over");
                    None
                }
            };
            let this = self.clone();
            let owned = uid.clone();
            let left = blocking(move || this.read_pod(&owned)).await?;
            let alive = link.is_some();
            if let (Some(sandbox), Some(link)) = (&left.sandbox, &link) {
                let age = Instant::from(sandbox.created);
                attachments.extend(attachment(&uid, sandbox, link).map(|attachment| (age, attachment)));
            }
            self.take_over(&uid, left, link).await;
            if !alive {
                lost.push(uid);
            }
        }
        // New addresses are looked for behind the youngest, so that one that was just given back rests.
        attachments.sort_by_key(|(age, _)| (age.seconds, age.micros));
        self.0.parts.network.restore(attachments.into_iter().map(|(_, attachment)| attachment).collect()).await?;
        for uid in lost {
            // Its processes lost their shim: nothing can be known of them any more.
            if let Err(why) = self.stop_all(&uid).await {
                tracing::warn!(pod = uid, why, "what is left of a pod is not cleaned up");
            }
        }
        self.release_layers().await;
        Ok(())
    }

    /// Reads the folder of a pod. Blocks.
    fn read_pod(&self, uid: &str) -> Result<Left, String> {
        let places = &self.0.settings.places;
        let folder = places.pod(uid);
        let load = || -> std::io::Result<Left> {
            let mut left = Left { sandbox: SandboxRecord::load(&folder)?, containers: Vec::new() };
            for id in folders(&folder.join(CONTAINERS)).map_err(std::io::Error::other)? {
                let of_container = places.container(uid, &id);
                // One without a record was being made; its pod's removal takes its folder along.
                if let Some(record) = ContainerRecord::load(&of_container)?.filter(|record| record.id == id) {
                    left.containers.push((record, read(&of_container.join(EXIT))?));
                }
            }
            Ok(left)
        };
        load().map_err(|error| format!("{}: {error}", folder.display()))
    }

    async fn take_over(&self, uid: &str, left: Left, link: Option<Link>) {
        let now = self.0.clock.now();
        let shim = link.as_ref().map(|link| Arc::clone(&link.shim));
        let known: Vec<message::Container> = link.as_ref().map(|link| link.containers.clone()).unwrap_or_default();
        let states = blocking(move || {
            let state = |(record, told): (ContainerRecord, Option<files::Exit>)| {
                let present = known.iter().find(|container| container.id == record.id);
                let state = state(&record, told.as_ref(), present, now);
                (record, state)
            };
            Ok(left.containers.into_iter().map(state).collect::<Vec<_>>())
        });
        let states = states.await.unwrap_or_default();
        {
            let mut pods = self.0.pods();
            let pod = pods.entry(uid.to_owned()).or_default();
            pod.sandbox = left.sandbox;
            pod.shim = shim;
            pod.containers =
                states.into_iter().map(|(record, state)| (record.id.clone(), Held::new(record, state))).collect();
        }
        if let Some(link) = link {
            self.follow(uid, link);
        }
    }

    /// Removes writable layers of containers that are no more.
    async fn release_layers(&self) {
        let there = match self.0.parts.images.containers().await {
            Ok(there) => there,
            Err(why) => return tracing::warn!(why, "the writable layers are not known"),
        };
        let kept: BTreeSet<String> = self.0.pods().values().flat_map(|pod| pod.containers.keys().cloned()).collect();
        for id in there.iter().filter(|id| !kept.contains(*id)) {
            if let Err(why) = self.0.parts.images.release(id).await {
                tracing::warn!(why, container = id, "a writable layer is not removed");
            }
        }
    }
}

/// What a container does, by its files and by its shim.
fn state(
    record: &ContainerRecord,
    told: Option<&files::Exit>,
    present: Option<&message::Container>,
    now: Instant,
) -> State {
    if let Some((message, at)) = &record.start_failure {
        return State::Exited(exit::of_start_failure(message, (*at).into()));
    }
    if let Some(told) = told.or_else(|| present.and_then(|present| present.exit.as_ref())) {
        return State::Exited(exit::of_shim(record, told));
    }
    match present.map(|present| (present.state, present.started)) {
        Some((message::State::Running, started)) => {
            State::Running { started: started.map_or_else(|| record.created.into(), exit::instant) }
        }
        // One that the shim does not know was about to be made.
        Some((message::State::Created | message::State::Creating, _)) | None => State::Created,
        Some((message::State::Exited, _)) => State::Exited(exit::unknown(record, now)),
    }
}

fn attachment(uid: &str, sandbox: &SandboxRecord, link: &Link) -> Option<Attachment> {
    if sandbox.on_host_network || !sandbox.ready {
        return None;
    }
    let namespace = descriptor(&*link.shim, link.shim.ready().namespaces.network?);
    let (ips, host_ports) = (sandbox.ips.clone(), sandbox.host_ports.clone());
    Some(Attachment { uid: uid.to_owned(), namespace, ips, host_ports })
}
