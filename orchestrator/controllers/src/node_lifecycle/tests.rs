use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Value, json};
use coracle_client::memory::Objects;
use coracle_client::resources::{LEASES, NODES, PODS};
use coracle_client::{Change, Operation, View, Write};

use super::{NodeLifecycle, keys_of_lease, keys_of_node};
use crate::controller::{Action, Controller, Key, Plan, Round};

/// 2023-11-14T22:13:20Z.
const NOW: Instant = Instant { seconds: 1_700_000_000, micros: 0 };

fn parse(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn text(value: &Value) -> String {
    String::from_utf8(json::encode_any(value)).unwrap()
}

/// A node with members of metadata, of its spec, and conditions such as `Ready:True`.
fn node(name: &str, metadata: &str, spec: &str, conditions: &[&str]) -> Value {
    let condition = |row: &&str| {
        let (of, status) = row.split_once(':').unwrap();
        format!(
            r#"{{"type":"{of}","status":"{status}","reason":"r","message":"m","lastHeartbeatTime":"2023-11-14T22:00:00Z","lastTransitionTime":"2023-11-14T20:00:00Z"}}"#
        )
    };
    let conditions: Vec<_> = conditions.iter().map(condition).collect();
    let conditions = conditions.join(",");
    parse(&format!(
        r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}","uid":"u","resourceVersion":"5","creationTimestamp":"2023-11-14T19:00:00Z"{metadata}}},"spec":{{{spec}}},"status":{{"conditions":[{conditions}]}}}}"#
    ))
}

fn lease(name: &str, renewed: &str) -> Value {
    parse(&format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"kube-node-lease"}},"spec":{{"renewTime":"{renewed}"}}}}"#
    ))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A node of which nothing more is to be said.
fn other() -> Value {
    node("other", "", "", &["Ready:True"])
}

fn plan(view: &View) -> Plan {
    NodeLifecycle::default().plan(view, &Key::new("", "n"), &Round { now: NOW, failure: None })
}

fn writes(plan: &Plan) -> Vec<&Write> {
    let mut writes = Vec::new();
    for action in &plan.actions {
        match action {
            Action::Do(step) => writes.push(&step.write),
            Action::Several(steps) => writes.extend(steps.iter().map(|step| &step.write)),
            Action::Tell(event) => panic!("{event:?}"),
        }
    }
    writes
}

