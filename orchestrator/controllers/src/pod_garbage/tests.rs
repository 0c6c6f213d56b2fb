//! Tables of pods and nodes, and the removal of pods in a small world.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Value, json};
use coracle_client::memory::Objects;
use coracle_client::object::condition;
use coracle_client::resources::{NODES, PODS};
use coracle_client::{Change, Operation, Propagation, Resource};

use super::{Controller, PodGarbageCollector, finished, keys, orphan};
use crate::controller::{Action, Key, Plan, Round};
use crate::garbage::world::World;

const NODE: &str = r#"{"metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#;
const OUT: &str = r#"{"metadata":{"name":"n"},"spec":{"taints":[{"key":"node.kubernetes.io/out-of-service",
    "effect":"NoExecute"}]},"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#;
const READY: &str = r#"{"metadata":{"name":"n"},"spec":{"taints":[{"key":"node.kubernetes.io/out-of-service",
    "effect":"NoExecute"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;

fn read(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap()
}

fn pod(metadata: &str, node: &str, status: &str) -> String {
    let spec = if node.is_empty() { "{}".to_owned() } else { format!(r#"{{"nodeName":"{node}"}}"#) };
    format!(r#"{{"metadata":{{"name":"p","namespace":"x","uid":"u"{metadata}}},"spec":{spec},"status":{{{status}}}}}"#)
}

fn plan(pod: &str, node: Option<&str>) -> Plan {
    let mut objects = Objects::new().with_json(&PODS, pod);
    if let Some(node) = node {
        objects = objects.with_json(&NODES, node);
    }
    let now = coracle_client::object::time(&read(r#"{"now":"2026-01-01T00:01:00Z"}"#), &["now"]).unwrap();
    PodGarbageCollector.plan(&objects.view(), &Key::new("x", "p"), &Round { now, failure: None })
}

/// The plan in short.
fn short(plan: &Plan) -> Vec<String> {
    let writes = plan.actions.iter().map(|action| match action {
        Action::Do(step) => match &step.write.operation {
            Operation::Patch(_, patch) => {
                let bytes = json::encode_any(patch.at(&["status"]).unwrap());
                format!("{} {}", step.write.subresource, String::from_utf8(bytes).unwrap())
            }
            Operation::Delete { grace_seconds, uid, .. } => format!("delete {uid} within {}", grace_seconds.unwrap()),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    });
    let again = plan.again_after.map(|time| format!("again after {}", time.as_secs()));
    writes.chain(again).collect()
}

#[test]
fn pods_are_removed() {
    let ending = r#","deletionTimestamp":"2026-01-01T00:00:30Z","deletionGracePeriodSeconds":30"#;
    let forced = r#","deletionTimestamp":"2026-01-01T00:00:30Z","deletionGracePeriodSeconds":0,"finalizers":["f"]"#;
    let marked = |time: &str| {
        format!(
            r#""phase":"Running","conditions":[{{"type":"NodeMissing","status":"True","lastTransitionTime":"2026-01-01T{time}Z"}}]"#
        )
    };
    let running = r#""phase":"Running""#;
    let fail = r#"status {"phase":"Failed"}"#;
    let delete = "delete u within 0";
    let mark = r#"status {"conditions":[{"lastTransitionTime":"2026-01-01T00:01:00Z","message":"PodGC: node no longer exists","observedGeneration":3,"reason":"NodeNotFound","status":"True","type":"NodeMissing"}]}"#;
    let disrupt = r#"status {"conditions":[{"lastTransitionTime":"2026-01-01T00:01:00Z","message":"PodGC: node no longer exists","observedGeneration":3,"reason":"DeletionByPodGC","status":"True","type":"DisruptionTarget"}],"observedGeneration":3,"phase":"Failed"}"#;
    let unmark = r#"status {"conditions":[{"$patch":"delete","type":"NodeMissing"}]}"#;
    let cases: [(&str, String, Option<&str>, &[&str]); 17] = [
        ("a waiting pod", pod("", "", running), None, &[]),
        ("an ending pod without node", pod(ending, "", running), None, &[fail, delete]),
        ("one that has finished", pod(ending, "", r#""phase":"Succeeded""#), None, &[delete]),
        ("one that waits for a finalizer", pod(forced, "", r#""phase":"Failed""#), None, &[]),
        ("one that waits and runs", pod(forced, "", running), None, &[fail]),
        ("a running pod", pod("", "n", running), Some(NODE), &[]),
        ("an ending pod on a node", pod(ending, "n", running), Some(NODE), &[]),
        ("an ending pod on a node out of service", pod(ending, "n", running), Some(OUT), &[fail, delete]),
        ("an ending pod on a node that is ready again", pod(ending, "n", running), Some(READY), &[]),
        ("a pod on a node out of service", pod("", "n", running), Some(OUT), &[]),
        ("a pod of a missing node", pod(r#","generation":3"#, "n", running), None, &[mark]),
        ("a marked pod", pod("", "n", &marked("00:00:21")), None, &["again after 1"]),
        ("a clock set back", pod("", "n", &marked("10:00:00")), None, &["again after 40"]),
        ("a pod marked for long", pod(r#","generation":3"#, "n", &marked("00:00:20")), None, &[disrupt, delete]),
        (
            "a finished pod marked for long",
            pod("", "n", &marked("00:00:20").replace("Running", "Succeeded")),
            None,
            &[delete],
        ),
        ("a marked pod whose node is back", pod("", "n", &marked("00:00:00")), Some(NODE), &[unmark]),
        (
            "a marked pod that waits for a finalizer",
            pod(forced, "n", &marked("00:00:20").replace("Running", "Failed")),
            None,
            &[],
        ),
    ];
    for (case, pod, node, expected) in cases {
        assert_eq!(short(&plan(&pod, node)), expected, "{case}");
    }
}

#[test]
fn a_known_disruption_keeps_its_time() {
    let status = r#""phase":"Running","conditions":[
        {"type":"NodeMissing","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"},
        {"type":"DisruptionTarget","status":"True","lastTransitionTime":"2025-01-01T00:00:00Z"}]"#;
    let plan = short(&plan(&pod("", "n", status), None));
    assert!(plan[0].contains("2025-01-01T00:00:00Z"), "{plan:?}");
}

#[test]
fn too_many_finished_pods_go() {
    let finished_pod = |name: &str, second: u8, status: &str, more: &str| {
        Arc::new(read(&format!(
            r#"{{"metadata":{{"name":"{name}","uid":"{name}","creationTimestamp":"2026-01-01T00:00:0{second}Z"{more}}},
                "status":{{{status}}}}}"#
        )))
    };
    let done = r#""phase":"Succeeded""#;
    let waits = r#","deletionTimestamp":"t","deletionGracePeriodSeconds":0,"finalizers":["f"]"#;
    let pods = [
        finished_pod("new", 5, done, ""),
        finished_pod("old-b", 1, done, ""),
        finished_pod("old-a", 1, r#""phase":"Failed""#, ""),
        finished_pod("runs", 0, r#""phase":"Running""#, ""),
        finished_pod("evicted", 9, r#""phase":"Failed","reason":"Evicted""#, ""),
        finished_pod("waits", 0, done, waits),
    ];
    let cases: [(usize, &[&str]); 6] = [
        (5, &[]),
        (4, &["evicted"]),
        (3, &["evicted"]),
        (2, &["evicted", "old-a"]),
        (1, &["evicted", "old-a", "old-b"]),
        (0, &["evicted", "old-a", "old-b", "new"]),
    ];
    for (threshold, expected) in cases {
        let plan = finished::plan(&pods, threshold);
        let removed: Vec<_> = match &plan.actions[..] {
            [] => Vec::new(),
            [Action::Several(steps)] => steps.iter().map(|step| &*step.write.name).collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(removed, expected, "{threshold}");
    }
}

#[test]
fn a_node_that_goes_takes_its_pods() {
    let all: [&Resource; 2] = [&NODES, &PODS];
    for returns in [false, true] {
        let mut world = World::new(&all);
        world.put(&NODES, NODE);
        world.put(&PODS, &pod("", "n", r#""phase":"Running""#));
        world.put(&PODS, &pod("", "other", r#""phase":"Running""#).replace(r#""p""#, r#""q""#));
        world.put(&NODES, &NODE.replace(r#""n""#, r#""other""#));
        world.settle(&PodGarbageCollector);
        assert_eq!(world.done, [""; 0]);
        world.delete(&NODES, "", "n", Propagation::Background);
        world.settle(&PodGarbageCollector);
        let marked = world.get(&PODS, "x", "p").unwrap();
        assert!(orphan::is_marked(&marked));
        assert_eq!(marked.text_at(&["status", "phase"]), "Running");
        let round = Round { now: Instant::new(world.seconds + 15, 0).unwrap(), failure: None };
        let plan = PodGarbageCollector.plan(&world.view(), &Key::new("x", "p"), &round);
        assert_eq!((plan.actions.len(), plan.again_after), (0, Some(Duration::from_secs(25))));
        if returns {
            world.put(&NODES, NODE);
            world.settle(&PodGarbageCollector);
            assert!(condition(&world.get(&PODS, "x", "p").unwrap(), "NodeMissing").is_none());
        } else {
            world.seconds += 40;
            let round = Round { now: Instant::new(world.seconds, 0).unwrap(), failure: None };
            let plan = PodGarbageCollector.plan(&world.view(), &Key::new("x", "p"), &round);
            assert_eq!(short(&plan).len(), 2);
        }
        assert!(!orphan::is_marked(&world.get(&PODS, "x", "q").unwrap()));
    }
}

/// What happens, to what, before, after, and the names of the keys.
type Case<'a> = (&'a str, &'a Resource, Option<&'a str>, Option<&'a str>, &'a [&'a str]);

#[test]
fn only_news_wake() {
    let ending = r#","deletionTimestamp":"2026-01-01T00:00:30Z""#;
    let view = Objects::new()
        .with_json(&NODES, NODE)
        .with_json(&PODS, &pod("", "n", r#""phase":"Running""#))
        .with_json(&PODS, &pod(ending, "n", r#""phase":"Running""#).replace(r#""p""#, r#""ending""#))
        .view();
    let running = pod("", "n", r#""phase":"Running""#);
    let done = pod("", "n", r#""phase":"Failed""#);
    let marked = pod("", "n", r#""phase":"Running","conditions":[{"type":"NodeMissing","status":"True"}]"#);
    let lost = pod("", "gone", r#""phase":"Running""#);
    let dying = pod(ending, "n", r#""phase":"Running""#);
    let cases: [Case<'_>; 12] = [
        ("a running pod", &PODS, None, Some(&running), &[]),
        ("a pod of a missing node", &PODS, None, Some(&lost), &["p"]),
        ("a marked pod whose node is there", &PODS, None, Some(&marked), &["p"]),
        ("an ending pod", &PODS, Some(&running), Some(&dying), &["p"]),
        ("a pod that finishes", &PODS, Some(&running), Some(&done), &["all finished"]),
        ("a pod that has finished before", &PODS, Some(&done), Some(&done), &[]),
        ("a pod that goes", &PODS, Some(&dying), None, &[]),
        ("a node that comes", &NODES, None, Some(NODE), &["ending"]),
        ("a node that goes", &NODES, Some(NODE), None, &["ending", "p"]),
        ("a node that is put out of service", &NODES, Some(NODE), Some(OUT), &["ending"]),
        ("a heartbeat", &NODES, Some(NODE), Some(NODE), &[]),
        ("a heartbeat out of service", &NODES, Some(OUT), Some(OUT), &[]),
    ];
    for (case, of, old, new, expected) in cases {
        let side = |text: Option<&str>| text.map(|text| Arc::new(read(text)));
        let change = Change { resource: Arc::new(of.clone()), old: side(old), new: side(new) };
        let woken = if of.is(&PODS) { keys::of_pod(&view, &change) } else { keys::of_node(&view, &change) };
        let names = woken.iter().map(|key| if *key == finished::key() { "all finished" } else { &key.name });
        assert_eq!(names.collect::<Vec<_>>(), expected, "{case}");
    }
}
