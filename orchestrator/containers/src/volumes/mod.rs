//! The volumes of pods: set up, kept up to date, mounted and removed.
//!
//! Files that come from objects of the API are written anew whenever the objects change, tokens before they expire, so
//! that running containers see them.

pub mod atomic;
pub mod downward;
mod empty_dir;
mod host_path;
mod mounter;
mod mounts;
mod payload;
mod remove;
mod sub_path;
mod token;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coracle_agent::runtime::Failure;
use coracle_agent::work::Clock;
use coracle_apimachinery::Value;
use coracle_client::resources::{CONFIG_MAPS, PODS, SECRETS};
use coracle_client::{Batch, Client, Interest, View, object};
use oci_spec::runtime::Mount;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::places::{Places, is_component};
pub use downward::Allocatable;
pub use mounter::{Kernel, Mounter};
use payload::Sources;
pub use remove::remove_tree;
use token::Token;

#[cfg(test)]
pub(crate) use mounter::double;

/// The volumes of all pods of a node.
#[derive(Debug)]
pub struct Volumes {
    places: Places,
    client: Arc<dyn Client>,
    mounter: Arc<dyn Mounter>,
    node: Allocatable,
    clock: Clock,
    /// Pods whose volumes are set up.
    pods: Mutex<HashMap<String, Held>>,
    /// Rings when a pod was set up, since it may have tokens to be renewed.
    woken: Notify,
}

/// A pod whose volumes are set up.
#[derive(Debug, Clone)]
struct Held {
    pod: Arc<Value>,
    /// Tokens by volume and path, with the moment of their renewal.
    tokens: HashMap<(String, String), (Token, Instant)>,
}

/// A volume by its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Volume<'a> {
    tree: &'a Value,
}

impl<'a> Volume<'a> {
    fn of(tree: &'a Value) -> Self {
        Self { tree }
    }

    fn name(&self) -> &'a str {
        self.tree.text_at(&["name"])
    }

    /// The name of the kind's folder, for volumes that are made from objects.
    fn object_kind(&self) -> Option<&'static str> {
        payload::KINDS.iter().find(|(member, _)| self.tree.at(&[member]).is_some()).map(|(_, folder)| *folder)
    }

    fn is_of_host(&self) -> bool {
        self.tree.at(&["hostPath"]).is_some()
    }

    fn is_read_only(&self) -> bool {
        self.object_kind().is_some()
    }

    /// Where it lies, or is to.
    fn place(&self, pod: &Path, name: &str) -> PathBuf {
        if self.is_of_host() {
            return PathBuf::from(self.tree.text_at(&["hostPath", "path"]));
        }
        pod.join("volumes").join(self.object_kind().unwrap_or("kubernetes.io~empty-dir")).join(name)
    }
}

impl Volumes {
    /// The volumes of a node.
    #[must_use]
    pub fn new(
        places: Places,
        client: Arc<dyn Client>,
        mounter: Arc<dyn Mounter>,
        node: Allocatable,
        clock: Clock,
    ) -> Self {
        Self { places, client, mounter, node, clock, pods: Mutex::default(), woken: Notify::new() }
    }

