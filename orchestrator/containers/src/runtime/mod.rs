//! Containers as a runtime of the agent.
//!
//! Decisions are the agent's; here is what is done, on [`parts`] that tests stand in for. Operations on one pod go one
//! after another, except for waits (stopping, running programs). What is known lies in memory and, for the next start
//! of this program, in the pods' folders.

mod adopt;
mod exit;
mod handler;
mod host;
pub mod parts;
mod prepare;
mod record;
mod run;
mod sandbox;
mod signal;
mod start;
mod state;
mod stop;
pub mod system;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coracle_agent::runtime::{
    Answer, ContainerSpec, Executed, Failure, Handled, HandlerSpec, Image, Observed, PullSpec, Runtime, SandboxSpec,
};
use coracle_agent::work::Clock;
use coracle_apimachinery::Value;
use coracle_client::object;
use coracle_shim_protocol::message::Rotate;
use tokio::sync::Notify;

use crate::places::{Places, is_component};
use crate::spec::dns::ClusterDns;
use crate::volumes::Volumes;
use parts::Parts;
pub use record::SCHEME;
pub(crate) use run::{Started, pipe};
use state::Pods;
pub(crate) use stop::Instance;

/// How a node runs containers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where things lie.
    pub places: Places,
    /// The name of the node.
    pub node: String,
    /// How names are resolved in the cluster.
    pub dns: ClusterDns,
    /// Bytes of memory of the machine.
    pub memory: u64,
    /// How many processes a pod may have, if there is a limit.
    pub pids_per_pod: Option<u64>,
    /// When logs are rotated.
    pub rotate: Rotate,
    /// The node's hosts file.
    pub hosts: PathBuf,
    /// The node's file of how names are resolved.
    pub resolv_conf: PathBuf,
}

/// The containers of a node. Clones are the same.
#[derive(Debug, Clone)]
pub struct Containers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    parts: Parts,
    volumes: Arc<Volumes>,
    clock: Clock,
    facts: host::Facts,
    pods: Mutex<Pods>,
    /// One operation at a time for each pod.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Holds one ring if nobody waits.
    changed: Notify,
}

impl Containers {
    /// The containers of a node, with those that a run before this one left.
    ///
    /// # Errors
    /// The folders of pods cannot be read, or the network cannot be restored.
    pub async fn open(settings: Settings, parts: Parts, volumes: Arc<Volumes>, clock: Clock) -> Result<Self, String> {
        let facts = crate::volumes::blocking(|| Ok(host::Facts::read())).await?;
        let (pods, turns) = (Mutex::default(), Mutex::default());
        let inner = Inner { settings, parts, volumes, clock, facts, pods, turns, changed: Notify::new() };
        let this = Self(Arc::new(inner));
        this.adopt().await?;
        Ok(this)
    }

    /// The volumes, which somebody has to [`Volumes::keep`] up to date.
    #[must_use]
    pub fn volumes(&self) -> &Arc<Volumes> {
        &self.0.volumes
    }
}

impl Inner {
    /// Nothing that it guards is left half changed, so a panic elsewhere does not make it useless.
    fn pods(&self) -> MutexGuard<'_, Pods> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a pod.
    fn turn(&self, uid: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(uid.to_owned()).or_default())
    }

    /// Tells that something changed.
    fn ring(&self) {
        self.changed.notify_one();
    }
}

/// A failure with the usual reason of the call if it is empty.
fn failure(reason: &str, message: impl Into<String>) -> Failure {
    Failure { reason: reason.to_owned(), message: message.into() }
}

/// Unique ids become names of folders.
fn checked_uid(pod: &Value) -> Result<&str, Failure> {
    let uid = object::uid(pod);
    if is_component(uid) && uid.len() <= 100 { Ok(uid) } else { Err(failure("", "the pod's unique id is none")) }
}

impl Runtime for Containers {
    fn pods(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async move { self.all_pods().await.map_err(|why| failure("", why)) })
    }

    fn observe<'a>(&'a self, uid: &'a str, images: &'a [String]) -> Answer<'a, Observed> {
        Box::pin(async move {
            let mut there = Vec::new();
            for name in images {
                match self.0.parts.images.find(name).await {
                    Ok(image) => there.extend(image),
                    // A name that cannot be understood is told when it is pulled.
                    Err(why) => tracing::debug!(why, name, "an image is not found"),
                }
            }
            let pods = self.0.pods();
            let pod = pods.get(uid);
            Ok(Observed {
                volumes: self.0.volumes.are_ready(uid),
                sandbox: pod.and_then(|pod| Some(pod.sandbox.as_ref()?.shown(pod.shim.is_some()))),
                containers: pod.map(state::Pod::shown).unwrap_or_default(),
                images: there,
            })
        })
    }

    fn ensure_volumes(&self, pod: Arc<Value>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0.volumes.ensure(pod).await?;
            self.0.ring();
            Ok(())
        })
    }

    fn ensure_sandbox(&self, spec: SandboxSpec) -> Answer<'_, ()> {
        Box::pin(async move { self.start_sandbox(spec).await })
    }

    fn pull_image(&self, spec: PullSpec) -> Answer<'_, Image> {
        Box::pin(async move {
            let image = self.0.parts.images.pull(&spec.pod, &spec.image).await?;
            self.0.ring();
            Ok(image)
        })
    }

    fn start_container(&self, spec: ContainerSpec) -> Answer<'_, String> {
        Box::pin(async move { self.start(spec).await })
    }

    fn stop_container<'a>(&'a self, id: &'a str, grace: Duration) -> Answer<'a, ()> {
        Box::pin(async move { self.stop(id, grace).await.map_err(|why| failure("", why)) })
    }

    fn remove_container<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.remove(id).await.map_err(|why| failure("", why)) })
    }

    fn stop_sandbox<'a>(&'a self, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.end_sandbox(uid).await.map_err(|why| failure("", why)) })
    }

    fn remove_pod<'a>(&'a self, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.forget_pod(uid).await.map_err(|why| failure("", why)) })
    }

    fn run_handler(&self, spec: HandlerSpec) -> Answer<'_, Handled> {
        Box::pin(async move { self.handle(spec).await })
    }

    fn run_exec<'a>(&'a self, id: &'a str, command: &'a [String], timeout: Duration) -> Answer<'a, Executed> {
        Box::pin(async move { self.run(id, command, timeout).await.map_err(|why| failure("", why)) })
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.changed.notified())
    }
}
