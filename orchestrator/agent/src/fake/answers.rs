//! The fake runtime as a runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_client::object;
use tokio::time::Instant;

use super::looks::{asks_readiness, failure, id_of, image, present_images, refusal, script_of_image};
use super::{Fake, Script};
use crate::runtime::{
    Answer, ContainerSpec, Executed, Handled, HandlerSpec, Image, Observed, PullSpec, Runtime, Sandbox, SandboxSpec,
    State,
};

impl Runtime for Fake {
    fn pods(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(self.state().pods.keys().cloned().collect()) })
    }

    fn observe<'a>(&'a self, uid: &'a str, images: &'a [String]) -> Answer<'a, Observed> {
        Box::pin(async move {
            let state = self.state();
            let Some(pod) = state.pods.get(uid) else { return Ok(Observed::default()) };
            let there = images.iter().filter(|image| pod.pulled.contains(*image));
            Ok(Observed {
                volumes: pod.volumes,
                sandbox: pod.sandbox.clone(),
                containers: pod.containers.iter().map(|held| held.container.clone()).collect(),
                images: there.map(|name| image(name)).collect(),
            })
        })
    }

    fn ensure_volumes(&self, pod: Arc<Value>) -> Answer<'_, ()> {
        Box::pin(async move {
            let present = present_images(&pod);
            self.change(|state| {
                let entry = state.pods.entry(object::uid(&pod).to_owned()).or_default();
                entry.volumes = true;
                entry.pulled.extend(present);
            });
            Ok(())
        })
    }

    fn ensure_sandbox(&self, spec: SandboxSpec) -> Answer<'_, ()> {
        Box::pin(async move {
            let on_host = object::flag(&spec.pod, &["spec", "hostNetwork"]);
            let ranges = if on_host { Vec::new() } else { self.ranges().await };
            self.change(|state| {
                let pod = state.pods.entry(object::uid(&spec.pod).to_owned()).or_default();
                pod.pulled.extend(present_images(&spec.pod));
                if pod.sandbox.as_ref().is_some_and(|sandbox| sandbox.ready) {
                    return Ok(());
                }
                let ips = state.addresses.take(&ranges);
                let ips = ips.map_err(|why| failure("FailedCreatePodSandBox", &why))?;
                let id = id_of(&[object::uid(&spec.pod), "sandbox", &spec.attempt.to_string()]);
                let (attempt, created) = (spec.attempt, self.clock.now());
                pod.sandbox = Some(Sandbox { id, attempt, ips, created, ready: true });
                Ok(())
            })
        })
    }

    fn pull_image(&self, spec: PullSpec) -> Answer<'_, Image> {
        Box::pin(async move {
            let script = script_of_image(&spec.pod, &spec.image).map_err(|why| failure("ErrImagePull", &why))?;
            if let Some(delay) = script.image_delay.filter(|delay| !delay.is_zero()) {
                tokio::time::sleep_until(Instant::now() + delay).await;
            }
            if let Some(failure) = script.image_failure {
                return Err(failure);
            }
            self.change(|state| {
                let pod = state.pods.entry(object::uid(&spec.pod).to_owned()).or_default();
                pod.pulled.insert(spec.image.clone());
            });
            Ok(image(&spec.image))
        })
    }

    fn start_container(&self, spec: ContainerSpec) -> Answer<'_, String> {
        Box::pin(async move {
            let name = spec.container.text_at(&["name"]);
            let script = Script::of(&spec.pod, name).map_err(|why| failure("CreateContainerError", &why))?;
            let id = self.change(|state| {
                let pod = state.pods.get_mut(object::uid(&spec.pod));
                let made = pod.and_then(|pod| pod.make(&spec, script, self.clock.now()));
                made.ok_or_else(|| failure("CreateContainerError", "the pod has no sandbox"))
            })?;
            self.wait(|state| match state.container(&id) {
                Some(held) if held.container.state == State::Created => None,
                _ => Some(()),
            })
            .await;
            Ok(id)
        })
    }

    fn stop_container<'a>(&'a self, id: &'a str, grace: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.change(|state| {
                if let Some(held) = state.container(id) {
                    held.stop(grace, Instant::now());
                }
            });
            self.wait(|state| state.container(id).is_none_or(|held| held.is_over()).then_some(())).await;
            Ok(())
        })
    }

    fn remove_container<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.change(|state| {
                for pod in state.pods.values_mut() {
                    pod.containers.retain(|held| held.container.id != id || !held.is_over());
                }
            });
            Ok(())
        })
    }

    fn stop_sandbox<'a>(&'a self, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.change(|state| state.stop_sandbox(uid, Instant::now()));
            Ok(())
        })
    }

    fn remove_pod<'a>(&'a self, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.change(|state| {
                state.stop_sandbox(uid, Instant::now());
                state.pods.remove(uid);
            });
            Ok(())
        })
    }

    fn run_handler(&self, spec: HandlerSpec) -> Answer<'_, Handled> {
        Box::pin(async move {
            if let Some(seconds) = spec.handler.at(&["sleep", "seconds"]).and_then(Value::as_int) {
                let delay = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
                tokio::time::sleep_until(Instant::now() + delay.min(spec.timeout)).await;
                return Ok(Handled { success: delay <= spec.timeout, output: String::new() });
            }
            let mut state = self.state();
            let held = state.container(&spec.id);
            let running = held.and_then(|held| Some((held.running_for(Instant::now())?, held.script.ready_after)));
            let Some((running, ready_after)) = running else {
                return Ok(Handled { success: false, output: "the container does not run".to_owned() });
            };
            let success = !asks_readiness(&spec) || ready_after.is_some_and(|after| running >= after);
            Ok(Handled { success, output: if success { String::new() } else { refusal(&spec.handler) } })
        })
    }

    fn run_exec<'a>(&'a self, id: &'a str, _: &'a [String], _: Duration) -> Answer<'a, Executed> {
        Box::pin(async move {
            let mut state = self.state();
            match state.container(id).and_then(|held| held.running_for(Instant::now())) {
                Some(_) => Ok(Executed { exit_code: 0, output: String::new() }),
                None => Err(failure("", "the container does not run")),
            }
        })
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.wait(|state| {
            let is_new = state.version != state.told;
            state.told = state.version;
            is_new.then_some(())
        }))
    }
}

impl Fake {
    /// The ranges of the node, once there are any.
    async fn ranges(&self) -> Vec<String> {
        let mut ranges = self.ranges.clone();
        let known = ranges.wait_for(|ranges| !ranges.is_empty()).await.map(|ranges| ranges.clone());
        match known {
            Ok(ranges) => ranges,
            // Nobody is left who could tell them.
            Err(_) => std::future::pending().await,
        }
    }
}
