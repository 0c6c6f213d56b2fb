//! The phase of a pod from the statuses of its containers.

use super::entry::{Entry, State};
use crate::pod::view::{Pod, Spec};

#[derive(Default)]
struct Counts {
    pending_inits: usize,
    pending_sidecars: usize,
    failed_for_good: usize,
    unknown: usize,
    running: usize,
    waiting: usize,
    stopped: usize,
    stopped_for_good: usize,
    succeeded: usize,
}

/// The phase. `stopped` says that nothing will be started any more whatever the policies say.
pub(crate) fn of(pod: Pod<'_>, inits: &[Entry], mains: &[Entry], stopped: bool, initialized: bool) -> &'static str {
    let mut counts = Counts::default();
    for spec in pod.init_containers() {
        let entry = inits.iter().find(|entry| entry.name == spec.name());
        if spec.is_sidecar() { counts.sidecar(entry) } else { counts.init(spec, entry) }
    }
    for spec in pod.containers() {
        counts.main(spec, mains.iter().find(|entry| entry.name == spec.name()));
    }
    counts.phase(stopped, initialized)
}

impl Counts {
    fn init(&mut self, spec: Spec<'_>, entry: Option<&Entry>) {
        match entry.and_then(ended) {
            None => self.pending_inits += 1,
            Some((0, _, _)) => {}
            Some((code, reason, _)) => self.failed_for_good += usize::from(!restarts(spec, code, reason)),
        }
    }

    fn sidecar(&mut self, entry: Option<&Entry>) {
        let Some(entry) = entry else {
            self.unknown += 1;
            return;
        };
        match &entry.state {
            State::Running(_) => {
                self.running += 1;
                self.pending_sidecars += usize::from(entry.started != Some(true));
            }
            State::Waiting { .. } if entry.last.is_none() => {
                self.pending_sidecars += 1;
                self.waiting += 1;
            }
            State::Waiting { .. } | State::Terminated(_) => {}
        }
    }

    fn main(&mut self, spec: Spec<'_>, entry: Option<&Entry>) {
        let Some(entry) = entry else {
            self.unknown += 1;
            return;
        };
        if entry.is_running() {
            self.running += 1;
            return;
        }
        let Some((code, reason, present)) = ended(entry) else {
            self.waiting += 1;
            return;
        };
        self.stopped += 1;
        self.stopped_for_good += usize::from(!restarts(spec, code, reason));
        self.succeeded += usize::from(present && code == 0);
    }

    fn phase(&self, stopped: bool, initialized: bool) -> &'static str {
        if self.failed_for_good > 0 {
            return "Failed";
        }
        let pending = self.pending_inits > 0 || (self.pending_sidecars > 0 && !initialized) || self.waiting > 0;
        if pending || self.unknown > 0 {
            return "Pending";
        }
        if self.running > 0 {
            return "Running";
        }
        if self.stopped == 0 {
            return "Pending";
        }
        if !stopped && self.stopped != self.stopped_for_good {
            return "Running";
        }
        if self.stopped == self.succeeded { "Succeeded" } else { "Failed" }
    }
}

/// Exit code and reason of the present or, while it waits, the last instance, and whether it is the present one.
fn ended(entry: &Entry) -> Option<(i64, &str, bool)> {
    match (&entry.state, &entry.last) {
        (State::Terminated(end), _) => Some((end.exit_code, &end.reason, true)),
        (State::Waiting { .. }, Some(end)) => Some((end.exit_code, &end.reason, false)),
        _ => None,
    }
}

fn restarts(spec: Spec<'_>, code: i64, reason: &str) -> bool {
    spec.restarts_after(i32::try_from(code).unwrap_or(-1)) || reason == "RestartingAllContainers"
}
