//! What a controller is to the loop that runs it.

use std::fmt;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::Instant;
use coracle_client::event::Event;
use coracle_client::{Change, Resource, View, Write};

/// Decides what is to be done for one key. Everything in here is synchronous and depends on the arguments alone.
pub trait Controller: Send + Sync + fmt::Debug + 'static {
    /// Name: of its ServiceAccount in kube-system, whose rights it has, and of the component in its events.
    fn name(&self) -> &'static str;

    /// What it follows, and which keys a change concerns.
    fn watches(&self) -> Watches;

    /// What is to be done for a key now. Called again for the key until the plan is empty and asks for no later time.
    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan;

    /// What comes first among the keys that wait: the smallest number.
    fn precedence(&self, _view: &View, _key: &Key) -> i64 {
        0
    }

    /// How many keys may be worked on at once. One makes each plan see what all plans before it have done.
    fn at_once(&self) -> usize {
        4
    }
}

/// What a controller works on. Controllers choose what the parts mean; most use namespace and name of their object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// Resource in its displayed form where a controller works on several kinds; empty otherwise.
    pub resource: String,
    /// Namespace; may be empty.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Which keys a change concerns.
pub type Keys = fn(&View, &Change) -> Vec<Key>;

/// What a controller follows.
#[derive(Debug, Clone)]
pub enum Watches {
    /// These resources.
    Only(Vec<(&'static Resource, Keys)>),
    /// All of them.
    Everything(Keys),
}

/// The circumstances of a call.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// The time now.
    pub now: Instant,
    /// How the plan before failed for this key, if it did. The plan after a failure is made at once, so that the failure
    /// can be put into a status; the writes that failed are tried again after a back-off even if this plan is empty.
    pub failure: Option<&'a Status>,
}

/// What is to be done. Actions run in order; the first failure ends the plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The actions.
    pub actions: Vec<Action>,
    /// When to ask again even if nothing changes.
    pub again_after: Option<Duration>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// One write.
    Do(Box<Step>),
    /// Writes of one sort, done in growing groups (1, 2, 4, …) that stop after the first group with a failure.
    Several(Vec<Step>),
    /// An event.
    Tell(Event),
}

/// A write and what is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The write.
    pub write: Write,
    /// Reasons of failures that count as success, such as `NotFound` for a deletion.
    pub fine: &'static [&'static str],
    /// An event after success. `{name}` in its message stands for the name of the written object.
    pub on_success: Option<Event>,
    /// An event after a failure. `{error}` in its message stands for the failure's message.
    pub on_failure: Option<Event>,
}

impl Key {
    /// A key of an object in a namespace.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { resource: String::new(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self::new(object.text_at(&["metadata", "namespace"]), object.text_at(&["metadata", "name"]))
    }
}

/// The keys of controllers that work on the changed object itself.
#[must_use]
pub fn itself(_: &View, change: &Change) -> Vec<Key> {
    vec![Key::of(change.object())]
}

impl Plan {
    /// Nothing to do.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds a write.
    pub fn write(&mut self, write: Write) {
        self.actions.push(Action::Do(Box::new(Step::new(write))));
    }

    /// Adds a write with what is told of it.
    pub fn step(&mut self, step: Step) {
        self.actions.push(Action::Do(Box::new(step)));
    }

    /// Adds an event.
    pub fn tell(&mut self, event: Event) {
        self.actions.push(Action::Tell(event));
    }

    /// Asks again after a time, or earlier if that was asked for already.
    pub fn again_after(&mut self, time: Duration) {
        self.again_after = Some(self.again_after.map_or(time, |earlier| earlier.min(time)));
    }
}

impl Step {
    /// A write of which nothing is told.
    #[must_use]
    pub fn new(write: Write) -> Self {
        Self { write, fine: &[], on_success: None, on_failure: None }
    }

    /// The same write where failures with these reasons are no failures.
    #[must_use]
    pub fn fine(mut self, reasons: &'static [&'static str]) -> Self {
        self.fine = reasons;
        self
    }

    /// The same write with an event after success.
    #[must_use]
    pub fn on_success(mut self, event: Event) -> Self {
        self.on_success = Some(event);
        self
    }

    /// The same write with an event after a failure.
    #[must_use]
    pub fn on_failure(mut self, event: Event) -> Self {
        self.on_failure = Some(event);
        self
    }
}
