//! The way of one container to its start: the wait after a crash, the image, the start itself, the hook behind it.

use std::time::Duration;

use coracle_apimachinery::Value;

use super::backoff::Backoff;
use super::memory::{PostStart, Waiting, print};
use super::plan::Context;
use super::view::Spec;
use super::{Action, Event, Hook, image, stop};
use crate::runtime::{Container, State};

/// How far a container came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is being worked on; the containers behind it wait.
    Blocked,
    /// It has to wait; the containers behind it need not.
    Skipped,
}

/// Takes a container the next step towards its start.
pub(crate) fn start(context: &mut Context<'_>, spec: Spec<'_>) -> Step {
    let name = spec.name();
    let busy = context.memory.any_under_way(|action| match action {
        Action::Pull { container, .. } | Action::Start { container, .. } => container == name,
        _ => false,
    });
    let observed = context.observed;
    let newest = observed.newest(name);
    if busy || newest.is_some_and(Container::is_running) {
        return Step::Blocked;
    }
    let attempt = newest.map_or_else(|| first_attempt(context, name), |newest| newest.attempt + 1);
    if let Some(step) = held_back(context, spec, newest, attempt) {
        return step;
    }
    let image_id = match image::ensure(context, spec, attempt) {
        Ok(image_id) => image_id,
        Err(step) => return step,
    };
    if spec.hook(Hook::PostStart).is_some() {
        context.memory.post_starts.insert(name.to_owned(), PostStart { attempt, failed: None });
    }
    context.act(Action::Start { container: name.to_owned(), init: spec.init, attempt, image_id });
    Step::Blocked
}

/// The number of the next instance when the runtime has none: one more than the status knows of.
fn first_attempt(context: &Context<'_>, name: &str) -> u32 {
    context.restart_count(name).try_into().unwrap_or(0)
}

/// The waits after a crash and after a failed start.
fn held_back(context: &mut Context<'_>, spec: Spec<'_>, newest: Option<&Container>, attempt: u32) -> Option<Step> {
    let name = spec.name();
    if let Some(step) = after_crash(context, spec, newest, attempt) {
        return Some(step);
    }
    let held = context.memory.reasons.get(name)?;
    if held.start_failed && held.attempt == attempt && held.until > context.now.ms {
        let until = held.until;
        context.again_at(until);
        return Some(Step::Skipped);
    }
    None
}

fn after_crash(context: &mut Context<'_>, spec: Spec<'_>, newest: Option<&Container>, attempt: u32) -> Option<Step> {
    let finished = *context.memory.ends.get(&newest?.id)?;
    let (name, now) = (spec.name(), context.now.steady_ms());
    let before = context.memory.restarts.get(name).copied();
    if before.is_some_and(|(_, granted)| granted == attempt) {
        return None;
    }
    if let Some(left) = before.and_then(|(backoff, _)| backoff.left(finished, now)) {
        let delay = before.map(|(backoff, _)| backoff.delay()).unwrap_or_default();
        let pod = context.pod.described();
        let message = format!("back-off {} restarting failed container={name} pod={pod}", print(delay));
        let until = context.now.ms + u64::try_from(left.as_millis()).unwrap_or(0);
        let reason = "CrashLoopBackOff".to_owned();
        if context.wait(spec, Waiting { reason, message, attempt, until, start_failed: false }) {
            let message = format!("Back-off restarting failed container {name} in pod {pod}");
            context.events.push(Event::warning("BackOff", message, spec.field_path()));
        }
        context.again_at(until);
        return Some(Step::Skipped);
    }
    let backoff = Backoff::next(before.map(|(backoff, _)| backoff), finished, now);
    context.memory.restarts.insert(name.to_owned(), (backoff, attempt));
    None
}

/// Runs the hooks behind starts. Says whether the containers behind this one have to wait.
pub(crate) fn follow_hook(context: &mut Context<'_>, spec: Spec<'_>) -> bool {
    let name = spec.name();
    let observed = context.observed;
    let Some(post_start) = context.memory.post_starts.get(name).cloned() else { return false };
    let Some(newest) = observed.newest(name).filter(|newest| newest.attempt == post_start.attempt) else {
        return false;
    };
    if !newest.is_running() {
        // It ended before its hook did. What the hook failed with stays the reason, the rest is over.
        if !matches!(newest.state, State::Created) {
            context.memory.post_starts.remove(name);
        }
        return false;
    }
    let id = newest.id.clone();
    if let Some(message) = post_start.failed {
        let message = hook_failure(context, spec, &message);
        let (reason, attempt) = ("PostStartHookError".to_owned(), newest.attempt + 1);
        context.wait(spec, Waiting { reason, message, attempt, until: 0, start_failed: false });
        let grace = stop::grace(context.pod, None);
        stop::one(context, newest, Some("FailedPostStartHook".to_owned()), grace, false);
        return true;
    }
    let timeout = Duration::from_secs(u64::from(u32::MAX));
    context.act(Action::RunHook { container: name.to_owned(), id, hook: Hook::PostStart, timeout });
    true
}

/// What is said of a hook that failed after the start.
fn hook_failure(context: &Context<'_>, spec: Spec<'_>, output: &str) -> String {
    let hook = spec.hook(Hook::PostStart);
    let about =
        format!("for Container {:?} in Pod {:?} failed - error: {output}", spec.name(), context.pod.described());
    if let Some(exec) = hook.and_then(|hook| hook.at(&["exec"])) {
        let command = exec.at(&["command"]).map(Value::items).unwrap_or_default();
        let words: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
        return format!("Exec lifecycle hook ([{}]) {about}", words.join(" "));
    }
    if let Some(get) = hook.and_then(|hook| hook.at(&["httpGet"])) {
        return format!("HTTP lifecycle hook ({}) {about}", get.text_at(&["path"]));
    }
    let seconds = hook.and_then(|hook| hook.at(&["sleep", "seconds"])).and_then(Value::as_int).unwrap_or(0);
    format!("Sleep lifecycle hook ({seconds}) {about}")
}
