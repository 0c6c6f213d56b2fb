//! A Deployment and its ReplicaSets while a plan is made: all changes are made here first, and each changed object is
//! written once.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Object, Value};
use coracle_client::event::Event;
use coracle_client::object::{int, is_ending, name, time};
use coracle_client::resources::{DEPLOYMENTS, REPLICA_SETS};
use coracle_client::{View, Write};

use super::bounds::{desired, most};
use super::{hash, revision};
use crate::controller::{Plan, Round, Step};
use crate::trees::{count, generation, within};

/// A Deployment on its way.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    pub(super) view: &'a View,
    pub(super) now: Instant,
    /// How the plan before failed.
    pub(super) failure: Option<&'a Status>,
    /// As it was read.
    pub(super) origin: Arc<Value>,
    /// With what has changed since.
    pub(super) deployment: Value,
    /// The oldest first.
    pub(super) sets: Vec<Set>,
    /// The one of the Deployment's template.
    pub(super) newest: Option<usize>,
    /// When to look again.
    pub(super) again_after: Option<Duration>,
    /// What is told once the whole Deployment is written, which it is then instead of its status.
    pub(super) respecified: Option<Event>,
    touched: Vec<usize>,
    forgotten: Vec<usize>,
}

/// A ReplicaSet of a Deployment.
#[derive(Debug)]
pub(super) struct Set {
    /// As it was read; nothing for one that is to be made.
    origin: Option<Arc<Value>>,
    /// With what has changed since.
    pub(super) tree: Value,
    /// What is to be told once it is written.
    told: Vec<Event>,
}

impl Set {
    /// How many pods it is to have.
    pub(super) fn size(&self) -> i64 {
        int(&self.tree, &["spec", "replicas"], 1)
    }

    /// A counter of its status.
    pub(super) fn counted(&self, counter: &str) -> i64 {
        int(&self.tree, &["status", counter], 0)
    }

    /// Its annotations, for changing them.
    pub(super) fn annotations(&mut self) -> Option<&mut Object> {
        within(&mut self.tree, &["metadata", "annotations"])
    }
}

/// Older objects first; of the same age, by name.
pub(super) fn by_age(left: &Value, right: &Value) -> Ordering {
    let created = |object| time(object, &["metadata", "creationTimestamp"]).map(|at| (at.seconds, at.micros));
    created(left).cmp(&created(right)).then_with(|| name(left).cmp(name(right)))
}

