//! What the agent asks of a container runtime and what a runtime reports.
//!
//! Actions are idempotent: asked twice they do their work once, and asked for something that is already gone they
//! succeed. A runtime that changes by itself (a container exits) wakes whoever waits in [`Runtime::changed`].

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

/// What a runtime's call answers.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason in CamelCase as a container's waiting state shows it, for example `ErrImagePull`, `InvalidImageName`,
    /// `CreateContainerError`, `RunContainerError`, `CreateContainerConfigError`; for a sandbox or volume the reason of
    /// the event (`FailedCreatePodSandBox`, `FailedMount`). Empty: the usual reason of the call.
    pub reason: String,
    /// What happened.
    pub message: String,
}

/// What the runtime has of one pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether the pod's volumes are set up.
    pub volumes: bool,
    /// The newest sandbox.
    pub sandbox: Option<Sandbox>,
    /// Every container instance that was not removed, dead ones too, in any order.
    pub containers: Vec<Container>,
    /// Those of the images asked for that are on the node.
    pub images: Vec<Image>,
}

/// What the containers of a pod share: network, IPC and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The runtime's name for it, without scheme.
    pub id: String,
    /// How often a sandbox was made for this pod before this one.
    pub attempt: u32,
    /// The addresses of the pod, the primary one first; empty for pods on the host's network.
    pub ips: Vec<String>,
    /// When it was made.
    pub created: Instant,
    /// Whether containers can be started in it.
    pub ready: bool,
}

/// One instance of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The runtime's name for it with the runtime's scheme, for example `coracle://7f3a`.
    pub id: String,
    /// The container's name in the pod.
    pub name: String,
    /// Which instance it is: 0 for the first, the restart count of the status.
    pub attempt: u32,
    /// The attempt of the sandbox that it was made in.
    pub sandbox: u32,
    /// The image as the status shows it.
    pub image: String,
    /// The image as the pod asked for it when the container was made.
    pub asked: String,
    /// The identity of the image.
    pub image_id: String,
    /// When it was made.
    pub created: Instant,
    /// Whom its first process runs as, where the runtime knows.
    pub user: Option<User>,
    /// What it does.
    pub state: State,
}

/// Whom a container's first process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: i64,
    /// The group.
    pub gid: i64,
    /// The supplemental groups.
    pub groups: Vec<i64>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was made and not yet started.
    Created,
    /// It runs.
    Running {
        /// Since when.
        started: Instant,
    },
    /// It ran, or could not run.
    Exited(Exit),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub finished: Instant,
    /// Its exit code; 128 plus the signal's number when a signal ended it.
    pub exit_code: i32,
    /// The signal that ended it, 0 for none.
    pub signal: i32,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, …
    pub reason: String,
    /// The termination message.
    pub message: String,
}

/// An image on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name by which it was asked for.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What a sandbox is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxSpec {
    /// The pod.
    pub pod: Arc<Value>,
    /// How often a sandbox was made for this pod before.
    pub attempt: u32,
}

/// What an image is pulled for.
#[derive(Debug, Clone, PartialEq)]
pub struct PullSpec {
    /// The pod.
    pub pod: Arc<Value>,
    /// The image's name.
    pub image: String,
}

/// What a container is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    /// The pod.
    pub pod: Arc<Value>,
    /// The container's entry in the pod's spec.
    pub container: Value,
    /// Whether it stands among the init containers.
    pub init: bool,
    /// Which instance it is.
    pub attempt: u32,
    /// The identity of its image.
    pub image_id: String,
    /// Its environment with references resolved.
    pub env: Vec<(String, String)>,
}

/// A probe or hook to run for a container.
#[derive(Debug, Clone, PartialEq)]
pub struct HandlerSpec {
    /// The pod.
    pub pod: Arc<Value>,
    /// The runtime's name of the container.
    pub id: String,
    /// The container's name in the pod.
    pub container: String,
    /// The handler: an object with one of `exec`, `httpGet`, `tcpSocket`, `grpc`, `sleep`.
    pub handler: Value,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a handler answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    /// Whether it says that all is well.
    pub success: bool,
    /// What it printed, or why it failed.
    pub output: String,
}

/// What a program that ran in a container left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub exit_code: i32,
    /// What it printed.
    pub output: String,
}

/// What runs containers.
pub trait Runtime: Debug + Send + Sync {
    /// The unique ids of all pods that the runtime has anything of.
    fn pods(&self) -> Answer<'_, Vec<String>>;

    /// What there is of the pod with this unique id, and which of `images` are on the node.
    fn observe<'a>(&'a self, uid: &'a str, images: &'a [String]) -> Answer<'a, Observed>;

    /// Sets up the pod's volumes.
    fn ensure_volumes(&self, pod: Arc<Value>) -> Answer<'_, ()>;

    /// Makes the pod's sandbox unless there is a ready one.
    fn ensure_sandbox(&self, spec: SandboxSpec) -> Answer<'_, ()>;

    /// Fetches an image, also when the node has one by that name.
    fn pull_image(&self, spec: PullSpec) -> Answer<'_, Image>;

    /// Makes and starts a container, unless that instance is there; answers its id.
    fn start_container(&self, spec: ContainerSpec) -> Answer<'_, String>;

    /// Asks a container to end and kills it when the grace is over; answers once it ended. Asked again with less grace,
    /// the earlier end counts.
    fn stop_container<'a>(&'a self, id: &'a str, grace: Duration) -> Answer<'a, ()>;

    /// Removes a container that does not run.
    fn remove_container<'a>(&'a self, id: &'a str) -> Answer<'a, ()>;

    /// Stops the pod's sandbox and frees its addresses; the sandbox is then no longer ready. Dead containers stay with
    /// their logs.
    fn stop_sandbox<'a>(&'a self, uid: &'a str) -> Answer<'a, ()>;

    /// Stops the pod's sandbox, kills what still runs in it, and removes all that there is of the pod: containers,
    /// volumes and sandbox.
    fn remove_pod<'a>(&'a self, uid: &'a str) -> Answer<'a, ()>;

    /// Runs a probe or hook. A handler that says no is an answer, not a failure.
    fn run_handler(&self, spec: HandlerSpec) -> Answer<'_, Handled>;

    /// Runs a program in a container.
    fn run_exec<'a>(&'a self, id: &'a str, command: &'a [String], timeout: Duration) -> Answer<'a, Executed>;

    /// Answers when anything changed since the last answer (or since the start, for the first call).
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
