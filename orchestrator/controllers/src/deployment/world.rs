//! A small world for tests: objects, the two controllers, and pods that become ready one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::memory::Objects;
use coracle_client::object::{flag, int, is_active_pod, is_ending, is_ready_pod, items, name, uid};
use coracle_client::resources::{DEPLOYMENTS, PODS, REPLICA_SETS};
use coracle_client::{Operation, Resource, View, Write};

use super::{Deployments, bounds};
use crate::controller::{Action, Controller, Key, Plan, Round, Step};
use crate::replica_set::ReplicaSets;
use crate::trees::labels;
use crate::trees::tests::tree;

/// The name of the only Deployment; its namespace is `n`.
pub(super) const NAME: &str = "web";

/// Seconds that a pod takes to end.
const GRACE: i64 = 5;

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    objects: BTreeMap<(String, String), Value>,
    /// Of all that was told, the messages.
    pub(super) told: Vec<String>,
    /// Seconds since the epoch.
    pub(super) seconds: i64,
    /// Whether the bounds of a rolling update must hold.
    pub(super) strict: bool,
    /// The most pods that become ready in one step.
    pub(super) speed: usize,
    version: i64,
}

impl World {
    /// A world with one Deployment.
    pub(super) fn new(deployment: &str) -> Self {
        let mut world = Self {
            objects: BTreeMap::new(),
            told: Vec::new(),
            seconds: 1_767_225_600,
            strict: false,
            speed: 1,
            version: 0,
        };
        world.create(&DEPLOYMENTS, tree(deployment));
        world
    }

    /// The Deployment.
    pub(super) fn deployment(&self) -> &Value {
        &self.objects[&(DEPLOYMENTS.plural.to_string(), NAME.to_owned())]
    }

    /// All objects of a resource.
    pub(super) fn list(&self, of: &Resource) -> Vec<&Value> {
        self.objects.iter().filter(|((plural, _), _)| *plural == of.plural).map(|(_, object)| object).collect()
    }

    /// Sizes and counted pods of the ReplicaSets by their revision.
    pub(super) fn sizes(&self) -> BTreeMap<String, (i64, i64)> {
        let of = |set: &Value| {
            let revision = crate::trees::annotation(set, super::revision::REVISION).unwrap_or("none").to_owned();
            (revision, (int(set, &["spec", "replicas"], 1), int(set, &["status", "replicas"], 0)))
        };
        self.list(&REPLICA_SETS).into_iter().map(of).collect()
    }

    /// Truth and reason of a condition of the Deployment.
    pub(super) fn condition(&self, of: &str) -> (&str, &str) {
        let found = coracle_client::object::condition(self.deployment(), of);
        found.map_or(("", ""), |it| (it.text_at(&["status"]), it.text_at(&["reason"])))
    }

    /// Changes an object as a user would.
    pub(super) fn edit(&mut self, of: &Resource, name: &str, change: impl FnOnce(&mut Object)) {
        let key = (of.plural.to_string(), name.to_owned());
        let mut object = self.objects[&key].clone();
        change(object.as_object_mut().unwrap());
        self.put(of, &key, object);
    }

    /// Changes the spec of the Deployment.
    pub(super) fn respecify(&mut self, change: impl FnOnce(&mut Object)) {
        self.edit(&DEPLOYMENTS, NAME, |deployment| change(deployment.object_mut("spec")));
    }

    /// Gives the Deployment another image.
    pub(super) fn roll(&mut self, image: &str) {
        self.respecify(|spec| {
            spec.object_mut("template").insert("spec".into(), template_spec(image));
        });
    }

    /// The state now.
    pub(super) fn view(&self) -> View {
        let of = |plural: &str| *[&DEPLOYMENTS, &REPLICA_SETS, &PODS].iter().find(|it| it.plural == plural).unwrap();
        let add = |objects: Objects, ((plural, _), object): (&(String, String), &Value)| {
            objects.with(of(plural), object.clone())
        };
        self.objects.iter().fold(Objects::new(), add).view()
    }

    /// The plan for the Deployment, or for a ReplicaSet.
    pub(super) fn plan(&self, controller: &dyn Controller, name: &str) -> Plan {
        let round = Round { now: Instant { seconds: self.seconds, micros: 0 }, failure: None };
        controller.plan(&self.view(), &Key::new("n", name), &round)
    }

