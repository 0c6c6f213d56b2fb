//! Containers: made and started.

use std::sync::Arc;

use coracle_agent::runtime::{ContainerSpec, Failure, State};
use coracle_shim_protocol::files;
use coracle_shim_protocol::message::Create;

use super::parts::{Known, Layers, Shim};
use super::record::{ContainerRecord, SandboxRecord, new_id};
use super::state::Held;
use super::{Containers, checked_uid, exit, failure};
use crate::volumes::blocking;

const CREATE: &str = "CreateContainerError";
const RUN: &str = "RunContainerError";

/// What a container is made in.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) uid: String,
    pub(super) sandbox: SandboxRecord,
    pub(super) shim: Arc<dyn Shim>,
}

impl Containers {
    /// Makes and starts a container, unless that instance is there; answers its id.
    pub(super) async fn start(&self, spec: ContainerSpec) -> Result<String, Failure> {
        let uid = checked_uid(&spec.pod)?.to_owned();
        let turn = self.0.turn(&uid);
        let _turn = turn.lock().await;
        let (place, present) = {
            let pods = self.0.pods();
            let pod = pods.get(&uid).filter(|pod| pod.is_ready());
            let pod = pod.ok_or_else(|| failure(CREATE, "the pod has no sandbox"))?;
            let (Some(sandbox), Some(shim)) = (&pod.sandbox, &pod.shim) else {
                return Err(failure(CREATE, "the pod has no sandbox"));
            };
            let same = |held: &&Held| {
                let record = &held.record;
                record.name == spec.container.text_at(&["name"])
                    && record.attempt == spec.attempt
                    && record.sandbox == sandbox.attempt
            };
            let present = pod.containers.values().find(same).map(|held| (held.record.clone(), held.shown().state));
            (Place { uid: uid.clone(), sandbox: sandbox.clone(), shim: Arc::clone(shim) }, present)
        };
        let record = match present {
            Some((record, State::Created)) => record,
            Some((record, _)) => return Ok(record.shown_id()),
            None => self.make(&place, spec).await?,
        };
        let started = self.launch(&place, &record).await;
        self.0.ring();
        started?;
        Ok(record.shown_id())
    }

    /// Makes a container.
    async fn make(&self, place: &Place, spec: ContainerSpec) -> Result<ContainerRecord, Failure> {
        let images = &self.0.parts.images;
        let asked = spec.container.text_at(&["image"]).to_owned();
        let known = images.known(&spec.image_id, &asked).await.map_err(|why| failure(CREATE, why))?;
        let id = new_id().map_err(|error| failure(CREATE, error.to_string()))?;
        let layers = images.prepare(&id, &known.digest).await.map_err(|why| failure(CREATE, why))?;
        let made = self.write_container(place, spec, &id, known, layers).await;
        match made {
            Ok(record) => {
                let mut pods = self.0.pods();
                let pod = pods.entry(place.uid.clone()).or_default();
                pod.containers.insert(id, Held::new(record.clone(), State::Created));
                Ok(record)
            }
            Err(failed) => {
                self.discard(place, &id).await;
                Err(failed)
            }
        }
    }

    async fn write_container(
        &self,
        place: &Place,
        spec: ContainerSpec,
        id: &str,
        known: Known,
        layers: Layers,
    ) -> Result<ContainerRecord, Failure> {
        let (this, place, id) = (self.clone(), place.clone(), id.to_owned());
        let prepared = tokio::task::spawn_blocking(move || this.prepare(&place, &spec, &id, &known, &layers));
        prepared.await.map_err(|error| failure(CREATE, error.to_string()))?
    }

    /// Takes away what was made of a container that was not made.
    async fn discard(&self, place: &Place, id: &str) {
        let (this, uid, quality, owned) =
            (self.clone(), place.uid.clone(), place.sandbox.quality.clone(), id.to_owned());
        let removed = blocking(move || this.remove_files(&uid, &quality, &owned)).await;
        let released = self.0.parts.images.release(id).await;
        if let Err(why) = removed.and(released) {
            tracing::warn!(container = id, why, "what was made of a container is not cleaned up");
        }
    }

