//! Bytes of the real converter.
//!
//! Each hash and each text was made with Go of the same JSON: `ParseDocument` of gnostic-models v0.7.0 (package openapiv2,
//! which reads with go.yaml.in/yaml/v3 v3.0.4), then `proto.Marshal`, as kube-openapi's handler does.

use super::*;
use crate::group::built_in;
use crate::openapi::custom_tests::samples;
use crate::openapi::openapi_v2;
use crate::openapi::operation::description;
use crate::recordings::recorded;
use schema_generator::modules::{Modules, default_cache};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn hash(json: &[u8]) -> String {
    hex::encode(Sha256::digest(openapi_v2_to_protobuf(json).unwrap()))
}

/// A document with these members of `paths`, and more members behind.
fn document(paths: &str, more: &str) -> String {
    format!(r#"{{"swagger":"2.0","info":{{"title":"t","version":"1"}},"paths":{{{paths}}}{more}}}"#)
}

/// 4.5 MB with all sentences.
#[test]
fn published_document() {
    let modules = Modules::open(&default_cache().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let json = modules.bytes("k8s.io/kubernetes", "api/openapi-spec/swagger.json").unwrap();
    assert_eq!(hash(&json), "86533b1895791a8b71d296d7da066aeba172708ecbad3d55182e5400b2316048");
}

/// The recording, with members sorted and with the descriptions that it lost.
#[test]
fn recorded_document() {
    let mut recorded = recorded("discovery-openapi-v2");
    for item in recorded["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            for (status, response) in responses.into_iter().flatten() {
                response["description"] = description(status).into();
            }
        }
    }
    let json = recorded.to_string();
    assert_eq!(hash(json.as_bytes()), "a1f69fd0ce01ff2846310ae6e334464bee02fe05209438e243acbfe7a87a23b4");
}

/// Every member of every message.
#[test]
fn document_with_everything() {
    let json = include_bytes!("../samples/every.json");
    assert_eq!(hash(json), "25f48ae0cbf30cfa78ebd613f5eb879516ff7960b9471b026c1f48c27679a757");
}

#[test]
fn small_documents() {
    let start = "0a03322e3012060a0174120131";
    for (paths, more, expected) in [
        ("", "", "4200"),
        (
            r#""/a":{"get":{"responses":{"200":{"description":"OK","schema":{"type":"string"}}}}}"#,
            "",
            "422a12280a022f61122212204a1e0a1c0a0332303012150a130a024f4b120d0a0bb201080a06737472696e67",
        ),
        (
            r##""/a":{"parameters":[{"name":"n","in":"path","required":true,"type":"string","uniqueItems":true},{"$ref":"#/p"}]}"##,
            "",
            "422f122d0a022f6112274a1c0a1a12182216080112047061746822016e2a06737472696e679801014a0712050a03232f70",
        ),
        (
            "",
            r#","definitions":{"d":{"maximum":0.5,"minimum":0,"minLength":-1,"maxLength":300,"readOnly":true,"uniqueItems":false}}"#,
            "42004a210a1f0a0164121a39000000000000e03f58ac0260ffffffffffffffffff01d80101",
        ),
        (
            "",
            r#","definitions":{"d":{"additionalProperties":false},"e":{"additionalProperties":{}}}"#,
            "42004a180a0a0a01641205aa010210000a0a0a01651205aa01020a00",
        ),
        (
            "",
            r#","definitions":{"d":{"default":null,"x-a":{"b":[1]}}}"#,
            "42004a270a250a016412202a0712056e756c6c0afa01140a03782d61120d120b623a0a202020202d20310a",
        ),
        (
            "",
            r#","security":[{"a":[]}],"securityDefinitions":{"a":{"type":"apiKey","name":"authorization","in":"header"}},"x-z":"""#,
            "420062070a050a016112006a280a260a01611221121f0a066170694b6579120d617574686f72697a6174696f6e1a0668656164657282010c0a03782d7a1205120322220a",
        ),
    ] {
        let json = document(paths, more);
        assert_eq!(
            hex::encode(openapi_v2_to_protobuf(json.as_bytes()).unwrap()),
            format!("{start}{expected}"),
            "{json}"
        );
    }
}

#[test]
fn documents_with_custom_kinds_have_protobuf() {
    let mut all = built_in();
    let plain = openapi_v2_to_protobuf(&openapi_v2(&all).body).unwrap();
    all.extend(samples().into_iter().flat_map(|(group_versions, _)| group_versions));
    let more = openapi_v2_to_protobuf(&openapi_v2(&all).body).unwrap();
    assert!(plain.len() > 800_000 && more.len() > plain.len(), "{} {}", plain.len(), more.len());
}

#[test]
fn what_openapi_does_not_know_is_refused_with_its_place() {
    for (json, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "the document is no object"),
        (r#"{"swagger":2}"#, "swagger has an unexpected value"),
        (r#"{"swager":"2.0"}"#, "swager has an unexpected value"),
        (r#"{"paths":{"a":{}}}"#, "paths.a has an unexpected value"),
        (r#"{"paths":{"/a":{"get":{"responses":{"20":{}}}}}}"#, "paths./a.get.responses.20 has an unexpected value"),
        (r#"{"paths":{"/a":{"parameters":[{"in":"cookie"}]}}}"#, "paths./a.parameters has an unexpected value"),
        (r#"{"definitions":{"a":{"oneOf":[]}}}"#, "definitions.a.oneOf has an unexpected value"),
        (r#"{"definitions":{"a":{"maxLength":1.5}}}"#, "definitions.a.maxLength has an unexpected value"),
        (
            r#"{"definitions":{"a":{"maxLength":9223372036854775808}}}"#,
            "definitions.a.maxLength has an unexpected value",
        ),
        (r#"{"definitions":{"a":{"maximum":"1"}}}"#, "definitions.a.maximum has an unexpected value"),
        (r#"{"definitions":{"a":{"required":[1]}}}"#, "definitions.a.required has an unexpected value"),
        (
            r#"{"definitions":{"a":{"properties":{"b":{"items":[]}}}}}"#,
            "definitions.a.properties.b.items has an unexpected value",
        ),
        (r#"{"securityDefinitions":{"a":{"type":"none"}}}"#, "securityDefinitions.a has an unexpected value"),
    ] {
        assert_eq!(openapi_v2_to_protobuf(json.as_bytes()).unwrap_err().to_string(), expected, "{json}");
    }
}
