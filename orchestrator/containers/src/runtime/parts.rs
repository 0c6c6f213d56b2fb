//! What the runtime needs of others, small enough that a test can stand in for it.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use coracle_agent::runtime::{Failure, Image};
use coracle_apimachinery::Value;
use coracle_shim_protocol::files::{Exit, Ready};
use coracle_shim_protocol::message::{Container, Create, Exec, Failure as Refusal, Size};
use tokio::sync::{mpsc, oneshot};

use crate::spec::ImageConfig;
use crate::spec::resources::Resources;

/// What a call comes to later.
pub type Later<'a, T, E = String> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// An image that is on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The name as the status shows it.
    pub shown: String,
    /// Its identity as the status shows it.
    pub id: String,
    /// The digest of its configuration.
    pub digest: String,
    /// What it says about its containers.
    pub config: ImageConfig,
}

/// What to mount as a container's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// Topmost first.
    pub lowers: Vec<PathBuf>,
    /// What the container writes.
    pub upper: PathBuf,
    /// For overlayfs.
    pub work: PathBuf,
}

/// The images of the node.
pub trait ImageStore: Debug + Send + Sync {
    /// Fetches an image with the secrets that the pod names.
    fn pull<'a>(&'a self, pod: &'a Value, name: &'a str) -> Later<'a, Image, Failure>;
    /// The image of a name, if it is here.
    fn find<'a>(&'a self, name: &'a str) -> Later<'a, Option<Image>>;
    /// The image of an identity, preferably by this name.
    fn known<'a>(&'a self, id: &'a str, name: &'a str) -> Later<'a, Known>;
    /// Makes the writable layer of a container.
    fn prepare<'a>(&'a self, container: &'a str, digest: &'a str) -> Later<'a, Layers>;
    /// Removes the writable layer of a container; that there is none is as good.
    fn release<'a>(&'a self, container: &'a str) -> Later<'a, ()>;
    /// The containers that have writable layers.
    fn containers(&self) -> Later<'_, Vec<String>>;
}

/// Starts and finds the shims of pods.
pub trait Sandboxes: Debug + Send + Sync {
    /// Starts the shim of a pod, whose folder has `pod.json`.
    fn start<'a>(&'a self, folder: &'a Path) -> Later<'a, Link>;
    /// Connects to the shim of a pod that runs already; none if there is none.
    fn adopt<'a>(&'a self, folder: &'a Path) -> Later<'a, Option<Link>>;
}

/// A shim, what it tells, and what it had when it was connected to.
#[derive(Debug)]
pub struct Link {
    /// The shim.
    pub shim: Arc<dyn Shim>,
    /// How containers end. The end of the channel is that of the shim.
    pub exits: mpsc::UnboundedReceiver<Exit>,
    /// What runs in it.
    pub containers: Vec<Container>,
}

/// The shim of a pod.
pub trait Shim: Debug + Send + Sync {
    /// What it told when it was ready.
    fn ready(&self) -> &Ready;
    /// Makes a container; answers its first process.
    fn create(&self, create: Create) -> Later<'_, i32, Refusal>;
    /// Starts a container.
    fn start<'a>(&'a self, id: &'a str) -> Later<'a, (), Refusal>;
    /// Sends a signal to the first process or to all.
    fn signal<'a>(&'a self, id: &'a str, signal: i32, all: bool) -> Later<'a, (), Refusal>;
    /// Forgets a container.
    fn delete<'a>(&'a self, id: &'a str) -> Later<'a, (), Refusal>;
    /// Runs a process. Without a terminal `streams` are input, output and errors.
    fn exec(&self, exec: Exec, streams: Vec<OwnedFd>) -> Later<'_, Execution, Refusal>;
    /// Kills a process of exec.
    fn kill_exec<'a>(&'a self, id: &'a str, exec: &'a str) -> Later<'a, (), Refusal>;
    /// Sets the size of a process' terminal.
    fn resize<'a>(&'a self, id: &'a str, exec: &'a str, size: Size) -> Later<'a, (), Refusal>;
    /// Opens a container's log anew.
    fn rotate<'a>(&'a self, id: &'a str) -> Later<'a, (), Refusal>;
    /// Ends the shim, in which nothing runs any more.
    fn end(&self) -> Later<'_, (), Refusal>;
}