    /// Nothing that it guards is left half changed, so a panic elsewhere does not make it useless.
    fn pods(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a pod's volumes were set up since the start.
    #[must_use]
    pub fn are_ready(&self, uid: &str) -> bool {
        self.pods().contains_key(uid)
    }

    /// Sets up the volumes that the containers of a pod mount.
    ///
    /// # Errors
    /// One cannot be set up; the words are those of the kubelet's event `FailedMount`.
    pub async fn ensure(self: &Arc<Self>, pod: Arc<Value>) -> Result<(), Failure> {
        let uid = object::uid(&pod).to_owned();
        if !is_component(&uid) {
            return Err(failure("the pod has no unique id"));
        }
        let before = self.pods().get(&uid).map(|held| held.tokens.clone()).unwrap_or_default();
        let held = self.with_tokens(Arc::clone(&pod), before).await.map_err(|why| failure(&why))?;
        let view = self.client.view();
        let (this, given) = (Arc::clone(self), held.clone());
        blocking(move || this.set_up(&given, &view)).await.map_err(|why| failure(&why))?;
        self.pods().insert(uid, held);
        self.woken.notify_one();
        Ok(())
    }

    /// The pod with tokens that are good for a while.
    async fn with_tokens(
        &self,
        pod: Arc<Value>,
        mut tokens: HashMap<(String, String), (Token, Instant)>,
    ) -> Result<Held, String> {
        let now = Instant::now();
        tokens.retain(|_, (_, renewal)| *renewal > now);
        for volume in mounted(&pod) {
            for source in object::items(volume.tree, &["projected", "sources"]) {
                let Some(projection) = source.at(&["serviceAccountToken"]) else { continue };
                let key = (volume.name().to_owned(), projection.text_at(&["path"]).to_owned());
                if tokens.contains_key(&key) {
                    continue;
                }
                let token = token::fetch(&self.client, &pod, projection).await;
                let token = token.map_err(|why| of_volume(volume.name(), &why))?;
                let renewal = now + token.kept_for;
                tokens.insert(key, (token, renewal));
            }
        }
        Ok(Held { pod, tokens })
    }

    fn set_up(&self, held: &Held, view: &View) -> Result<(), String> {
        let folder = self.places.kubelet_pod(object::uid(&held.pod));
        for volume in mounted(&held.pod) {
            self.set_up_one(held, view, &folder, volume).map_err(|why| of_volume(volume.name(), &why))?;
        }
        Ok(())
    }

    fn set_up_one(&self, held: &Held, view: &View, folder: &Path, volume: Volume<'_>) -> Result<(), String> {
        let name = volume.name();
        if !is_component(name) {
            return Err("the name is no name of a folder".to_owned());
        }
        let place = volume.place(folder, name);
        if volume.object_kind().is_some() {
            return self.write(held, view, volume, &place);
        }
        if volume.is_of_host() {
            return host_path::check(&place, volume.tree.text_at(&["hostPath", "type"]));
        }
        let nothing = Value::Null;
        let source = volume.tree.at(&["emptyDir"]).unwrap_or(&nothing);
        let medium = empty_dir::medium(&held.pod, source, self.node.memory)?;
        let ready = folder.join("plugins/kubernetes.io~empty-dir").join(name).join("ready");
        let made = empty_dir::set_up(&*self.mounter, &place, &ready, &medium, fs_group(&held.pod));
        made.map_err(|error| error.to_string())
    }

    /// Writes the files of a volume that is made from objects.
    fn write(&self, held: &Held, view: &View, volume: Volume<'_>, place: &Path) -> Result<(), String> {
        let own = held.tokens.iter().filter(|((name, _), _)| name == volume.name());
        let tokens: BTreeMap<String, String> =
            own.map(|((_, path), (token, _))| (path.clone(), token.text.clone())).collect();
        let sources = Sources { view, pod: &held.pod, node: &self.node, tokens: &tokens };
        let files = payload::files(&sources, volume.tree)?;
        let write = || {
            std::fs::create_dir_all(place)?;
            // Secrets do not lie on disks.
            if volume.tree.at(&["configMap"]).is_none() && !self.mounter.is_mounted(place)? {
                let most = u64::try_from(self.node.memory).ok().filter(|bytes| *bytes > 0);
                self.mounter.memory(place, most, 0o777)?;
            }
            atomic::write(place, &files, fs_group(&held.pod), self.clock.now())
        };
        write().map(drop).map_err(|error| error.to_string())
    }

    /// The mounts of a container's volumes. Blocks.
    ///
    /// # Errors
    /// A volume is missing, or a part of it cannot be had.
    pub fn mounts(&self, pod: &Value, container: &Value, env: &[(String, String)]) -> Result<Vec<Mount>, String> {
        let folder = self.places.kubelet_pod(object::uid(pod));
        mounts::mounts(&mounts::Inputs { pod, container, env, folder: &folder, mounter: &*self.mounter })
    }

    /// Removes the volumes and files of a pod.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub async fn remove(self: &Arc<Self>, uid: &str) -> Result<(), String> {
        self.pods().remove(uid);
        let (this, folder) = (Arc::clone(self), self.places.kubelet_pod(uid));
        blocking(move || {
            let removed = this.mounter.unmount_below(&folder).and_then(|()| remove_tree(&folder));
            removed.map_err(|error| format!("removing {}: {error}", folder.display()))
        })
        .await
    }

