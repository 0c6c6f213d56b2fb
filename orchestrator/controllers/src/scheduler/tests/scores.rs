//! Which of several good nodes is taken, and the scores behind it.

use super::super::score::totals;
use super::super::snapshot::{PodInfo, Snapshot};
use super::*;
use coracle_client::resources::{REPLICA_SETS, SERVICES};
use std::sync::Arc;

/// The scores of the nodes in the order of their names.
fn scores(objects: Objects, pod: &Value) -> Vec<i64> {
    let view = objects.with(&PODS, pod.clone()).view();
    let snapshot = Snapshot::of(&view);
    let nodes: Vec<_> = snapshot.nodes.iter().map(|node| &**node).collect();
    totals(&view, &PodInfo::of(&Arc::new(pod.clone())), &snapshot, &nodes)
}

/// Two nodes; on the first one is another pod.
fn beside(there: &str) -> Objects {
    nodes(&["m", "n"]).with(&PODS, labelled("there", r#""app":"b""#, &format!(r#","nodeName":"m"{there}"#)))
}

#[test]
fn the_emptier_node_is_better() {
    // CPU: a pod without requests counts as 100m and 200Mi: (4000 - 100) * 100 / 4000 = 97, and for memory 97 as well.
    let expected = |m: i64, n: i64| vec![m + 300, n + 300];
    assert_eq!(scores(nodes(&["m", "n"]), &pod("p", r#","containers":[{}]"#)), expected(97, 97));
    assert_eq!(scores(beside(&asks(r#""cpu":"2""#)), &pod("p", r#","containers":[{}]"#)), expected((47 + 95) / 2, 97));
    // A pod with requests is also scored for the balance: it takes a quarter of the CPU and nothing of the memory, so the
    // balance falls from 100 to 87.
    let coming = pod("p", &asks(r#""cpu":"1""#));
    assert_eq!(scores(nodes(&["n"]), &coming), [(75 + 97) / 2 + 300 + 50 + (50 + 87 - 100) / 2]);
    assert_eq!(place(beside(&asks(r#""cpu":"2""#)), &coming), Ok("n".to_owned()));
}

#[test]
fn wishes_are_weighed() {
    let node_wish = r#","affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":5,"preference":{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["m"]}]}}]}}"#;
    let pod_wish = |kind: &str| {
        format!(
            r#","affinity":{{"{kind}":{{"preferredDuringSchedulingIgnoredDuringExecution":[{{"weight":5,"podAffinityTerm":{{"topologyKey":"kubernetes.io/hostname","labelSelector":{{"matchLabels":{{"app":"b"}}}}}}}}]}}}}"#
        )
    };
    let demand = r#","affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"a"}}}]}}"#;
    let plain = scores(beside(""), &pod("p", ""));
    let table = [
        ("", node_wish.to_owned(), [200, 0]),
        ("", pod_wish("podAffinity"), [200, 0]),
        ("", pod_wish("podAntiAffinity"), [0, 200]),
        // What another pod demands is a wish for this one.
        (demand, String::new(), [200, 0]),
    ];
    for (there, spec, expected) in table {
        let scores = scores(beside(there), &pod("p", &spec));
        assert_eq!([scores[0] - plain[0], scores[1] - plain[1]], expected, "{spec}");
    }
    let soft = node("s", "", r#""taints":[{"key":"k","effect":"PreferNoSchedule"}]"#);
    assert_eq!(scores(nodes(&["m"]).with(&NODES, soft), &pod("p", "")), [plain[1], plain[1] - 300]);
}

#[test]
fn alike_pods_are_spread() {
    let service = read(r#"{"metadata":{"namespace":"ns","name":"s"},"spec":{"selector":{"app":"a"}}}"#);
    let set = read(r#"{"metadata":{"namespace":"ns","name":"r"},"spec":{"selector":{"matchLabels":{"app":"a"}}}}"#);
    let owned = |name: &str, spec: &str| {
        let mut pod = pod(name, spec);
        let owner = read(r#"[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","controller":true}]"#);
        pod.as_object_mut().unwrap().object_mut("metadata").insert("ownerReferences".into(), owner);
        pod
    };
    let there = pod("there", r#","nodeName":"m""#);
    let apart = |objects: Objects, pod: &Value| {
        let scores = scores(objects, pod);
        scores[1] - scores[0]
    };
    let objects = || nodes(&["m", "n"]).with(&PODS, there.clone());
    assert_eq!(apart(objects(), &pod("p", "")), 0);
    // One pod: round(ln 4 + 2) = 3 against 2, so (3 + 2 - 3) * 100 / 3 = 66 against 100.
    assert_eq!(apart(objects().with(&SERVICES, service), &pod("p", "")), 2 * (100 - 66));
    assert_eq!(apart(objects().with(&REPLICA_SETS, set), &owned("p", "")), 2 * (100 - 66));
    let rule = r#","topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"app":"a"}}}]"#;
    assert_eq!(apart(objects(), &pod("p", rule)), 200);
}

#[test]
fn images_that_are_there_count() {
    let mut holder = node("h", "", "");
    let image = read(r#"[{"names":["i:latest"],"sizeBytes":1023410176}]"#);
    holder.as_object_mut().unwrap().object_mut("status").insert("images".into(), image);
    let scores = scores(nodes(&["n"]).with(&NODES, holder), &pod("p", &asks(r#""cpu":"1""#)));
    // 976 MiB on one of two nodes count as 488: (488 - 23) * 100 / (1000 - 23).
    assert_eq!(scores[0] - scores[1], 47);
}

#[test]
fn equal_nodes_are_all_used() {
    let names = ["a", "b", "c", "d"];
    let mut taken: Vec<String> = (0..40).map(|at| place(nodes(&names), &pod(&format!("p{at}"), "")).unwrap()).collect();
    taken.sort();
    taken.dedup();
    assert_eq!(taken, names);
}
