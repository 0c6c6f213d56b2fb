//! What a pod that is meant to run needs next: volumes, sandbox, init containers in order, then the others.

use super::plan::Context;
use super::probe::Verdict;
use super::start::{Step, follow_hook, start};
use super::view::{Pod, Spec};
use super::{Action, Event, Probe, probes, reset, stop};
use crate::runtime::{Container, Observed, State};

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

/// A container to end, the words for it, and its grace in seconds.
type Ending<'a> = (&'a Container, String, u64);

#[derive(Default)]
struct Inits<'a> {
    start: Vec<Spec<'a>>,
    stop: Vec<Ending<'a>>,
    initialized: bool,
}

#[derive(Default)]
struct Mains<'a> {
    start: Vec<Spec<'a>>,
    stop: Vec<Ending<'a>>,
    kept: usize,
}

/// What init containers need; none if initialization failed for good. The last one that has a trace tells how far
/// initialization came, since traces of earlier ones may be gone.
fn init_steps<'a>(context: &Context<'a>) -> Option<Inits<'a>> {
    let (pod, observed) = (context.pod, context.observed);
    let specs: Vec<Spec<'a>> = pod.init_containers().collect();
    let mut inits = Inits { initialized: specs.is_empty() || observed.is_initialized(pod), ..Inits::default() };
    let mut passed = inits.initialized;
    let is_last = |at: usize| at + 1 == specs.len();
    for (at, &spec) in specs.iter().enumerate().rev() {
        let Some(container) = observed.active(spec.name()) else {
            if passed && spec.is_sidecar() {
                inits.start.push(spec);
            }
            continue;
        };
        if passed && !spec.is_sidecar() {
            continue;
        }
        let next = |inits: &mut Inits<'a>| {
            if is_last(at) {
                inits.initialized = true;
            } else if !passed {
                inits.start.extend(specs.get(at + 1));
            }
        };
        match &container.state {
            State::Created => inits.start.push(spec),
            State::Running { .. } if spec.is_sidecar() => {
                if let Some(ending) = failed_sidecar(context, spec, container) {
                    inits.stop.push(ending);
                    inits.start.push(spec);
                } else if probes::is_started(pod, context.memory, spec, container) && !hook_is_due(context, container) {
                    next(&mut inits);
                }
            }
            State::Running { .. } => {}
            State::Exited(_) if spec.is_sidecar() => inits.start.push(spec),
            State::Exited(exit) if exit.exit_code == 0 => next(&mut inits),
            State::Exited(exit) if spec.restarts_after(exit.exit_code) => inits.start.push(spec),
            State::Exited(_) => return None,
        }
        passed = true;
    }
    if !passed {
        inits.start.extend(specs.first());
    }
    inits.start.reverse();
    Some(inits)
}

/// Whether the hook behind the start of this instance was not run to its end yet.
fn hook_is_due(context: &Context<'_>, container: &Container) -> bool {
    context.memory.post_starts.get(&container.name).is_some_and(|due| due.attempt == container.attempt)
}

fn failed_sidecar<'a>(context: &Context<'a>, spec: Spec<'a>, container: &'a Container) -> Option<Ending<'a>> {
    let name = spec.name();
    let failed = |kind| probes::verdict(context.memory, container, kind) == Some(Verdict::Failure);
    let grace = |kind| probe_grace(context, spec, kind);
    if failed(Probe::Startup) {
        Some((container, format!("Init container {name} failed startup probe"), grace(Probe::Startup)))
    } else if container.asked != spec.image() {
        Some((container, format!("Init container {name} definition changed"), stop::grace(context.pod, None)))
    } else if failed(Probe::Liveness) {
        Some((container, format!("Init container {name} failed liveness probe"), grace(Probe::Liveness)))
    } else {
        None
    }
}

fn probe_grace(context: &Context<'_>, spec: Spec<'_>, kind: Probe) -> u64 {
    let own = spec.probe(kind).and_then(|probe| probe.at(&["terminationGracePeriodSeconds"])?.as_int());
    stop::grace(context.pod, own)
}

fn main_steps<'a>(context: &Context<'a>) -> Mains<'a> {
    let mut mains = Mains::default();
    for spec in context.pod.containers() {
        let newest = context.observed.newest(spec.name());
        let Some(container) = newest.filter(|container| container.is_running()) else {
            if newest.is_none_or(|newest| newest.exit_code().is_none_or(|code| spec.restarts_after(code))) {
                mains.start.push(spec);
            }
            continue;
        };
        let failed = |kind| probes::verdict(context.memory, container, kind) == Some(Verdict::Failure);
        let name = spec.name();
        let (message, grace, restart) = if container.asked != spec.image() {
            (format!("Container {name} definition changed"), stop::grace(context.pod, None), true)
        } else if failed(Probe::Liveness) {
            let grace = probe_grace(context, spec, Probe::Liveness);
            (format!("Container {name} failed liveness probe"), grace, spec.restarts_on_failure())
        } else if failed(Probe::Startup) {
            let grace = probe_grace(context, spec, Probe::Startup);
            (format!("Container {name} failed startup probe"), grace, spec.restarts_on_failure())
        } else {
            mains.kept += 1;
            continue;
        };
        let message = if restart { format!("{message}, will be restarted") } else { message };
        if restart {
            mains.start.push(spec);
        }
        mains.stop.push((container, message, grace));
    }
    mains
}
