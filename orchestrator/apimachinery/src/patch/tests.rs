//! The recorded patches, and that no patch can crash.

use super::{JsonPatch, merge_patch, read_merge, read_strategic, strategic_merge};
use crate::json::{self, FieldValidation};
use crate::schema::{self, Type};
use crate::status::Status;
use crate::{Object, Value};
use proptest::prelude::*;

/// Members that the server sets by itself, or that say when something happened.
const NOT_PATCHED: [&str; 12] = [
    "apiVersion",
    "colour",
    "creationTimestamp",
    "generation",
    "imagePullPolicy",
    "kind",
    "managedFields",
    "resourceVersion",
    "resources",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "uid",
];

fn recording(name: &str) -> Value {
    let path = format!("{}/../oracle/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    json::decode_any(&std::fs::read(path).unwrap()).unwrap()
}

fn answer(recording: &Value) -> &Value {
    recording.at(&["answer", "http", "body", "json"]).unwrap()
}

fn type_of(api_version: &str, kind: &str) -> Type<'static> {
    schema::kind(api_version, kind).unwrap()
}

/// What a recorded question makes of a document.
fn ask(recording: &Value, document: Value, of: Type<'_>) -> Result<Value, Status> {
    let question = recording.at(&["question", "http"]).unwrap();
    let body = question.text_at(&["body"]).as_bytes();
    match question.text_at(&["headers", "content-type"]) {
        "application/json-patch+json" => JsonPatch::read(body, FieldValidation::Report)?.0.apply(document),
        "application/merge-patch+json" => Ok(merge_patch(document, &read_merge(body, FieldValidation::Report)?.value)),
        "application/strategic-merge-patch+json" => {
            strategic_merge(of, document, &read_strategic(body, FieldValidation::Report)?.value)
        }
        other => panic!("{other}"),
    }
}

fn patched_part(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let members = object.iter().filter(|(name, _)| !NOT_PATCHED.contains(name));
            Value::Object(members.map(|(name, value)| (name.to_owned().into(), patched_part(value))).collect())
        }
        Value::List(items) => Value::List(items.iter().map(patched_part).collect()),
        other => other.clone(),
    }
}

/// Asks recorded questions in the order of the script; each finds what the last one left.
fn replay(of: Type<'_>, first: &str, names: &[&str]) {
    let mut document = json::decode_any(first.as_bytes()).unwrap();
    for name in names {
        let recording = recording(name);
        let expected = answer(&recording);
        match ask(&recording, document.clone(), of) {
            Ok(patched) => {
                let (patched, expected) = (patched_part(&patched), patched_part(expected));
                assert_eq!(
                    String::from_utf8(json::encode_any(&patched)).unwrap(),
                    String::from_utf8(json::encode_any(&expected)).unwrap(),
                    "{name}"
                );
                if *name != "patch-dry-run" {
                    document = answer(&recording).clone();
                }
            }
            Err(status) => assert_eq!(
                String::from_utf8(json::encode_any(&status.to_value())).unwrap(),
                String::from_utf8(json::encode_any(expected)).unwrap(),
                "{name}"
            ),
        }
    }
}

#[test]
fn recorded_patches_of_a_config_map_are_answered_alike() {
    let first = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"oracle-patch",
        "finalizers":["example.com/one","example.com/two"]},"data":{"a":"1","b":"2","c":"3"}}"#;
    let names = [
        "patch-json",
        "patch-json-test-fails",
        "patch-json-no-path",
        "patch-json-malformed",
        "patch-merge",
        "patch-no-change",
        "patch-dry-run",
        "patch-unknown-field",
        "patch-primitive-list",
    ];
    replay(type_of("v1", "ConfigMap"), first, &names);
}

#[test]
fn recorded_patches_of_a_deployment_are_answered_alike() {
    let first = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"oracle-patch",
        "labels":{"app":"web"}},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"strategy":{
        "type":"RollingUpdate","rollingUpdate":{"maxSurge":1,"maxUnavailable":"25%"}},"revisionHistoryLimit":10,
        "progressDeadlineSeconds":600,"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[
        {"name":"web","image":"registry.example.com/web:1","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],
        "ports":[{"containerPort":80,"protocol":"TCP"}]},{"name":"side","image":"registry.example.com/side:1"}],
        "restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},
        "schedulerName":"default-scheduler"}}},"status":{}}"#;
    let names = [
        "patch-strategic",
        "patch-strategic-delete",
        "patch-strategic-order",
        "patch-strategic-retain-keys",
        "patch-strategic-replace",
        "patch-merge-list",
    ];
    replay(type_of("apps/v1", "Deployment"), first, &names);
}

