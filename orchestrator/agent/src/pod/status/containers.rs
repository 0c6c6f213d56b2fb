//! The statuses of a pod's containers.

use coracle_apimachinery::Value;

use super::build::{list, text, tree};
use super::entry::{End, Entry, State, time, user};
use crate::pod::plan::Context;
use crate::pod::view::{Pod, Spec};
use crate::pod::{probes, reset};
use crate::runtime::{self, Container};

const REMOVED: &str = "The container is removed because RestartAllContainers in place";
const RESTARTING: &str = "RestartingAllContainers";

/// One for each container; init containers in the order of the spec, the others by name.
pub(crate) fn entries(context: &Context<'_>, init: bool) -> Vec<Entry> {
    let member = if init { "initContainerStatuses" } else { "containerStatuses" };
    let old = context.pod.0.at(&["status", member]).map(Value::items).unwrap_or_default();
    let find = |name| old.iter().find(|entry| entry.text_at(&["name"]) == name).map(Entry::read);
    let specs = context.pod.all().filter(|spec| spec.init == init);
    let mut entries: Vec<Entry> = specs.map(|spec| entry(context, spec, find(spec.name()))).collect();
    if !init {
        entries.sort_by(|left, right| left.name.cmp(&right.name));
    }
    entries
}

/// Sets whether containers are started and ready.
pub(crate) fn judge(context: &Context<'_>, entries: &mut [Entry], init: bool) {
    for entry in entries {
        let Some(spec) = context.pod.all().find(|spec| spec.init == init && spec.name() == entry.name) else {
            continue;
        };
        let newest = context.observed.newest(spec.name()).filter(|_| entry.is_running());
        let started = newest.is_some_and(|newest| probes::is_started(context.pod, context.memory, spec, newest));
        entry.started = Some(started);
        entry.ready = if init && !spec.is_sidecar() {
            entry.exit_code() == Some(0)
        } else {
            newest.is_some_and(|newest| probes::is_ready(context.pod, context.memory, spec, newest))
        };
    }
}

fn entry(context: &Context<'_>, spec: Spec<'_>, old: Option<Entry>) -> Entry {
    let instances = context.observed.instances(spec.name());
    let mut entry = match instances.as_slice() {
        [] => missing(context, spec, old),
        [newest, rest @ ..] => {
            let mut entry = present(context.pod, spec, newest, old.as_ref());
            if let Some(runtime::State::Exited(exit)) = rest.first().map(|before| &before.state) {
                entry.last = rest.first().map(|before| End::of(exit, &before.id));
            }
            if entry.is_running() && context.hook_is_due(newest) {
                entry.state = waiting_for_start(context.pod);
            }
            entry
        }
    };
    wait(context, spec, &mut entry);
    entry.mounts = mounts(spec);
    entry
}

/// Why containers wait that were never tried.
fn waiting_for_start(pod: Pod<'_>) -> State {
    let has_inits = pod.init_containers().len() > 0;
    let reason = if has_inits { "PodInitializing" } else { "ContainerCreating" };
    State::Waiting { reason: reason.to_owned(), message: String::new() }
}

/// A container that the runtime has nothing of.
fn missing(context: &Context<'_>, spec: Spec<'_>, old: Option<Entry>) -> Entry {
    let pod = context.pod;
    let restarting = probes::condition_holds(pod, "AllContainersRestarting") || reset::is_wanted(pod, context.observed);
    let mut entry = Entry {
        name: spec.name().to_owned(),
        state: waiting_for_start(pod),
        last: None,
        ready: false,
        started: None,
        restart_count: 0,
        image: spec.image().to_owned(),
        image_id: String::new(),
        container_id: String::new(),
        resources: None,
        allocated: None,
        user: None,
        mounts: None,
    };
    let Some(old) = old else { return entry };
    let was_waiting = matches!(old.state, State::Waiting { .. });
    if restarting && !was_waiting {
        let (reason, message) = (RESTARTING.to_owned(), REMOVED.to_owned());
        entry.state = State::Waiting { reason: reason.clone(), message: message.clone() };
        entry.last = Some(End { exit_code: 137, reason, message, ..End::default() });
        entry.restart_count = old.restart_count + 1;
        return entry;
    }
    match old.state {
        State::Terminated(_) => return old,
        State::Running(_) if old.last.is_none() => {
            entry.last = Some(End::lost(
                "The container could not be located when the pod was deleted.  The container used to be Running",
            ));
            entry.restart_count = old.restart_count + i64::from(!pod.is_deleting());
        }
        _ => {
            entry.restart_count = old.restart_count;
            entry.last = old.last;
        }
    }
    entry
}

