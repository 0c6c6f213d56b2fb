//! The conditions of a pod.

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Precision;

use super::build::{text, tree};
use super::entry::{Entry, State};
use crate::pod::plan::{Context, is_over};
use crate::pod::view::Pod;
use crate::pod::{probes, reset, sync};

/// Conditions that are made anew; all others are kept as they are.
const OWN: [&str; 6] =
    ["PodScheduled", "Ready", "Initialized", "ContainersReady", "PodReadyToStartContainers", "AllContainersRestarting"];

/// What a condition says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Says {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Says {
    fn yes() -> Self {
        Self { holds: true, ..Self::default() }
    }

    fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: false, reason, message: message.into() }
    }
}

/// All conditions of the pod.
pub(crate) fn all(context: &Context<'_>, inits: &[Entry], mains: &[Entry], phase: &str) -> Vec<Value> {
    let pod = context.pod;
    let old = pod.0.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
    let mut conditions = of_others(pod);
    let sandbox = match sync::sandbox_problem(pod, context.observed) {
        None => Says::yes(),
        Some(problem) => Says::no("PodSandboxNotReady", problem),
    };
    let containers = containers_ready(pod, inits, mains, phase);
    let ready = if containers.holds { gates_ready(pod, &conditions) } else { containers.clone() };
    let mut own = vec![
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized(pod, inits, mains, phase)),
        ("Ready", ready),
        ("ContainersReady", containers),
        ("PodScheduled", Says::yes()),
    ];
    if reset::can_happen(pod) {
        own.push(("AllContainersRestarting", restarting(context, phase)));
    }
    let now = context.now.wall.print(Precision::Seconds);
    let generation = pod.generation();
    conditions.extend(own.into_iter().map(|(name, says)| print(name, &says, old, generation, &now)));
    conditions
}

/// The conditions that others write.
pub(crate) fn of_others(pod: Pod<'_>) -> Vec<Value> {
    let old = pod.0.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
    old.iter().filter(|condition| !OWN.contains(&condition.text_at(&["type"]))).cloned().collect()
}

/// A condition keeps the time of its last change of sides.
fn print(name: &'static str, says: &Says, old: &[Value], generation: i64, now: &str) -> Value {
    let status = if says.holds { "True" } else { "False" };
    let before = old.iter().find(|condition| condition.text_at(&["type"]) == name);
    let kept = before.filter(|before| before.text_at(&["status"]) == status);
    let since = kept.map(|kept| kept.text_at(&["lastTransitionTime"])).filter(|since| !since.is_empty());
    // Only the restarting condition carries no generation.
    let generation = Some(Value::Int(generation)).filter(|value| !value.is_empty());
    tree([
        ("type", text(name)),
        ("status", text(status)),
        ("observedGeneration", generation.filter(|_| name != "AllContainersRestarting")),
        ("lastTransitionTime", text(since.unwrap_or(now))),
        ("reason", text(says.reason)),
        ("message", text(&says.message)),
    ])
}

/// Names as Go prints a list.
fn names(list: &[&str]) -> String {
    format!("[{}]", list.join(" "))
}

fn problems(unknown: &[&str], word: &str, others: &[&str]) -> String {
    let mut parts = Vec::new();
    if !unknown.is_empty() {
        parts.push(format!("containers with unknown status: {}", names(unknown)));
    }
    if !others.is_empty() {
        parts.push(format!("containers with {word} status: {}", names(others)));
    }
    parts.join(", ")
}

fn containers_ready(pod: Pod<'_>, inits: &[Entry], mains: &[Entry], phase: &str) -> Says {
    match phase {
        "Succeeded" => return Says::no("PodCompleted", ""),
        "Failed" => return Says::no("PodFailed", ""),
        _ => {}
    }
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    for spec in pod.all().filter(|spec| !spec.init || spec.is_sidecar()) {
        let entries = if spec.init { inits } else { mains };
        match entries.iter().find(|entry| entry.name == spec.name()) {
            None => unknown.push(spec.name()),
            Some(entry) if !entry.ready => unready.push(spec.name()),
            Some(_) => {}
        }
    }
    let message = problems(&unknown, "unready", &unready);
    if message.is_empty() { Says::yes() } else { Says::no("ContainersNotReady", message) }
}

/// Ready pods also need what they name as gates.
fn gates_ready(pod: Pod<'_>, conditions: &[Value]) -> Says {
    let gates = pod.0.at(&["spec", "readinessGates"]).map(Value::items).unwrap_or_default();
    let problem = |gate: &Value| {
        let name = gate.text_at(&["conditionType"]);
        match conditions.iter().find(|condition| condition.text_at(&["type"]) == name) {
            None => Some(format!("corresponding condition of pod readiness gate {name:?} does not exist.")),
            Some(condition) if condition.text_at(&["status"]) != "True" => {
                let status = condition.text_at(&["status"]);
                Some(format!("the status of pod readiness gate {name:?} is not \"True\", but {status}"))
            }
            Some(_) => None,
        }
    };
    let problems: Vec<String> = gates.iter().filter_map(problem).collect();
    if problems.is_empty() { Says::yes() } else { Says::no("ReadinessGatesNotReady", problems.join(", ")) }
}

fn initialized(pod: Pod<'_>, inits: &[Entry], mains: &[Entry], phase: &str) -> Says {
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for spec in pod.init_containers() {
        match inits.iter().find(|entry| entry.name == spec.name()) {
            None => unknown.push(spec.name()),
            Some(entry) => {
                let done = if spec.is_sidecar() { entry.started == Some(true) } else { entry.ready };
                if !done {
                    incomplete.push(spec.name());
                }
            }
        }
    }
    if phase == "Succeeded" && unknown.is_empty() {
        return Says { holds: true, reason: "PodCompleted", message: String::new() };
    }
    if mains.iter().any(|entry| !matches!(entry.state, State::Waiting { .. })) {
        return Says::yes();
    }
    let message = problems(&unknown, "incomplete", &incomplete);
    if message.is_empty() || probes::condition_holds(pod, "Initialized") {
        return Says::yes();
    }
    Says::no("ContainersNotInitialized", message)
}

fn restarting(context: &Context<'_>, phase: &str) -> Says {
    if is_over(phase) {
        return Says::no(if phase == "Failed" { "PodFailed" } else { "PodCompleted" }, "");
    }
    if reset::is_wanted(context.pod, context.observed) {
        let message = "container exited with restart policy rule".to_owned();
        return Says { holds: true, reason: "RestartAllContainersStarted", message };
    }
    Says::default()
}