    /// Has the shim make and start a container that was made before.
    async fn launch(&self, place: &Place, record: &ContainerRecord) -> Result<(), Failure> {
        let create = Create {
            id: record.id.clone(),
            bundle: self.0.settings.places.container(&place.uid, &record.id),
            cgroup: Some(record.group.folder.clone()).filter(|folder| !folder.as_os_str().is_empty()),
            log: Some(record.log.clone()),
            rotate: self.0.settings.rotate,
            tty: record.tty,
            stdin: false,
        };
        let launched = match place.shim.create(create).await {
            Ok(_) => place.shim.start(&record.id).await,
            Err(refusal) if refusal.reason == coracle_shim_protocol::message::Reason::AlreadyExists => {
                place.shim.start(&record.id).await
            }
            Err(refusal) => Err(refusal),
        };
        let now = self.0.clock.now();
        match launched {
            Ok(()) => {
                self.change(&place.uid, &record.id, |state| {
                    // It may have ended already.
                    if *state == State::Created {
                        *state = State::Running { started: now };
                    }
                });
                Ok(())
            }
            Err(refusal) => {
                let message = format!("failed to start container {:?}: {}", record.id, refusal.message);
                let exit = exit::of_start_failure(&refusal.message, now);
                self.change(&place.uid, &record.id, |state| *state = State::Exited(exit));
                self.note_failure(&place.uid, &record.id, &refusal.message);
                // Its root and group are of no use any more; the record stays for the status.
                if let Err(refusal) = place.shim.delete(&record.id).await {
                    tracing::warn!(container = record.id, %refusal, "a container that did not start is not deleted");
                }
                Err(failure(RUN, message))
            }
        }
    }

    /// Writes down that a container could not be started.
    fn note_failure(&self, uid: &str, id: &str, message: &str) {
        let mut pods = self.0.pods();
        let Some(held) = pods.get_mut(uid).and_then(|pod| pod.containers.get_mut(id)) else { return };
        held.record.start_failure = Some((message.to_owned(), self.0.clock.now().into()));
        if let Err(error) = held.record.store(&self.0.settings.places.container(uid, id)) {
            tracing::warn!(%error, container = id, "a failed start is not written down");
        }
    }

    /// Changes the state of a container.
    pub(super) fn change(&self, uid: &str, id: &str, change: impl FnOnce(&mut State)) {
        let pods = self.0.pods();
        if let Some(held) = pods.get(uid).and_then(|pod| pod.containers.get(id)) {
            held.state.send_modify(change);
        }
    }

    /// A container ended.
    pub(super) async fn ended(&self, uid: &str, told: files::Exit) {
        let record = {
            let pods = self.0.pods();
            let held = pods.get(uid).and_then(|pod| pod.containers.get(&told.id));
            held.filter(|held| !held.is_over()).map(|held| held.record.clone())
        };
        let Some(record) = record else { return };
        let id = told.id.clone();
        let read = blocking(move || Ok(exit::of_shim(&record, &told))).await;
        match read {
            Ok(exit) => {
                self.change(uid, &id, |state| {
                    if !matches!(state, State::Exited(_)) {
                        *state = State::Exited(exit);
                    }
                });
                self.0.ring();
            }
            Err(why) => tracing::error!(container = id, why, "the end of a container is not known"),
        }
    }

    /// After a sandbox went: containers of which nobody told how they ended.
    pub(super) async fn account_for_dead(&self, uid: &str) {
        let left: Vec<ContainerRecord> = {
            let pods = self.0.pods();
            let held = pods.get(uid).into_iter().flat_map(|pod| pod.containers.values());
            held.filter(|held| !held.is_over()).map(|held| held.record.clone()).collect()
        };
        for record in left {
            let (places, now, owned) = (self.0.settings.places.clone(), self.0.clock.now(), uid.to_owned());
            let id = record.id.clone();
            let found = blocking(move || {
                let file = places.container(&owned, &record.id).join(files::EXIT);
                Ok(match super::record::read::<files::Exit>(&file) {
                    Ok(Some(told)) => exit::of_shim(&record, &told),
                    _ => exit::unknown(&record, now),
                })
            });
            if let Ok(exit) = found.await {
                self.change(uid, &id, |state| {
                    if !matches!(state, State::Exited(_)) {
                        *state = State::Exited(exit);
                    }
                });
            }
        }
    }
}
