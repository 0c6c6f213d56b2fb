//! Which changes wake whom.

use std::sync::Arc;

use super::*;
use crate::controller::Watches;
use coracle_client::resources::{NAMESPACES, PERSISTENT_VOLUME_CLAIMS};
use coracle_client::{Change, Resource};

const CLAIM: &str = r#","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]"#;
const RULE: &str =
    r#","topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]"#;

/// The pods that a change wakes among three that wait, one that is gated and one that is placed.
fn woken(resource: &'static Resource, old: Option<&Value>, new: Option<&Value>) -> String {
    let view = Objects::new()
        .with(&PODS, pod("x", ""))
        .with(&PODS, pod("c", CLAIM))
        .with(&PODS, pod("s", RULE))
        .with(&PODS, pod("gated", r#","schedulingGates":[{"name":"g"}]"#))
        .with(&PODS, pod("placed", r#","nodeName":"n""#))
        .view();
    let shared = |side: Option<&Value>| side.map(|side| Arc::new(side.clone()));
    let change = Change { resource: Arc::new(resource.clone()), old: shared(old), new: shared(new) };
    let Watches::Only(watches) = Scheduler.watches() else { panic!() };
    let (_, keys) = watches.into_iter().find(|(watched, _)| *watched == resource).unwrap();
    keys(&view, &change).iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(",")
}

fn with(object: &Value, part: &'static str, value: &str) -> Value {
    let mut object = object.clone();
    let part_of = object.as_object_mut().unwrap().object_mut(part);
    for (name, value) in read(value).as_object().unwrap().iter() {
        part_of.insert(name.to_owned().into(), value.clone());
    }
    object
}

#[test]
fn nodes_wake_only_when_they_matter() {
    let old = node("n", "", "");
    let table = [
        ("status", r#"{"conditions":[{"type":"Ready","lastHeartbeatTime":"2024-01-01T00:00:00Z"}]}"#, ""),
        ("status", r#"{"images":[{"names":["i"]}]}"#, ""),
        ("metadata", r#"{"annotations":{"a":"b"},"resourceVersion":"7"}"#, ""),
        ("metadata", r#"{"labels":{"zone":"b"}}"#, "c,s,x"),
        ("spec", r#"{"unschedulable":true}"#, ""),
        ("spec", r#"{"taints":[{"key":"k"}]}"#, ""),
        ("status", r#"{"allocatable":{"cpu":"0"}}"#, ""),
        ("status", r#"{"allocatable":{"cpu":"5"}}"#, "c,s,x"),
    ];
    for (part, value, expected) in table {
        assert_eq!(woken(&NODES, Some(&old), Some(&with(&old, part, value))), expected, "{value}");
    }
    // Opened again.
    for closed in [r#"{"unschedulable":true}"#, r#"{"taints":[{"key":"k"}]}"#] {
        assert_eq!(woken(&NODES, Some(&with(&old, "spec", closed)), Some(&old)), "c,s,x", "{closed}");
    }
    assert_eq!(woken(&NODES, None, Some(&old)), "c,s,x");
    assert_eq!(woken(&NODES, Some(&old), None), "c,s,x");
}

#[test]
fn pods_wake_themselves_and_others() {
    let waits = pod("x", "");
    let condition = with(&waits, "status", r#"{"conditions":[{"type":"PodScheduled"}]}"#);
    let placed = pod("y", &format!(r#","nodeName":"n"{}"#, asks(r#""cpu":"2""#)));
    let unplaced = pod("y", &asks(r#""cpu":"2""#));
    let smaller = pod("y", &format!(r#","nodeName":"n"{}"#, asks(r#""cpu":"1""#)));
    let larger = pod("y", &format!(r#","nodeName":"n"{}"#, asks(r#""cpu":"3""#)));
    let runs = with(&placed, "status", r#"{"phase":"Running","podIP":"10.0.0.1"}"#);
    let done = with(&placed, "status", r#"{"phase":"Succeeded"}"#);
    let ending = with(&placed, "metadata", r#"{"deletionTimestamp":"2024-01-01T00:00:00Z"}"#);
    let other = with(&placed, "metadata", r#"{"labels":{"app":"z"}}"#);
    let gated = pod("x", r#","schedulingGates":[{"name":"g"}]"#);
    let promised = with(&waits, "status", r#"{"nominatedNodeName":"n"}"#);
    let table = [
        (None, Some(&waits), "x"),
        // Its own condition wakes nobody.
        (Some(&waits), Some(&condition), ""),
        (Some(&gated), Some(&waits), "x"),
        (Some(&waits), None, ""),
        (Some(&unplaced), Some(&placed), "s"),
        (Some(&placed), Some(&runs), ""),
        (Some(&placed), Some(&larger), ""),
        (Some(&placed), Some(&smaller), "c,s,x"),
        (Some(&placed), Some(&other), "c,s,x"),
        (Some(&placed), Some(&done), "c,s,x"),
        (Some(&placed), None, "c,s,x"),
        (Some(&done), None, ""),
        (Some(&placed), Some(&ending), "s"),
        (Some(&ending), None, "c,s,x"),
        (Some(&promised), Some(&waits), "x,c,s,x"),
    ];
    for (at, (old, new, expected)) in table.into_iter().enumerate() {
        assert_eq!(woken(&PODS, old, new), expected, "{at}");
    }
}

#[test]
fn claims_and_namespaces_wake_who_uses_them() {
    let claim = |name: &str| read(&format!(r#"{{"metadata":{{"namespace":"ns","name":"{name}"}}}}"#));
    assert_eq!(woken(&PERSISTENT_VOLUME_CLAIMS, None, Some(&claim("c"))), "c");
    assert_eq!(woken(&PERSISTENT_VOLUME_CLAIMS, None, Some(&claim("d"))), "");
    let namespace = read(r#"{"metadata":{"name":"ns"}}"#);
    assert_eq!(
        woken(&NAMESPACES, Some(&namespace), Some(&with(&namespace, "metadata", r#"{"labels":{"a":"b"}}"#))),
        "s"
    );
    assert_eq!(woken(&NAMESPACES, Some(&namespace), Some(&with(&namespace, "status", r#"{"phase":"Active"}"#))), "");
}
