//! The probes of a pod's running containers: which to ask now, and what they say about a container.

use std::time::Duration;

use coracle_apimachinery::Value;

use super::memory::Memory;
use super::plan::Context;
use super::probe::{Prober, Timing, Verdict};
use super::view::{Pod, Spec};
use super::{Action, Now, Probe, millis};
use crate::runtime::{Container, Observed, State};

const KINDS: [Probe; 3] = [Probe::Startup, Probe::Liveness, Probe::Readiness];
/// A container that is older than the agent by this much was not started by it.
const ADOPTED: i64 = 10_000;

/// Makes the probers of new instances and drops those of instances that run no more.
pub(crate) fn follow(pod: Pod<'_>, observed: &Observed, memory: &mut Memory, now: Now) {
    let born = memory.born.map_or_else(|| now.wall_ms(), Now::wall_ms);
    memory.probers.retain(|(id, _), _| observed.running().any(|container| container.id == *id));
    for spec in pod.all() {
        let Some(container) = observed.newest(spec.name()) else { continue };
        let State::Running { started } = container.state else { continue };
        for kind in KINDS {
            let Some(probe) = spec.probe(kind) else { continue };
            let prober = memory.probers.entry((container.id.clone(), kind)).or_insert_with(|| {
                let age = u64::try_from(now.wall_ms() - millis(started)).unwrap_or(0);
                let adopted = millis(started) < born - ADOPTED;
                let began = now.ms.saturating_sub(age);
                let mut prober = Prober::new(kind, Timing::of(probe), began, now.ms, adopted);
                if adopted && kind == Probe::Startup && was_started(pod, container) {
                    prober.settle();
                }
                prober
            });
            if pod.is_deleting() && kind != Probe::Readiness {
                prober.settle();
            }
        }
    }
}

/// Asks the probes that are due. A pod that is ending is only asked whether it is ready.
pub(crate) fn ask(context: &mut Context<'_>, ending: bool) {
    for spec in context.pod.all() {
        let Some(container) = context.observed.newest(spec.name()).filter(|container| container.is_running()) else {
            continue;
        };
        // A container whose hook still runs counts as not running yet.
        if context.hook_is_due(container) {
            continue;
        }
        let stopping = ending || context.memory.stops.contains_key(&container.id);
        let started = is_started(context.pod, context.memory, spec, container);
        for kind in KINDS {
            let wanted = match kind {
                Probe::Startup => !started && !stopping,
                Probe::Liveness => started && !stopping,
                Probe::Readiness => started,
            };
            if wanted {
                ask_one(context, container, kind);
            }
        }
    }
}

fn ask_one(context: &mut Context<'_>, container: &Container, kind: Probe) {
    let now = context.now.ms;
    let Some(prober) = context.memory.probers.get_mut(&(container.id.clone(), kind)) else { return };
    let Some(due) = prober.due() else { return };
    let action = Action::Probe {
        container: container.name.clone(),
        id: container.id.clone(),
        probe: kind,
        timeout: Duration::from_millis(prober.timeout()),
    };
    if due > now {
        context.again_at(due);
        return;
    }
    if context.memory.is_under_way(&action) {
        return;
    }
    if let Some(prober) = context.memory.probers.get_mut(&(container.id.clone(), kind)) {
        prober.asked(now);
        let next = prober.due();
        context.act(action);
        next.into_iter().for_each(|next| context.again_at(next));
    }
}

/// What a probe says about an instance.
pub(crate) fn verdict(memory: &Memory, container: &Container, kind: Probe) -> Option<Verdict> {
    memory.probers.get(&(container.id.clone(), kind)).and_then(Prober::verdict)
}

/// Whether an instance runs and is past its startup probe.
pub(crate) fn is_started(pod: Pod<'_>, memory: &Memory, spec: Spec<'_>, container: &Container) -> bool {
    if !container.is_running() {
        return false;
    }
    match verdict(memory, container, Probe::Startup) {
        Some(verdict) => verdict == Verdict::Success,
        None => spec.probe(Probe::Startup).is_none() || was_started(pod, container),
    }
}

/// Whether an instance runs, is started and ready.
pub(crate) fn is_ready(pod: Pod<'_>, memory: &Memory, spec: Spec<'_>, container: &Container) -> bool {
    if !is_started(pod, memory, spec, container) {
        return false;
    }
    if spec.probe(Probe::Readiness).is_none() {
        return true;
    }
    match verdict(memory, container, Probe::Readiness) {
        Some(verdict) => verdict == Verdict::Success,
        // The container is older than the agent: it stays what it was until its probe says otherwise.
        None => condition_holds(pod, "Ready"),
    }
}

/// Whether the old status shows this very instance as started.
fn was_started(pod: Pod<'_>, container: &Container) -> bool {
    ["containerStatuses", "initContainerStatuses"].iter().any(|member| {
        let items = pod.0.at(&["status", member]).map(Value::items).unwrap_or_default();
        items.iter().any(|item| {
            item.text_at(&["containerID"]) == container.id
                && item.at(&["started"]).and_then(Value::as_bool).unwrap_or(false)
        })
    })
}

/// Whether the old status has this condition as true.
pub(crate) fn condition_holds(pod: Pod<'_>, name: &str) -> bool {
    let conditions = pod.0.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
    conditions.iter().any(|condition| condition.text_at(&["type"]) == name && condition.text_at(&["status"]) == "True")
}
