//! Questions to a real kube-apiserver 1.37.2, each asked as a dry run, and its answers: what it refuses and in which
//! words, what it warns of, and what it would have stored. Several problems of one object are compared in any order, since
//! upstream walks maps.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::{Value, schema};
use coracle_custom::{Definition, definition};
use serde_json::Value as Json;

fn table() -> Json {
    let path = format!("{}/tests/real-server.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn texts(list: &Json) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(Json::as_str).collect()
}

fn prepared(crd: &Json) -> Value {
    let of = schema::kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap();
    let mut crd = json::decode(of, crd.to_string().as_bytes(), FieldValidation::Report).unwrap().value;
    definition::default(&mut crd);
    definition::prepare_create(&mut crd);
    crd
}

#[test]
fn definitions_are_refused_as_there() {
    let table = table();
    let cases = table["definitions"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let mut found: Vec<String> =
            definition::validate(&prepared(&case[0]), None).iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, texts(&case[1]), "{}", case[0]);
    }
}

#[test]
fn objects_are_refused_warned_of_and_kept_as_there() {
    let table = table();
    let definition = Definition::parse(&prepared(&table["definition"])).unwrap();
    let version = definition.stored().unwrap();
    let cases = table["objects"].as_array().unwrap();
    assert!(cases.len() > 150);
    for case in cases {
        let about = &case[0];
        let decoded = match version.decode_json(about.to_string().as_bytes(), FieldValidation::Report) {
            Ok(decoded) => decoded,
            Err(problem) => {
                let refusal = format!("W in version \"v1\" cannot be handled as a W: {problem}");
                assert_eq!([refusal.as_str()], *texts(&case[1]), "{about}");
                continue;
            }
        };
        assert_eq!(decoded.findings, texts(&case[2]), "{about}");
        let mut object = decoded.value;
        version.prepare_create(&mut object);
        let mut found: Vec<String> = version.validate(&object).iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, texts(&case[1]), "{about}");
        if found.is_empty() {
            object.as_object_mut().unwrap().remove("metadata");
            let kept: Json = serde_json::from_slice(&json::encode_any(&object)).unwrap();
            assert_eq!(kept, case[3], "{about}");
        }
    }
}

const CELLS: &str = r#"{"spec":{"group":"hc.example.com","names":{"plural":"ws","kind":"W"},"versions":[{"name":"v1",
    "served":true,"storage":true,"subresources":{"status":{}},"additionalPrinterColumns":[
    {"name":"I","type":"integer","jsonPath":".spec.i"},{"name":"L","type":"string","jsonPath":".spec.l"},
    {"name":"L0","type":"string","jsonPath":".spec.l[0]"},{"name":"C","type":"string","jsonPath":".spec.c"},
    {"name":"M","type":"string","jsonPath":".spec.m[?(@.k==\"a\")].v"},{"name":"N","type":"number","jsonPath":".spec.i"},
    {"name":"X","type":"boolean","jsonPath":".spec.i"},{"name":"Z","type":"string","jsonPath":".spec.zz"},
    {"name":"D","type":"date","jsonPath":".spec.s"},{"name":"E","type":"string","jsonPath":".metadata.labels.a\\.b/c"},
    {"name":"Q","type":"string","jsonPath":".metadata.labels['a\\.b/c']"},
    {"name":"S","type":"string","jsonPath":".spec.i"}],"schema":{"openAPIV3Schema":{"type":"object","properties":{
    "spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"status":{"type":"object","required":["r"],
    "properties":{"r":{"type":"integer","maximum":3}}}}}}}]}}"#;

const OBJECT: &str = r#"{"apiVersion":"hc.example.com/v1","kind":"W","metadata":{"name":"x","labels":{"a.b/c":"lab"}},
    "spec":{"i":7,"s":"abc","l":["a","b"],"m":[{"k":"a","v":"va"}],"c":{"a":1}}}"#;

#[test]
fn cells_are_those_of_there() {
    let definition = Definition::parse(&prepared(&serde_json::from_str(CELLS).unwrap())).unwrap();
    let version = definition.stored().unwrap();
    let object = version.decode_json(OBJECT.as_bytes(), FieldValidation::Report).unwrap().value;
    let cells = Value::List(version.cells(&object, ToOwned::to_owned));
    let cells: Json = serde_json::from_slice(&json::encode_any(&cells)).unwrap();
    let expected = r#"["x",7,"[\"a\",\"b\"]","a","{\"a\":1}","va",7,null,null,"<invalid>","lab","lab","7"]"#;
    assert_eq!(cells, serde_json::from_str::<Json>(expected).unwrap());
}

#[test]
fn status_is_written_as_there() {
    let definition = Definition::parse(&prepared(&serde_json::from_str(CELLS).unwrap())).unwrap();
    let version = definition.stored().unwrap();
    let mut old = version.decode_json(OBJECT.as_bytes(), FieldValidation::Report).unwrap().value;
    version.prepare_create(&mut old);
    let table: &[(&str, &[&str])] = &[
        (r#"{"r":1}"#, &[]),
        (r#"{"r":1,"zz":1}"#, &[]),
        (r#"{"r":5}"#, &["status.r: Invalid value: 5: r in body should be less than or equal to 3"]),
        ("{}", &["status.r: Required value"]),
        (r#""x""#, &[r#"status: Invalid value: "string":  in body must be of type object: "string""#]),
    ];
    for (status, expected) in table {
        let mut object = old.clone();
        let members = object.as_object_mut().unwrap();
        members.insert("status".into(), json::decode_any(status.as_bytes()).unwrap());
        members.object_mut("spec").insert("i".into(), Value::Int(9));
        members.object_mut("metadata").object_mut("labels").insert("z".into(), Value::text("1"));
        version.conform(&mut object).unwrap();
        version.prepare_status_update(&mut object, &old);
        let found: Vec<String> =
            version.validate_status_update(&object, &old).iter().map(ToString::to_string).collect();
        assert_eq!(found, *expected, "{status}");
        assert_eq!((object.at(&["spec"]), object.at(&["metadata"])), (old.at(&["spec"]), old.at(&["metadata"])));
        assert!(object.at(&["status", "zz"]).is_none());
    }
    let generations = [("i", 7, 1), ("i", 8, 2)];
    for (name, value, generation) in generations {
        let mut object = old.clone();
        object.as_object_mut().unwrap().object_mut("spec").insert(name.into(), Value::Int(value));
        object.as_object_mut().unwrap().object_mut("status").insert("r".into(), Value::Int(1));
        version.prepare_update(&mut object, &old);
        assert_eq!(object.at(&["metadata", "generation"]), Some(&Value::Int(generation)));
        assert!(object.at(&["status"]).is_none());
    }
}
