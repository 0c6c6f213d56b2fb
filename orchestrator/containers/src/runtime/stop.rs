//! Containers: asked to end, killed, removed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use coracle_agent::runtime::State;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Containers;
use super::parts::Shim;
use super::record::{ContainerRecord, SCHEME};
use super::sandbox::remove_file;
use super::signal::KILL;
use crate::volumes::{blocking, remove_tree};

/// How long the kernel may take to end what was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(30);

/// A container somebody waits for.
struct Waited {
    uid: String,
    record: ContainerRecord,
    state: watch::Receiver<State>,
    deadline: watch::Sender<Option<Instant>>,
    shim: Option<Arc<dyn Shim>>,
}

/// A container's pod, record and shim.
pub(super) type Found = (String, ContainerRecord, Option<Arc<dyn Shim>>);

/// An instance of a container.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) log: std::path::PathBuf,
    pub(crate) state: watch::Receiver<State>,
}

impl Containers {
    /// The container with an id, with or without scheme.
    fn waited(&self, id: &str) -> Option<Waited> {
        let id = id.strip_prefix(SCHEME).unwrap_or(id);
        let pods = self.0.pods();
        pods.iter().find_map(|(uid, pod)| {
            let held = pod.containers.get(id)?;
            Some(Waited {
                uid: uid.clone(),
                record: held.record.clone(),
                state: held.state.subscribe(),
                deadline: held.deadline.clone(),
                shim: pod.shim.clone(),
            })
        })
    }

    /// The pod and record of the container with an id.
    pub(super) fn find(&self, id: &str) -> Option<Found> {
        self.waited(id).map(|waited| (waited.uid, waited.record, waited.shim))
    }

    /// The instances of a container of a pod, the newest first; none if there is nothing of the pod.
    pub(crate) fn instances(&self, uid: &str, name: &str) -> Option<Vec<Instance>> {
        let pods = self.0.pods();
        let pod = pods.get(uid)?;
        let mut own: Vec<_> = pod.containers.values().filter(|held| held.record.name == name).collect();
        own.sort_by_key(|held| std::cmp::Reverse((held.record.sandbox, held.record.attempt)));
        let instance = |held: &super::state::Held| Instance {
            id: held.record.id.clone(),
            log: held.record.log.clone(),
            state: held.state.subscribe(),
        };
        Some(own.into_iter().map(instance).collect())
    }

