//! The loop of a node: registers it, keeps its lease, and does for each pod that is bound to it what the plans say.
//!
//! One task follows the node object, one renews the lease, one compares the pods of the API with those that are worked
//! on, and each pod has a task of its own. All of them wait for events and deadlines; nothing asks again and again.

mod action;
mod admission;
mod back_off;
pub mod clock;
mod env;
mod follow;
mod lease;
mod news;
mod node;
pub(crate) mod patch;
mod pod;
mod pods;
mod report;
mod tree;

pub use clock::Clock;

use std::fmt;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::Client;
use coracle_client::event::Event;
use coracle_client::resources::{NODES, PODS};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::node::Machine;
use crate::pod::{Host, Now};
use crate::runtime::Runtime;
use admission::Admission;
use follow::follow;

/// Takes what is to be told.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The machine as it is now, and each time it changes; its name is the node's name and stays.
    pub machine: watch::Receiver<Machine>,
    /// Whether the runtime takes volumes of every kind.
    pub all_volumes: bool,
    /// How the runtime wants pods to be planned; [`as_they_are`] for most, [`crate::fake::shape`] for the fake one.
    pub shape: fn(&Arc<Value>) -> Arc<Value>,
    /// Where the ranges of pod addresses go that the control plane gives to the node.
    pub ranges: watch::Sender<Vec<String>>,
    /// Tells the time.
    pub clock: Clock,
}

/// Pods are planned as they are.
#[must_use]
pub fn as_they_are(pod: &Arc<Value>) -> Arc<Value> {
    Arc::clone(pod)
}

/// What all tasks of a node share.
struct Shared {
    client: Arc<dyn Client>,
    runtime: Arc<dyn Runtime>,
    settings: Settings,
    name: String,
    events: Events,
    began: Instant,
    admission: Admission,
}

/// Runs a node until `stop` becomes true or the API closes. Containers go on running then, and the next run adopts them.
pub async fn run(
    client: Arc<dyn Client>,
    runtime: Arc<dyn Runtime>,
    settings: Settings,
    events: Events,
    mut stop: watch::Receiver<bool>,
) {
    let name = settings.machine.borrow().name.clone();
    let shared = Arc::new(Shared {
        client,
        runtime,
        settings,
        name,
        events,
        began: Instant::now(),
        admission: Admission::default(),
    });
    let mut tasks = JoinSet::new();
    let nodes = follow(&mut tasks, &shared, &NODES);
    let pods = follow(&mut tasks, &shared, &PODS);
    tasks.spawn(node::keep(Arc::clone(&shared), nodes.clone()));
    tasks.spawn(lease::keep(Arc::clone(&shared), nodes));
    let bell = watch::Sender::new(());
    tasks.spawn(pods::keep(Arc::clone(&shared), pods, bell.subscribe()));
    tasks.spawn(ring(shared, bell));
    // No task ends before the API closes; with the set all of them end.
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        ended = tasks.join_next() => {
            if let Some(Err(failure)) = ended {
                tracing::error!(%failure, "a task of the node failed");
            }
        }
    }
}

/// Tells the tasks of all pods that something changed at the runtime or the machine.
async fn ring(shared: Arc<Shared>, bell: watch::Sender<()>) {
    let mut machine = shared.settings.machine.clone();
    loop {
        tokio::select! {
            () = shared.runtime.changed() => {}
            () = change_of(&mut machine) => {}
        }
        bell.send_replace(());
    }
}

/// Waits for a change of the machine, which never comes where nobody is left to make one.
async fn change_of(machine: &mut watch::Receiver<Machine>) {
    if machine.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Shared {
    fn name(&self) -> &str {
        &self.name
    }

    fn machine(&self) -> Machine {
        self.settings.machine.borrow().clone()
    }

    /// What pods are told of their host.
    fn host(&self) -> Host {
        let ips = self.settings.machine.borrow().addresses.clone();
        Host { ips, all_volumes: self.settings.all_volumes }
    }

    fn now(&self) -> Now {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { wall: self.settings.clock.now(), ms }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("node", &self.name()).finish_non_exhaustive()
    }
}
