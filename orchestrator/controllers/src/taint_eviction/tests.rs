use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Value, json};
use coracle_client::memory::Objects;
use coracle_client::resources::{NODES, PODS};
use coracle_client::{Change, Operation, Resource};

use super::{TaintEviction, keys_of_node, keys_of_pod};
use crate::controller::{Action, Controller, Key, Plan, Round};

/// 2023-11-14T22:13:20.5Z.
const NOW: Instant = Instant { seconds: 1_700_000_000, micros: 500_000 };

fn parse(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn pod(tolerations: &str, more: &str) -> Value {
    parse(&format!(
        r#"{{"metadata":{{"name":"p","namespace":"ns","uid":"u","generation":3{more}}},"spec":{{"nodeName":"n","tolerations":[{tolerations}]}}}}"#
    ))
}

fn node(taints: &str) -> Value {
    parse(&format!(r#"{{"metadata":{{"name":"n"}},"spec":{{"taints":[{taints}]}}}}"#))
}

fn plan(objects: Objects) -> Plan {
    TaintEviction::default().plan(&objects.view(), &Key::new("ns", "p"), &Round { now: NOW, failure: None })
}

const TAINT: &str = r#"{"key":"k","value":"v","effect":"NoExecute","timeAdded":"2023-11-14T22:13:10Z"}"#;
const LATER: &str = r#"{"key":"later","effect":"NoExecute","timeAdded":"2023-11-14T22:13:15Z"}"#;

fn tolerates(members: &str) -> String {
    format!("{{{members}}}")
}

fn limited(key: &str, seconds: i64) -> String {
    tolerates(&format!(r#""key":"{key}","operator":"Exists","tolerationSeconds":{seconds}"#))
}

#[test]
fn pods_stay_as_long_as_they_tolerate() {
    const STAYS: Option<u64> = None;
    const GOES: Option<u64> = Some(0);
    let table: Vec<(&str, String, Option<u64>)> = vec![
        ("", String::new(), STAYS),
        (r#"{"key":"k","effect":"NoSchedule"}"#, String::new(), STAYS),
        (TAINT, String::new(), GOES),
        (TAINT, tolerates(r#""key":"other","operator":"Exists""#), GOES),
        (TAINT, tolerates(r#""key":"k","operator":"Exists""#), STAYS),
        (TAINT, tolerates(r#""operator":"Exists""#), STAYS),
        (TAINT, tolerates(r#""key":"k","operator":"Equal","value":"v""#), STAYS),
        (TAINT, tolerates(r#""key":"k","value":"v""#), STAYS),
        (TAINT, tolerates(r#""key":"k","value":"w""#), GOES),
        (TAINT, tolerates(r#""key":"k","operator":"Exists","effect":"NoExecute""#), STAYS),
        (TAINT, tolerates(r#""key":"k","operator":"Exists","effect":"NoSchedule""#), GOES),
        (TAINT, tolerates(r#""key":"k","operator":"Gt","value":"v""#), GOES),
        (TAINT, limited("k", 0), GOES),
        (TAINT, limited("k", -5), GOES),
        (TAINT, limited("k", 10), GOES),
        (TAINT, limited("k", 11), Some(500)),
        (TAINT, limited("k", 300), Some(289_500)),
        // The first toleration that matches is the one that counts.
        (TAINT, format!("{},{}", limited("k", 300), limited("k", 20)), Some(289_500)),
        // A taint without a time begins now, until it gets one.
        (r#"{"key":"k","effect":"NoExecute"}"#, limited("k", 7), Some(7000)),
    ];
    for (taints, tolerations, left) in table {
        let plan = plan(Objects::new().with(&PODS, pod(&tolerations, "")).with(&NODES, node(taints)));
        let what = format!("{taints} {tolerations}");
        assert_eq!(!plan.actions.is_empty(), left == GOES, "{what}");
        assert_eq!(plan.again_after, left.filter(|left| *left > 0).map(Duration::from_millis), "{what}");
    }
    let both = format!("{TAINT},{LATER}");
    for (tolerations, left) in [
        (format!("{},{}", limited("k", 60), limited("later", 60)), Some(49_500)),
        (format!("{},{}", limited("k", 60), limited("later", 20)), Some(14_500)),
        (format!("{},{}", limited("later", 60), tolerates(r#""key":"k","operator":"Exists""#)), Some(54_500)),
        (limited("k", 60), GOES),
    ] {
        let plan = plan(Objects::new().with(&PODS, pod(&tolerations, "")).with(&NODES, node(&both)));
        assert_eq!(plan.again_after, left.filter(|left| *left > 0).map(Duration::from_millis), "{tolerations}");
    }
}

#[test]
fn what_is_gone_or_goes_is_left_alone() {
    let ending = pod("", r#","deletionTimestamp":"2023-11-14T22:13:00Z""#);
    let unbound = parse(r#"{"metadata":{"name":"p","namespace":"ns"}}"#);
    for objects in [
        Objects::new().with(&PODS, ending).with(&NODES, node(TAINT)),
        Objects::new().with(&PODS, unbound).with(&NODES, node(TAINT)),
        Objects::new().with(&PODS, pod("", "")),
        Objects::new().with(&NODES, node(TAINT)),
    ] {
        assert_eq!(plan(objects), Plan::nothing());
    }
}

#[test]
fn an_eviction_says_why() {
    let conditions = |condition: &str| {
        let mut pod = pod("", "");
        let status = parse(&format!(r#"{{"conditions":[{condition}]}}"#));
        pod.as_object_mut().unwrap().insert("status".into(), status);
        plan(Objects::new().with(&PODS, pod).with(&NODES, node(TAINT)))
    };
    let said = |since: &str| {
        Some(format!(
            r#"{{"metadata":{{"uid":"u"}},"status":{{"conditions":[{{"lastTransitionTime":"{since}","message":"Taint manager: deleting due to NoExecute taint","observedGeneration":3,"reason":"DeletionByTaintManager","status":"True","type":"DisruptionTarget"}}]}}}}"#
        ))
    };
    let table = [
        ("", said("2023-11-14T22:13:20Z")),
        (
            r#"{"type":"DisruptionTarget","status":"False","lastTransitionTime":"2023-11-14T22:00:00Z"}"#,
            said("2023-11-14T22:13:20Z"),
        ),
        (
            r#"{"type":"DisruptionTarget","status":"True","reason":"Other","lastTransitionTime":"2023-11-14T22:00:00Z"}"#,
            said("2023-11-14T22:00:00Z"),
        ),
        (
            r#"{"type":"DisruptionTarget","status":"True","reason":"DeletionByTaintManager","message":"Taint manager: deleting due to NoExecute taint"}"#,
            None,
        ),
    ];
    for (condition, expected) in table {
        let plan = conditions(condition);
        let Some((Action::Tell(event), steps)) = plan.actions.split_first() else { panic!("{plan:?}") };
        assert_eq!(
            (event.kind, event.reason, &*event.message),
            ("Normal", "TaintManagerEviction", "Marking for deletion Pod ns/p")
        );
        let (mut patch, mut deleted) = (None, false);
        for step in steps {
            let Action::Do(step) = step else { panic!("{step:?}") };
            assert_eq!((&*step.write.name, step.fine), ("p", &["NotFound"][..]));
            match &step.write.operation {
                Operation::Patch(_, value) => {
                    assert!(!deleted && step.write.subresource == "status");
                    patch = Some(String::from_utf8(json::encode_any(value)).unwrap());
                }
                Operation::Delete { uid, grace_seconds: None, .. } if uid == "u" => deleted = true,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((patch, deleted), (expected, true), "{condition}");
    }
}

fn change(resource: &'static Resource, old: Option<Value>, new: Option<Value>) -> Change {
    Change { resource: Arc::new(resource.clone()), old: old.map(Arc::new), new: new.map(Arc::new) }
}

fn show(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| format!("{} {}/{}", key.resource, key.namespace, key.name).trim().to_owned()).collect()
}

#[test]
fn changes_of_nodes_concern_their_pods() {
    let forever = tolerates(r#""operator":"Exists""#);
    let both = ["Cancelling ns/p", "ns/p"];
    let table: [(String, &str, &str, &[&str]); 7] = [
        (limited("k", 300), "", TAINT, &["ns/p"]),
        // Such a pod was never given time.
        (limited("k", 0), TAINT, "", &["ns/p"]),
        (limited("k", 300), TAINT, "", &both),
        (limited("k", 300), TAINT, TAINT, &[]),
        (limited("k", 300), TAINT, LATER, &both),
        (forever, TAINT, "", &["ns/p"]),
        (String::new(), "", r#"{"key":"k","effect":"NoSchedule"}"#, &[]),
    ];
    for (tolerations, old, new, expected) in table {
        let view = Objects::new().with(&PODS, pod(&tolerations, "")).with(&NODES, node(new)).view();
        let keys = keys_of_node(&view, &change(&NODES, Some(node(old)), Some(node(new))));
        assert_eq!(show(&keys), expected, "{tolerations} {old} {new}");
    }
}

#[test]
fn changes_of_pods_concern_themselves() {
    let evicted = {
        let mut pod = pod(&limited("k", 300), "");
        let status =
            r#"{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"DeletionByTaintManager"}]}"#;
        pod.as_object_mut().unwrap().insert("status".into(), parse(status));
        pod
    };
    let short = || pod(&limited("k", 300), "");
    let forever = || pod(&tolerates(r#""operator":"Exists""#), "");
    let table: [(Option<Value>, Option<Value>, &[&str]); 6] = [
        (None, Some(short()), &["ns/p"]),
        (Some(short()), Some(pod(&limited("k", 300), r#","labels":{"a":"b"}"#)), &[]),
        (Some(short()), Some(forever()), &["Cancelling ns/p", "ns/p"]),
        (Some(short()), None, &["Cancelling ns/p"]),
        (Some(forever()), None, &[]),
        (Some(evicted), None, &[]),
    ];
    for (old, new, expected) in table {
        let view = Objects::new().with(&NODES, node(TAINT)).view();
        assert_eq!(show(&keys_of_pod(&view, &change(&PODS, old, new))), expected);
    }
    let key = Key { resource: "Cancelling".into(), ..Key::new("ns", "p") };
    let plan = TaintEviction::default().plan(&Objects::new().view(), &key, &Round { now: NOW, failure: None });
    let [Action::Tell(event)] = plan.actions.as_slice() else { panic!("{plan:?}") };
    assert_eq!((event.reason, &*event.message), ("TaintManagerEviction", "Cancelling deletion of Pod ns/p"));
}
