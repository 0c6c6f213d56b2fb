//! What the runtime knows of its pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_agent::runtime::{Container, State};
use tokio::sync::watch;
use tokio::time::Instant;

use super::parts::Shim;
use super::record::{ContainerRecord, SandboxRecord};

/// All pods, by unique id.
pub(super) type Pods = BTreeMap<String, Pod>;

/// One pod.
#[derive(Debug, Default)]
pub(super) struct Pod {
    pub(super) sandbox: Option<SandboxRecord>,
    pub(super) shim: Option<Arc<dyn Shim>>,
    pub(super) containers: BTreeMap<String, Held>,
}

/// One container.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) record: ContainerRecord,
    /// Its state; whoever waits for its end follows it.
    pub(super) state: watch::Sender<State>,
    /// When it is killed, once somebody asked it to end.
    pub(super) deadline: watch::Sender<Option<Instant>>,
}

impl Pod {
    /// Whether containers can be started.
    pub(super) fn is_ready(&self) -> bool {
        self.shim.is_some() && self.sandbox.as_ref().is_some_and(|sandbox| sandbox.ready)
    }

    pub(super) fn shown(&self) -> Vec<Container> {
        self.containers.values().map(Held::shown).collect()
    }
}

impl Held {
    pub(super) fn new(record: ContainerRecord, state: State) -> Self {
        Self { record, state: watch::Sender::new(state), deadline: watch::Sender::new(None) }
    }

    pub(super) fn shown(&self) -> Container {
        self.record.shown(self.state.borrow().clone())
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(*self.state.borrow(), State::Exited(_))
    }
}
