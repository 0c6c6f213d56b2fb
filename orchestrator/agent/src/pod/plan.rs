//! The decision: which way a pod is on, and what the next steps on it are.

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::{Instant, Precision};

use super::memory::Waiting;
use super::status::{Report, generate};
use super::view::{Pod, Spec};
use super::{Action, Event, Host, Memory, Now, Plan, millis, probes, stop, sync, unsupported};
use crate::runtime::{Container, Observed, State};

/// Why a pod ends although nobody deletes it.
const DEADLINE: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

/// The plan as it grows.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) pod: Pod<'a>,
    pub(crate) observed: &'a Observed,
    pub(crate) memory: &'a mut Memory,
    pub(crate) now: Now,
    pub(crate) events: Vec<Event>,
    actions: Vec<Action>,
    again: Option<u64>,
}

impl Context<'_> {
    /// Asks for an action unless the same work is under way or asked for; says whether it did.
    pub(crate) fn act(&mut self, action: Action) -> bool {
        let is_new =
            !self.memory.is_under_way(&action) && !self.actions.iter().any(|other| other.is_same_work(&action));
        if is_new {
            self.actions.push(action);
        }
        is_new
    }

    /// Asks for an action that removes something, unless one failed just now.
    pub(crate) fn clean(&mut self, action: Action) {
        if self.memory.cleanup > self.now.ms {
            self.again_at(self.memory.cleanup);
        } else {
            self.act(action);
        }
    }

    /// Asks for another plan at that time at the latest.
    pub(crate) fn again_at(&mut self, ms: u64) {
        self.again = Some(self.again.map_or(ms, |again| again.min(ms)));
    }

    /// Sets why a container waits; says whether that is news.
    pub(crate) fn wait(&mut self, spec: Spec<'_>, waiting: Waiting) -> bool {
        let before = self.memory.reasons.get(spec.name());
        let is_news =
            before.is_none_or(|before| (&before.reason, before.attempt) != (&waiting.reason, waiting.attempt));
        self.memory.reasons.insert(spec.name().to_owned(), waiting);
        is_news
    }

    /// Whether the hook behind the start of this instance has not come to its end yet.
    pub(crate) fn hook_is_due(&self, container: &Container) -> bool {
        let due = self.memory.post_starts.get(&container.name);
        due.is_some_and(|due| due.attempt == container.attempt && due.failed.is_none())
    }

    /// How often the status says that a container was restarted, counting the restart that is due now.
    pub(crate) fn restart_count(&self, name: &str) -> i64 {
        let entries = ["containerStatuses", "initContainerStatuses"]
            .iter()
            .flat_map(|member| self.pod.0.at(&["status", member]).map(Value::items).unwrap_or_default());
        let mut named = entries.filter(|entry| entry.text_at(&["name"]) == name);
        named.next().map_or(0, |entry| {
            let count = entry.at(&["restartCount"]).and_then(Value::as_int).unwrap_or(0);
            let ran = entry.at(&["state", "running"]).or_else(|| entry.at(&["state", "terminated"])).is_some();
            count + i64::from(ran)
        })
    }

    fn finish(self, status: Value, finished: bool) -> Plan {
        let again_after = self.again.map(|again| Duration::from_millis(again.saturating_sub(self.now.ms).max(1)));
        Plan { actions: self.actions, again_after, status, events: self.events, finished }
    }
}

/// What to do for a pod now.
pub fn plan(pod: &Value, observed: &Observed, memory: &mut Memory, host: &Host, now: Now) -> Plan {
    let pod = Pod(pod);
    learn(pod, observed, memory, now);
    let mut context = Context { pod, observed, memory, now, events: Vec::new(), actions: Vec::new(), again: None };
    let report = Report::default();
    let over = is_over(pod.phase());
    if !over && let Some((why, announced)) = &mut context.memory.rejection {
        if !std::mem::replace(announced, true) {
            context.events.push(why.event());
        }
        let status = why.status(pod.0, now);
        return context.finish(status, false);
    }
    if !over && !pod.is_deleting() && observed.containers.is_empty() && refuse(&mut context, host) {
        let status = generate(&context, host, &report);
        return context.finish(status, false);
    }
    let deadline = past_deadline(&mut context);
    let before = generate(&context, host, &report);
    if pod.is_deleting() || over || deadline || is_over(before.text_at(&["phase"])) {
        return end(context, host, deadline);
    }
    sync::sync(&mut context);
    probes::ask(&mut context, false);
    let status = generate(&context, host, &report);
    context.finish(status, false)
}