    /// Lets everything happen until nothing does any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..400 {
            if !self.step() {
                return;
            }
        }
        panic!("it does not end: {:#?}", self.told);
    }

    /// Lets each controller act once and the pods move on; says whether anything has happened.
    pub(super) fn step(&mut self) -> bool {
        let mut busy = self.act(&Deployments, NAME);
        self.check();
        let sets: Vec<String> = self.list(&REPLICA_SETS).into_iter().map(|set| name(set).to_owned()).collect();
        for set in sets {
            busy |= self.act(&ReplicaSets, &set);
            self.check();
        }
        self.seconds += 1;
        busy | self.run_pods()
    }

    fn act(&mut self, controller: &dyn Controller, name: &str) -> bool {
        let plan = self.plan(controller, name);
        let soon = plan.again_after.is_some_and(|after| after < Duration::from_secs(300));
        let busy = soon || !plan.actions.is_empty();
        for action in plan.actions {
            match action {
                Action::Do(step) => self.apply(*step),
                Action::Several(steps) => steps.into_iter().for_each(|step| self.apply(step)),
                Action::Tell(event) => self.told.push(event.message),
            }
        }
        busy
    }

    fn apply(&mut self, step: Step) {
        let Write { resource, name, subresource, operation, .. } = step.write;
        let key = (resource.plural.to_string(), name);
        let written = match operation {
            Operation::Create(object) => self.create(&resource, object),
            Operation::Update(object) => {
                let old = &self.objects[&key];
                let version = |object: &Value| object.text_at(&["metadata", "resourceVersion"]).to_owned();
                assert_eq!(version(old), version(&object), "a write must be made from the newest tree");
                assert_ne!(*old, object, "a write must change something");
                let object = merged(old, object, subresource);
                self.put(&resource, &key, object);
                key.1
            }
            Operation::Patch(_, patch) => {
                let mut object = self.objects[&key].clone();
                assert_eq!(uid(&object), uid(&patch));
                let metadata = object.as_object_mut().unwrap().object_mut("metadata");
                let reference = items(&patch, &["metadata", "ownerReferences"])[0].clone();
                let owners = if reference.at(&["$patch"]).is_some() { vec![] } else { vec![reference] };
                metadata.insert("ownerReferences".into(), Value::List(owners));
                self.put(&resource, &key, object);
                key.1
            }
            Operation::Delete { .. } => {
                if resource.is(&PODS) {
                    let now = self.now();
                    self.edit(&PODS, &key.1, |pod| {
                        pod.object_mut("metadata").insert("deletionTimestamp".into(), now);
                    });
                } else {
                    self.objects.remove(&key);
                }
                key.1
            }
        };
        self.told.extend(step.on_success.map(|event| event.message.replace("{name}", &written)));
    }

    /// Makes an object; returns its name.
    pub(super) fn create(&mut self, of: &Resource, mut object: Value) -> String {
        self.version += 1;
        let (version, now) = (self.version, self.now());
        let metadata = object.as_object_mut().unwrap().object_mut("metadata");
        if let Some(prefix) = metadata.remove("generateName") {
            let name = format!("{}{version:04}", prefix.as_str().unwrap());
            metadata.insert("name".into(), Value::text(name));
        }
        metadata.insert("creationTimestamp".into(), now);
        metadata.insert_default("uid", || Value::text(format!("uid-{version}")));
        metadata.insert("generation".into(), Value::Int(1));
        metadata.insert("resourceVersion".into(), Value::text(version.to_string()));
        let name = name(&object).to_owned();
        let before = self.objects.insert((of.plural.to_string(), name.clone()), object);
        assert!(before.is_none(), "{name} exists");
        name
    }

    fn put(&mut self, of: &Resource, key: &(String, String), mut object: Value) {
        self.version += 1;
        let old = &self.objects[key];
        let generation = crate::trees::generation(old) + i64::from(old.at(&["spec"]) != object.at(&["spec"]));
        let metadata = object.as_object_mut().unwrap().object_mut("metadata");
        metadata.insert("resourceVersion".into(), Value::text(self.version.to_string()));
        if !of.is(&PODS) {
            metadata.insert("generation".into(), Value::Int(generation));
        }
        self.objects.insert(key.clone(), object);
    }

    fn now(&self) -> Value {
        Value::text(Instant { seconds: self.seconds, micros: 0 }.print(Precision::Seconds))
    }

    /// Some pods become ready; those that are being deleted are gone.
    fn run_pods(&mut self) -> bool {
        let before = self.objects.len();
        let end = Instant { seconds: self.seconds - GRACE, micros: 0 }.print(Precision::Seconds);
        let ends = |object: &Value| object.text_at(&["metadata", "deletionTimestamp"]).to_owned();
        self.objects.retain(|(plural, _), object| *plural != PODS.plural || !is_ending(object) || ends(object) > end);
        let ending = self.list(&PODS).iter().any(|pod| is_ending(pod));
        let broken = |pod: &Value| items(pod, &["spec", "containers"])[0].text_at(&["image"]) == "broken";
        let waiting = |pod: &&&Value| !is_ready_pod(pod) && !broken(pod);
        let pods: Vec<String> =
            self.list(&PODS).iter().filter(waiting).take(self.speed).map(|pod| name(pod).to_owned()).collect();
        let now = self.now();
        for pod in &pods {
            let text = now.as_str().unwrap();
            let status = format!(
                r#"{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastTransitionTime":"{text}"}}]}}"#
            );
            self.edit(&PODS, pod, |pod| {
                pod.insert("spec".into(), pod.get("spec").cloned().unwrap());
                pod.insert("status".into(), tree(&status));
            });
        }
        ending || !pods.is_empty() || before != self.objects.len()
    }

    /// Pods by whether they carry the labels of the Deployment's newest ReplicaSet.
    pub(super) fn active(&self) -> Vec<&Value> {
        let selected = |pod: &&Value| labels(pod).and_then(|labels| labels.get("app")).is_some() && is_active_pod(pod);
        self.list(&PODS).into_iter().filter(selected).collect()
    }

    fn check(&self) {
        let deployment = self.deployment();
        assert!(int(deployment, &["status", "unavailableReplicas"], 0) >= 0);
        if !self.strict || flag(deployment, &["spec", "paused"]) {
            return;
        }
        let active = self.active();
        let available = active.iter().filter(|pod| is_ready_pod(pod)).count();
        let (total, available) = (i64::try_from(active.len()).unwrap(), i64::try_from(available).unwrap());
        let least = bounds::desired(deployment) - bounds::unavailable(deployment);
        assert!(available >= least, "{available} of at least {least}: {:#?}", self.told);
        let most = bounds::most(deployment);
        assert!(total <= most, "{total} of at most {most}: {:#?}", self.told);
        let specified: i64 = self.list(&REPLICA_SETS).iter().map(|set| int(set, &["spec", "replicas"], 1)).sum();
        assert!(specified <= most, "{specified} asked for of at most {most}");
    }
}

