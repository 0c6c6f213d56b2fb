//! Does for one pod what its plans say.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::action::execute;
use super::back_off::{BackOff, until};
use super::news::told;
use super::report::{Report, Sent};
use super::tree::{ending, images, version, with_status};
use crate::pod::admit::is_due;
use crate::pod::{Action, Event, Memory, Outcome, Plan, plan};
use crate::runtime::{Failure, Observed};

/// The task of one pod.
#[derive(Debug)]
struct Task {
    shared: Arc<Shared>,
    /// The newest version, as the runtime wants it.
    pod: Arc<Value>,
    /// Whether the API no longer has it; its end is then nobody's business but the node's.
    gone: bool,
    /// Whether the node was asked to take it on.
    asked: bool,
    memory: Memory,
    report: Report,
    jobs: JoinSet<Done>,
    back_off: BackOff,
}

/// Something that was started has ended.
#[derive(Debug)]
enum Done {
    Action(Action, Result<Outcome, Failure>),
    Sent(Box<Sent>),
}

/// Works on a pod until the API and the runtime have nothing of it any more. `None` in `pods` says that the API has not.
pub(super) async fn work(
    shared: Arc<Shared>,
    pod: Arc<Value>,
    mut pods: watch::Receiver<Option<Arc<Value>>>,
    mut bell: watch::Receiver<()>,
) {
    let pod = (shared.settings.shape)(&pod);
    let mut task = Task {
        shared,
        pod,
        gone: false,
        asked: false,
        memory: Memory::default(),
        report: Report::default(),
        jobs: JoinSet::new(),
        back_off: BackOff::default(),
    };
    loop {
        let newest = pods.borrow_and_update().clone();
        task.learn(newest);
        bell.mark_unchanged();
        let Step::Again(again) = task.step().await else { return };
        tokio::select! {
            changed = pods.changed() => if changed.is_err() { return },
            changed = bell.changed() => if changed.is_err() { return },
            Some(done) = task.jobs.join_next() => task.ended(done),
            () = until(again) => {}
        }
    }
}

enum Step {
    Again(Option<Instant>),
    End,
}

impl Task {
    /// Takes the newest version of the pod, unless an answer to a write already gave a newer one.
    fn learn(&mut self, pod: Option<Arc<Value>>) {
        match pod {
            Some(pod) if version(&pod) > version(&self.pod) => self.pod = (self.shared.settings.shape)(&pod),
            Some(_) => {}
            None if !self.gone => {
                self.gone = true;
                self.pod = Arc::new(ending(&self.pod, self.shared.settings.clock.now()));
            }
            None => {}
        }
    }

    async fn step(&mut self) -> Step {
        let images = images(&self.pod);
        let uid = object::uid(&self.pod);
        let observed = match self.shared.runtime.observe(uid, &images).await {
            Ok(observed) => observed,
            Err(failure) => {
                tracing::warn!(uid, message = failure.message, "cannot observe a pod");
                return Step::Again(Some(self.back_off.failed()));
            }
        };
        self.back_off.reset();
        self.ask();
        let plan = plan(&self.pod, &observed, &mut self.memory, &self.shared.host(), self.shared.now());
        let Plan { actions, again_after, status, events, .. } = plan;
        self.tell(events);
        if self.gone {
            if actions.contains(&Action::DeletePod) {
                return Step::End;
            }
            if self.pod.at(&["status"]) != Some(&status) {
                // What the API would have answered.
                self.pod = Arc::new(with_status(&self.pod, status));
                self.start(actions, &observed);
                return Step::Again(Some(Instant::now()));
            }
            self.start(actions, &observed);
            return Step::Again(again_after.map(|after| Instant::now() + after));
        }
        let unsaid = self.say(&status);
        // The pod is deleted only after its last status is written.
        let actions = actions.into_iter().filter(|action| !unsaid || *action != Action::DeletePod).collect();
        self.start(actions, &observed);
        let again = [again_after.map(|after| Instant::now() + after), self.report.again()];
        Step::Again(again.into_iter().flatten().min())
    }

    /// Asks whether the node takes a new pod on.
    fn ask(&mut self) {
        if std::mem::replace(&mut self.asked, true) || !is_due(&self.pod) {
            return;
        }
        let shared = &self.shared;
        if let Err(rejection) = shared.admission.ask(&shared.client.view(), shared.name(), &self.pod) {
            self.memory = Memory::rejected(rejection);
        }
    }

    /// Reports a status if it is news; says whether it is not yet written.
    fn say(&mut self, status: &Value) -> bool {
        if let Some(letter) = self.report.next(&self.pod, status) {
            let shared = Arc::clone(&self.shared);
            self.jobs.spawn(async move { Done::Sent(Box::new(letter.send(&*shared.client).await)) });
        }
        self.report.is_waiting()
    }

    fn start(&mut self, actions: Vec<Action>, observed: &Observed) {
        for action in actions {
            let events = self.memory.began(&action, self.shared.now());
            self.tell(events);
            let (shared, pod) = (Arc::clone(&self.shared), Arc::clone(&self.pod));
            let ips = observed.sandbox.as_ref().map(|sandbox| sandbox.ips.clone()).unwrap_or_default();
            self.jobs.spawn(Box::pin(async move {
                let result = execute(&shared, pod, &action, ips).await;
                Done::Action(action, result)
            }));
        }
    }

    fn ended(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Action(action, result)) => {
                if let Err(failure) = &result {
                    let (reason, message) = (&failure.reason, &failure.message);
                    tracing::debug!(uid = object::uid(&self.pod), ?action, reason, message, "an action failed");
                }
                let events = self.memory.ended(&action, result, self.shared.now());
                self.tell(events);
            }
            Ok(Done::Sent(sent)) => {
                if let Some(pod) = self.report.ended(*sent, &self.shared.client.view()) {
                    self.learn(Some(pod));
                }
            }
            Err(failure) => tracing::error!(%failure, uid = object::uid(&self.pod), "an action failed"),
        }
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            (self.shared.events)(told(&self.pod, event));
        }
    }
}
