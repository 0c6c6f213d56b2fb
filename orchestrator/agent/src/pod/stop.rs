//! Bringing containers to an end: hook, then the polite signal, then the kill, all within one span of grace.

use std::time::Duration;

use super::plan::Context;
use super::view::{Pod, Spec};
use super::{Action, Event, Hook};
use crate::runtime::Container;

/// A container always gets so many seconds.
const LEAST: u64 = 2;
/// How long after a failed stop it is tried again, in milliseconds.
const RETRY: u64 = 1_000;

/// A container on its way to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    /// When the grace began.
    begun: u64,
    /// Seconds.
    grace: u64,
    hook: HookState,
    /// When the runtime kills it.
    killed_at: Option<u64>,
    /// Not to be asked again before.
    retry: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HookState {
    Wanted,
    Runs,
    Over,
}

impl Stop {
    pub(crate) fn hook_ended(&mut self) {
        self.hook = HookState::Over;
    }

    /// The runtime answered. Usually the container is gone now; if not it is asked again.
    pub(crate) fn ended(&mut self, now: u64) {
        self.killed_at = None;
        self.retry = now + RETRY;
    }

    fn deadline(&self) -> u64 {
        self.begun.saturating_add(self.grace.saturating_mul(1_000))
    }

    /// Seconds of grace that are left.
    fn left(&self, now: u64) -> u64 {
        self.grace.saturating_sub(now.saturating_sub(self.begun) / 1_000)
    }
}

/// Ends every running container, side cars after the others. Says whether any runs.
pub(crate) fn all(context: &mut Context<'_>, grace: u64) -> bool {
    let observed = context.observed;
    let running: Vec<&Container> = observed.running().collect();
    for &container in &running {
        let waits = waits_for_others(context.pod, container, &running);
        one(context, container, None, grace, waits);
    }
    !running.is_empty()
}

/// A side car ends after all containers of the main list and after the side cars behind it.
fn waits_for_others(pod: Pod<'_>, container: &Container, running: &[&Container]) -> bool {
    let runs = |spec: Spec<'_>| running.iter().any(|other| other.name == spec.name());
    let mut behind = pod.init_containers().skip_while(|spec| spec.name() != container.name);
    behind.next().is_some_and(Spec::is_sidecar)
        && (pod.containers().any(runs) || behind.any(|spec| spec.is_sidecar() && runs(spec)))
}

/// Ends one container. `message` is what the event says; none for the usual text.
pub(crate) fn one(context: &mut Context<'_>, container: &Container, message: Option<String>, grace: u64, waits: bool) {
    let now = context.now.ms;
    let spec = context.pod.find(&container.name);
    let has_hook = spec.is_some_and(|spec| spec.hook(Hook::PreStop).is_some());
    if !context.memory.stops.contains_key(&container.id) {
        let hook = if has_hook && grace > 0 { HookState::Wanted } else { HookState::Over };
        let stop = Stop { begun: now, grace, hook, killed_at: None, retry: 0 };
        context.memory.stops.insert(container.id.clone(), stop);
        let message = message.unwrap_or_else(|| format!("Stopping container {}", container.name));
        let path = spec.map(Spec::field_path).unwrap_or_default();
        context.events.push(Event::normal("Killing", message, path));
    }
    let Some(stop) = context.memory.stops.get_mut(&container.id) else { return };
    if now.saturating_add(grace.saturating_mul(1_000)) < stop.deadline() {
        // Somebody has less patience now.
        *stop = Stop { begun: now, grace, hook: HookState::Over, killed_at: stop.killed_at, retry: 0 };
    }
    let deadline = stop.deadline();
    match stop.hook {
        HookState::Wanted => {
            stop.hook = HookState::Runs;
            context.again_at(deadline);
            let (container, id) = (container.name.clone(), container.id.clone());
            let timeout = Duration::from_secs(grace);
            context.act(Action::RunHook { container, id, hook: Hook::PreStop, timeout });
            return;
        }
        HookState::Runs if now < deadline => return context.again_at(deadline),
        HookState::Runs | HookState::Over => {}
    }
    if waits && now < deadline {
        return context.again_at(deadline);
    }
    let seconds = stop.left(now).max(LEAST);
    let killed_at = now.saturating_add(seconds.saturating_mul(1_000));
    // Seconds are cut off, so the same deadline may come out up to a second earlier.
    if stop.killed_at.is_some_and(|before| before <= killed_at.saturating_add(1_000)) {
        return;
    }
    if stop.retry > now {
        let retry = stop.retry;
        return context.again_at(retry);
    }
    stop.killed_at = Some(killed_at);
    let (container, id) = (container.name.clone(), container.id.clone());
    context.act(Action::Stop { container, id, grace: Duration::from_secs(seconds) });
}

/// The grace of a container that ends although its pod goes on, or with its pod.
pub(crate) fn grace(pod: Pod<'_>, probe_grace: Option<i64>) -> u64 {
    let own = pod.int(&["spec", "terminationGracePeriodSeconds"]);
    let seconds = match pod.int(&["metadata", "deletionGracePeriodSeconds"]) {
        Some(seconds) => seconds,
        None => own.map_or(2, |own| probe_grace.unwrap_or(own)),
    };
    u64::try_from(seconds).unwrap_or(0)
}