/// A process of exec.
#[derive(Debug)]
pub struct Execution {
    /// Its process.
    pub pid: i32,
    /// The end of its terminal.
    pub terminal: Option<OwnedFd>,
    /// Told when it ended; dropped when that cannot be known any more.
    pub exit: oneshot::Receiver<Exit>,
}

/// A port of the host that leads to a pod.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The address of the host, empty for all.
    pub host_ip: String,
    /// The port of the host.
    pub host_port: u16,
    /// The port of the pod.
    pub container_port: u16,
}

/// A pod in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The pod.
    pub uid: String,
    /// Its network namespace.
    pub namespace: PathBuf,
    /// Its addresses, if it has any.
    pub ips: Vec<String>,
    /// Ports of the host that lead to it.
    pub host_ports: Vec<HostPort>,
}

/// The network of pods.
pub trait Network: Debug + Send + Sync {
    /// Connects a pod; answers its addresses.
    fn attach(&self, pod: Attachment) -> Later<'_, Vec<String>>;
    /// Disconnects a pod; that it is not connected is as good.
    fn detach<'a>(&'a self, uid: &'a str) -> Later<'a, ()>;
    /// After a restart: exactly these pods are there.
    fn restore(&self, pods: Vec<Attachment>) -> Later<'_, ()>;
}

/// The control group of a container or pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Group {
    /// Its folder.
    pub folder: PathBuf,
    /// Its path as OCI specifications name it.
    pub path: PathBuf,
}

/// The control groups of pods. All calls block.
pub trait Cgroups: Debug + Send + Sync {
    /// The group of all shims.
    ///
    /// # Errors
    /// It cannot be made.
    fn shims(&self) -> Result<PathBuf, String>;
    /// Makes and limits the group of a pod of a quality of service.
    ///
    /// # Errors
    /// It cannot be made or limited.
    fn pod(&self, uid: &str, quality: &str, limits: &Resources) -> Result<(), String>;
    /// Makes and limits the group of a container. `open`: it may use all devices.
    ///
    /// # Errors
    /// It cannot be made or limited.
    fn container(&self, uid: &str, quality: &str, id: &str, limits: &Resources, open: bool) -> Result<Group, String>;
    /// Kills what is left in a container's group and removes it; that there is none is as good.
    ///
    /// # Errors
    /// Something does not end.
    fn remove_container(&self, uid: &str, quality: &str, id: &str) -> Result<(), String>;
    /// Kills what is left of a pod and removes its group; that there is none is as good.
    ///
    /// # Errors
    /// Something does not end.
    fn remove_pod(&self, uid: &str) -> Result<(), String>;
}

/// Mounts roots of containers. All calls block.
pub trait Roots: Debug + Send + Sync {
    /// Mounts a root.
    ///
    /// # Errors
    /// The kernel's.
    fn mount(&self, layers: &Layers, at: &Path) -> io::Result<()>;
    /// Takes away all that is mounted on a folder or below it.
    ///
    /// # Errors
    /// The kernel's.
    fn unmount_below(&self, folder: &Path) -> io::Result<()>;
    /// Mounts the memory that a pod's containers share.
    ///
    /// # Errors
    /// The kernel's.
    fn shared_memory(&self, at: &Path) -> io::Result<()>;
}

/// The parts together.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The images.
    pub images: Arc<dyn ImageStore>,
    /// The shims.
    pub sandboxes: Arc<dyn Sandboxes>,
    /// The network.
    pub network: Arc<dyn Network>,
    /// The control groups.
    pub cgroups: Arc<dyn Cgroups>,
    /// The roots of containers.
    pub roots: Arc<dyn Roots>,
}
