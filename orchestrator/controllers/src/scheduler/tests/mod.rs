//! Tests of whole plans.

mod filters;
mod plans;
mod preemptions;
mod random;
mod scores;
mod volumes;
mod waking;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Value, json};
use coracle_client::memory::Objects;
use coracle_client::resources::{NODES, PODS};
use coracle_client::{Operation, Write};

use super::Scheduler;
use crate::controller::{Action, Controller, Key, Plan, Round};

fn now() -> Instant {
    Instant::new(1_700_000_000, 0).unwrap()
}

fn read(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A node with 4 CPUs, 8 GiB and room for 10 pods, and more members of its spec and its labels.
fn node(name: &str, labels: &str, spec: &str) -> Value {
    read(&format!(
        r#"{{"metadata":{{"name":"{name}","labels":{{"kubernetes.io/hostname":"{name}"{labels}}}}},"spec":{{{spec}}},"status":{{"allocatable":{{"cpu":"4","memory":"8Gi","pods":"10","ephemeral-storage":"10Gi"}}}}}}"#
    ))
}

/// A pod with members of its spec.
fn pod(name: &str, spec: &str) -> Value {
    labelled(name, r#""app":"a""#, spec)
}

fn labelled(name: &str, labels: &str, spec: &str) -> Value {
    read(&format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"namespace":"ns","name":"{name}","uid":"u-{name}","generation":1,"creationTimestamp":"2024-01-01T00:00:00Z","labels":{{{labels}}}}},"spec":{{"schedulerName":"default-scheduler"{spec}}}}}"#
    ))
}

/// A container's requests as a member of a spec.
fn asks(requests: &str) -> String {
    format!(r#","containers":[{{"name":"c","image":"i","resources":{{"requests":{{{requests}}}}}}}]"#)
}

fn nodes(names: &[&str]) -> Objects {
    names.iter().fold(Objects::new(), |objects, name| objects.with(&NODES, node(name, "", "")))
}

fn plan(objects: Objects, name: &str) -> Plan {
    Scheduler.plan(&objects.view(), &Key::new("ns", name), &Round { now: now(), failure: None })
}

fn writes(plan: &Plan) -> Vec<&Write> {
    let steps = plan.actions.iter().filter_map(|action| match action {
        Action::Do(step) => Some(&step.write),
        _ => None,
    });
    steps.collect()
}

/// The node that a plan binds to, or what the plan writes as the condition's message.
fn outcome(plan: &Plan) -> Result<String, String> {
    let writes = writes(plan);
    let Some(first) = writes.first() else { return Err(String::new()) };
    match &first.operation {
        Operation::Create(binding) if first.subresource == "binding" => {
            Ok(binding.text_at(&["target", "name"]).to_owned())
        }
        Operation::Patch(_, patch) if first.subresource == "status" => {
            let conditions = patch.at(&["status", "conditions"]).map_or(&[][..], Value::items);
            Err(conditions.first().map_or("", |condition| condition.text_at(&["message"])).to_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// The outcome for one pod among objects.
fn place(objects: Objects, pod: &Value) -> Result<String, String> {
    outcome(&plan(objects.with(&PODS, pod.clone()), pod.text_at(&["metadata", "name"])))
}
