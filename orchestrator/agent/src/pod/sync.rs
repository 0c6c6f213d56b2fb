//! What a pod that is meant to run needs next: volumes, sandbox, init containers in order, then the others.

use super::plan::Context;
use super::start::{Step, follow_hook, start};
use super::steps::{Mains, init_steps, main_steps};
use super::view::{Pod, Spec};
use super::{Action, Event, reset, stop};
use crate::runtime::{Container, Observed};

/// So many instances of a container are kept: the present one and the one before, which the status shows.
const KEPT: usize = 2;

/// Plans for a pod that is meant to run.
pub(crate) fn sync(context: &mut Context<'_>) {
    if reset::is_wanted(context.pod, context.observed) {
        return reset::run(context);
    }
    remove_old(context);
    if sandbox_problem(context.pod, context.observed).is_some() {
        return renew_sandbox(context);
    }
    let Some(inits) = init_steps(context) else {
        return end(context);
    };
    let mains = if inits.initialized { main_steps(context) } else { Mains::default() };
    if inits.initialized && mains.kept == 0 && mains.start.is_empty() {
        return end(context);
    }
    for (container, message, grace) in inits.stop.into_iter().chain(mains.stop) {
        stop::one(context, container, Some(message), grace, false);
    }
    if !volumes_are_ready(context) {
        return;
    }
    start_in_order(context, &inits.start, &mains.start);
}

/// Starts init containers, then the others, one after another as long as none has to be waited for.
fn start_in_order(context: &mut Context<'_>, inits: &[Spec<'_>], mains: &[Spec<'_>]) {
    // A hook behind a start holds back what comes after it.
    let mut held = false;
    for spec in context.pod.all() {
        held |= follow_hook(context, spec);
    }
    if held {
        return;
    }
    for &spec in inits {
        match start(context, spec) {
            Step::Skipped if spec.is_sidecar() => {}
            Step::Skipped | Step::Blocked => return,
        }
    }
    for &spec in mains {
        if start(context, spec) == Step::Blocked {
            return;
        }
    }
}

/// Nothing is left to run: the side cars end too.
fn end(context: &mut Context<'_>) {
    let grace = stop::grace(context.pod, None);
    stop::all(context, grace);
}

/// Whether the volumes are set up; asks for them if not.
fn volumes_are_ready(context: &mut Context<'_>) -> bool {
    if context.observed.volumes {
        return true;
    }
    let at = context.memory.volumes.at;
    if at > context.now.ms {
        context.again_at(at);
    } else {
        context.act(Action::EnsureVolumes);
    }
    false
}

/// Why a new sandbox is needed, if it is.
pub(crate) fn sandbox_problem(pod: Pod<'_>, observed: &Observed) -> Option<&'static str> {
    match &observed.sandbox {
        None => Some("no pod sandbox exists"),
        Some(sandbox) if !sandbox.ready => Some("pod sandbox is not ready"),
        Some(sandbox) if sandbox.ips.is_empty() && !pod.on_host_network() => Some("pod sandbox has no IP address"),
        Some(_) => None,
    }
}

/// Replaces the sandbox, unless there is nothing left that would run in it.
fn renew_sandbox(context: &mut Context<'_>) {
    let (pod, observed) = (context.pod, context.observed);
    let attempt = observed.sandbox.as_ref().map_or(0, |sandbox| sandbox.attempt + 1);
    let had_containers = !observed.containers.is_empty();
    let may_run_again = pod.policy() != "Never" || attempt == 0 || !had_containers;
    let has_work = pod.containers().any(|spec| !is_done_once(spec, pod, observed));
    let was_initialized = pod.containers().any(|spec| observed.newest(spec.name()).is_some());
    if !may_run_again || (!has_work && was_initialized) {
        return end(context);
    }
    let grace = stop::grace(pod, None);
    if stop::all(context, grace) {
        return;
    }
    // Initialization happens anew in a new sandbox, so its traces go.
    let mut purged = true;
    for container in &observed.containers {
        if pod.init_containers().any(|spec| spec.name() == container.name) {
            purged = false;
            context.clean(Action::RemoveContainer { id: container.id.clone() });
        }
    }
    if !purged || !volumes_are_ready(context) {
        return;
    }
    let at = context.memory.sandbox.at;
    if at > context.now.ms {
        return context.again_at(at);
    }
    let is_new = context.act(Action::EnsureSandbox { attempt });
    if is_new && observed.sandbox.is_some() {
        let message = "Pod sandbox changed, it will be killed and re-created.";
        context.events.push(Event::normal("SandboxChanged", message, String::new()));
    }
}

/// Whether a container that only has to succeed once did.
fn is_done_once(spec: Spec<'_>, pod: Pod<'_>, observed: &Observed) -> bool {
    spec.own_policy().unwrap_or_else(|| pod.policy()) == "OnFailure"
        && observed.newest(spec.name()).and_then(Container::exit_code) == Some(0)
}

/// Removes all but the newest instances of each container.
fn remove_old(context: &mut Context<'_>) {
    let observed = context.observed;
    for spec in context.pod.all() {
        for container in observed.instances(spec.name()).into_iter().skip(KEPT) {
            if !container.is_running() {
                context.clean(Action::RemoveContainer { id: container.id.clone() });
            }
        }
    }
}