    /// Asks a container to end and kills it when the grace is over; answers once it ended.
    pub(super) async fn stop(&self, id: &str, grace: Duration) -> Result<(), String> {
        let Some(mut waited) = self.waited(id) else { return Ok(()) };
        let is_over = |state: &State| matches!(state, State::Exited(_));
        if is_over(&waited.state.borrow()) {
            return Ok(());
        }
        let Some(shim) = waited.shim.clone() else {
            // Its sandbox is being cleaned up; the end is told then.
            let end = timeout(KILLED_WITHIN, waited.state.wait_for(is_over)).await;
            return end.map(drop).map_err(|_| "the container's sandbox is gone".to_owned());
        };
        let wanted = Instant::now() + grace;
        let mut is_first = false;
        waited.deadline.send_if_modified(|deadline| {
            is_first = deadline.is_none();
            let sooner = deadline.is_none_or(|deadline| wanted < deadline);
            if sooner {
                *deadline = Some(wanted);
            }
            sooner
        });
        let killed_before_start = *waited.state.borrow() == State::Created;
        if is_first && !grace.is_zero() && !killed_before_start {
            self.send(&waited, &*shim, waited.record.stop_signal, false).await;
        }
        let mut deadlines = waited.deadline.subscribe();
        loop {
            let deadline = *deadlines.borrow_and_update();
            let Some(deadline) = deadline else { break };
            tokio::select! {
                _ = waited.state.wait_for(is_over) => return Ok(()),
                _ = deadlines.changed() => {}
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.send(&waited, &*shim, KILL, true).await;
        let end = timeout_at(Instant::now() + KILLED_WITHIN, waited.state.wait_for(is_over)).await;
        end.map(drop).map_err(|_| format!("container {:?} does not end although it was killed", waited.record.id))
    }

    async fn send(&self, waited: &Waited, shim: &dyn Shim, signal: i32, all: bool) {
        // One that ended meanwhile is told of by its event.
        if let Err(refusal) = shim.signal(&waited.record.id, signal, all).await {
            tracing::debug!(container = waited.record.id, signal, %refusal, "a signal did not arrive");
        }
    }

    /// Kills all containers of a pod and waits for their ends, for a while.
    pub(super) async fn kill_all(&self, uid: &str, shim: &dyn Shim) {
        let ids: Vec<String> = {
            let pods = self.0.pods();
            let held = pods.get(uid).into_iter().flat_map(|pod| pod.containers.values());
            held.filter(|held| !held.is_over()).map(|held| held.record.id.clone()).collect()
        };
        for id in &ids {
            if let Some(waited) = self.waited(id) {
                self.send(&waited, shim, KILL, true).await;
            }
        }
        for id in &ids {
            if let Some(mut waited) = self.waited(id) {
                let over = waited.state.wait_for(|state| matches!(state, State::Exited(_)));
                if timeout(KILLED_WITHIN, over).await.is_err() {
                    tracing::warn!(container = id, "a container does not end although it was killed");
                }
            }
        }
    }

    /// Removes a container that does not run.
    pub(super) async fn remove(&self, id: &str) -> Result<(), String> {
        let Some((uid, record, _)) = self.find(id) else { return Ok(()) };
        let turn = self.0.turn(&uid);
        let _turn = turn.lock().await;
        let Some(waited) = self.waited(id) else { return Ok(()) };
        if matches!(*waited.state.borrow(), State::Running { .. }) {
            return Err(format!("container {:?} runs", record.id));
        }
        self.take_away(&uid, &record.id).await?;
        self.0.ring();
        Ok(())
    }

    /// Takes away what there is of a container; its pod's turn is held.
    pub(super) async fn take_away(&self, uid: &str, id: &str) -> Result<(), String> {
        let Some((_, record, shim)) = self.find(id) else { return Ok(()) };
        if let Some(shim) = shim {
            shim.delete(id).await.map_err(|refusal| refusal.to_string())?;
        }
        let quality =
            self.0.pods().get(uid).and_then(|pod| pod.sandbox.as_ref()).map(|sandbox| sandbox.quality.clone());
        let (this, owned) = (self.clone(), (uid.to_owned(), id.to_owned()));
        blocking(move || {
            this.remove_files(&owned.0, &quality.unwrap_or_default(), &owned.1)?;
            remove_logs(&record).map_err(|error| format!("removing logs of {:?}: {error}", record.id))
        })
        .await?;
        self.0.parts.images.release(id).await?;
        if let Some(pod) = self.0.pods().get_mut(uid) {
            pod.containers.remove(id);
        }
        Ok(())
    }

    /// Removes the group, the root and the folder of a container. Blocks.
    pub(super) fn remove_files(&self, uid: &str, quality: &str, id: &str) -> Result<(), String> {
        self.0.parts.cgroups.remove_container(uid, quality, id)?;
        let folder = self.0.settings.places.container(uid, id);
        let removed = self.0.parts.roots.unmount_below(&folder).and_then(|()| remove_tree(&folder));
        removed.map_err(|error| format!("removing {}: {error}", folder.display()))
    }
}

/// Removes a container's log, what was rotated of it, and the link to it.
fn remove_logs(record: &ContainerRecord) -> io::Result<()> {
    remove_file(&record.log_link)?;
    let (Some(folder), Some(name)) = (record.log.parent(), record.log.file_name().and_then(|name| name.to_str()))
    else {
        return Ok(());
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let is_own = entry
            .file_name()
            .to_str()
            .is_some_and(|own| own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
        if is_own {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}
