//! Which pods are worked on.

use std::collections::HashMap;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::{View, object};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;
use super::back_off::{BackOff, until};
use super::pod;

/// The tasks, by the unique id of their pod. A task that is told nothing instead of a pod ends it.
#[derive(Debug)]
struct Tasks {
    shared: Arc<Shared>,
    bell: watch::Receiver<()>,
    pods: HashMap<String, watch::Sender<Option<Arc<Value>>>>,
    running: JoinSet<String>,
}

/// Keeps a task for each pod of the node, until the API closes.
pub(super) async fn keep(shared: Arc<Shared>, mut views: watch::Receiver<Option<View>>, bell: watch::Receiver<()>) {
    // Asked before the first pod is started here: what is there is of an earlier run.
    let left = left_by_others(&shared).await;
    let Ok(mut view) = views.wait_for(Option::is_some).await.map(|view| view.clone()) else { return };
    let wanted = view.as_ref().map(|view| view.pods_on(shared.name())).unwrap_or_default();
    let is_wanted = |uid: &String| wanted.iter().any(|pod| object::uid(pod) == uid);
    let mut removing = JoinSet::new();
    removing.spawn(remove(Arc::clone(&shared), left.into_iter().filter(|uid| !is_wanted(uid)).collect()));
    drop(wanted);
    let mut tasks = Tasks { shared, bell, pods: HashMap::new(), running: JoinSet::new() };
    loop {
        if let Some(view) = &view {
            tasks.compare(view);
        }
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return },
            Some(ended) = tasks.running.join_next() => match ended {
                Ok(uid) => {
                    tasks.pods.remove(&uid);
                    tasks.shared.admission.free(&uid);
                }
                // Its pod gets a new task with the next change of the API.
                Err(failure) => {
                    tracing::error!(%failure, "the task of a pod failed");
                    tasks.pods.retain(|_, pod| !pod.is_closed());
                }
            },
        }
        view = views.borrow_and_update().clone();
    }
}

impl Tasks {
    /// Tells each task its pod as it is now, and starts those that are missing.
    fn compare(&mut self, view: &View) {
        let there = view.pods_on(self.shared.name());
        for (uid, pod) in &self.pods {
            if !there.iter().any(|there| object::uid(there) == uid) {
                pod.send_if_modified(|pod| pod.take().is_some());
            }
        }
        for pod in there.iter().filter(|pod| !pod.text_at(&["status", "startTime"]).is_empty()) {
            self.shared.admission.take(pod);
        }
        for pod in there {
            match self.pods.get(object::uid(&pod)) {
                Some(known) => {
                    known.send_if_modified(|known| {
                        let is_new = known.as_ref().is_some_and(|known| !Arc::ptr_eq(known, &pod) && **known != *pod);
                        if is_new {
                            *known = Some(pod);
                        }
                        is_new
                    });
                }
                None => self.start(pod),
            }
        }
    }

    fn start(&mut self, pod: Arc<Value>) {
        let uid = object::uid(&pod).to_owned();
        let (sender, receiver) = watch::channel(Some(Arc::clone(&pod)));
        self.pods.insert(uid.clone(), sender);
        let work = Box::pin(pod::work(Arc::clone(&self.shared), pod, receiver, self.bell.clone()));
        self.running.spawn(async move {
            work.await;
            uid
        });
    }
}

/// Removes what an earlier run left of pods that are gone from the API.
async fn remove(shared: Arc<Shared>, mut gone: Vec<String>) {
    let mut back_off = BackOff::default();
    loop {
        let mut left = Vec::new();
        for uid in gone {
            if let Err(failure) = shared.runtime.remove_pod(&uid).await {
                tracing::warn!(uid, message = failure.message, "cannot remove a pod that is gone");
                left.push(uid);
            }
        }
        if left.is_empty() {
            return;
        }
        gone = left;
        until(Some(back_off.failed())).await;
    }
}

/// The unique ids of the pods that the runtime has.
async fn left_by_others(shared: &Shared) -> Vec<String> {
    let mut back_off = BackOff::default();
    loop {
        match shared.runtime.pods().await {
            Ok(there) => return there,
            Err(failure) => {
                tracing::warn!(message = failure.message, "cannot list the pods of the runtime");
            }
        }
        until(Some(back_off.failed())).await;
    }
}
