//! Which containers of a pod that is meant to run are to be started and which to be ended.

use super::plan::Context;
use super::probe::Verdict;
use super::view::Spec;
use super::{Probe, probes, stop};
use crate::runtime::{Container, State};

/// A container to end, the words for it, and its grace in seconds.
pub(crate) type Ending<'a> = (&'a Container, String, u64);

/// What init containers need.
#[derive(Debug, Default)]
pub(crate) struct Inits<'a> {
    pub(crate) start: Vec<Spec<'a>>,
    pub(crate) stop: Vec<Ending<'a>>,
    pub(crate) initialized: bool,
}

/// What the other containers need.
#[derive(Debug, Default)]
pub(crate) struct Mains<'a> {
    pub(crate) start: Vec<Spec<'a>>,
    pub(crate) stop: Vec<Ending<'a>>,
    pub(crate) kept: usize,
}

/// What init containers need; none if initialization failed for good. The last one that has a trace tells how far
/// initialization came, since traces of earlier ones may be gone.
pub(crate) fn init_steps<'a>(context: &Context<'a>) -> Option<Inits<'a>> {
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
                } else if probes::is_started(pod, context.memory, spec, container) && !context.hook_is_due(container) {
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

/// What the containers of the main list need.
pub(crate) fn main_steps<'a>(context: &Context<'a>) -> Mains<'a> {
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