#[test]
fn signs_of_life_are_told_from_other_writes() {
    // Age of the node, age and time of its lease; what is left until it is lost.
    type Row = (u64, Option<(u64, &'static str)>, Option<u64>);
    let table: [Row; 9] = [
        (0, None, Some(50)),
        (49, None, Some(1)),
        (50, None, None),
        (100, Some((0, "2023-11-14T22:10:00.000000Z")), Some(50)),
        (100, Some((49, "2023-11-14T22:10:00.000000Z")), Some(1)),
        // Somebody writes the node object: that is no sign of life.
        (0, Some((50, "2023-11-14T22:10:00.000000Z")), None),
        // The node posts its status but not its lease.
        (0, Some((50, "2023-11-14T21:00:00.000000Z")), Some(50)),
        (50, Some((0, "2023-11-14T21:00:00.000000Z")), Some(50)),
        (50, Some((50, "2023-11-14T21:00:00.000000Z")), None),
    ];
    for (status_age, lease_age, left) in table {
        let mut objects = Objects::new()
            .with_age(&NODES, node("n", "", "", &["Ready:True"]), seconds(status_age))
            .with(&NODES, other());
        if let Some((age, renewed)) = lease_age {
            objects = objects.with_age(&LEASES, lease("n", renewed), seconds(age));
        }
        let plan = plan(&objects.view());
        assert_eq!(plan.again_after, left.map(seconds), "{status_age} {lease_age:?}");
        assert_eq!(plan.actions.is_empty(), left.is_some(), "{status_age} {lease_age:?}");
    }
}

#[test]
fn what_is_unknown_is_said() {
    let lost = |node: Value, age| Objects::new().with_age(&NODES, node, seconds(age)).with(&NODES, other()).view();
    let conditions = |plan: &Plan| {
        let [Action::Do(step)] = plan.actions.as_slice() else { panic!("{plan:?}") };
        assert_eq!(step.write.subresource, "status");
        let Operation::Update(node) = &step.write.operation else { panic!("{step:?}") };
        let conditions = node.at(&["status", "conditions"]).unwrap().items().to_vec();
        (conditions, step.on_success.as_ref().map(|event| format!("{}: {}", event.reason, event.message)))
    };
    let view = lost(node("n", "", "", &["NetworkUnavailable:False", "DiskPressure:False", "Ready:True"]), 50);
    let (written, event) = conditions(&plan(&view));
    assert_eq!(event.as_deref(), Some("NodeNotReady: Node n status is now: NodeNotReady"));
    let expected = [
        r#"{"lastHeartbeatTime":"2023-11-14T22:00:00Z","lastTransitionTime":"2023-11-14T20:00:00Z","message":"m","reason":"r","status":"False","type":"NetworkUnavailable"}"#,
        r#"{"lastHeartbeatTime":"2023-11-14T22:00:00Z","lastTransitionTime":"2023-11-14T22:13:20Z","message":"Kubelet stopped posting node status.","reason":"NodeStatusUnknown","status":"Unknown","type":"DiskPressure"}"#,
        r#"{"lastHeartbeatTime":"2023-11-14T22:00:00Z","lastTransitionTime":"2023-11-14T22:13:20Z","message":"Kubelet stopped posting node status.","reason":"NodeStatusUnknown","status":"Unknown","type":"Ready"}"#,
        r#"{"lastHeartbeatTime":"2023-11-14T19:00:00Z","lastTransitionTime":"2023-11-14T22:13:20Z","message":"Kubelet never posted node status.","reason":"NodeStatusNeverUpdated","status":"Unknown","type":"MemoryPressure"}"#,
        r#"{"lastHeartbeatTime":"2023-11-14T19:00:00Z","lastTransitionTime":"2023-11-14T22:13:20Z","message":"Kubelet never posted node status.","reason":"NodeStatusNeverUpdated","status":"Unknown","type":"PIDPressure"}"#,
    ];
    assert_eq!(written.iter().map(text).collect::<Vec<_>>(), expected);
    // A node that said itself that it is not ready is no news.
    let (written, event) = conditions(&plan(&lost(node("n", "", "", &["Ready:False"]), 50)));
    assert_eq!((written[0].text_at(&["status"]), event), ("Unknown", None));
    // A node that never posted gets ten seconds more.
    let silent = node("n", "", "", &[]);
    assert_eq!(plan(&lost(silent.clone(), 59)).again_after, Some(seconds(1)));
    let (written, event) = conditions(&plan(&lost(silent, 60)));
    assert_eq!((written.len(), written[0].text_at(&["reason"]), event), (4, "NodeStatusNeverUpdated", None));
}

#[test]
fn pods_of_a_lost_node_are_not_ready() {
    let pod = |name: &str, node: &str, ready: &str| {
        parse(&format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"ns"}},"spec":{{"nodeName":"{node}"}},"status":{{"conditions":[{{"type":"Initialized","status":"True"}},{{"type":"Ready","status":"{ready}","reason":"r"}}]}}}}"#
        ))
    };
    let pods = |objects: Objects| {
        objects
            .with(&PODS, pod("ready", "n", "True"))
            .with(&PODS, pod("unready", "n", "False"))
            .with(&PODS, pod("elsewhere", "other", "True"))
            .with(&NODES, other())
            .view()
    };
    let tainted = r#""taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"},{"key":"node.kubernetes.io/unreachable","effect":"NoExecute","timeAdded":"2023-11-14T22:00:00Z"}]"#;
    let renewed = lease("n", "2023-11-14T22:10:00.000000Z");
    let table = [
        (Objects::new().with_age(&NODES, node("n", "", tainted, &["Ready:True"]), seconds(50)), vec!["n", "ready"]),
        // The pods failed to be written then.
        (Objects::new().with_age(&NODES, node("n", "", tainted, &["Ready:Unknown"]), seconds(9)), vec!["ready"]),
        // It is back, but has not said so in its status yet.
        (
            Objects::new().with(&NODES, node("n", "", tainted, &["Ready:Unknown"])).with(&LEASES, renewed.clone()),
            vec![],
        ),
        (
            Objects::new().with(&NODES, node("n", "", tainted, &["Ready:Unknown"])).with_age(
                &LEASES,
                renewed,
                seconds(50),
            ),
            vec!["ready"],
        ),
    ];
    for (objects, expected) in table {
        let plan = plan(&pods(objects));
        assert_eq!(writes(&plan).iter().map(|write| &*write.name).collect::<Vec<_>>(), expected);
        let Some(Action::Several(steps)) = plan.actions.last() else { continue };
        let Operation::Update(pod) = &steps[0].write.operation else { panic!("{steps:?}") };
        assert_eq!(
            text(pod.at(&["status"]).unwrap()),
            r#"{"conditions":[{"status":"True","type":"Initialized"},{"lastTransitionTime":"2023-11-14T22:13:20Z","reason":"r","status":"False","type":"Ready"}]}"#
        );
        let event = steps[0].on_success.as_ref().unwrap();
        assert_eq!((event.kind, event.reason, &*event.message), ("Warning", "NodeNotReady", "Node is not ready"));
    }
}

