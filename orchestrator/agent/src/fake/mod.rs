//! A runtime without containers: what a container does is written in the annotations of its pod.
//!
//! An annotation is `fake-runtime.coracle/KEY` for all main containers of the pod or `fake-runtime.coracle/KEY.NAME` for
//! one container:
//!
//! - `image-delay: "2s"`: how long pulling its image takes; `image-failure: "ErrImagePull text"`: how that fails;
//! - `start-delay: "1s"`: how long it takes from being made to running;
//! - `ready-after: "3s"` or `"never"`: what a readiness probe sees; without a probe, the Ready condition;
//! - `exit-code: "1"`, `exit-after: "1s"`, `oom: "true"`: how and when it ends;
//! - `stop-delay: "2s"`, `stop-code: "143"`: how long it takes to obey when it is asked to end, and its exit code then.
//!
//! Without annotations the image is there, the container runs and is ready at once, and an init container ends well at
//! once. A value that cannot be understood makes the image fail with a message that says so. Nothing polls: everything
//! happens at deadlines of tokio's clock.

mod addresses;
mod answers;
mod looks;
mod script;
mod state;

pub use script::{Exit, PREFIX, Script};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coracle_apimachinery::{Object, Value};
use coracle_client::object;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::work::Clock;
use state::Everything;

/// The runtime.
#[derive(Debug)]
pub struct Fake {
    state: Mutex<Everything>,
    woken: watch::Sender<()>,
    ranges: watch::Receiver<Vec<String>>,
    clock: Clock,
}

impl Fake {
    /// A runtime that gives pods addresses of the newest `ranges` of the node, and none before there are any.
    #[must_use]
    pub fn new(clock: Clock, ranges: watch::Receiver<Vec<String>>) -> Self {
        Self { state: Mutex::default(), woken: watch::Sender::new(()), ranges, clock }
    }

    /// The state now. Nothing that it guards is left half changed, so a panic elsewhere does not make it useless.
    fn state(&self) -> MutexGuard<'_, Everything> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(Instant::now(), self.clock.now());
        state
    }

    /// Changes the state and wakes who waits.
    fn change<T>(&self, change: impl FnOnce(&mut Everything) -> T) -> T {
        let answer = {
            let mut state = self.state();
            let answer = change(&mut state);
            state.version += 1;
            state.settle(Instant::now(), self.clock.now());
            answer
        };
        self.woken.send_replace(());
        answer
    }

    /// Waits until the state gives an answer.
    async fn wait<T>(&self, answer: impl Fn(&mut Everything) -> Option<T>) -> T {
        let mut woken = self.woken.subscribe();
        loop {
            let due = {
                let mut state = self.state();
                if let Some(answer) = answer(&mut state) {
                    return answer;
                }
                state.due()
            };
            let changed = woken.changed();
            // The sender lives as long as the runtime: an error cannot come.
            let _ = match due {
                Some(due) => tokio::time::timeout_at(due, changed).await.unwrap_or(Ok(())),
                None => changed.await,
            };
        }
    }
}

/// The pod as the agent is to plan it: a container that is told when it is ready and has no readiness probe gets one.
#[must_use]
pub fn shape(pod: &Arc<Value>) -> Arc<Value> {
    let told = |container: &Value| {
        let script = Script::of(pod, container.text_at(&["name"]));
        container.at(&["readinessProbe"]).is_none()
            && script.is_ok_and(|script| script.ready_after.is_none_or(|after| !after.is_zero()))
    };
    if !object::items(pod, &["spec", "containers"]).iter().any(told) {
        return Arc::clone(pod);
    }
    let mut shaped = Value::clone(pod);
    let spec = shaped.as_object_mut().map(|pod| pod.object_mut("spec"));
    let containers = spec.and_then(|spec| spec.get_mut("containers")).and_then(Value::items_mut);
    for container in containers.into_iter().flatten().filter(|container| told(container)) {
        if let Some(container) = container.as_object_mut() {
            container.insert("readinessProbe".into(), Value::Object(probe()));
        }
    }
    Arc::new(shaped)
}

fn probe() -> Object {
    let numbers = [("failureThreshold", 3), ("periodSeconds", 1), ("successThreshold", 1), ("timeoutSeconds", 1)];
    let mut probe: Object = numbers.into_iter().map(|(name, value)| (name.into(), Value::Int(value))).collect();
    probe.object_mut("exec").insert("command".into(), Value::List(vec![Value::text("ready")]));
    probe
}

#[cfg(test)]
mod tests;
