//! A small API for tests: objects, the API's rules of deletion, and controllers that run until nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::patch::merge_patch;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value, json};
use coracle_client::event::Event;
use coracle_client::object::{int, is_ending, items, name, namespace, uid};
use coracle_client::resources::{NAMESPACES, PODS};
use coracle_client::{Change, Operation, PatchKind, Propagation, Read, Resource, Term, View, Write};

use crate::controller::{Action, Controller, Key, Plan, Round, Step, Watches};

type Place = (String, String, String);

#[derive(Debug, Clone, Default)]
struct State {
    resources: Vec<Arc<Resource>>,
    objects: BTreeMap<Place, Arc<Value>>,
    revision: u64,
}

/// The API.
#[derive(Debug, Default)]
pub(crate) struct World {
    state: State,
    changes: Vec<Change>,
    /// Everything that was told.
    pub(crate) told: Vec<Event>,
    /// Every write that was done, as `verb resource/name`.
    pub(crate) done: Vec<String>,
    /// Resources whose deletions fail.
    pub(crate) refusing: BTreeSet<String>,
    /// The clock.
    pub(crate) seconds: i64,
    /// Chooses the key that is worked on next.
    pub(crate) luck: u64,
}

fn place(of: &Resource, namespace: &str, name: &str) -> Place {
    (of.to_string(), namespace.to_owned(), name.to_owned())
}

fn metadata(object: &mut Value) -> &mut Object {
    object.as_object_mut().unwrap().object_mut("metadata")
}

impl Read for State {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn resources(&self) -> Vec<Arc<Resource>> {
        self.resources.clone()
    }

    fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&place(of, namespace, name)).cloned()
    }

    fn list(&self, of: &Resource, inside: &str) -> Vec<Arc<Value>> {
        let of = of.to_string();
        let found = self.objects.iter().filter(|(at, _)| at.0 == of && (inside.is_empty() || at.1 == inside));
        found.map(|(_, object)| Arc::clone(object)).collect()
    }

    fn find(&self, of: &Resource, term: Term<'_>) -> Vec<Arc<Value>> {
        let has = |object: &Arc<Value>| match term {
            Term::Node(node) => object.text_at(&["spec", "nodeName"]) == node,
            Term::Owner(uid) => {
                items(object, &["metadata", "ownerReferences"]).iter().any(|owner| owner.text_at(&["uid"]) == uid)
            }
        };
        self.list(of, "").into_iter().filter(has).collect()
    }

    fn age(&self, _: &Resource, _: &str, _: &str) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl World {
    /// An API that serves some resources.
    pub(crate) fn new(resources: &[&Resource]) -> Self {
        let resources = resources.iter().map(|&resource| Arc::new(resource.clone())).collect();
        Self { state: State { resources, ..State::default() }, seconds: 1_800_000_000, ..Self::default() }
    }

    /// Creates an object; its uid is given or its name.
    pub(crate) fn put(&mut self, of: &Resource, object: &str) {
        let mut object = json::decode_any(object.as_bytes()).unwrap();
        let uid = Value::text(name(&object));
        metadata(&mut object).insert_default("uid", || uid);
        self.store(of, Some(object), None);
    }

    /// The state now.
    pub(crate) fn view(&self) -> View {
        View::new(Arc::new(self.state.clone()))
    }

    /// One object.
    pub(crate) fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.state.get(of, namespace, name)
    }

    /// The names of all objects of a resource.
    pub(crate) fn names(&self, of: &Resource) -> Vec<String> {
        self.state.list(of, "").iter().map(|object| name(object).to_owned()).collect()
    }

    /// Deletes as a user does.
    pub(crate) fn delete(&mut self, of: &Resource, namespace: &str, name: &str, propagation: Propagation) {
        let object = self.get(of, namespace, name).unwrap();
        let write = Write::delete_any(&Arc::new(of.clone()), &object).with(propagation);
        self.apply(&write).unwrap();
    }

    /// Removes the finalizers of an object.
    pub(crate) fn release(&mut self, of: &Resource, namespace: &str, name: &str) {
        let mut object = Value::clone(&self.get(of, namespace, name).unwrap());
        metadata(&mut object).remove("finalizers");
        let old = self.get(of, namespace, name);
        self.store(of, Some(object), old);
    }

    /// What a node agent does for pods that are being deleted.
    pub(crate) fn stop_pods(&mut self) {
        for pod in self.state.list(&PODS, "").into_iter().filter(|pod| is_ending(pod)) {
            let mut stopped = Value::clone(&pod);
            metadata(&mut stopped).insert("deletionGracePeriodSeconds".into(), Value::Int(0));
            self.store(&PODS, Some(stopped), Some(pod));
        }
    }

    fn now(&self) -> Instant {
        Instant::new(self.seconds, 0).unwrap()
    }

    fn is_done(of: &Resource, object: &Value) -> bool {
        let is_pending = of.is(&NAMESPACES) && !items(object, &["spec", "finalizers"]).is_empty();
        let is_running = of.is(&PODS)
            && !object.text_at(&["spec", "nodeName"]).is_empty()
            && int(object, &["metadata", "deletionGracePeriodSeconds"], 0) > 0;
        let is_held = !items(object, &["metadata", "finalizers"]).is_empty();
        is_ending(object) && !is_pending && !is_running && !is_held
    }

    fn store(&mut self, of: &Resource, new: Option<Value>, old: Option<Arc<Value>>) {
        self.state.revision += 1;
        let revision = Value::text(self.state.revision.to_string());
        let new = new.filter(|new| !Self::is_done(of, new)).map(|mut new| {
            metadata(&mut new).insert("resourceVersion".into(), revision);
            Arc::new(new)
        });
        let known = new.as_deref().or(old.as_deref()).unwrap();
        let at = place(of, namespace(known), name(known));
        match &new {
            Some(new) => self.state.objects.insert(at, Arc::clone(new)),
            None => self.state.objects.remove(&at),
        };
        self.changes.push(Change { resource: Arc::new(of.clone()), old, new });
    }

    fn apply(&mut self, write: &Write) -> Result<(), Status> {
        let of = &*write.resource;
        let failed = |code, reason| Status::new(code, reason, format!("{of} \"{}\" refuses", write.name));
        let old = self.get(of, &write.namespace, &write.name).ok_or_else(|| failed(404, "NotFound"))?;
        let holds = |condition: &str, member| condition.is_empty() || condition == old.text_at(&["metadata", member]);
        let mut new = Value::clone(&old);
        let verb = match &write.operation {
            Operation::Create(_) => panic!("nothing creates here"),
            Operation::Update(object) => {
                if !holds(object.text_at(&["metadata", "resourceVersion"]), "resourceVersion") {
                    return Err(failed(409, "Conflict"));
                }
                let part = if write.subresource == "status" { "status" } else { "spec" };
                let value = object.at(&[part]).cloned().unwrap_or_else(|| Value::Object(Object::new()));
                new.as_object_mut().unwrap().insert(part.into(), value);
                "update"
            }
            Operation::Patch(kind, patch) => {
                let condition = |member| patch.text_at(&["metadata", member]);
                if !holds(condition("uid"), "uid") || !holds(condition("resourceVersion"), "resourceVersion") {
                    return Err(failed(409, "Conflict"));
                }
                let conditions = (*kind == PatchKind::Strategic).then(|| merged_conditions(&old, patch));
                new = merge_patch(new, patch);
                if let Some(conditions) = conditions {
                    let status = new.as_object_mut().unwrap().object_mut("status");
                    status.insert("conditions".into(), Value::List(conditions));
                }
                "patch"
            }
            Operation::Delete { grace_seconds, propagation, uid, resource_version } => {
                if self.refusing.contains(&of.to_string()) {
                    return Err(failed(403, "Forbidden"));
                }
                if !holds(uid, "uid") || !holds(resource_version, "resourceVersion") {
                    return Err(failed(409, "Conflict"));
                }
                self.begin_deletion(of, &mut new, *grace_seconds, *propagation);
                "delete"
            }
        };
        self.done.push(format!("{verb} {}/{}", of.plural, write.name));
        if new != *old || World::is_done(of, &new) {
            self.store(of, Some(new), Some(old));
        }
        Ok(())
    }

    fn begin_deletion(&self, of: &Resource, object: &mut Value, grace: Option<i64>, fate: Option<Propagation>) {
        let own = int(object, &["spec", "terminationGracePeriodSeconds"], 30);
        let now = Value::text(self.now().print(Precision::Seconds));
        let mut finalizers = items(object, &["metadata", "finalizers"]).to_vec();
        if let Some(fate) = fate {
            finalizers.retain(|item| !matches!(item.as_str(), Some("orphan" | "foregroundDeletion")));
            finalizers.extend(match fate {
                Propagation::Orphan => Some(Value::text("orphan")),
                Propagation::Foreground => Some(Value::text("foregroundDeletion")),
                Propagation::Background => None,
            });
        }
        let metadata = metadata(object);
        metadata.insert("finalizers".into(), Value::List(finalizers));
        metadata.insert_default("deletionTimestamp", || now);
        if of.is(&PODS) {
            metadata.insert("deletionGracePeriodSeconds".into(), Value::Int(grace.unwrap_or(own)));
        }
    }

    fn perform(&mut self, plan: &Plan) -> Result<(), Status> {
        for action in &plan.actions {
            let steps: &[Step] = match action {
                Action::Tell(event) => {
                    self.told.push(event.clone());
                    continue;
                }
                Action::Do(step) => std::slice::from_ref(step),
                Action::Several(steps) => steps,
            };
            for step in steps {
                match self.apply(&step.write) {
                    Err(failure) if !step.fine.contains(&&*failure.reason) => return Err(failure),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn keys(&self, controller: &dyn Controller, changes: &[Change], queue: &mut BTreeSet<Key>) {
        let view = self.view();
        for change in changes {
            match controller.watches() {
                Watches::Everything(keys) => queue.extend(keys(&view, change)),
                Watches::Only(list) => {
                    let concerned = list.iter().filter(|(of, _)| of.is(&change.resource));
                    queue.extend(concerned.flat_map(|(_, keys)| keys(&view, change)));
                }
            }
        }
    }

    /// Runs a controller until nothing is left to do. As the runner does, it plans for a key only when a change has woken
    /// it or after a failure, and plans for several keys before it does what the first of them say.
    ///
    /// # Panics
    /// It never ends.
    pub(crate) fn settle(&mut self, controller: &dyn Controller) {
        let mut queue = BTreeSet::new();
        let mut failed = BTreeSet::new();
        for _ in 0..10_000 {
            let changes = std::mem::take(&mut self.changes);
            self.keys(controller, &changes, &mut queue);
            if queue.is_empty() {
                return;
            }
            let view = self.view();
            let round = Round { now: self.now(), failure: None };
            let chosen: Vec<_> = (0..=self.toss(3)).filter_map(|_| self.choose(&mut queue)).collect();
            let plans: Vec<_> = chosen.into_iter().map(|key| (controller.plan(&view, &key, &round), key)).collect();
            for (plan, key) in plans {
                let Err(failure) = self.perform(&plan) else { continue };
                if failure.reason == "Conflict" {
                    queue.insert(key);
                    continue;
                }
                let told = Round { failure: Some(&failure), ..round };
                let plan = controller.plan(&self.view(), &key, &told);
                self.perform(&plan).unwrap();
                if failed.insert(key.clone()) {
                    queue.insert(key);
                }
            }
        }
        panic!("no end: {:?}", self.done.iter().rev().take(20).collect::<Vec<_>>());
    }

    fn toss(&mut self, below: usize) -> usize {
        self.luck = self.luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.luck >> 33).unwrap() % below.max(1)
    }

    fn choose(&mut self, queue: &mut BTreeSet<Key>) -> Option<Key> {
        let at = self.toss(queue.len());
        let key = queue.iter().nth(at).cloned()?;
        queue.take(&key)
    }

    /// Asks a controller about every object, whether or not anything woke it.
    pub(crate) fn plan_of_everything(&self, controller: &dyn Controller) -> Vec<Action> {
        let view = self.view();
        let keys = self.state.objects.keys().map(|(resource, namespace, name)| Key {
            resource: resource.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        });
        let round = Round { now: self.now(), failure: None };
        keys.flat_map(|key| controller.plan(&view, &key, &round).actions).collect()
    }

    /// The uid of an object.
    pub(crate) fn uid(&self, of: &Resource, namespace: &str, name: &str) -> String {
        self.get(of, namespace, name).map(|object| uid(&object).to_owned()).unwrap_or_default()
    }
}

/// Conditions are merged by their type.
fn merged_conditions(old: &Value, patch: &Value) -> Vec<Value> {
    let mut merged = items(old, &["status", "conditions"]).to_vec();
    for condition in items(patch, &["status", "conditions"]) {
        let of = condition.text_at(&["type"]);
        let known = merged.iter_mut().find(|known| known.text_at(&["type"]) == of);
        if condition.text_at(&["$patch"]) == "delete" {
            merged.retain(|known| known.text_at(&["type"]) != of);
        } else if let Some(known) = known {
            *known = merge_patch(known.clone(), condition);
        } else {
            merged.push(condition.clone());
        }
    }
    merged
}
