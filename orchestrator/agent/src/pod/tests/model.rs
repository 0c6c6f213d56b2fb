//! A runtime that does everything at once and without fail unless told otherwise, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::fmt::Write;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

use super::tree;
use crate::pod::{Action, Host, Memory, Now, Outcome, Plan, Probe, plan, status};
use crate::runtime::{Container, Exit, Failure, Handled, Image, Observed, Sandbox, State};

/// The point on the wall clock at which tests begin.
const EPOCH: i64 = 1_800_000_000;

/// How a container behaves: after so many milliseconds it ends with this code; none: it runs until it is stopped.
pub(super) type Behaviour = Option<(u64, i32)>;

pub(super) struct Model {
    pub(super) pod: Value,
    pub(super) observed: Observed,
    pub(super) memory: Memory,
    pub(super) ms: u64,
    pub(super) host: Host,
    /// By container; a container without one runs on.
    pub(super) behaviours: BTreeMap<String, Behaviour>,
    /// What actions of a kind fail with, by the first word of their print.
    pub(super) failures: BTreeMap<&'static str, Failure>,
    /// What probes and hooks answer; those without one succeed.
    pub(super) answers: BTreeMap<(String, &'static str), Handled>,
    /// Kinds of actions that stay under way until they are allowed again.
    pub(super) hanging: Vec<&'static str>,
    pub(super) deleted: bool,
    /// Everything that was done and recorded, in order.
    pub(super) log: Vec<String>,
    hung: Vec<Action>,
    ends: Vec<(u64, String, i32)>,
    serial: u32,
    /// Seconds that the wall clock was set forward, or back.
    pub(super) set: i64,
}

impl Model {
    pub(super) fn new(spec: &str) -> Self {
        let pod = tree(&format!(
            r#"{{"metadata":{{"name":"p","namespace":"ns","uid":"u","generation":1}},"spec":{spec},
                "status":{{"phase":"Pending","qosClass":"BestEffort"}}}}"#
        ));
        Self {
            pod,
            observed: Observed::default(),
            memory: Memory::default(),
            ms: 5_000,
            host: Host { ips: vec!["10.0.0.1".to_owned()], all_volumes: true },
            behaviours: BTreeMap::new(),
            failures: BTreeMap::new(),
            answers: BTreeMap::new(),
            hanging: Vec::new(),
            deleted: false,
            log: Vec::new(),
            hung: Vec::new(),
            ends: Vec::new(),
            serial: 0,
            set: 0,
        }
    }

    pub(super) fn with_image(mut self, name: &str) -> Self {
        self.observed.images.push(Image { name: name.to_owned(), id: format!("id-{name}"), bytes: 7 });
        self
    }

    pub(super) fn behaves(mut self, container: &str, after: u64, code: i32) -> Self {
        self.behaviours.insert(container.to_owned(), Some((after, code)));
        self
    }

    pub(super) fn fails(mut self, kind: &'static str, reason: &str, message: &str) -> Self {
        self.failures.insert(kind, Failure { reason: reason.to_owned(), message: message.to_owned() });
        self
    }

    pub(super) fn answers(&mut self, container: &str, what: &'static str, success: bool, output: &str) {
        self.answers.insert((container.to_owned(), what), Handled { success, output: output.to_owned() });
    }

    pub(super) fn now(&self) -> Now {
        Now { wall: self.wall(self.ms), ms: self.ms }
    }

    fn wall(&self, ms: u64) -> Instant {
        let seconds = EPOCH + self.set + i64::try_from(ms / 1_000).unwrap();
        Instant { seconds, micros: u32::try_from(ms % 1_000).unwrap() * 1_000 }
    }

    /// One plan, with its status written and its actions done.
    pub(super) fn step(&mut self) -> Plan {
        let now = self.now();
        let made = plan(&self.pod, &self.observed, &mut self.memory, &self.host, now);
        for event in &made.events {
            self.record(event);
        }
        self.check(&made.status);
        self.pod.as_object_mut().unwrap().insert("status".into(), made.status.clone());
        for action in &made.actions {
            let now = self.now();
            for event in self.memory.began(action, now) {
                self.record(&event);
            }
            if self.hanging.contains(&kind(action)) {
                self.log.push(format!("{} hangs", words(action)));
                self.hung.push(action.clone());
            } else {
                self.finish(action);
            }
        }
        made
    }

    /// What must hold for every two statuses in a row: a final phase stays, and no restart count goes back.
    fn check(&self, next: &Value) {
        let (before, after) = (self.pod.text_at(&["status", "phase"]), next.text_at(&["phase"]));
        assert!(before == after || !matches!(before, "Succeeded" | "Failed"), "{before} became {after}");
        for list in ["containerStatuses", "initContainerStatuses"] {
            let entries = |status: Option<&Value>| -> BTreeMap<String, i64> {
                let items = status.and_then(|status| status.at(&[list])).map(Value::items).unwrap_or_default();
                let count = |item: &Value| item.at(&["restartCount"]).and_then(Value::as_int).unwrap_or(0);
                items.iter().map(|item| (item.text_at(&["name"]).to_owned(), count(item))).collect()
            };
            let after = entries(Some(next));
            for (name, count) in entries(self.pod.at(&["status"])) {
                assert!(
                    after.get(&name).is_some_and(|after| *after >= count),
                    "{name} {count}: {}",
                    self.log.join("\n")
                );
            }
        }
    }

    /// Plans until nothing more is to be done now.
    pub(super) fn settle(&mut self) -> Plan {
        for _ in 0..100 {
            let status = self.pod.at(&["status"]).cloned().unwrap();
            let made = self.step();
            if made.actions.is_empty() && !status::differs(&status, &made.status) {
                return made;
            }
        }
        panic!("the pod never settles: {:#?}", self.log);
    }

    /// Lets time pass, planning whenever a plan asked for it or a container ends.
    pub(super) fn pass(&mut self, ms: u64) -> Plan {
        let until = self.ms + ms;
        let mut made = self.settle();
        loop {
            let again = made.again_after.map(|after| self.ms + u64::try_from(after.as_millis()).unwrap());
            let end = self.ends.iter().map(|(at, ..)| *at).min();
            let Some(next) = again.into_iter().chain(end).min().filter(|next| *next <= until) else { break };
            self.ms = next.max(self.ms);
            self.end_due();
            made = self.settle();
        }
        self.ms = until;
        self.end_due();
        self.settle()
    }

    fn end_due(&mut self) {
        let now = self.ms;
        let (due, later): (Vec<_>, Vec<_>) = self.ends.drain(..).partition(|(at, ..)| *at <= now);
        self.ends = later;
        for (_, id, code) in due {
            self.end(&id, code);
        }
    }

    /// Lets what hangs end.
    pub(super) fn release(&mut self) {
        self.hanging.clear();
        for action in std::mem::take(&mut self.hung) {
            self.finish(&action);
        }
    }

    pub(super) fn delete(&mut self, grace: i64) {
        let metadata = self.pod.as_object_mut().unwrap().object_mut("metadata");
        metadata.insert("deletionTimestamp".into(), Value::text("2027-01-15T08:00:00Z"));
        metadata.insert("deletionGracePeriodSeconds".into(), Value::Int(grace));
    }

    /// Ends a running container.
    pub(super) fn end(&mut self, id: &str, code: i32) {
        let finished = self.wall(self.ms);
        let running = self.observed.containers.iter_mut().find(|container| container.id == id);
        if let Some(container) = running
            && let State::Running { started } = container.state
        {
            let reason = if code == 0 { "Completed" } else { "Error" }.to_owned();
            let exit = Exit { started, finished, exit_code: code, signal: 0, reason, message: String::new() };
            container.state = State::Exited(exit);
        }
    }

    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(super) fn status(&self, path: &[&str]) -> String {
        let value = self.pod.at(&["status"]).and_then(|status| status.at(path));
        value.map(super::print).unwrap_or_default()
    }

    /// A container's status.
    pub(super) fn container(&self, name: &str) -> Value {
        let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
        let mut entries = lists.flat_map(|list| self.pod.at(&["status", list]).map(Value::items).unwrap_or_default());
        entries.find(|entry| entry.text_at(&["name"]) == name).cloned().unwrap()
    }

    /// A condition: status, reason and message.
    pub(super) fn condition(&self, name: &str) -> String {
        let conditions = self.pod.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
        let condition = conditions.iter().find(|condition| condition.text_at(&["type"]) == name).unwrap();
        let mut out = String::new();
        for member in ["status", "reason", "message"] {
            let text = condition.text_at(&[member]);
            if !text.is_empty() {
                write!(out, "{}{text}", if out.is_empty() { "" } else { " " }).unwrap();
            }
        }
        out
    }

    fn record(&mut self, event: &crate::pod::Event) {
        let sign = if event.warning { "!" } else { "" };
        self.log.push(format!("{sign}{}: {}", event.reason, event.message));
    }

    fn finish(&mut self, action: &Action) {
        self.log.push(words(action));
        let result = match self.failures.get(kind(action)) {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.perform(action)),
        };
        let now = self.now();
        for event in self.memory.ended(action, result, now) {
            self.record(&event);
        }
    }

    fn perform(&mut self, action: &Action) -> Outcome {
        let now = self.wall(self.ms);
        match action {
            Action::EnsureVolumes => self.observed.volumes = true,
            Action::EnsureSandbox { attempt } => {
                let ips = vec!["10.1.0.1".to_owned()];
                let id = format!("s{attempt}");
                self.observed.sandbox = Some(Sandbox { id, attempt: *attempt, ips, created: now, ready: true });
            }
            Action::Pull { image, .. } => {
                let image = Image { name: image.clone(), id: format!("id-{image}"), bytes: 7 };
                self.observed.images.push(image.clone());
                return Outcome::Image(image);
            }
            Action::Start { container, attempt, .. } => self.begin(container, *attempt),
            Action::Stop { id, .. } => self.end(&id.clone(), 137),
            Action::RunHook { container, hook, .. } => return self.answer(container, hook.member()),
            Action::Probe { container, probe, .. } => return self.answer(container, probe.member()),
            Action::RemoveContainer { id } => self.observed.containers.retain(|container| container.id != *id),
            Action::StopSandbox => self.observed.sandbox.iter_mut().for_each(|sandbox| {
                sandbox.ready = false;
                sandbox.ips.clear();
            }),
            Action::RemovePod => {
                let images = std::mem::take(&mut self.observed.images);
                self.observed = Observed { images, ..Observed::default() };
            }
            Action::DeletePod => self.deleted = true,
        }
        Outcome::Done
    }

    fn answer(&self, container: &str, what: &'static str) -> Outcome {
        let well = Handled { success: true, output: String::new() };
        Outcome::Handled(self.answers.get(&(container.to_owned(), what)).cloned().unwrap_or(well))
    }

    fn begin(&mut self, name: &str, attempt: u32) {
        self.serial += 1;
        let (id, started) = (format!("x://{}", self.serial), self.wall(self.ms));
        let specs = ["containers", "initContainers"].into_iter();
        let mut specs = specs.flat_map(|list| self.pod.at(&["spec", list]).map(Value::items).unwrap_or_default());
        let image = specs.find(|spec| spec.text_at(&["name"]) == name).unwrap().text_at(&["image"]).to_owned();
        if let Some(Some((after, code))) = self.behaviours.get(name) {
            self.ends.push((self.ms + after, id.clone(), *code));
        }
        self.observed.containers.push(Container {
            id,
            name: name.to_owned(),
            attempt,
            image_id: format!("id-{image}"),
            asked: image.clone(),
            sandbox: self.observed.sandbox.as_ref().map_or(0, |sandbox| sandbox.attempt),
            image,
            created: started,
            user: None,
            state: State::Running { started },
        });
    }
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::EnsureVolumes => "volumes",
        Action::EnsureSandbox { .. } => "sandbox",
        Action::Pull { .. } => "pull",
        Action::Start { .. } => "start",
        Action::Stop { .. } => "stop",
        Action::RunHook { .. } => "hook",
        Action::Probe { .. } => "probe",
        Action::RemoveContainer { .. } => "remove",
        Action::StopSandbox => "stop-sandbox",
        Action::RemovePod => "remove-pod",
        Action::DeletePod => "delete-pod",
    }
}

fn words(action: &Action) -> String {
    let kind = kind(action);
    match action {
        Action::EnsureSandbox { attempt } => format!("{kind} {attempt}"),
        Action::Pull { image, .. } => format!("{kind} {image}"),
        Action::Start { container, attempt, .. } => format!("{kind} {container} {attempt}"),
        Action::Stop { container, grace, .. } => format!("{kind} {container} {}", grace.as_secs()),
        Action::RunHook { container, hook, .. } => format!("{kind} {container} {}", hook.member()),
        Action::Probe { container, probe, .. } => format!("{kind} {container} {}", Probe::member(*probe)),
        Action::RemoveContainer { id } => format!("{kind} {id}"),
        _ => kind.to_owned(),
    }
}
