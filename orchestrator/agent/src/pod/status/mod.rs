//! The status of a pod as the node reports it: made anew each time from what the runtime reports, with the old status
//! as the memory of what the runtime forgot.

mod build;
mod conditions;
mod containers;
mod entry;
mod phase;
#[cfg(test)]
mod tests;

use coracle_apimachinery::time::Precision;
use coracle_apimachinery::{Object, Value};

use self::build::{list, text, tree};
use self::entry::{Entry, State};
use super::plan::{Context, is_over};
use super::view::Pod;
use super::{Host, Now, qos, resources};

/// What the way of the pod says about its status.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    /// Reason and message of an end that the node decided.
    pub(crate) evicted: Option<(&'static str, &'static str)>,
    /// Containers still run, so that the phase must not be final yet.
    pub(crate) running: bool,
    /// The pod ended and nothing runs any more.
    pub(crate) stopped: bool,
}

/// Whether a status says anything else than another. Zero values count as absent.
pub fn differs(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.iter().chain(right.iter()).map(|(name, _)| name);
            let member = |object: &Object, name| object.get(name).cloned().unwrap_or(Value::Null);
            names.into_iter().any(|name| differs(&member(left, name), &member(right, name)))
        }
        (Value::List(left), Value::List(right)) => {
            left.len() != right.len() || left.iter().zip(right).any(|(left, right)| differs(left, right))
        }
        (left, right) => left != right && !(left.is_empty() && right.is_empty()),
    }
}

/// The status of the pod now.
pub(crate) fn generate(context: &Context<'_>, host: &Host, report: &Report) -> Value {
    let (pod, observed) = (context.pod, context.observed);
    let mut inits = containers::entries(context, true);
    let mut mains = containers::entries(context, false);
    let mut phase = phase::of(pod, &inits, &mains, report.stopped, observed.is_initialized(pod));
    let old_phase = pod.phase();
    if is_over(old_phase) {
        phase = if old_phase == "Failed" { "Failed" } else { "Succeeded" };
    }
    let (mut reason, mut message) = ("", "");
    if phase == old_phase {
        reason = pod.0.text_at(&["status", "reason"]);
        message = pod.0.text_at(&["status", "message"]);
    }
    if let Some((why, what)) = report.evicted.filter(|_| !is_over(old_phase)) {
        (phase, reason, message) = ("Failed", why, what);
    }
    containers::judge(context, &mut inits, true);
    containers::judge(context, &mut mains, false);
    if report.stopped {
        close(pod, &mut inits, &mut mains);
        if !is_over(phase) {
            phase = "Failed";
        }
    }
    let conditions = conditions::all(context, &inits, &mains, phase);
    if report.running && is_over(phase) && !is_over(old_phase) {
        // What still runs may end otherwise; only the conditions say already that the pod serves no more.
        phase = if old_phase == "Running" { "Running" } else { "Pending" };
        reason = pod.0.text_at(&["status", "reason"]);
        message = pod.0.text_at(&["status", "message"]);
    }
    let mut status = tree([
        ("observedGeneration", Some(Value::Int(pod.generation())).filter(|value| !value.is_empty())),
        ("phase", text(phase)),
        ("reason", text(reason)),
        ("message", text(message)),
        ("startTime", text(&start_time(pod, context.now))),
        ("qosClass", text(qos::class(pod))),
        ("conditions", list(conditions)),
        ("containerStatuses", list(mains.iter().map(Entry::print).collect())),
        ("initContainerStatuses", list(inits.iter().map(Entry::print).collect())),
        ("resources", Some(resources::effective(pod.0, phase == "Running"))),
        ("allocatedResources", Some(resources::requests(pod.0)).filter(|value| !value.is_empty())),
    ]);
    if let Some(members) = status.as_object_mut() {
        addresses(context, host, members);
        keep(pod, members);
    }
    status
}

/// The status of a pod that this node does not take. Of the conditions only those of others stay.
pub(crate) fn rejected(pod: &Value, reason: &str, message: &str, now: Now) -> Value {
    let pod = Pod(pod);
    let mut status = tree([
        ("observedGeneration", Some(Value::Int(pod.generation())).filter(|value| !value.is_empty())),
        ("phase", text("Failed")),
        ("reason", text(reason)),
        ("message", text(message)),
        ("startTime", text(&start_time(pod, now))),
        ("qosClass", text(qos::class(pod))),
        ("conditions", list(conditions::of_others(pod))),
    ]);
    if let Some(members) = status.as_object_mut() {
        keep(pod, members);
    }
    status
}

/// When the node first reported about the pod.
fn start_time(pod: Pod<'_>, now: Now) -> String {
    match pod.0.text_at(&["status", "startTime"]) {
        "" => now.wall.print(Precision::Seconds),
        started => started.to_owned(),
    }
}

/// Members that others write.
fn keep(pod: Pod<'_>, members: &mut Object) {
    for name in ["nominatedNodeName", "resize", "resourceClaimStatuses", "extendedResourceClaimStatus", "volumeHealth"]
    {
        if let Some(value) = pod.0.at(&["status", name]) {
            members.insert(name.into(), value.clone());
        }
    }
}

/// The addresses of host and pod. A pod that lost its sandbox keeps what was reported.
fn addresses(context: &Context<'_>, host: &Host, members: &mut Object) {
    let pod = context.pod;
    let sandbox = context.observed.sandbox.as_ref();
    let mut ips: Vec<&str> =
        sandbox.map(|sandbox| sandbox.ips.iter().map(String::as_str).collect()).unwrap_or_default();
    let old = pod.0.at(&["status", "podIPs"]).map(Value::items).unwrap_or_default();
    let is_ending = pod.is_deleting()
        || is_over(pod.phase())
        || is_over(members.get("phase").and_then(Value::as_str).unwrap_or_default());
    if ips.is_empty() && (is_ending || pod.on_host_network()) {
        ips = old.iter().map(|ip| ip.text_at(&["ip"])).collect();
    }
    if ips.is_empty() && pod.on_host_network() {
        ips = host.ips.iter().map(String::as_str).collect();
    }
    let mut put = |one: &'static str, many: &'static str, ips: &[&str]| {
        if let Some(first) = ips.first() {
            members.insert(one.into(), Value::text(*first));
            let all = ips.iter().map(|ip| tree([("ip", text(ip))])).collect();
            members.insert(many.into(), Value::List(all));
        }
    };
    put("podIP", "podIPs", &ips);
    put("hostIP", "hostIPs", &host.ips.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Nothing runs any more and nothing will: containers without an end get one.
fn close(pod: Pod<'_>, inits: &mut [Entry], mains: &mut [Entry]) {
    let has_trace = |entry: &Entry| entry.last.is_some() || !matches!(entry.state, State::Waiting { .. });
    let is_init_done = |entry: &Entry| {
        let sidecar = pod.init_containers().any(|spec| spec.name() == entry.name && spec.is_sidecar());
        if sidecar { entry.started == Some(true) } else { entry.exit_code() == Some(0) }
    };
    let initialized = inits.is_empty() || mains.iter().any(has_trace) || inits.last().is_some_and(is_init_done);
    if initialized {
        mains.iter_mut().for_each(Entry::close);
    }
    let begun = inits.iter().rposition(has_trace).unwrap_or(0) + 1;
    inits.iter_mut().take(begun).for_each(Entry::close);
}
