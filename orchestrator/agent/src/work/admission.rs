//! Which pods the node took on, so that each new one is judged beside those and no others.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use coracle_apimachinery::Value;
use coracle_client::resources::NODES;
use coracle_client::{View, object};

use crate::pod::admit::{Rejection, admit};

/// The unique ids of the pods that the node took on.
#[derive(Debug, Default)]
pub(super) struct Admission(Mutex<HashSet<String>>);

impl Admission {
    fn taken(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a pod on without asking: an earlier run did already.
    pub(super) fn take(&self, pod: &Value) {
        self.taken().insert(object::uid(pod).to_owned());
    }

    /// Takes a pod on if there is room beside the others and the node suits it. Without a node object there is nothing
    /// to judge it by.
    pub(super) fn ask(&self, view: &View, node: &str, pod: &Value) -> Result<(), Rejection> {
        let uid = object::uid(pod);
        let mut taken = self.taken();
        if let (false, Some(node_object)) = (taken.contains(uid), view.get(&NODES, "", node)) {
            let all = view.pods_on(node);
            let is_other =
                |other: &&Value| object::uid(other) != uid && !is_over(other) && taken.contains(object::uid(other));
            let others: Vec<&Value> = all.iter().map(|other| &**other).filter(is_other).collect();
            admit(pod, &node_object, &others)?;
        }
        taken.insert(uid.to_owned());
        Ok(())
    }

    /// The pod is gone.
    pub(super) fn free(&self, uid: &str) {
        self.taken().remove(uid);
    }
}

/// Whether the phase of a pod is final.
pub(super) fn is_over(pod: &Value) -> bool {
    matches!(pod.text_at(&["status", "phase"]), "Succeeded" | "Failed")
}
