//! Tells events: decides with a [`Correlator`] what becomes of them and writes it, without ever holding up who tells.

mod correlator;
mod counted;
mod document;
mod lru;
mod series;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::event::Event;
use crate::resources::EVENTS;
use crate::{Client, PatchKind, Write};
use correlator::LIMIT;
pub use correlator::{Correlator, Decision, Now, Style};

/// Events that wait to be written; more are lost.
const QUEUED: usize = 1000;
/// How often one event is tried while the API cannot be reached.
const TRIES: u32 = 12;
/// Time between tries. Components are not many here, so nothing spreads their first tries.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// Takes events of one component. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<(Event, Now)>,
    clock: Arc<Clock>,
}

/// Writes the events of a [`Recorder`].
#[derive(Debug)]
pub struct Recording {
    client: Arc<dyn Client>,
    queue: mpsc::Receiver<(Event, Now)>,
    clock: Arc<Clock>,
    correlator: Correlator,
}

/// A clock that never shows the same twice.
#[derive(Debug)]
struct Clock {
    start: Instant,
    last: AtomicU64,
    wall: fn() -> u64,
}

impl Recorder {
    /// A recorder, and its task: [`Recording::run`] must run for events to be written.
    #[must_use]
    pub fn new(client: Arc<dyn Client>, style: Style) -> (Self, Recording) {
        Self::with_clock(client, style, || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }

    /// As [`Recorder::new`] with a clock that shows the nanoseconds since the Unix epoch.
    #[must_use]
    pub fn with_clock(client: Arc<dyn Client>, style: Style, wall: fn() -> u64) -> (Self, Recording) {
        let clock = Arc::new(Clock { start: Instant::now(), last: AtomicU64::new(0), wall });
        let (sender, queue) = mpsc::channel(QUEUED);
        let recording = Recording { client, queue, clock: Arc::clone(&clock), correlator: Correlator::new(style) };
        (Self { queue: sender, clock }, recording)
    }

    /// Tells an event. It is lost if too many wait.
    pub fn record(&self, event: Event) {
        if let Err(error) = self.queue.try_send((event, self.clock.now())) {
            let (mpsc::error::TrySendError::Full((event, _)) | mpsc::error::TrySendError::Closed((event, _))) = error;
            tracing::warn!(reason = event.reason, message = event.message, "an event is lost: too many wait");
        }
    }
}

impl Clock {
    fn now(&self) -> Now {
        let wall = (self.wall)();
        let next = |last: u64| wall.max(last.saturating_add(1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        Now { unix_nanos: next(last.unwrap_or_else(|last| last)), since_start: self.start.elapsed() }
    }
}

impl Recording {
    /// Writes events until the last recorder is gone and nothing waits.
    pub async fn run(mut self) {
        loop {
            let received = match self.correlator.next_due() {
                None => Ok(self.queue.recv().await),
                Some(due) => timeout_at(self.clock.start + due, self.queue.recv()).await,
            };
            let decisions = match received {
                Ok(Some((event, now))) => vec![self.correlator.decide(&event, now)],
                Ok(None) => return,
                Err(_) => self.correlator.due(self.clock.start.elapsed()),
            };
            for decision in decisions {
                self.write(decision).await;
            }
        }
    }

    async fn write(&self, decision: Decision) {
        for attempt in 1..=TRIES {
            let Err(status) = self.try_write(&decision).await else { return };
            if is_expected(&status) {
                tracing::debug!(%status, "an event was not taken");
                return;
            }
            if !is_passing(&status) || attempt == TRIES {
                tracing::warn!(%status, "an event is lost: the API refused it");
                return;
            }
            sleep_until(Instant::now() + BETWEEN_TRIES).await;
        }
    }

    async fn try_write(&self, decision: &Decision) -> Result<Arc<Value>, Status> {
        let event = match decision {
            Decision::Drop => return Ok(Arc::new(Value::Null)),
            Decision::Create(event) => event,
            Decision::Patch { event, patch } => {
                let write = Write::patch(&EVENTS, event, PatchKind::Strategic, patch.clone());
                match self.client.write(write).await {
                    // Events expire while their cause goes on.
                    Err(status) if status.code == 404 => event,
                    done => return done,
                }
            }
        };
        self.client.write(Write::create(&EVENTS, event.clone())).await
    }
}

/// Whether a failure says nothing about the event itself.
fn is_passing(status: &Status) -> bool {
    matches!(status.code, 429 | 503 | 504)
}

/// Whether a failure is in order: the event is there already, or goes with its namespace.
fn is_expected(status: &Status) -> bool {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    status.reason == "AlreadyExists" || causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}
