//! Writes the status of a pod, only if it says something new.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_client::resources::PODS;
use coracle_client::{Client, Operation, PatchKind, View, Write, object};
use tokio::time::Instant;

use super::back_off::BackOff;
use super::patch::status_patch;
use super::tree::version;
use crate::pod::status::differs;

/// What was written and what is being written.
#[derive(Debug, Default)]
pub(super) struct Report {
    under_way: bool,
    /// After a failure: when to try again.
    again: Option<Instant>,
    back_off: BackOff,
    /// The last status that was written and what the API made of it. Should the API ever keep a status in other words,
    /// it is still written only once.
    settled: Option<(Value, Value)>,
}

/// A status on its way.
#[derive(Debug)]
pub(super) struct Letter {
    write: Write,
    status: Value,
}

/// A status that arrived or did not.
#[derive(Debug)]
pub(super) struct Sent {
    status: Value,
    place: (String, String, String),
    /// The version that it was made from.
    version: u64,
    answer: Result<Arc<Value>, Status>,
}

impl Report {
    /// The write that is due, if the pod does not say so already.
    pub(super) fn next(&mut self, pod: &Value, status: &Value) -> Option<Letter> {
        if self.under_way {
            return None;
        }
        if self.is_settled(pod, status) {
            self.again = None;
            return None;
        }
        if self.again.is_some_and(|again| again > Instant::now()) {
            return None;
        }
        let patch = status_patch(pod, status.as_object()?)?;
        let operation = Operation::Patch(PatchKind::Merge, patch);
        let write = Write::of(Cow::Borrowed(&PODS), pod, "status", operation);
        self.under_way = true;
        self.again = None;
        Some(Letter { write, status: status.clone() })
    }

    fn is_settled(&self, pod: &Value, status: &Value) -> bool {
        const NOTHING: Value = Value::Null;
        let says = pod.at(&["status"]);
        let settled = self.settled.as_ref();
        !differs(says.unwrap_or(&NOTHING), status)
            || settled.is_some_and(|(written, kept)| written == status && says == Some(kept))
    }

    /// Whether something is still to be said.
    pub(super) fn is_waiting(&self) -> bool {
        self.under_way || self.again.is_some()
    }

    /// When to try again.
    pub(super) fn again(&self) -> Option<Instant> {
        self.again.filter(|_| !self.under_way)
    }

    /// Notes how a write ended; answers the pod if that is known better now.
    pub(super) fn ended(&mut self, sent: Sent, view: &View) -> Option<Arc<Value>> {
        self.under_way = false;
        match sent.answer {
            Ok(pod) => {
                self.back_off.reset();
                self.settled = pod.at(&["status"]).map(|kept| (sent.status, kept.clone()));
                Some(pod)
            }
            Err(failure) => {
                let (namespace, name, uid) = sent.place;
                if !matches!(&*failure.reason, "Conflict" | "NotFound") {
                    tracing::warn!(namespace, name, %failure, "cannot write the status of a pod");
                }
                let there = view.get(&PODS, &namespace, &name).filter(|pod| object::uid(pod) == uid);
                // After a conflict the newer pod is there most of the time, and the next try is for that one. After a
                // deletion the task is told so soon.
                let is_newer = there.as_ref().is_some_and(|pod| version(pod) > sent.version);
                self.again = if is_newer { None } else { Some(self.back_off.failed()) };
                there
            }
        }
    }
}

impl Letter {
    /// Sends it.
    pub(super) async fn send(self, client: &dyn Client) -> Sent {
        let Self { write, status } = self;
        let (uid, version) = match &write.operation {
            Operation::Patch(_, patch) => (object::uid(patch).to_owned(), version(patch)),
            _ => (String::new(), 0),
        };
        let place = (write.namespace.clone(), write.name.clone(), uid);
        Sent { status, place, version, answer: client.write(write).await }
    }
}
