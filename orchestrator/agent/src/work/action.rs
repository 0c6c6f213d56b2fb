//! Does what a plan asks for.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::{Object, Value};
use coracle_client::resources::PODS;
use coracle_client::{Write, object};

use super::{Shared, env};
use crate::pod::{Action, Outcome};
use crate::runtime::{ContainerSpec, Failure, HandlerSpec, PullSpec, SandboxSpec};

const HANDLERS: [&str; 5] = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];

/// Does an action for a pod whose sandbox has these addresses.
pub(super) async fn execute(
    shared: &Shared,
    pod: Arc<Value>,
    action: &Action,
    ips: Vec<String>,
) -> Result<Outcome, Failure> {
    let runtime = &*shared.runtime;
    let uid = object::uid(&pod).to_owned();
    match action {
        Action::EnsureVolumes => runtime.ensure_volumes(pod).await?,
        Action::EnsureSandbox { attempt } => {
            runtime.ensure_sandbox(SandboxSpec { pod, attempt: *attempt }).await?;
        }
        Action::Pull { image, .. } => {
            let image = runtime.pull_image(PullSpec { pod, image: image.clone() }).await?;
            return Ok(Outcome::Image(image));
        }
        Action::Start { container: name, init, attempt, image_id } => {
            let container = container(&pod, name).cloned().ok_or_else(|| missing(name))?;
            let machine = shared.machine();
            let place = env::Place { pod: &pod, ips: &ips, host_ips: &machine.addresses, machine: &machine };
            let env = env::resolve(&shared.client.view(), &place, &container).map_err(|message| {
                let reason = "CreateContainerConfigError".to_owned();
                Failure { reason, message }
            })?;
            let (attempt, image_id) = (*attempt, image_id.clone());
            runtime.start_container(ContainerSpec { pod, container, init: *init, attempt, image_id, env }).await?;
        }
        Action::Stop { id, grace, .. } => runtime.stop_container(id, *grace).await?,
        Action::RunHook { container, id, hook, timeout } => {
            let path = ["lifecycle", hook.member()];
            return handle(shared, pod, (container, id), &path, *timeout).await;
        }
        Action::Probe { container, id, probe, timeout } => {
            return handle(shared, pod, (container, id), &[probe.member()], *timeout).await;
        }
        Action::RemoveContainer { id } => runtime.remove_container(id).await?,
        Action::StopSandbox => runtime.stop_sandbox(&uid).await?,
        Action::RemovePod => runtime.remove_pod(&uid).await?,
        Action::DeletePod => delete(shared, &pod).await?,
    }
    Ok(Outcome::Done)
}

async fn handle(
    shared: &Shared,
    pod: Arc<Value>,
    (name, id): (&str, &str),
    path: &[&str],
    timeout: Duration,
) -> Result<Outcome, Failure> {
    let found = container(&pod, name).and_then(|container| container.at(path)).and_then(Value::as_object);
    let whole = found.cloned().ok_or_else(|| missing(name))?;
    let mut handler: Object = whole;
    handler.retain(|member, _| HANDLERS.contains(&member));
    let (id, container) = (id.to_owned(), name.to_owned());
    let spec = HandlerSpec { pod, id, container, handler: Value::Object(handler), timeout };
    shared.runtime.run_handler(spec).await.map(Outcome::Handled)
}

/// Deletes the pod from the API. That it is gone already, or that another pod has its name, is as good.
async fn delete(shared: &Shared, pod: &Value) -> Result<(), Failure> {
    match shared.client.write(Write::delete(&PODS, pod).within(0)).await {
        Ok(_) => Ok(()),
        Err(failure) if matches!(&*failure.reason, "NotFound" | "Conflict") => Ok(()),
        Err(failure) => Err(Failure { reason: String::new(), message: failure.message }),
    }
}

/// The entry of a container in the spec.
fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    lists.iter().find_map(|list| object::named(object::items(pod, &["spec", list]), "name", name))
}

fn missing(name: &str) -> Failure {
    Failure { reason: String::new(), message: format!("the pod has no container {name:?} of that kind") }
}