/// What the API makes of an update: of the status, only that and the annotations of Deployments are taken; of anything
/// else, the status is not.
fn merged(old: &Value, new: Value, subresource: &str) -> Value {
    let member = |object: &Value, name: &str| object.at(&[name]).cloned();
    let (mut whole, kept) = if subresource == "status" { (new, "spec") } else { (new, "status") };
    let object = whole.as_object_mut().unwrap();
    match member(old, kept) {
        Some(value) => object.insert(kept.to_owned().into(), value),
        None => object.remove(kept),
    };
    whole
}

/// The spec of a pod with this image.
pub(super) fn template_spec(image: &str) -> Value {
    tree(&format!(r#"{{"containers":[{{"name":"c","image":"{image}"}}]}}"#))
}

/// A Deployment.
pub(super) fn deployment(replicas: i64, strategy: &str, more: &str) -> String {
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"namespace":"n","name":"{NAME}","uid":"d","annotations":{{"note":"one"}}}},
        "spec":{{"replicas":{replicas},"selector":{{"matchLabels":{{"app":"web"}}}},"strategy":{strategy},"progressDeadlineSeconds":600{more},
        "template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"name":"c","image":"1"}}]}}}}}}}}"#
    )
}

/// A rolling strategy with these bounds.
pub(super) fn rolling(surge: &str, unavailable: &str) -> String {
    format!(r#"{{"type":"RollingUpdate","rollingUpdate":{{"maxSurge":{surge},"maxUnavailable":{unavailable}}}}}"#)
}

/// An object as it stands in a view.
pub(super) fn shared(object: &Value) -> Arc<Value> {
    Arc::new(object.clone())
}
