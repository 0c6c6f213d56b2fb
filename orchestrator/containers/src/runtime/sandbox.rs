//! Sandboxes: started, stopped, and pods removed.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_agent::runtime::{Failure, SandboxSpec};
use coracle_apimachinery::Value;
use coracle_client::object;
use coracle_shim_protocol::VERSION;
use coracle_shim_protocol::files::{self, Own, READY, SOCKET, Start};
use tokio::sync::mpsc;

use super::parts::{Attachment, HostPort, Link, Shim};
use super::record::{self, SandboxRecord, new_id};
use super::{Containers, checked_uid, failure};
use crate::node::Network;
use crate::places::is_component;
use crate::spec::{dns, hostname, resources};
use crate::volumes::{blocking, remove_tree};

const REASON: &str = "FailedCreatePodSandBox";
/// How long the call of a shim's helper may last.
const HELPER_MILLISECONDS: u64 = 120_000;
/// The name of the group of a shared process namespace's first process.
const PAUSE: &str = "pause";
pub(super) const SHM: &str = "shm";
pub(super) const HOSTNAME: &str = "hostname";
pub(super) const RESOLV_CONF: &str = "resolv.conf";

impl Containers {
    /// Makes a pod's sandbox unless there is a ready one.
    pub(super) async fn start_sandbox(&self, spec: SandboxSpec) -> Result<(), Failure> {
        let uid = checked_uid(&spec.pod)?.to_owned();
        let turn = self.0.turn(&uid);
        let _turn = turn.lock().await;
        if self.0.pods().get(&uid).is_some_and(super::state::Pod::is_ready) {
            return Ok(());
        }
        let made = self.make_sandbox(&uid, &spec).await;
        if made.is_err() {
            // What was made of it goes; that it fails is the smaller trouble.
            if let Err(why) = self.stop_all(&uid).await {
                tracing::warn!(pod = uid, why, "a sandbox that was not started is not cleaned up");
            }
        }
        self.0.ring();
        made.map_err(|why| failure(REASON, format!("Failed to create pod sandbox: {why}")))
    }

    async fn make_sandbox(&self, uid: &str, spec: &SandboxSpec) -> Result<(), String> {
        let record = SandboxRecord {
            id: new_id().map_err(|error| error.to_string())?,
            attempt: spec.attempt,
            ips: Vec::new(),
            created: self.0.clock.now().into(),
            ready: true,
            on_host_network: object::flag(&spec.pod, &["spec", "hostNetwork"]),
            host_ports: host_ports(&spec.pod),
            quality: quality(&spec.pod),
            logs: self.0.settings.places.pod_logs(&spec.pod),
        };
        // From here on there is something of the pod that has to be taken away again.
        self.0.pods().entry(uid.to_owned()).or_default().sandbox = Some(record.clone());
        let (this, pod, owned) = (self.clone(), Arc::clone(&spec.pod), (uid.to_owned(), record.clone()));
        blocking(move || this.prepare_sandbox(&owned.0, &pod, &owned.1)).await?;
        let folder = self.0.settings.places.pod(uid);
        let link = self.0.parts.sandboxes.start(&folder).await?;
        let shim = Arc::clone(&link.shim);
        self.follow(uid, link);
        if record.on_host_network {
            return Ok(());
        }
        let number = shim.ready().namespaces.network.ok_or("the shim has no network namespace")?;
        let namespace = descriptor(&*shim, number);
        let (ips, host_ports) = (Vec::new(), record.host_ports.clone());
        let attachment = Attachment { uid: uid.to_owned(), namespace, ips, host_ports };
        let ips = self.0.parts.network.attach(attachment).await?;
        let record = SandboxRecord { ips, ..record };
        record.store(&folder).map_err(|error| error.to_string())?;
        if let Some(pod) = self.0.pods().get_mut(uid) {
            pod.sandbox = Some(record);
        }
        Ok(())
    }

