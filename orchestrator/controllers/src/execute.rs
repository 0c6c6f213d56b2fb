//! Does what a plan says.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_client::event::Event;
use coracle_client::{Client, object};
use tokio::task::JoinSet;

use crate::controller::{Action, Step};

/// Takes events.
pub type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// Does the actions in order; ends with the first failure.
pub(crate) async fn execute(client: &Arc<dyn Client>, tell: &Tell, actions: Vec<Action>) -> Result<(), Status> {
    for action in actions {
        match action {
            Action::Do(step) => one(Arc::clone(client), Arc::clone(tell), *step).await?,
            Action::Several(steps) => several(client, tell, steps).await?,
            Action::Tell(event) => tell(event),
        }
    }
    Ok(())
}

/// Growing groups: when nothing can be made, this is found out with one attempt and not with a thousand.
async fn several(client: &Arc<dyn Client>, tell: &Tell, steps: Vec<Step>) -> Result<(), Status> {
    let mut steps = steps.into_iter();
    let mut size = 1;
    loop {
        let mut group = JoinSet::new();
        for step in steps.by_ref().take(size) {
            group.spawn(one(Arc::clone(client), Arc::clone(tell), step));
        }
        if group.is_empty() {
            return Ok(());
        }
        let mut failure = None;
        while let Some(joined) = group.join_next().await {
            let result = joined.unwrap_or_else(|error| Err(Status::internal(format!("a write ended early: {error}"))));
            if let Err(status) = result {
                failure.get_or_insert(status);
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        size = size.saturating_mul(2);
    }
}

async fn one(client: Arc<dyn Client>, tell: Tell, step: Step) -> Result<(), Status> {
    let Step { write, fine, on_success, on_failure } = step;
    match client.write(write).await {
        Ok(written) => {
            if let Some(event) = on_success {
                tell(named(event, &written));
            }
            Ok(())
        }
        Err(status) if fine.contains(&&*status.reason) => Ok(()),
        Err(status) => {
            // Nothing can be made in a namespace that ends: that is no news about the object.
            if let Some(event) = on_failure.filter(|_| !is_of_ending_namespace(&status)) {
                tell(Event { message: event.message.replace("{error}", &status.message), ..event });
            }
            Err(status)
        }
    }
}

fn named(event: Event, written: &Value) -> Event {
    Event { message: event.message.replace("{name}", object::name(written)), ..event }
}

/// Whether a creation was refused because its namespace is being deleted.
pub(crate) fn is_of_ending_namespace(status: &Status) -> bool {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}