impl<'a> Rollout<'a> {
    /// A Deployment with the ReplicaSets that it owns.
    pub(super) fn new(view: &'a View, origin: &Arc<Value>, mut sets: Vec<Arc<Value>>, round: &Round<'a>) -> Self {
        sets.sort_by(|left, right| by_age(left, right));
        let template = |object: &Value| object.at(&["spec", "template"]).cloned().unwrap_or(Value::Null);
        let wanted = template(origin);
        let newest = sets.iter().position(|set| hash::same_template(&template(set), &wanted));
        let set = |origin: Arc<Value>| Set { tree: Value::clone(&origin), origin: Some(origin), told: Vec::new() };
        Self {
            view,
            now: round.now,
            failure: round.failure,
            origin: Arc::clone(origin),
            deployment: Value::clone(origin),
            sets: sets.into_iter().map(set).collect(),
            newest,
            again_after: None,
            respecified: None,
            touched: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    /// The newest set.
    pub(super) fn newest(&self) -> Option<&Set> {
        self.newest.and_then(|at| self.sets.get(at))
    }

    /// Places of the old sets, the oldest first.
    pub(super) fn old(&self) -> impl Iterator<Item = usize> + use<> {
        let newest = self.newest;
        (0..self.sets.len()).filter(move |at| Some(*at) != newest)
    }

    /// Places of the old sets that are to have pods, the oldest first.
    pub(super) fn active_old(&self) -> Vec<usize> {
        self.old().filter(|at| self.size(*at) > 0).collect()
    }

    /// The size of a set.
    pub(super) fn size(&self, at: usize) -> i64 {
        self.sets.get(at).map_or(0, Set::size)
    }

    /// A counter of a set's status.
    pub(super) fn counted(&self, at: usize, counter: &str) -> i64 {
        self.sets.get(at).map_or(0, |set| set.counted(counter))
    }

    /// How many pods all sets are to have.
    pub(super) fn total(&self) -> i64 {
        self.sets.iter().map(Set::size).sum()
    }

    /// A counter of all sets.
    pub(super) fn total_of(&self, counter: &str) -> i64 {
        self.sets.iter().map(|set| set.counted(counter)).sum()
    }

    /// Remembers to write a set.
    pub(super) fn touch(&mut self, at: usize) {
        if !self.touched.contains(&at) {
            self.touched.push(at);
        }
    }

    /// Adds a set that is to be made, which is the newest from now on.
    pub(super) fn add(&mut self, tree: Value) {
        let at = self.sets.len();
        let set = Set { origin: None, tree, told: Vec::new() };
        let size = set.size();
        let words = format!("Scaled up replica set {} from 0 to {size}", name(&set.tree));
        self.sets.push(set);
        self.newest = Some(at);
        self.touch(at);
        if size > 0 {
            self.tell(at, words);
        }
    }

    /// Scales a set; says whether that changes its size. Its notes of the Deployment's size are made new along with it,
    /// and also without a change of its size if `noting`.
    pub(super) fn scale(&mut self, at: usize, size: i64, noting: bool) -> bool {
        let deployment = &self.deployment;
        let Some(set) = self.sets.get_mut(at) else { return false };
        let old = set.size();
        if old == size && !noting {
            return false;
        }
        if let Some(annotations) = set.annotations() {
            revision::note_size(deployment, annotations);
        }
        if old != size
            && let Some(spec) = within(&mut set.tree, &["spec"])
        {
            spec.insert("replicas".into(), Value::Int(size));
        }
        let direction = if old < size { "up" } else { "down" };
        let words = format!("Scaled {direction} replica set {} from {old} to {size}", name(&set.tree));
        self.touch(at);
        if old != size {
            self.tell(at, words);
        }
        old != size
    }

    fn tell(&mut self, at: usize, words: String) {
        let event = Event::normal(&self.origin, "ScalingReplicaSet", words);
        if let Some(set) = self.sets.get_mut(at) {
            set.told.push(event);
        }
    }

    /// Deletes the oldest of the old sets that are beyond the limit of the history and have no pods.
    pub(super) fn forget_old(&mut self) {
        let limit = int(&self.deployment, &["spec", "revisionHistoryLimit"], i64::from(i32::MAX));
        if limit == i64::from(i32::MAX) {
            return;
        }
        let trees = &self.sets;
        let tree = |at: &usize| trees.get(*at).map(|set| &set.tree);
        let mut old: Vec<usize> = self.old().filter(|at| tree(at).is_some_and(|tree| !is_ending(tree))).collect();
        let surplus = usize::try_from(count(old.len()) - limit).unwrap_or(0);
        let revision = |at: &usize| tree(at).and_then(|tree| revision::of(tree).ok());
        // The sets are sorted by age, which stays where revisions are equal. Those that cannot be read come first.
        old.sort_by_key(revision);
        let is_empty = |at: &usize| {
            trees.get(*at).is_some_and(|set| {
                let seen = set.counted("observedGeneration");
                set.size() == 0 && set.counted("replicas") == 0 && generation(&set.tree) <= seen
            })
        };
        self.forgotten = old.into_iter().take(surplus).filter(is_empty).collect();
    }

    /// Sets an annotation of the Deployment.
    pub(super) fn annotate(&mut self, key: &'static str, value: &str) {
        if let Some(annotations) = within(&mut self.deployment, &["metadata", "annotations"]) {
            annotations.insert(key.into(), Value::text(value));
        }
    }

    /// The Deployment's status, for changing it.
    pub(super) fn status(&mut self) -> Option<&mut Object> {
        within(&mut self.deployment, &["status"])
    }

    /// What is to be written.
    pub(super) fn finish(self) -> Plan {
        let mut plan = Plan { actions: Vec::new(), again_after: self.again_after };
        for set in self.touched.iter().filter_map(|at| self.sets.get(*at)) {
            match &set.origin {
                None => {
                    let words = super::newest::failed(&set.tree, "{error}");
                    let event = Event::warning(&self.origin, super::newest::CREATE_ERROR, words);
                    plan.step(Step::new(Write::create(&REPLICA_SETS, set.tree.clone())).on_failure(event));
                }
                Some(origin) if **origin != set.tree => plan.write(Write::update(&REPLICA_SETS, set.tree.clone())),
                Some(_) => {}
            }
            for event in &set.told {
                plan.tell(event.clone());
            }
        }
        for set in self.forgotten.iter().filter_map(|at| self.sets.get(*at)) {
            plan.step(Step::new(Write::delete(&REPLICA_SETS, &set.tree)).fine(&["NotFound"]));
        }
        match self.respecified {
            Some(told) => {
                plan.write(Write::update(&DEPLOYMENTS, self.deployment));
                plan.tell(told);
            }
            None if *self.origin != self.deployment => plan.write(Write::status(&DEPLOYMENTS, self.deployment)),
            None => {}
        }
        plan
    }

    /// The bounds of the Deployment: how many pods it asks for and how many it may have.
    pub(super) fn bounds(&self) -> (i64, i64) {
        (desired(&self.deployment), most(&self.deployment))
    }
}
