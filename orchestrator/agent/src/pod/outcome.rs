//! What ended actions change in the memory, and what is recorded about them.

use std::time::Duration;

use super::backoff::Backoff;
use super::memory::{Memory, PullFailure, RETRY, Retry, Waiting, print};
use super::view::field_path;
use super::{Event, Hook, Now, Outcome, Probe};
use crate::runtime::{Failure, Handled, Image};

/// The first and the longest wait after a failed mount.
const MOUNT_RETRY: (u64, u64) = (500, 122_000);

impl Memory {
    pub(super) fn path(&self, container: &str) -> String {
        field_path(container, self.inits.contains(container))
    }

    pub(super) fn pull_ended(
        &mut self,
        container: &str,
        image: &str,
        result: Result<Outcome, Failure>,
        began: u64,
        now: Now,
    ) -> Vec<Event> {
        let path = self.path(container);
        match result {
            Ok(outcome) => {
                let pulled = match outcome {
                    Outcome::Image(pulled) => pulled,
                    _ => Image { name: image.to_owned(), id: image.to_owned(), bytes: 0 },
                };
                let took = print(Duration::from_millis(now.ms.saturating_sub(began)));
                let message = format!(
                    "Successfully pulled image {image:?} in {took} ({took} including waiting). Image size: {} bytes.",
                    pulled.bytes
                );
                self.pulls.remove(image);
                self.pulled.insert(container.to_owned(), pulled);
                vec![Event::normal("Pulled", message, path)]
            }
            Err(Failure { reason, message }) => {
                let reason = if reason.is_empty() { "ErrImagePull".to_owned() } else { reason };
                let events = vec![
                    Event::warning("Failed", format!("Failed to pull image {image:?}: {message}"), path.clone()),
                    Event::warning("Failed", format!("Error: {reason}"), path),
                ];
                let ms = now.steady_ms();
                let backoff = Backoff::next(self.pulls.get(image).map(|failure| failure.backoff), ms, ms);
                self.pulls.insert(image.to_owned(), PullFailure { backoff, at: now.ms, reason, message });
                events
            }
        }
    }

    pub(super) fn start_ended(
        &mut self,
        container: &str,
        attempt: u32,
        result: Result<Outcome, Failure>,
        now: Now,
    ) -> Vec<Event> {
        let path = self.path(container);
        self.pulled.remove(container);
        let Err(Failure { reason, message }) = result else {
            self.reasons.remove(container);
            return vec![
                Event::normal("Created", "Container created", path.clone()),
                Event::normal("Started", "Container started", path),
            ];
        };
        let reason = if reason.is_empty() { "RunContainerError".to_owned() } else { reason };
        let mut events = Vec::new();
        if reason == "RunContainerError" {
            events.push(Event::normal("Created", "Container created", path.clone()));
        }
        events.push(Event::warning("Failed", format!("Error: {message}"), path));
        self.post_starts.remove(container);
        self.reasons.insert(
            container.to_owned(),
            Waiting { reason, message, attempt, until: now.ms + RETRY, start_failed: true },
        );
        events
    }

    pub(super) fn hook_ended(
        &mut self,
        container: &str,
        id: &str,
        hook: Hook,
        result: Result<Outcome, Failure>,
    ) -> Vec<Event> {
        let failed = match result {
            Ok(Outcome::Handled(Handled { success: false, output })) => Some(output),
            Ok(_) => None,
            Err(failure) => Some(failure.message),
        };
        let path = self.path(container);
        match hook {
            Hook::PreStop => {
                if let Some(stop) = self.stops.get_mut(id) {
                    stop.hook_ended();
                }
                // The output may hold secrets and stays out of the event.
                failed.map(|_| Event::warning("FailedPreStopHook", "PreStopHook failed", path)).into_iter().collect()
            }
            Hook::PostStart => {
                if failed.is_none() {
                    self.post_starts.remove(container);
                    return Vec::new();
                }
                if let Some(post_start) = self.post_starts.get_mut(container) {
                    post_start.failed = failed;
                }
                vec![Event::warning("FailedPostStartHook", "PostStartHook failed", path)]
            }
        }
    }

    pub(super) fn probe_ended(
        &mut self,
        container: &str,
        id: &str,
        probe: Probe,
        result: Result<Outcome, Failure>,
    ) -> Vec<Event> {
        let path = self.path(container);
        match result {
            Ok(Outcome::Handled(Handled { success, output })) => {
                if let Some(prober) = self.probers.get_mut(&(id.to_owned(), probe)) {
                    prober.answered(success);
                }
                if success {
                    return Vec::new();
                }
                vec![Event::warning("Unhealthy", format!("{probe:?} probe failed: {output}"), path)]
            }
            Ok(_) => Vec::new(),
            Err(Failure { message, .. }) => {
                let message = format!("{probe:?} probe errored and resulted in unknown state: {message}");
                vec![Event::warning("Unhealthy", message, path)]
            }
        }
    }

    pub(super) fn stop_ended(&mut self, id: &str, result: Result<Outcome, Failure>, now: Now) -> Vec<Event> {
        if let Some(stop) = self.stops.get_mut(id) {
            stop.ended(now.ms);
        }
        let failed = |failure: Failure| {
            Event::warning("FailedKillPod", format!("error killing pod: {}", failure.message), String::new())
        };
        result.err().map(failed).into_iter().collect()
    }

    pub(super) fn sandbox_ended(&mut self, result: Result<Outcome, Failure>, now: Now) -> Vec<Event> {
        let Err(failure) = result else {
            self.sandbox = Retry::default();
            return Vec::new();
        };
        self.sandbox.at = now.ms + RETRY;
        let message = format!("Failed to create pod sandbox: {}", failure.message);
        vec![Event::warning("FailedCreatePodSandBox", message, String::new())]
    }

    pub(super) fn volumes_ended(&mut self, result: Result<Outcome, Failure>, now: Now) -> Vec<Event> {
        let Err(failure) = result else {
            self.volumes = Retry::default();
            return Vec::new();
        };
        let (first, longest) = MOUNT_RETRY;
        let wait = first.saturating_mul(1 << self.volumes.failures.min(10)).min(longest);
        self.volumes = Retry { at: now.ms + wait, failures: self.volumes.failures + 1 };
        vec![Event::warning("FailedMount", failure.message, String::new())]
    }
}
