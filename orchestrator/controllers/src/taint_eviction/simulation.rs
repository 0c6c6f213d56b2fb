//! Both controllers of nodes on a small cluster, second by second, without an API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::patch::merge_patch;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, json};
use coracle_client::memory::Objects;
use coracle_client::object::{items, name, namespace};
use coracle_client::resources::{LEASES, NODES, PODS};
use coracle_client::{Change, Operation, PatchKind, Resource, View, Write};

use super::TaintEviction;
use crate::controller::{Action, Controller, Key, Round, Step, Watches};
use crate::node_lifecycle::NodeLifecycle;

/// Plural, namespace and name.
type At = (&'static str, String, String);
/// An object and the second in which it was written.
type Held = (&'static Resource, Arc<Value>, u64);

struct World {
    controllers: [Box<dyn Controller>; 2],
    objects: BTreeMap<At, Held>,
    due: BTreeMap<(u64, usize, Key), ()>,
    seconds: u64,
    /// How far the clock on the wall has been set.
    set: i64,
    version: i64,
    log: Vec<String>,
}

fn parse(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap()
}

fn part(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

impl Default for World {
    fn default() -> Self {
        let lifecycle = NodeLifecycle { grace: Duration::from_secs(50), startup_grace: Duration::from_secs(60) };
        Self {
            controllers: [Box::new(lifecycle), Box::new(TaintEviction::default())],
            objects: BTreeMap::default(),
            due: BTreeMap::default(),
            seconds: 0,
            set: 0,
            version: 0,
            log: Vec::default(),
        }
    }
}

impl World {
    fn now(&self) -> Instant {
        Instant { seconds: 1_700_000_000 + i64::try_from(self.seconds).unwrap() + self.set, micros: 0 }
    }

    fn view(&self) -> View {
        let objects = self.objects.values().fold(Objects::new(), |objects, (resource, object, seen)| {
            objects.with_age(resource, Value::clone(object), Duration::from_secs(self.seconds - seen))
        });
        objects.view()
    }

    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let at = (part(&resource.plural), namespace.to_owned(), name.to_owned());
        self.objects.get(&at).map(|(_, object, _)| Arc::clone(object))
    }

    fn put(&mut self, resource: &'static Resource, mut object: Value) {
        self.version += 1;
        let metadata = object.as_object_mut().unwrap().object_mut("metadata");
        metadata.insert("resourceVersion".into(), Value::text(self.version.to_string()));
        let at = (part(&resource.plural), namespace(&object).to_owned(), name(&object).to_owned());
        let new = Arc::new(object);
        let old = self.objects.insert(at, (resource, Arc::clone(&new), self.seconds)).map(|(_, old, _)| old);
        self.changed(resource, old, Some(new));
    }

    fn remove(&mut self, resource: &'static Resource, namespace: &str, name: &str) {
        let at = (part(&resource.plural), namespace.to_owned(), name.to_owned());
        let old = self.objects.remove(&at).map(|(_, old, _)| old);
        self.changed(resource, old, None);
    }

    fn changed(&mut self, resource: &'static Resource, old: Option<Arc<Value>>, new: Option<Arc<Value>>) {
        let change = Change { resource: Arc::new(resource.clone()), old, new };
        let view = self.view();
        for (index, controller) in self.controllers.iter().enumerate() {
            let Watches::Only(watches) = controller.watches() else { panic!("follows everything") };
            for (_, keys) in watches.iter().filter(|(of, _)| of.is(resource)) {
                for key in keys(&view, &change) {
                    self.due.insert((self.seconds, index, key), ());
                }
            }
        }
    }

    /// Works on everything that is due until a second has passed.
    fn run(&mut self, until: u64) {
        while let Some(((second, index, key), ())) = self.due.pop_first() {
            if second > until {
                self.due.insert((second, index, key), ());
                break;
            }
            self.seconds = self.seconds.max(second);
            // A key waits once.
            self.due.retain(|(_, other, waiting), ()| (*other, waiting) != (index, &key));
            let plan = self.controllers[index].plan(&self.view(), &key, &Round { now: self.now(), failure: None });
            for action in plan.actions {
                match action {
                    Action::Do(step) => self.step(*step),
                    Action::Several(steps) => steps.into_iter().for_each(|step| self.step(step)),
                    Action::Tell(event) => {
                        self.log.push(format!("{} {}: {}", self.seconds, event.reason, event.message));
                    }
                }
            }
            if let Some(again) = plan.again_after {
                assert!(!again.is_zero(), "{key:?} asks again at once");
                let seconds = again.as_secs() + u64::from(again.subsec_nanos() > 0);
                self.due.insert((self.seconds + seconds, index, key), ());
            }
        }
        self.seconds = until;
    }

    fn step(&mut self, step: Step) {
        let Write { resource, namespace, name, subresource, operation } = step.write;
        let resource = [&NODES, &PODS, &LEASES].into_iter().find(|of| of.is(&resource)).unwrap();
        let before = self.get(resource, &namespace, &name).expect("writes are of what is there");
        let version = |value: &Value| value.text_at(&["metadata", "resourceVersion"]).to_owned();
        match operation {
            Operation::Update(object) => {
                assert_eq!((subresource, version(&object)), ("status", version(&before)));
                self.put(resource, object);
            }
            Operation::Patch(PatchKind::Merge, patch) => {
                assert_eq!(version(&patch), version(&before));
                self.put(resource, merge_patch(Value::clone(&before), &patch));
            }
            Operation::Patch(PatchKind::Strategic, patch) => {
                let mut object = Value::clone(&before);
                let status = object.as_object_mut().unwrap().object_mut("status");
                status.insert_default("conditions", || Value::List(Vec::new()));
                let conditions = status.get_mut("conditions").and_then(Value::items_mut).unwrap();
                conditions.extend(items(&patch, &["status", "conditions"]).iter().cloned());
                self.put(resource, object);
            }
            Operation::Delete { .. } => {
                self.log.push(format!("{} deleted {name}", self.seconds));
                self.remove(resource, &namespace, &name);
            }
            Operation::Create(_) => panic!("nothing is made"),
        }
        if let Some(event) = step.on_success {
            let of = event.regarding.text_at(&["metadata", "name"]);
            self.log.push(format!("{} {} {of}: {}", self.seconds, event.reason, event.message));
        }
    }

    /// The node posts its status.
    fn post(&mut self, node: &str) {
        let now = self.now().print(Precision::Seconds);
        let mut object = self.get(&NODES, "", node).map_or_else(
            || parse(&format!(r#"{{"metadata":{{"name":"{node}","uid":"u-{node}"}},"spec":{{}}}}"#)),
            |node| Value::clone(&node),
        );
        let conditions = ["Ready:True", "MemoryPressure:False", "DiskPressure:False", "PIDPressure:False"].map(|row| {
            let (of, status) = row.split_once(':').unwrap();
            parse(&format!(r#"{{"type":"{of}","status":"{status}","reason":"r","lastHeartbeatTime":"{now}"}}"#))
        });
        let status = object.as_object_mut().unwrap().object_mut("status");
        status.insert("conditions".into(), Value::List(conditions.to_vec()));
        self.put(&NODES, object);
        self.renew(node);
    }

    /// The node renews its lease.
    fn renew(&mut self, node: &str) {
        let now = self.now().print(Precision::Micros);
        let text = format!(
            r#"{{"metadata":{{"name":"{node}","namespace":"kube-node-lease"}},"spec":{{"renewTime":"{now}"}}}}"#
        );
        self.put(&LEASES, parse(&text));
    }

    /// Time passes; these nodes renew their leases every ten seconds.
    fn pass(&mut self, until: u64, alive: &[&str]) {
        while self.seconds < until {
            self.run(until.min(self.seconds + 10));
            alive.iter().for_each(|node| self.renew(node));
        }
    }

    fn pod(&mut self, node: &str, pod: &str, tolerations: &str) {
        let text = format!(
            r#"{{"metadata":{{"name":"{pod}","namespace":"ns","uid":"u-{pod}","generation":1}},"spec":{{"nodeName":"{node}","tolerations":[{tolerations}]}},"status":{{"conditions":[{{"type":"Ready","status":"True"}}]}}}}"#
        );
        self.put(&PODS, parse(&text));
    }

    fn taints(&self, node: &str) -> Vec<String> {
        let node = self.get(&NODES, "", node).unwrap();
        let text = |taint: &Value| format!("{}:{}", taint.text_at(&["key"]), taint.text_at(&["effect"]));
        items(&node, &["spec", "taints"]).iter().map(text).collect()
    }

    fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

/// What admission gives every pod.
const DEFAULT: &str = r#"{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}"#;

fn cluster(nodes: &[&str]) -> World {
    let mut world = World::default();
    for node in nodes {
        world.post(node);
    }
    world.pod("b", "default", DEFAULT);
    world.pod("b", "hasty", "");
    world.pod("b", "patient", r#"{"operator":"Exists"}"#);
    world
}

#[test]
fn a_silent_node_loses_its_pods() {
    let mut world = cluster(&["a", "b"]);
    world.pod("a", "elsewhere", DEFAULT);
    world.pass(100, &["a", "b"]);
    assert_eq!(
        world.take_log(),
        [
            "0 RegisteredNode: Node a event: Registered Node a in Controller",
            "0 RegisteredNode: Node b event: Registered Node b in Controller",
        ]
    );
    world.pass(149, &["a"]);
    assert_eq!((world.take_log(), world.taints("b")), (vec![], vec![]));
    world.pass(150, &["a"]);
    assert_eq!(
        world.take_log(),
        [
            "150 NodeNotReady b: Node b status is now: NodeNotReady",
            "150 NodeNotReady default: Node is not ready",
            "150 NodeNotReady hasty: Node is not ready",
            "150 NodeNotReady patient: Node is not ready",
            "150 TaintManagerEviction: Marking for deletion Pod ns/hasty",
            "150 deleted hasty",
        ]
    );
    assert_eq!(
        world.taints("b"),
        ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]
    );
    world.pass(449, &["a"]);
    assert_eq!(world.take_log(), [""; 0]);
    world.pass(450, &["a"]);
    assert_eq!(
        world.take_log(),
        ["450 TaintManagerEviction: Marking for deletion Pod ns/default", "450 deleted default",]
    );
    world.pass(5000, &["a"]);
    world.remove(&NODES, "", "b");
    world.run(5001);
    assert_eq!(world.take_log(), ["5000 RemovingNode: Node b event: Removing Node b from Controller"]);
    assert!(world.get(&PODS, "ns", "patient").is_some() && world.get(&PODS, "ns", "elsewhere").is_some());
}

#[test]
fn a_node_that_returns_keeps_its_pods() {
    let mut world = cluster(&["a", "b"]);
    world.pass(100, &["a", "b"]);
    world.pass(300, &["a"]);
    world.take_log();
    world.post("b");
    world.pass(2000, &["a", "b"]);
    assert_eq!(world.take_log(), ["300 TaintManagerEviction: Cancelling deletion of Pod ns/default"]);
    assert_eq!(world.taints("b"), [""; 0]);
}

#[test]
fn the_only_node_keeps_its_pods() {
    let mut world = cluster(&["b"]);
    world.pass(100, &["b"]);
    world.pass(10_000, &[]);
    assert_eq!(world.taints("b"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert_eq!(
        world.take_log(),
        [
            "0 RegisteredNode: Node b event: Registered Node b in Controller",
            "150 NodeNotReady b: Node b status is now: NodeNotReady",
            "150 NodeNotReady default: Node is not ready",
            "150 NodeNotReady hasty: Node is not ready",
            "150 NodeNotReady patient: Node is not ready",
        ]
    );
}

#[test]
fn when_all_nodes_fail_the_last_one_saves_the_pods_of_all() {
    let mut world = cluster(&["a", "b"]);
    world.pass(100, &["a", "b"]);
    world.pass(160, &["a"]);
    assert_eq!(world.taints("b").len(), 2);
    world.pass(10_000, &[]);
    assert_eq!(world.taints("b"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert_eq!(world.taints("a"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert!(world.get(&PODS, "ns", "default").is_some());
    // Once one is back, the time of the others begins.
    world.take_log();
    world.post("a");
    world.pass(10_299, &["a"]);
    assert!(world.get(&PODS, "ns", "default").is_some());
    world.pass(10_300, &["a"]);
    assert!(world.get(&PODS, "ns", "default").is_none());
}

#[test]
fn setting_the_clock_silences_nobody() {
    for set in [86_400, -86_400] {
        let mut world = cluster(&["a", "b"]);
        world.pass(100, &["a", "b"]);
        world.set = set;
        world.pass(1000, &["a", "b"]);
        assert_eq!(world.taints("b"), [""; 0]);
        assert_eq!(world.get(&PODS, "ns", "default").map(|pod| coracle_client::object::is_ready_pod(&pod)), Some(true));
    }
}

#[test]
fn nodes_are_given_up_one_by_one() {
    let mut world = cluster(&["a", "b", "c", "d", "e", "f"]);
    world.pass(100, &["a", "b", "c", "d", "e", "f"]);
    // Two of six are no trouble of the zone.
    world.pass(155, &["a", "b", "c", "d"]);
    assert_eq!((world.taints("e").len(), world.taints("f").len()), (2, 1));
    world.pass(159, &["a", "b", "c", "d"]);
    assert_eq!(world.taints("f").len(), 1);
    world.pass(160, &["a", "b", "c", "d"]);
    assert_eq!(world.taints("f").len(), 2);
    // Four of six are.
    world.pass(2000, &["a", "b"]);
    assert_eq!((world.taints("c").len(), world.taints("d").len()), (1, 1));
}