/// A container that the runtime has.
fn present(pod: Pod<'_>, spec: Spec<'_>, container: &Container, old: Option<&Entry>) -> Entry {
    let state = match &container.state {
        runtime::State::Created => waiting_for_start(pod),
        runtime::State::Running { started } => State::Running(time(*started)),
        runtime::State::Exited(exit) => State::Terminated(End::of(exit, &container.id)),
    };
    let mut last = None;
    let mut restart_count = i64::from(container.attempt);
    if let Some(old) = old {
        restart_count = restart_count.max(old.restart_count);
        last = match &old.state {
            State::Terminated(end) if old.container_id != container.id => Some(end.clone()),
            _ => old.last.clone(),
        };
    }
    let resources = spec.tree.at(&["resources"]).cloned();
    let allocated = resources.as_ref().and_then(|resources| resources.at(&["requests"])).cloned();
    Entry {
        name: spec.name().to_owned(),
        state,
        last,
        ready: false,
        started: None,
        restart_count,
        image: container.image.clone(),
        image_id: container.image_id.clone(),
        container_id: container.id.clone(),
        resources: Some(resources.unwrap_or_else(|| tree([]))),
        allocated: allocated.filter(|requests| !requests.is_empty()),
        user: container.user.as_ref().map(user),
        mounts: None,
    }
}

/// A container that is to be started and cannot be yet says why.
fn wait(context: &Context<'_>, spec: Spec<'_>, entry: &mut Entry) {
    let (pod, observed) = (context.pod, context.observed);
    let newest = observed.newest(spec.name());
    if spec.init {
        if newest.is_some_and(|newest| newest.exit_code() == Some(0)) {
            return;
        }
        let was_initialized = pod.containers().any(|main| observed.newest(main.name()).is_some());
        let is_waiting = matches!(entry.state, State::Waiting { .. });
        if newest.is_none() && was_initialized && !spec.is_sidecar() && is_waiting {
            entry.state = State::Terminated(End {
                reason: "Completed".to_owned(),
                message: "Unable to get init container status from container runtime and pod has been initialized, \
                          treat it as exited normally"
                    .to_owned(),
                ..End::default()
            });
            return;
        }
    }
    let restarts = match newest.map(|newest| &newest.state) {
        None | Some(runtime::State::Created) => true,
        Some(runtime::State::Running { .. }) => false,
        Some(runtime::State::Exited(exit)) => spec.restarts_after(exit.exit_code),
    };
    let Some(why) = context.memory.reasons.get(spec.name()).filter(|_| restarts && !pod.is_deleting()) else { return };
    let state = State::Waiting { reason: why.reason.clone(), message: why.message.clone() };
    if let State::Terminated(end) = std::mem::replace(&mut entry.state, state) {
        entry.last = Some(end);
    }
}

/// What is mounted, with whether it is read-only all the way down, which this node does not offer.
fn mounts(spec: Spec<'_>) -> Option<Value> {
    let mounts = spec.tree.at(&["volumeMounts"]).map(Value::items).unwrap_or_default();
    let print = |mount: &Value| {
        let read_only = mount.at(&["readOnly"]).and_then(Value::as_bool).unwrap_or(false);
        tree([
            ("name", text(mount.text_at(&["name"]))),
            ("mountPath", text(mount.text_at(&["mountPath"]))),
            ("readOnly", read_only.then_some(Value::Bool(true))),
            ("recursiveReadOnly", if read_only { text("Disabled") } else { None }),
        ])
    };
    list(mounts.iter().map(print).collect())
}
