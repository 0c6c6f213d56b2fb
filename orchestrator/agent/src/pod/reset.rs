//! Restarting all containers of a pod in place, which a rule for an exit code can ask for: what runs is killed, every
//! instance is removed, then the pod begins anew in its sandbox.

use super::plan::Context;
use super::view::Pod;
use super::{Action, probes, restart, stop};
use crate::runtime::Observed;

/// Whether the pod is to be, or is being, restarted as a whole.
pub(crate) fn is_wanted(pod: Pod<'_>, observed: &Observed) -> bool {
    let triggered = |spec: super::view::Spec<'_>| {
        let code = observed.newest(spec.name()).and_then(|newest| newest.exit_code());
        code.is_some_and(|code| restart::rule(spec.tree, code) == Some(restart::RESTART_ALL))
    };
    can_happen(pod)
        && !pod.is_deleting()
        && !is_cleaned_up(pod, observed)
        && (probes::condition_holds(pod, "AllContainersRestarting") || pod.all().any(triggered))
}

/// Whether any container of the pod has such a rule.
pub(crate) fn can_happen(pod: Pod<'_>) -> bool {
    pod.all().any(|spec| restart::can_restart_all(spec.tree))
}

/// Whether no instance is left.
fn is_cleaned_up(pod: Pod<'_>, observed: &Observed) -> bool {
    pod.all().all(|spec| observed.newest(spec.name()).is_none())
}

/// Kills and removes.
pub(crate) fn run(context: &mut Context<'_>) {
    let observed = context.observed;
    // The condition must be in the status before the first instance, the only other trace, is removed.
    let announced = probes::condition_holds(context.pod, "AllContainersRestarting");
    for container in &observed.containers {
        if container.is_running() {
            stop::one(context, container, Some("killing".to_owned()), 0, false);
        }
    }
    if !announced || observed.running().next().is_some() {
        return;
    }
    for container in &observed.containers {
        context.clean(Action::RemoveContainer { id: container.id.clone() });
    }
    context.memory.reasons.clear();
    context.memory.restarts.clear();
}