/// Whether a phase is final.
pub(crate) fn is_over(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// Brings the memory up to what the runtime reports.
fn learn(pod: Pod<'_>, observed: &Observed, memory: &mut Memory, now: Now) {
    memory.born.get_or_insert(now);
    memory.inits = pod.init_containers().map(|spec| spec.name().to_owned()).collect();
    memory.stops.retain(|id, _| observed.running().any(|container| container.id == *id));
    memory.ends.retain(|id, _| observed.containers.iter().any(|container| container.id == *id));
    for container in &observed.containers {
        if let State::Exited(exit) = &container.state {
            // The wall clock only says how long ago it was when it is first seen; later it may be set at will.
            let age = (now.wall_ms() - millis(exit.finished)).max(0);
            memory.ends.entry(container.id.clone()).or_insert_with(|| now.steady_ms().saturating_sub(age));
        }
    }
    memory.reasons.retain(|name, waiting| {
        let newest = observed.newest(name);
        // A hook's failure is the reason that is shown while the container is being ended for it.
        newest.is_none_or(|newest| newest.attempt < waiting.attempt)
    });
    probes::follow(pod, observed, memory, now);
}

/// Whether the pod asks for what this node does not do; then its containers wait, and say so.
fn refuse(context: &mut Context<'_>, host: &Host) -> bool {
    let Some(field) = unsupported::first(context.pod.0, host) else { return false };
    let message = format!("this node does not support {field}");
    let mut is_news = false;
    for spec in context.pod.all() {
        let reason = "UnsupportedField".to_owned();
        let waiting = Waiting { reason, message: message.clone(), attempt: 0, until: 0, start_failed: false };
        is_news |= context.wait(spec, waiting);
    }
    if is_news {
        context.events.push(Event::warning("UnsupportedField", message, field));
    }
    true
}

/// Whether the pod's time is up.
fn past_deadline(context: &mut Context<'_>) -> bool {
    let pod = context.pod;
    let Some(allowed) = pod.int(&["spec", "activeDeadlineSeconds"]) else { return false };
    let started = Instant::parse(pod.0.text_at(&["status", "startTime"]), Precision::Seconds);
    let Some(started) = started.ok().filter(|_| !is_over(pod.phase())) else { return false };
    let left = allowed.saturating_mul(1_000) - (context.now.wall_ms() - millis(started));
    if left > 0 {
        let at = context.now.ms.saturating_add(u64::try_from(left).unwrap_or(0));
        context.again_at(at);
        return false;
    }
    if !std::mem::replace(&mut context.memory.deadline_announced, true) {
        context.events.push(Event::normal(DEADLINE.0, DEADLINE.1, String::new()));
    }
    true
}

/// Plans for a pod that ends or is over.
fn end(mut context: Context<'_>, host: &Host, deadline: bool) -> Plan {
    let (pod, observed) = (context.pod, context.observed);
    let evicted = deadline.then_some(DEADLINE);
    // A pod always has a second, also when nobody wants to wait for it.
    let grace = stop::grace(pod, None).max(1);
    let running = stop::all(&mut context, grace);
    probes::ask(&mut context, true);
    let unsettled = context.memory.any_under_way(|action| {
        matches!(action, Action::Start { .. } | Action::EnsureSandbox { .. } | Action::EnsureVolumes)
    });
    if running || unsettled {
        let status = generate(&context, host, &Report { evicted, running: true, ..Report::default() });
        return context.finish(status, false);
    }
    let status = if is_over(pod.phase()) && observed.is_gone() {
        // Nothing is left to report about; what was reported stays.
        pod.0.at(&["status"]).cloned().unwrap_or(Value::Null)
    } else {
        generate(&context, host, &Report { evicted, stopped: true, ..Report::default() })
    };
    let mut finished = observed.is_gone();
    context.again = None;
    if !is_over(pod.phase()) {
        // The end is reported before its traces are removed.
        finished = false;
    } else if pod.is_deleting() {
        if !finished {
            context.clean(Action::RemovePod);
        } else if !context.memory.deleted {
            context.clean(Action::DeletePod);
        }
    } else if observed.sandbox.as_ref().is_some_and(|sandbox| sandbox.ready) {
        context.clean(Action::StopSandbox);
    } else {
        finished = true;
    }
    context.finish(status, finished)
}
