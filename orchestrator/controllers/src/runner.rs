//! The one loop that runs every controller: follow, queue, plan, execute.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use coracle_apimachinery::time::Instant as Time;
use coracle_client::{Batch, Client, Interest, Resource};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use crate::execute::Tell;

use crate::controller::{Controller, Key, Keys, Round, Watches};
use crate::execute::execute;
use crate::queue::{Outcome, Queue};

/// What one loop works with.
#[derive(Clone)]
pub struct Runner {
    /// The API, with the rights of the controller.
    pub client: Arc<dyn Client>,
    /// What decides.
    pub controller: Arc<dyn Controller>,
    /// Where events go.
    pub tell: Tell,
}

/// A key that was worked on.
struct Worked {
    key: Key,
    told: bool,
    outcome: Outcome,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("controller", &self.controller).finish_non_exhaustive()
    }
}

impl Runner {
    /// Runs until the API closes, or until a plan has panicked: then with the reason.
    ///
    /// # Errors
    /// A plan has panicked. What the controller knew of its keys is lost, so the process should start over.
    pub async fn run(self) -> Result<(), String> {
        let watches = self.controller.watches();
        let mut resources: Vec<&'static Resource> = match &watches {
            Watches::Only(list) => list.iter().map(|(resource, _)| *resource).collect(),
            Watches::Everything(_) => Vec::new(),
        };
        resources.sort();
        resources.dedup();
        let mut changes = self.client.subscribe(match watches {
            Watches::Only(_) => Interest::Only(&resources),
            Watches::Everything(_) => Interest::Everything,
        });
        let mut queue = Queue::default();
        let mut work = JoinSet::new();
        loop {
            while work.len() < self.controller.at_once()
                && let Some((key, failure)) = queue.take(Instant::now())
            {
                work.spawn(self.clone().work(key, failure));
            }
            let deadline = queue.deadline();
            let room = work.len() < self.controller.at_once();
            tokio::select! {
                batch = changes.next() => match batch {
                    Some(batch) => self.add(&mut queue, &watches, &batch),
                    None => return Ok(()),
                },
                Some(worked) = work.join_next(), if !work.is_empty() => match worked {
                    Ok(Worked { key, told, outcome }) => {
                        let precedence = self.controller.precedence(&self.client.view(), &key);
                        queue.done(key, precedence, told, outcome, Instant::now());
                    }
                    Err(error) => return Err(format!("{} ended: {error}", self.controller.name())),
                },
                () = until(deadline), if room && deadline.is_some() => {}
            }
        }
    }

    fn add(&self, queue: &mut Queue, watches: &Watches, batch: &Batch) {
        for change in &batch.changes {
            for keys in keys_of(watches, &change.resource) {
                for key in keys(&batch.view, change) {
                    let precedence = self.controller.precedence(&batch.view, &key);
                    queue.add(key, precedence);
                }
            }
        }
    }

    async fn work(self, key: Key, failure: Option<coracle_apimachinery::status::Status>) -> Worked {
        let told = failure.is_some();
        let plan = {
            let view = self.client.view();
            self.controller.plan(&view, &key, &Round { now: now(), failure: failure.as_ref() })
        };
        let outcome = match execute(&self.client, &self.tell, plan.actions).await {
            Ok(()) => Outcome::Done(plan.again_after),
            Err(status) if status.reason == "Conflict" => Outcome::Overtaken,
            Err(status) => {
                let Key { resource, namespace, name } = &key;
                let controller = self.controller.name();
                tracing::debug!(controller, resource, namespace, name, error = status.message, "a plan failed");
                Outcome::Failed(status)
            }
        };
        Worked { key, told, outcome }
    }
}

/// The functions that say which keys a change of a resource concerns.
fn keys_of<'a>(watches: &'a Watches, resource: &'a Resource) -> impl Iterator<Item = Keys> + 'a {
    let (only, everything) = match watches {
        Watches::Only(list) => (list.as_slice(), None),
        Watches::Everything(keys) => (&[][..], Some(*keys)),
    };
    only.iter().filter(|(followed, _)| followed.is(resource)).map(|(_, keys)| *keys).chain(everything)
}

/// Waits for a time; forever without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Time { seconds, micros: since.subsec_micros() }
}
