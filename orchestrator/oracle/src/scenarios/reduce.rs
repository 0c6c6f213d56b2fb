//! What of an object is compared: all of it but what two honest servers do differently, or for kinds that a node or a
//! foreign program writes to, only what the control plane decides.

use super::condition::at;
use super::names::Names;
use crate::normalise::normalise_json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How a kind is reduced.
struct Row {
    kind: &'static str,
    /// What is kept, as JSON pointers; empty keeps all.
    keep: &'static [&'static str],
    /// Of the conditions: which types, and which members of them; empty keeps all.
    conditions: (&'static [&'static str], &'static [&'static str]),
    /// Places of certificates and other values of which only the form can be compared.
    hidden: &'static [&'static str],
}

const EVERYTHING: Row = Row { kind: "", keep: &[], conditions: (&[], &[]), hidden: &[] };

const ROWS: [Row; 4] = [
    Row {
        kind: "Pod",
        keep: &[
            "/metadata/labels",
            "/metadata/ownerReferences",
            "/metadata/finalizers",
            "/metadata/uid",
            "/spec/nodeName",
            "/spec/tolerations",
            "/status/phase",
            "/status/conditions",
        ],
        conditions: (
            &["PodScheduled", "Initialized", "ContainersReady", "Ready", "DisruptionTarget"],
            &["status", "reason", "message"],
        ),
        hidden: &[],
    },
    Row {
        kind: "Node",
        keep: &[
            "/metadata/labels",
            "/spec/podCIDR",
            "/spec/podCIDRs",
            "/spec/taints",
            "/spec/unschedulable",
            "/status/conditions",
        ],
        conditions: (&["Ready"], &["status"]),
        hidden: &[],
    },
    Row { kind: "ConfigMap", hidden: &["/data/ca.crt"], ..EVERYTHING },
    Row { kind: "CertificateSigningRequest", hidden: &["/status/certificate"], ..EVERYTHING },
];

/// Members of metadata that say when and by whom something was written.
const WRITTEN: [&str; 3] = ["managedFields", "resourceVersion", "creationTimestamp"];

/// Objects by name. Those that are the same but for what is hidden are counted.
pub(super) fn reduce(names: &Names, exact_nodes: bool, objects: Vec<Value>) -> Value {
    let mut groups: BTreeMap<(String, String), (usize, Value)> = BTreeMap::new();
    for object in objects {
        let name = names.replaced(at(&object, "/metadata/name").as_str().unwrap_or_default());
        let object = reduced(names, exact_nodes, object);
        groups.entry((name, object.to_string())).or_insert((0, object)).0 += 1;
    }
    let mut result = Map::new();
    for ((name, _), (count, object)) in groups {
        let number = (1..).find(|number| !result.contains_key(&numbered(&name, *number))).unwrap_or_default();
        result.insert(numbered(&name, number), json!({"count": count, "object": object}));
    }
    Value::Object(result)
}

fn numbered(name: &str, number: usize) -> String {
    if number == 1 { name.to_owned() } else { format!("{name} #{number}") }
}

fn reduced(names: &Names, exact_nodes: bool, object: Value) -> Value {
    let row = ROWS.iter().find(|row| object["kind"] == row.kind).unwrap_or(&EVERYTHING);
    let mut object = if row.keep.is_empty() { object } else { kept(&object, row.keep) };
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !WRITTEN.contains(&key.as_str()));
    }
    if let Some(conditions) = object.pointer_mut("/status/conditions") {
        *conditions = by_type(conditions, row.conditions);
    }
    for pointer in row.hidden {
        if let Some(Value::String(text)) = object.pointer_mut(pointer)
            && is_certificate(text)
        {
            "<certificate>".clone_into(text);
        }
    }
    if let Some(Value::String(node)) = object.pointer_mut("/spec/nodeName")
        && !exact_nodes
    {
        "<a node>".clone_into(node);
    }
    names.replace(&mut object);
    normalise_json(&mut object);
    object
}