    /// Keeps volumes up to date until the API closes: writes them anew when objects change and before tokens expire.
    pub async fn keep(self: Arc<Self>) {
        let mut changes = self.client.subscribe(Interest::Only(&[&CONFIG_MAPS, &PODS, &SECRETS]));
        loop {
            let renewal = self.pods().values().flat_map(|held| held.tokens.values()).map(|(_, at)| *at).min();
            let due = async {
                match renewal {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                batch = changes.next() => match batch {
                    Some(batch) => self.follow(&batch).await,
                    None => return,
                },
                () = due => self.renew().await,
                () = self.woken.notified() => {}
            }
        }
    }

    /// Writes the volumes that read one of the changed objects.
    async fn follow(self: &Arc<Self>, batch: &Batch) {
        let mut stale: Vec<String> = Vec::new();
        {
            let mut pods = self.pods();
            for change in &batch.changes {
                let Some(new) = &change.new else { continue };
                if change.resource.is(&PODS) {
                    if let Some(held) = pods.get_mut(object::uid(new)) {
                        held.pod = Arc::clone(new);
                        stale.push(object::uid(new).to_owned());
                    }
                    continue;
                }
                let reads = |held: &&Held| {
                    object::namespace(&held.pod) == change.namespace()
                        && mounted(&held.pod)
                            .iter()
                            .any(|volume| payload::reads(volume.tree, &change.resource, change.name()))
                };
                stale.extend(pods.values().filter(reads).map(|held| object::uid(&held.pod).to_owned()));
            }
        }
        stale.sort_unstable();
        stale.dedup();
        for uid in stale {
            self.refresh(&uid, batch.view.clone()).await;
        }
    }

    /// Fetches the tokens that are due and writes them.
    async fn renew(self: &Arc<Self>) {
        let now = Instant::now();
        let due = |held: &&Held| held.tokens.values().any(|(_, at)| *at <= now);
        let due: Vec<Held> = self.pods().values().filter(due).cloned().collect();
        for held in due {
            let uid = object::uid(&held.pod).to_owned();
            let old = held.tokens.clone();
            let renewed = match self.with_tokens(Arc::clone(&held.pod), held.tokens).await {
                Ok(renewed) => renewed,
                Err(why) => {
                    // The old tokens are good for a fifth of their life: they stay, and it is tried again.
                    tracing::warn!(pod = uid, why, "a token is not renewed");
                    let later = now + RETRY;
                    let tokens = old.into_iter().map(|(key, (token, at))| (key, (token, at.max(later)))).collect();
                    Held { pod: held.pod, tokens }
                }
            };
            let there = match self.pods().get_mut(&uid) {
                Some(slot) => {
                    *slot = renewed;
                    true
                }
                None => false,
            };
            if there {
                self.refresh(&uid, self.client.view()).await;
            }
        }
    }

    /// Writes the volumes of a pod that are made from objects. What is missing now stays as it was.
    async fn refresh(self: &Arc<Self>, uid: &str, view: View) {
        let Some(held) = self.pods().get(uid).cloned() else { return };
        let this = Arc::clone(self);
        let folder = self.places.kubelet_pod(uid);
        let done = blocking(move || {
            for volume in mounted(&held.pod) {
                if volume.object_kind().is_none() {
                    continue;
                }
                let place = volume.place(&folder, volume.name());
                // A pod that is being removed has none any more.
                if place.is_dir()
                    && let Err(why) = this.write(&held, &view, volume, &place)
                {
                    tracing::warn!(volume = volume.name(), why, "a volume is not updated");
                }
            }
            Ok(())
        });
        if let Err(why) = done.await {
            tracing::error!(why, "volumes of a pod are not updated");
        }
    }
}

/// How long it takes until a token that was not renewed is asked for again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(10);

/// The volumes that any container of a pod mounts.
fn mounted(pod: &Value) -> Vec<Volume<'_>> {
    let lists = ["initContainers", "containers"].map(|list| object::items(pod, &["spec", list]));
    let all = || lists.iter().copied().flatten();
    let uses = |name: &str| {
        all().any(|container| object::named(object::items(container, &["volumeMounts"]), "name", name).is_some())
    };
    let volumes = object::items(pod, &["spec", "volumes"]).iter();
    volumes.filter(|volume| uses(volume.text_at(&["name"]))).map(Volume::of).collect()
}

fn fs_group(pod: &Value) -> Option<u32> {
    let group = pod.at(&["spec", "securityContext", "fsGroup"]).and_then(Value::as_int);
    group.and_then(|group| u32::try_from(group).ok())
}

fn of_volume(name: &str, why: &str) -> String {
    format!("MountVolume.SetUp failed for volume {name:?} : {why}")
}

fn failure(message: &str) -> Failure {
    Failure { reason: "FailedMount".to_owned(), message: message.to_owned() }
}

/// Does what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("a task failed: {error}"))?
}