    /// Writes what the shim is started with. Blocks.
    fn prepare_sandbox(&self, uid: &str, pod: &Value, record: &SandboxRecord) -> Result<(), String> {
        let inner = &self.0;
        let folder = inner.settings.places.pod(uid);
        let limits = resources::of_pod(pod, inner.settings.pids_per_pod);
        inner.parts.cgroups.pod(uid, &record.quality, &limits)?;
        let share = object::flag(pod, &["spec", "shareProcessNamespace"]) && !object::flag(pod, &["spec", "hostPID"]);
        let pause_cgroup = if share {
            let none = resources::Resources::default();
            Some(inner.parts.cgroups.container(uid, &record.quality, PAUSE, &none, false)?.folder)
        } else {
            None
        };
        let names = hostname::names(pod, &inner.settings.dns.domain, &inner.settings.node);
        let start = Start {
            version: VERSION,
            uid: uid.to_owned(),
            hostname: (!record.on_host_network).then(|| names.kernel.clone()),
            namespaces: Own {
                network: !record.on_host_network,
                ipc: !object::flag(pod, &["spec", "hostIPC"]),
                uts: !record.on_host_network,
                process: share,
            },
            sysctls: object::items(pod, &["spec", "securityContext", "sysctls"])
                .iter()
                .map(|sysctl| (sysctl.text_at(&["name"]).to_owned(), sysctl.text_at(&["value"]).to_owned()))
                .collect(),
            cgroup: Some(inner.parts.cgroups.shims()?),
            pause_cgroup,
            helper_milliseconds: HELPER_MILLISECONDS,
        };
        let write = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            for stale in [SOCKET, READY] {
                remove_file(&folder.join(stale))?;
            }
            remove_tree(&folder.join(files::STATE))?;
            fs::create_dir_all(folder.join(files::CONTAINERS))?;
            let shm = folder.join(SHM);
            inner.parts.roots.unmount_below(&shm)?;
            fs::create_dir_all(&shm)?;
            if start.namespaces.ipc {
                inner.parts.roots.shared_memory(&shm)?;
            }
            let of_node = fs::read_to_string(&inner.settings.resolv_conf).unwrap_or_default();
            fs::write(folder.join(RESOLV_CONF), dns::resolv_conf(pod, &inner.settings.dns, &of_node))?;
            fs::write(folder.join(HOSTNAME), format!("{}\n", names.kernel))?;
            fs::create_dir_all(&record.logs)?;
            record::write(&folder.join(files::POD), &start)?;
            record.store(&folder)
        };
        write().map_err(|error| format!("{}: {error}", folder.display()))
    }

    /// Takes a shim on and follows what it tells.
    pub(super) fn follow(&self, uid: &str, link: Link) {
        let Link { shim, exits, .. } = link;
        let watched = Arc::clone(&shim);
        self.0.pods().entry(uid.to_owned()).or_default().shim = Some(shim);
        let (this, uid) = (self.clone(), uid.to_owned());
        tokio::spawn(async move { this.listen(&uid, watched, exits).await });
    }

    async fn listen(&self, uid: &str, shim: Arc<dyn Shim>, mut exits: mpsc::UnboundedReceiver<files::Exit>) {
        while let Some(exit) = exits.recv().await {
            if exit.exec.is_none() {
                self.ended(uid, exit).await;
            }
        }
        let is_lost = {
            let mut pods = self.0.pods();
            let present = pods.get_mut(uid).map(|pod| &mut pod.shim);
            match present {
                Some(slot) if slot.as_ref().is_some_and(|present| Arc::ptr_eq(present, &shim)) => {
                    *slot = None;
                    true
                }
                _ => false,
            }
        };
        if is_lost {
            tracing::warn!(pod = uid, "the shim of a pod is gone");
            let turn = self.0.turn(uid);
            let _turn = turn.lock().await;
            if let Err(why) = self.stop_all(uid).await {
                tracing::warn!(pod = uid, why, "what is left of a pod is not cleaned up");
            }
            self.0.ring();
        }
    }

    /// Stops a pod's sandbox.
    pub(super) async fn end_sandbox(&self, uid: &str) -> Result<(), String> {
        let turn = self.0.turn(uid);
        let _turn = turn.lock().await;
        let stopped = self.stop_all(uid).await;
        self.0.ring();
        stopped
    }

    /// Kills what runs in a pod and takes its sandbox down; its turn is held. Dead containers stay.
    pub(super) async fn stop_all(&self, uid: &str) -> Result<(), String> {
        let folder = self.0.settings.places.pod(uid);
        let (shim, known) = {
            let mut pods = self.0.pods();
            let Some(pod) = pods.get_mut(uid) else { return Ok(()) };
            let known = pod.sandbox.is_some();
            if let Some(sandbox) = pod.sandbox.as_mut().filter(|sandbox| sandbox.ready) {
                sandbox.ready = false;
                if folder.is_dir()
                    && let Err(error) = sandbox.store(&folder)
                {
                    tracing::warn!(%error, pod = uid, "the end of a sandbox is not written down");
                }
            }
            (pod.shim.clone(), known)
        };
        if !known && shim.is_none() {
            return Ok(());
        }
        if let Some(shim) = &shim {
            self.kill_all(uid, &**shim).await;
        }
        self.0.parts.network.detach(uid).await?;
        if let Some(sandbox) = self.0.pods().get_mut(uid).and_then(|pod| pod.sandbox.as_mut()) {
            sandbox.ips.clear();
        }
        let (this, owned) = (self.clone(), uid.to_owned());
        blocking(move || {
            this.0.parts.cgroups.remove_pod(&owned)?;
            let shm = this.0.settings.places.pod(&owned).join(SHM);
            this.0.parts.roots.unmount_below(&shm).map_err(|error| error.to_string())
        })
        .await?;
        self.account_for_dead(uid).await;
        // From here on its end is no loss.
        if let Some(pod) = self.0.pods().get_mut(uid) {
            pod.shim = None;
        }
        if let Some(shim) = shim {
            // Nothing runs in it any more. One that does not end by itself has lost its groups already.
            if let Err(refusal) = shim.end().await {
                tracing::warn!(pod = uid, %refusal, "a shim does not end");
            }
        }
        Ok(())
    }

    /// Removes all that there is of a pod.
    pub(super) async fn forget_pod(&self, uid: &str) -> Result<(), String> {
        if !is_component(uid) {
            return Err("the pod's unique id is none".to_owned());
        }
        let turn = self.0.turn(uid);
        let _turn = turn.lock().await;
        self.stop_all(uid).await?;
        let ids: Vec<String> = {
            let pods = self.0.pods();
            pods.get(uid).map(|pod| pod.containers.keys().cloned().collect()).unwrap_or_default()
        };
        for id in ids {
            self.take_away(uid, &id).await?;
        }
        self.0.volumes.remove(uid).await?;
        let logs = self.0.pods().get(uid).and_then(|pod| pod.sandbox.as_ref()).map(|sandbox| sandbox.logs.clone());
        let (this, folder) = (self.clone(), self.0.settings.places.pod(uid));
        blocking(move || {
            let remove = || {
                this.0.parts.roots.unmount_below(&folder)?;
                if let Some(logs) = logs {
                    remove_tree(&logs)?;
                }
                remove_tree(&folder)
            };
            remove().map_err(|error| format!("removing {}: {error}", folder.display()))
        })
        .await?;
        self.0.pods().remove(uid);
        self.0.turns.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(uid);
        self.0.ring();
        Ok(())
    }

    /// Where the network of a pod is.
    pub(crate) fn network_namespace(&self, uid: &str) -> Option<Network> {
        let pods = self.0.pods();
        let pod = pods.get(uid).filter(|pod| pod.is_ready())?;
        if pod.sandbox.as_ref()?.on_host_network {
            return Some(Network::Host);
        }
        let shim = pod.shim.as_ref()?;
        Some(Network::Own(descriptor(&**shim, shim.ready().namespaces.network?)))
    }

    /// The pods that there is anything of, also what a boot before this one left.
    pub(super) async fn all_pods(&self) -> Result<Vec<String>, String> {
        let places = self.0.settings.places.clone();
        let mut uids = blocking(move || {
            let mut uids = folders(&places.pods())?;
            uids.extend(folders(&places.kubelet.join("pods"))?);
            Ok(uids)
        })
        .await?;
        uids.extend(self.0.pods().keys().cloned());
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }
}

