//! A cluster of fake nodes over an API in memory.

use std::sync::{Arc, Mutex};

use coracle_agent::fake::{Fake, PREFIX, shape};
use coracle_agent::node::Machine;
use coracle_agent::runtime::Runtime;
use coracle_agent::work::{Clock, Settings, run};
use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Value, patch::merge_patch};
use coracle_client::event::Event;
use coracle_client::resources::{NODES, PODS};
use coracle_client::{Client, Operation, PatchKind, Write, object};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::looks::tree;

pub(crate) const START: Instant = Instant { seconds: 1_000_000_000, micros: 0 };

/// The API and what was told.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) clock: Clock,
    told: Arc<Mutex<Vec<String>>>,
}

/// A node that runs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) runtime: Arc<Fake>,
    ranges: watch::Sender<Vec<String>>,
    stop: watch::Sender<bool>,
    pub(crate) machine: watch::Sender<Machine>,
    running: JoinHandle<()>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let clock = Clock::from(START);
        Self { api: Api::new(clock.clone()), clock, told: Arc::default() }
    }

    /// A cluster with one node that has a range of addresses.
    pub(crate) async fn with_node(name: &str) -> (Self, Node) {
        let cluster = Self::new();
        let node = cluster.start(name, "10.244.0.0/24").await;
        (cluster, node)
    }

    /// Starts a node.
    pub(crate) async fn start(&self, name: &str, range: &str) -> Node {
        let ranges = watch::Sender::new(Vec::new());
        let runtime = Arc::new(Fake::new(self.clock.clone(), ranges.subscribe()));
        let node = self.start_with(name, runtime, ranges);
        self.api.until(|api| api.get(&NODES, "", name)).await;
        let patch = tree(&format!(r#"{{"spec":{{"podCIDR":"{range}","podCIDRs":["{range}"]}}}}"#));
        self.patch_node(name, patch).await;
        node
    }

    /// Starts a node over a runtime.
    pub(crate) fn start_with(&self, name: &str, runtime: Arc<Fake>, ranges: watch::Sender<Vec<String>>) -> Node {
        let machine = Machine {
            name: name.to_owned(),
            hostname: name.to_owned(),
            addresses: vec!["10.0.0.1".to_owned()],
            architecture: "amd64".to_owned(),
            boot_id: "b".to_owned(),
            cpus: 4,
            memory: 8 << 30,
            pods: 110,
            ..Machine::default()
        };
        let machine = watch::Sender::new(machine);
        let settings = Settings {
            machine: machine.subscribe(),
            all_volumes: true,
            shape,
            ranges: ranges.clone(),
            clock: self.clock.clone(),
        };
        let told = Arc::clone(&self.told);
        let events = Arc::new(move |event: Event| {
            let name = object::name(&event.regarding).to_owned();
            told.lock().unwrap().push(format!("{name} {} {}: {}", event.kind, event.reason, event.message));
        });
        let stop = watch::Sender::new(false);
        let (client, agent) = (Arc::new(self.api.clone()) as Arc<dyn Client>, Arc::clone(&runtime) as Arc<dyn Runtime>);
        let running = tokio::spawn(run(client, agent, settings, events, stop.subscribe()));
        Node { runtime, ranges, stop, machine, running }
    }

    pub(crate) async fn patch_node(&self, name: &str, patch: Value) {
        let node = self.api.get(&NODES, "", name).unwrap();
        self.api.write(Write::patch(&NODES, &node, PatchKind::Merge, patch)).await.unwrap();
    }

    /// Makes a pod that is bound to a node; the notes are annotations without their prefix.
    pub(crate) async fn pod(&self, node: &str, name: &str, notes: &[(&str, &str)], spec: &str) -> Arc<Value> {
        let notes: Vec<String> = notes.iter().map(|(key, text)| format!(r#""{PREFIX}{key}":"{text}""#)).collect();
        let pod = tree(&format!(
            r#"{{"apiVersion":"v1","kind":"Pod",
            "metadata":{{"namespace":"default","name":"{name}","generation":1,"annotations":{{{}}}}},
            "spec":{{"nodeName":"{node}","restartPolicy":"Always","terminationGracePeriodSeconds":30,
            "enableServiceLinks":true,"containers":[{{"name":"web","image":"nginx","imagePullPolicy":"IfNotPresent"}}]}},
            "status":{{"phase":"Pending","qosClass":"BestEffort"}}}}"#,
            notes.join(",")
        ));
        let pod = merge_patch(pod, &tree(&format!(r#"{{"spec":{spec}}}"#)));
        self.api.write(Write::create(&PODS, pod)).await.unwrap()
    }

    /// Waits until a pod is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Arc<Value> {
        self.api.until(|api| api.get(&PODS, "default", name).filter(|pod| wanted(pod))).await
    }

    /// Waits until a pod is gone from the API.
    pub(crate) async fn until_gone(&self, name: &str) {
        self.api.until(|api| api.get(&PODS, "default", name).is_none().then_some(())).await;
    }

    /// Deletes a pod as a user does.
    pub(crate) async fn delete(&self, name: &str) {
        let pod = self.api.get(&PODS, "default", name).unwrap();
        self.api.write(Write::delete(&PODS, &pod)).await.unwrap();
    }

    /// The seconds since the start.
    pub(crate) fn seconds(&self) -> i64 {
        self.clock.now().seconds - START.seconds
    }

    /// What was told of an object.
    pub(crate) fn told(&self, name: &str) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().filter_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned)).collect()
    }

    /// The statuses of a pod that were written.
    pub(crate) fn statuses(&self, name: &str) -> Vec<Value> {
        let written = self.api.written().into_iter();
        let of_pod = written.filter(|write| write.name == name && write.subresource == "status");
        of_pod
            .filter_map(|write| match write.operation {
                Operation::Patch(_, patch) => patch.at(&["status"]).cloned(),
                _ => None,
            })
            .collect()
    }
}

impl Node {
    /// Ends the node's loop; its containers go on.
    pub(crate) async fn halt(self) -> (Arc<Fake>, watch::Sender<Vec<String>>) {
        self.stop.send_replace(true);
        self.running.await.unwrap();
        (self.runtime, self.ranges)
    }
}