/// Taints as `KEY:EFFECT@TIME`, without the usual prefix and date.
fn short(taints: &[Value]) -> Vec<String> {
    let short = |taint: &Value| {
        let time = taint.text_at(&["timeAdded"]).trim_start_matches("2023-11-14T").trim_end_matches('Z').to_owned();
        let key = taint.text_at(&["key"]).trim_start_matches("node.kubernetes.io/").to_owned();
        format!("{key}:{}@{time}", taint.text_at(&["effect"]))
    };
    taints.iter().map(short).collect()
}

#[test]
fn taints_follow_the_conditions() {
    let old = |key: &str, effect: &str| {
        format!(r#"{{"key":"node.kubernetes.io/{key}","effect":"{effect}","timeAdded":"2023-11-14T22:00:00Z"}}"#)
    };
    let own = r#"{"key":"own","value":"v","effect":"NoSchedule"}"#.to_owned();
    let own_driving = r#"{"key":"own","effect":"NoExecute"}"#.to_owned();
    type Row<'a> = (&'a [&'a str], Vec<String>, &'a str, Option<&'a [&'a str]>);
    let table: Vec<Row<'_>> = vec![
        (&["Ready:True"], vec![], "", None),
        (&["Ready:True"], vec![own.clone()], "", None),
        (&[], vec![], "", None),
        (&["Ready:False"], vec![], "", Some(&["not-ready:NoSchedule@22:13:20", "not-ready:NoExecute@22:13:20"])),
        // Admission taints a node when it is made; nothing is written twice.
        (
            &["Ready:False"],
            vec![old("not-ready", "NoSchedule")],
            "",
            Some(&["not-ready:NoSchedule@22:00:00", "not-ready:NoExecute@22:13:20"]),
        ),
        (&["Ready:False"], vec![old("not-ready", "NoSchedule"), old("not-ready", "NoExecute")], "", None),
        (
            &["Ready:True"],
            vec![own.clone(), old("not-ready", "NoSchedule"), old("not-ready", "NoExecute")],
            "",
            Some(&["own:NoSchedule@"]),
        ),
        (&["Ready:True"], vec![old("unreachable", "NoExecute")], "", Some(&[])),
        (
            &["MemoryPressure:True", "DiskPressure:True", "PIDPressure:True", "NetworkUnavailable:True", "Ready:True"],
            vec![own.clone()],
            r#","unschedulable":true"#,
            Some(&[
                "own:NoSchedule@",
                "memory-pressure:NoSchedule@22:13:20",
                "disk-pressure:NoSchedule@22:13:20",
                "pid-pressure:NoSchedule@22:13:20",
                "network-unavailable:NoSchedule@22:13:20",
                "unschedulable:NoSchedule@22:13:20",
            ]),
        ),
        (
            &["MemoryPressure:Unknown", "NetworkUnavailable:Unknown", "Ready:True"],
            vec![old("memory-pressure", "NoSchedule"), old("unschedulable", "NoSchedule")],
            "",
            Some(&[]),
        ),
        // One takes the place of the other, and the time goes on.
        (
            &["Ready:False"],
            vec![old("unreachable", "NoSchedule"), old("unreachable", "NoExecute")],
            "",
            Some(&["not-ready:NoSchedule@22:13:20", "not-ready:NoExecute@22:00:00"]),
        ),
        // A taint of a person stays as it is.
        (&["Ready:True"], vec![own_driving], "", None),
    ];
    for (conditions, taints, spec, expected) in table {
        let spec = format!(r#""taints":[{}]{spec}"#, taints.join(","));
        let view = Objects::new().with(&NODES, node("n", "", &spec, conditions)).with(&NODES, other()).view();
        let plan = plan(&view);
        let written = writes(&plan).first().map(|write| {
            let Operation::Patch(_, patch) = &write.operation else { panic!("{write:?}") };
            assert_eq!(patch.text_at(&["metadata", "resourceVersion"]), "5");
            short(patch.at(&["spec", "taints"]).unwrap().items())
        });
        let expected = expected.map(|taints| taints.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(written, expected, "{conditions:?} {taints:?}");
    }
}

#[test]
fn trouble_of_a_zone_slows_down() {
    let zone = |zone: &str| format!(r#","labels":{{"topology.kubernetes.io/zone":"{zone}"}}"#);
    let excluded = r#","labels":{"node.kubernetes.io/exclude-disruption":""}"#.to_owned();
    let since = |time: &str| {
        format!(r#""taints":[{{"key":"node.kubernetes.io/unreachable","effect":"NoExecute","timeAdded":"{time}"}}]"#)
    };
    let mut number = 0;
    let mut of = |metadata: &str, spec: &str, ready: &str| {
        number += 1;
        node(&format!("o{number}"), metadata, spec, &[&format!("Ready:{ready}")])
    };
    let mut many = |count: usize, metadata: &str, ready: &str| -> Vec<Value> {
        (0..count).map(|_| of(metadata, "", ready)).collect()
    };
    let lost_at = |time: &str| node("x", "", &since(time), &["Ready:Unknown"]);
    // Other nodes; whether `n` is tainted, and when that is asked again.
    let table: Vec<(&str, Vec<Value>, bool, Option<u64>)> = vec![
        ("alone", vec![], false, None),
        ("one of two", many(1, "", "True"), true, None),
        ("all of two", many(1, "", "False"), false, None),
        ("all that count", many(1, &excluded, "True").into_iter().chain(many(1, "", "Unknown")).collect(), false, None),
        ("after another", vec![other(), lost_at("2023-11-14T22:13:13Z")], false, Some(3)),
        ("long after another", vec![other(), lost_at("2023-11-14T22:13:10Z")], true, None),
        (
            "after another and a clock that was ahead",
            [many(3, "", "True"), vec![lost_at("2023-11-14T22:13:13Z"), lost_at("2024-11-14T22:13:10Z")]].concat(),
            false,
            Some(3),
        ),
        ("after a clock that was ahead", vec![other(), lost_at("2024-11-14T22:13:10Z")], true, None),
        ("three of four", [many(2, "", "False"), many(1, "", "True")].concat(), false, None),
        ("three of six", [many(2, "", "False"), many(3, "", "True")].concat(), true, None),
        ("a whole zone", [many(5, "", "False"), many(1, &zone("z"), "True")].concat(), true, None),
        ("a lost zone elsewhere", [many(5, &zone("z"), "False"), many(1, "", "True")].concat(), true, None),
        ("a large zone", [many(40, "", "False"), many(11, "", "True")].concat(), true, None),
        (
            "a large zone after another",
            [many(40, "", "False"), many(11, "", "True"), vec![lost_at("2023-11-14T22:13:00Z")]].concat(),
            false,
            Some(80),
        ),
    ];
    for (what, others, tainted, again) in table {
        let lost = node(
            "n",
            "",
            r#""taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}]"#,
            &["Ready:Unknown"],
        );
        let mut objects = Objects::new().with_age(&NODES, lost, seconds(70));
        for node in others {
            objects = objects.with(&NODES, node);
        }
        let plan = plan(&objects.view());
        assert_eq!((!plan.actions.is_empty(), plan.again_after), (tainted, again.map(seconds)), "{what}");
    }
}

#[test]
fn excluded_nodes_are_no_disruption() {
    let excluded = r#","labels":{"node.kubernetes.io/exclude-disruption":""}"#;
    let spec = r#""taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}]"#;
    let view = Objects::new().with(&NODES, node("n", excluded, spec, &["Ready:Unknown"])).view();
    assert_eq!(writes(&plan(&view)).len(), 1);
}

#[test]
fn what_has_begun_does_not_wait() {
    let tainted = |key: &str, time: &str| {
        format!(r#""taints":[{{"key":"node.kubernetes.io/{key}","effect":"NoExecute","timeAdded":"{time}"}}]"#)
    };
    let another = node("another", "", &tainted("unreachable", "2023-11-14T22:13:19Z"), &["Ready:Unknown"]);
    for (ready, expected) in
        [("Unknown", vec!["unreachable:NoSchedule@22:13:20", "unreachable:NoExecute@22:00:00"]), ("True", vec![])]
    {
        let spec = tainted("not-ready", "2023-11-14T22:00:00Z");
        let view = Objects::new()
            .with_age(&NODES, node("n", "", &spec, &[&format!("Ready:{ready}")]), seconds(20))
            .with(&NODES, other())
            .with(&NODES, another.clone())
            .view();
        let plan = plan(&view);
        let Operation::Patch(_, patch) = &writes(&plan)[0].operation else { panic!("{plan:?}") };
        assert_eq!(short(patch.at(&["spec", "taints"]).unwrap().items()), expected);
    }
}

#[test]
fn nodes_that_fail_at_once_are_seen_at_once() {
    let lost = node(
        "n",
        "",
        r#""taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}]"#,
        &["Ready:Unknown"],
    );
    // The other one is silent, too, but its condition does not say so yet.
    let view = Objects::new().with_age(&NODES, lost, seconds(50)).with_age(&NODES, other(), seconds(50)).view();
    let plan = plan(&view);
    assert_eq!((plan.actions.len(), plan.again_after), (0, Some(seconds(50))));
}

#[test]
fn old_labels_follow_the_new() {
    let table = [
        ("", None),
        (r#","labels":{"kubernetes.io/os":"linux","beta.kubernetes.io/os":"linux"}"#, None),
        (r#","labels":{"beta.kubernetes.io/os":"linux"}"#, None),
        (
            r#","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"arm64","beta.kubernetes.io/arch":"amd64"}"#,
            Some(
                r#"{"metadata":{"labels":{"beta.kubernetes.io/arch":"arm64","beta.kubernetes.io/os":"linux"},"resourceVersion":"5"}}"#,
            ),
        ),
    ];
    for (metadata, expected) in table {
        let plan = plan(&Objects::new().with(&NODES, node("n", metadata, "", &["Ready:True"])).view());
        let written = writes(&plan).first().map(|write| {
            let Operation::Patch(_, patch) = &write.operation else { panic!("{write:?}") };
            text(patch)
        });
        assert_eq!(written.as_deref(), expected, "{metadata}");
    }
}

#[test]
fn changes_concern_the_right_nodes() {
    let ready = node("n", "", "", &["Ready:True"]);
    let lost = node("n", "", "", &["Ready:Unknown"]);
    let closed = node("n", "", r#""unschedulable":true"#, &["Ready:True"]);
    let table = [
        (None, Some(&ready), vec!["n", "other", "RegisteredNode//n"]),
        (Some(&ready), Some(&closed), vec!["n"]),
        (Some(&ready), Some(&lost), vec!["n", "other"]),
        (Some(&ready), None, vec!["other", "RemovingNode/u/n"]),
    ];
    let show = |keys: Vec<Key>| {
        let show = |key: &Key| match key.resource.as_str() {
            "" => key.name.clone(),
            resource => format!("{resource}/{}/{}", key.namespace, key.name),
        };
        keys.iter().map(show).collect::<Vec<_>>()
    };
    for (old, new, expected) in table {
        let change = Change {
            resource: Arc::new(NODES.clone()),
            old: old.map(|old| Arc::new(old.clone())),
            new: new.map(|new| Arc::new(new.clone())),
        };
        let objects = Objects::new().with(&NODES, other());
        let view = new.into_iter().fold(objects, |objects, new| objects.with(&NODES, new.clone())).view();
        let keys = keys_of_node(&view, &change);
        assert_eq!(show(keys.clone()), expected);
        for key in keys.iter().filter(|key| !key.resource.is_empty()) {
            let plan = NodeLifecycle::default().plan(&view, key, &Round { now: NOW, failure: None });
            let [Action::Tell(event)] = plan.actions.as_slice() else { panic!("{plan:?}") };
            let expected = match event.reason {
                "RegisteredNode" => "Node n event: Registered Node n in Controller",
                _ => "Node n event: Removing Node n from Controller",
            };
            assert_eq!((&*event.message, plan.again_after), (expected, None));
            assert_eq!(
                text(&event.regarding),
                r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n","uid":"u"}}"#
            );
        }
    }
    let renewal = Arc::new(lease("n", ""));
    let change = |old: bool, new: bool| Change {
        resource: Arc::new(LEASES.clone()),
        old: old.then(|| Arc::clone(&renewal)),
        new: new.then(|| Arc::clone(&renewal)),
    };
    let view = Objects::new().view();
    for (old, new, expected) in [(false, true, vec!["n"]), (true, true, vec![]), (true, false, vec!["n"])] {
        assert_eq!(show(keys_of_lease(&view, &change(old, new))), expected);
    }
}