/// Where a descriptor of a shim can be opened.
pub(super) fn descriptor(shim: &dyn Shim, number: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{number}", shim.ready().pid))
}

pub(super) fn folders(of: &Path) -> Result<Vec<String>, String> {
    let entries = match fs::read_dir(of) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", of.display())),
    };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(folders.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn quality(pod: &Value) -> String {
    match pod.text_at(&["status", "qosClass"]) {
        "" => "Burstable",
        class => class,
    }
    .to_owned()
}

fn host_ports(pod: &Value) -> Vec<HostPort> {
    let lists = ["initContainers", "containers"].map(|list| object::items(pod, &["spec", list]));
    let all = lists.into_iter().flatten().flat_map(|container| object::items(container, &["ports"]));
    let port = |tree: &Value, name: &str| u16::try_from(object::int(tree, &[name], 0)).ok().filter(|port| *port > 0);
    all.filter_map(|tree| {
        let protocol = tree.text_at(&["protocol"]);
        Some(HostPort {
            protocol: if protocol.is_empty() { "TCP" } else { protocol }.to_owned(),
            host_ip: tree.text_at(&["hostIP"]).to_owned(),
            host_port: port(tree, "hostPort")?,
            container_port: port(tree, "containerPort")?,
        })
    })
    .collect()
}