#[test]
fn a_recorded_patch_that_is_only_understood_decides_no_more_than_its_members() {
    let table = [
        ("patch-invalid-result", r#"{"data":{"a":"1"}}"#, r#"{"data":{"a":"1","bad key!":"7"}}"#),
        ("patch-conflict", r#"{"data":{}}"#, r#"{"data":{"g":"7"},"metadata":{"resourceVersion":"1"}}"#),
        ("patch-not-found", r#"{}"#, r#"{"data":{"g":"7"}}"#),
        ("patch-scale", r#"{"spec":{"replicas":2}}"#, r#"{"spec":{"replicas":5}}"#),
    ];
    for (name, document, expected) in table {
        let document = json::decode_any(document.as_bytes()).unwrap();
        let patched = ask(&recording(name), document, type_of("v1", "ConfigMap")).unwrap();
        assert_eq!(String::from_utf8(json::encode_any(&patched)).unwrap(), expected, "{name}");
    }
    let status = recording("patch-status");
    let patched = ask(&status, Value::Object(Object::new()), type_of("apps/v1", "Deployment")).unwrap();
    assert_eq!(patched.at(&["status"]), answer(&status).at(&["status"]));
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..3).prop_map(Value::Int),
        Just(Value::Float(0.5)),
        prop_oneof![Just("delete"), Just("replace"), Just("merge"), Just("a"), Just("name")].prop_map(Value::text),
    ];
    // Members that exist in the schema, so that the tables are followed, and all directives.
    let name = prop::sample::select(vec![
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/env",
        "$setElementOrder/finalizers",
        "$setElementOrder",
        "$deleteFromPrimitiveList/finalizers",
        "$deleteFromPrimitiveList/containers",
        "$deleteFromPrimitiveList",
        "spec",
        "metadata",
        "containers",
        "env",
        "name",
        "finalizers",
        "tolerations",
        "volumes",
        "labels",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let member = (name.clone(), inner.clone()).prop_map(|(name, value)| (name.into(), value));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::List),
            prop::collection::vec(member, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn operations() -> impl Strategy<Value = Vec<u8>> {
    let path = prop::collection::vec(
        prop::sample::select(vec!["/spec", "/containers", "/-", "/0", "/-1", "/1", "/name", "/", "x", "~1", "/99999"]),
        0..4,
    );
    let kind = prop::sample::select(vec!["add", "remove", "replace", "move", "test", "copy", "no"]);
    let operation = (kind, path.clone(), path, documents()).prop_map(|(kind, path, from, value)| {
        let value = String::from_utf8(json::encode_any(&value)).unwrap();
        format!(r#"{{"op":"{kind}","path":"{}","from":"{}","value":{value}}}"#, path.concat(), from.concat())
    });
    prop::collection::vec(operation, 0..6).prop_map(|operations| format!("[{}]", operations.join(",")).into_bytes())
}

proptest! {
    #[test]
    fn a_merge_patch_never_panics_and_leaves_nothing_to_merge(document in documents(), patch in documents()) {
        let once = merge_patch(document, &patch);
        prop_assert_eq!(merge_patch(once.clone(), &patch), once);
    }

    #[test]
    fn a_json_patch_never_panics(document in documents(), patch in operations(), other in documents()) {
        let _ = super::json_patch(document.clone(), &patch);
        let _ = super::json_patch(document, &json::encode_any(&other));
    }

    #[test]
    fn a_strategic_patch_never_panics(document in documents(), patch in documents()) {
        let pod = |value| Value::Object(Object::from_iter([("spec".into(), value)]));
        let _ = strategic_merge(type_of("v1", "Pod"), pod(document.clone()), &pod(patch.clone()));
        let _ = strategic_merge(type_of("v1", "Pod"), document, &patch);
    }

    #[test]
    fn no_text_makes_reading_a_patch_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = JsonPatch::read(&text, FieldValidation::Report);
        let _ = read_merge(&text, FieldValidation::Report);
        let _ = read_strategic(&text, FieldValidation::Ignore);
    }
}