fn kept(object: &Value, pointers: &[&str]) -> Value {
    let mut result = json!({});
    for pointer in pointers {
        let value = at(object, pointer);
        if !value.is_null()
            && let Some((parent, key)) = pointer.get(1..).and_then(|path| path.split_once('/'))
        {
            result[parent][key] = value.clone();
        }
    }
    result
}

/// Conditions by type: their order says nothing.
fn by_type(conditions: &Value, (types, members): (&[&str], &[&str])) -> Value {
    let mut result = Map::new();
    for condition in conditions.as_array().into_iter().flatten() {
        let mut condition = condition.clone();
        let kind = condition["type"].as_str().unwrap_or_default().to_owned();
        if let Some(condition) = condition.as_object_mut() {
            condition.retain(|key, _| key != "type" && (members.is_empty() || members.contains(&key.as_str())));
        }
        if types.is_empty() || types.contains(&kind.as_str()) {
            result.insert(kind, condition);
        }
    }
    Value::Object(result)
}

fn is_certificate(text: &str) -> bool {
    let starts = |text: &str| text.starts_with("-----BEGIN CERTIFICATE-----\n");
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    starts(text) || decoded.is_some_and(|text| starts(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(object: Value) -> Value {
        reduce(&Names::default(), false, vec![object])
    }

    #[test]
    fn same_objects_are_counted_and_others_numbered() {
        let object = |name: &str, data: u64| json!({"kind": "X", "metadata": {"name": name}, "data": data});
        let all =
            reduce(&Names::default(), false, vec![object("a", 1), object("a", 1), object("a", 2), object("b", 1)]);
        assert_eq!((&all["a"]["count"], &all["a #2"]["count"], &all["b"]["count"]), (&json!(2), &json!(1), &json!(1)));
    }

    #[test]
    fn a_pod_keeps_what_the_control_plane_decides() {
        let pod = json!({
            "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {"nodeName": "node-1", "containers": []},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m"},
                {"type": "Other", "status": "True"},
            ]},
        });
        assert_eq!(
            one(pod.clone())["p"]["object"],
            json!({
                "metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "<a node>"},
                "status": {"phase": "Running", "conditions": {"Ready": {"status": "False", "reason": "ContainersNotReady", "message": "m"}}},
            })
        );
        let exact = reduce(&Names::default(), true, vec![pod]);
        assert_eq!(exact["p"]["object"]["spec"]["nodeName"], "node-1");
    }

    #[test]
    fn only_certificates_are_hidden() {
        let request = |text: &str| {
            let object = json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"ca.crt": text, "b": text}});
            one(object)["c"]["object"]["data"]["ca.crt"].clone()
        };
        assert_eq!(request("-----BEGIN CERTIFICATE-----\nx"), "<certificate>");
        assert_eq!(request(&STANDARD.encode("-----BEGIN CERTIFICATE-----\nx")), "<certificate>");
        assert_eq!(request("x"), "x");
    }

    /// JSON pointers of all leaves.
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(items) => {
                items.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), found));
            }
            _ => found.push(path.to_owned()),
        }
    }

    #[test]
    fn what_an_object_says_shows_and_what_writing_it_leaves_does_not() {
        let object = json!({
            "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "n", "uid": "u", "generation": 2, "resourceVersion": "7",
                "creationTimestamp": "2026-11-23T04:18:39Z", "managedFields": [{"manager": "m"}],
                "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["f"],
                "ownerReferences": [{"name": "o", "uid": "v", "controller": true}],
            },
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
            "status": {"observedGeneration": 2, "conditions": [{"type": "Available", "status": "True", "reason": "R", "message": "m"}]},
        });
        let before = one(object.clone());
        let mut found = Vec::new();
        leaves(&object, "", &mut found);
        for path in found {
            let mut other = object.clone();
            let place = other.pointer_mut(&path).unwrap();
            *place = place.as_i64().map_or_else(|| Value::from("other"), |number| Value::from(number + 1));
            let hidden = WRITTEN.iter().any(|member| path.starts_with(&format!("/metadata/{member}")));
            assert_eq!(one(other) == before, hidden, "{path}");
        }
    }
}
