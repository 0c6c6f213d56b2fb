//! What the fake runtime has, as a function of time: whatever is due by a deadline happens when somebody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coracle_apimachinery::time::Instant as Wall;
use coracle_client::object;
use tokio::time::Instant;

use super::addresses::Addresses;
use super::looks::id_of;
use super::script::Script;
use crate::runtime::{Container, ContainerSpec, Exit, Sandbox, State};

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Everything {
    pub(super) pods: BTreeMap<String, Pod>,
    pub(super) addresses: Addresses,
    /// How often something changed.
    pub(super) version: u64,
    /// The version that was told last.
    pub(super) told: u64,
}

/// One pod.
#[derive(Debug, Default)]
pub(super) struct Pod {
    pub(super) volumes: bool,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) containers: Vec<Held>,
    /// Images that were pulled for it.
    pub(super) pulled: BTreeSet<String>,
}

/// One container.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) container: Container,
    pub(super) script: Script,
    /// When it starts or did.
    pub(super) starts: Instant,
    /// When it ends, if it does, and how.
    pub(super) ends: Option<(Instant, End)>,
}

/// How a container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) code: i32,
    pub(super) signal: i32,
    pub(super) reason: &'static str,
}

impl End {
    /// It ended by itself or when it was asked to.
    pub(super) fn by_itself(code: i32) -> Self {
        Self { code, signal: 0, reason: if code == 0 { "Completed" } else { "Error" } }
    }

    /// It used more memory than it may.
    pub(super) const OOM: Self = Self { code: 137, signal: 0, reason: "OOMKilled" };
    /// It was killed.
    pub(super) const KILLED: Self = Self { code: 137, signal: 0, reason: "Error" };
}

impl Pod {
    /// Makes a container, unless that instance is there; answers its id. There must be a sandbox that is ready.
    pub(super) fn make(&mut self, spec: &ContainerSpec, script: Script, wall: Wall) -> Option<String> {
        let sandbox = self.sandbox.as_ref().filter(|sandbox| sandbox.ready)?.attempt;
        let text = |name| spec.container.text_at(&[name]).to_owned();
        let (name, image) = (text("name"), text("image"));
        let parts = [object::uid(&spec.pod), &name, &sandbox.to_string(), &spec.attempt.to_string()];
        let id = format!("fake://{}", id_of(&parts));
        if !self.containers.iter().any(|held| held.container.id == id) {
            let container = Container {
                id: id.clone(),
                name,
                attempt: spec.attempt,
                sandbox,
                image: image.clone(),
                asked: image,
                image_id: spec.image_id.clone(),
                created: wall,
                user: None,
                state: State::Created,
            };
            self.containers.push(Held::new(container, script, Instant::now()));
        }
        Some(id)
    }
}

impl Held {
    pub(super) fn new(container: Container, script: Script, now: Instant) -> Self {
        let starts = now + script.start_delay;
        let ends =
            script.exit.map(|exit| (starts + exit.after, if exit.oom { End::OOM } else { End::by_itself(exit.code) }));
        Self { container, script, starts, ends }
    }

    /// Asks it to end within a time.
    pub(super) fn stop(&mut self, grace: Duration, now: Instant) {
        let obeys = (now + self.script.stop_delay, End::by_itself(self.script.stop_code));
        let killed = (now + grace, End::KILLED);
        let stopped = if obeys.0 <= killed.0 { obeys } else { killed };
        if self.ends.is_none_or(|(ends, _)| stopped.0 < ends) {
            self.ends = Some(stopped);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.container.state, State::Exited(_))
    }

    /// How long it has been running.
    pub(super) fn running_for(&self, now: Instant) -> Option<Duration> {
        matches!(self.container.state, State::Running { .. }).then(|| now.saturating_duration_since(self.starts))
    }

    /// The next moment at which something happens to it.
    fn due(&self) -> Option<Instant> {
        match self.container.state {
            State::Created => Some(self.ends.map_or(self.starts, |(ends, _)| ends.min(self.starts))),
            State::Running { .. } => self.ends.map(|(ends, _)| ends),
            State::Exited(_) => None,
        }
    }

    fn settle(&mut self, now: Instant, wall: Wall) -> bool {
        let mut changed = false;
        if self.container.state == State::Created && self.starts <= now {
            self.container.state = State::Running { started: earlier(wall, now - self.starts) };
            changed = true;
        }
        if let Some((ends, end)) = self.ends.filter(|(ends, _)| *ends <= now) {
            let finished = earlier(wall, now - ends);
            let started = match self.container.state {
                State::Created => finished,
                State::Running { started } => started,
                State::Exited(_) => return changed,
            };
            self.container.state = State::Exited(Exit {
                started,
                finished,
                exit_code: end.code,
                signal: end.signal,
                reason: end.reason.to_owned(),
                message: String::new(),
            });
            changed = true;
        }
        changed
    }
}

impl Everything {
    /// Lets happen what is due.
    pub(super) fn settle(&mut self, now: Instant, wall: Wall) {
        for held in self.pods.values_mut().flat_map(|pod| &mut pod.containers) {
            if held.settle(now, wall) {
                self.version += 1;
            }
        }
    }

    /// The next moment at which something happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pods.values().flat_map(|pod| &pod.containers).filter_map(Held::due).min()
    }

    /// The container with an id.
    pub(super) fn container(&mut self, id: &str) -> Option<&mut Held> {
        self.pods.values_mut().flat_map(|pod| &mut pod.containers).find(|held| held.container.id == id)
    }

    /// Kills what runs in a pod's sandbox and frees its addresses.
    pub(super) fn stop_sandbox(&mut self, uid: &str, now: Instant) {
        let Some(pod) = self.pods.get_mut(uid) else { return };
        for held in &mut pod.containers {
            held.stop(Duration::ZERO, now);
        }
        if let Some(sandbox) = pod.sandbox.as_mut().filter(|sandbox| sandbox.ready) {
            sandbox.ready = false;
            self.addresses.free(&std::mem::take(&mut sandbox.ips));
            self.version += 1;
        }
    }
}

fn earlier(wall: Wall, by: Duration) -> Wall {
    let micros = i64::from(wall.micros) - i64::from(by.subsec_micros());
    let whole = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
    let seconds = wall.seconds.saturating_sub(whole).saturating_sub(i64::from(micros < 0));
    let micros = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default();
    Wall::new(seconds, micros).unwrap_or(wall)
}
