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
