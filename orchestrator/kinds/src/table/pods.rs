//! The cells of a pod, whose status is told from its phase, its conditions and the states of its containers.

use super::row::{NONE, Row, bool_at, int_at, is_true, items_at, or, text, time};
use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Object, Value};

/// The reason of a pod whose node is out of reach.
const NODE_LOST: &str = "NodeLost";
/// The reason of a pod that waits for its scheduling gates.
const GATED: &str = "SchedulingGated";

/// Restarts and when the last one was.
#[derive(Debug, Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Instant>,
}

/// What the containers of a pod say about it.
#[derive(Debug)]
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        let finished = time(container.at(&["lastState", "terminated", "finishedAt"]));
        let order = |time: Option<Instant>| time.map(|time| (time.seconds, time.micros));
        self.count += int_at(container, &["restartCount"]);
        if order(finished) > order(self.last) {
            self.last = finished;
        }
    }
}

pub(super) fn cells(row: &Row<'_>) -> Vec<Value> {
    let pod = row.object;
    let summary = summary(row);
    let restarts = match summary.restarts {
        Restarts { count, last: Some(last) } if count != 0 => format!("{count} ({} ago)", row.since_time(last)),
        Restarts { count, .. } => count.to_string(),
    };
    let address = row.items(&["status", "podIPs"]).first().map_or("", |address| address.text_at(&["ip"]));
    vec![
        row.name(),
        text(format!("{}/{}", summary.ready, summary.total)),
        text(summary.reason),
        text(restarts),
        row.age(),
        text(or(address, NONE)),
        text(or(pod.text_at(&["spec", "nodeName"]), NONE)),
        text(or(pod.text_at(&["status", "nominatedNodeName"]), NONE)),
        text(readiness_gates(pod)),
    ]
}

/// How many of the readiness gates are open.
fn readiness_gates(pod: &Value) -> String {
    let gates = items_at(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let conditions = items_at(pod, &["status", "conditions"]);
    let open = gates.iter().filter(|gate| is_true(conditions, gate.text_at(&["conditionType"]))).count();
    format!("{open}/{}", gates.len())
}

/// A pod that has ended tells so in a condition of its row, by which clients can leave it out.
pub(super) fn conditions(pod: &Value) -> Vec<Value> {
    let phase = pod.text_at(&["status", "phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Vec::new(),
    };
    let members = [("type", "Completed"), ("status", "True"), ("reason", phase), ("message", message)];
    let members = members.map(|(name, value)| (name.into(), text(value)));
    vec![Value::Object(members.into_iter().collect::<Object>())]
}

fn summary(row: &Row<'_>) -> Summary {
    let pod = row.object;
    let status = |names: &[&str]| pod.at(&["status"]).map_or("", |status| status.text_at(names));
    let conditions = items_at(pod, &["status", "conditions"]);
    let phase = status(&["phase"]);
    let mut reason = or(status(&["reason"]), phase).to_owned();
    let is_gate =
        |condition: &Value| condition.text_at(&["type"]) == "PodScheduled" && condition.text_at(&["reason"]) == GATED;
    if conditions.iter().any(is_gate) {
        GATED.clone_into(&mut reason);
    }

    let mut summary = Summary { reason, ready: 0, total: 0, restarts: Restarts::default() };
    let initial = items_at(pod, &["spec", "initContainers"]);
    summary.total = items_at(pod, &["spec", "containers"]).len() + initial.iter().filter(|c| is_sidecar(c)).count();
    let (initializing, sidecars) = initialization(pod, initial, &mut summary);
    if !initializing || is_true(conditions, "Initialized") {
        summary.restarts = sidecars;
        main_containers(pod, conditions, &mut summary);
    }

    if row.is_ending() {
        if status(&["reason"]) == NODE_LOST {
            "Unknown".clone_into(&mut summary.reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut summary.reason);
        }
    }
    summary
}

/// Whether an init container keeps running beside the main ones.
fn is_sidecar(container: &Value) -> bool {
    container.text_at(&["restartPolicy"]) == "Always"
}

/// Goes through the init containers up to the one that holds up the pod; says whether there is one, and how often those
/// that keep running have restarted.
fn initialization(pod: &Value, specs: &[Value], summary: &mut Summary) -> (bool, Restarts) {
    let mut sidecars = Restarts::default();
    for (index, container) in items_at(pod, &["status", "initContainerStatuses"]).iter().enumerate() {
        let name = container.text_at(&["name"]);
        // Of equal names the last one counts.
        let sidecar = specs.iter().rev().find(|spec| spec.text_at(&["name"]) == name).is_some_and(is_sidecar);
        summary.restarts.add(container);
        if sidecar {
            sidecars.add(container);
        }
        let terminated = container.at(&["state", "terminated"]);
        if terminated.is_some_and(|state| int_at(state, &["exitCode"]) == 0) {
            continue;
        }
        if sidecar && bool_at(container, &["started"]) {
            summary.ready += usize::from(bool_at(container, &["ready"]));
            continue;
        }
        let waiting = container.text_at(&["state", "waiting", "reason"]);
        summary.reason = match terminated {
            Some(state) => format!("Init:{}", end_of(state)),
            None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
            None => format!("Init:{index}/{}", specs.len()),
        };
        return (true, sidecars);
    }
    (false, sidecars)
}

/// Why a container ended: its reason, else its signal, else its exit code.
fn end_of(terminated: &Value) -> String {
    match (terminated.text_at(&["reason"]), int_at(terminated, &["signal"])) {
        ("", 0) => format!("ExitCode:{}", int_at(terminated, &["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Goes through the main containers from the last one on, so that the first one has the last word.
fn main_containers(pod: &Value, conditions: &[Value], summary: &mut Summary) {
    let mut running = false;
    let mut failure = None;
    for container in items_at(pod, &["status", "containerStatuses"]).iter().rev() {
        summary.restarts.add(container);
        let waiting = container.text_at(&["state", "waiting", "reason"]);
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if let Some(terminated) = container.at(&["state", "terminated"]) {
            summary.reason = end_of(terminated);
            if int_at(terminated, &["exitCode"]) != 0 {
                failure = Some(summary.reason.clone());
            }
        } else if bool_at(container, &["ready"]) && container.at(&["state", "running"]).is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    // One container that has completed does not make the pod complete while another one runs.
    if summary.reason == "Completed" {
        if running && is_true(conditions, "Ready") {
            "Running".clone_into(&mut summary.reason);
        } else if let Some(failure) = failure {
            summary.reason = failure;
        } else if running {
            "NotReady".clone_into(&mut summary.reason);
        }
    }
}
