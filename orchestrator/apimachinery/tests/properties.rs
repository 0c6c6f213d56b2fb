//! Properties of the decoders: for any bytes, and for bytes that are nearly right.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use coracle_apimachinery::fuzz;
use coracle_apimachinery::schema::{self, Type};
use proptest::prelude::*;

const POD: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"n","labels":{"a":"<b>","c":null},"creationTimestamp":"2024-02-29T23:59:59+01:00"},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1500m","memory":1.5}},"ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":"http"},"periodSeconds":3}}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1.5Gi"}}],"nodeName":""},"status":{"phase":"Running","startTime":null}}"#;
const POD_YAML: &str = "kind: Pod\napiVersion: v1\nmetadata:\n  name: web\n  labels: &l {a: \"yes\", b: 'no'}\n  annotations:\n    <<: *l\nspec:\n  hostNetwork: yes\n  containers:\n  - name: c\n    command:\n    - sh\n    - |-\n      true\n";
const CRD: &str = r#"{"metadata":{"name":"n"},"spec":{"group":"g","versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"a":{"items":{"type":"string"},"default":{"b":1.50},"enum":[null,1],"additionalProperties":true,"multipleOf":1e-7}},"dependencies":{"x":["y"],"z":{"title":"t"}}}}}]}}"#;

fn types() -> Vec<Type<'static>> {
    let kinds = [
        ("v1", "Pod"),
        ("v1", "ConfigMap"),
        ("v1", "Status"),
        ("apps/v1", "ControllerRevision"),
        ("coordination.k8s.io/v1", "Lease"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("authorization.k8s.io/v1", "SubjectAccessReview"),
    ];
    kinds.map(|(group_version, kind)| schema::kind(group_version, kind).unwrap()).into()
}

fn any_type() -> impl Strategy<Value = Type<'static>> {
    prop::sample::select(types())
}

/// `base` with some bytes replaced, removed or doubled.
fn damaged(base: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6);
    edits.prop_map(move |edits| {
        let mut bytes = base.clone();
        for (index, byte, action) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match action {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        bytes
    })
}

/// A random JSON text.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| format!("{value:e}")),
        "[a-z<>&\u{2028}é]{0,6}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(("[a-c]{0,2}", inner), 0..5).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn pod_message() -> Vec<u8> {
    use coracle_apimachinery::{json, protobuf};
    let of = schema::kind("v1", "Pod").unwrap();
    let decoded = json::decode(of, POD.as_bytes(), json::FieldValidation::Report).unwrap();
    protobuf::encode(of, &decoded.value)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_of_any_bytes(of in any_type(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::json_is_canonical(of, &bytes);
        fuzz::any_json_round_trips(&bytes);
    }

    #[test]
    fn json_of_random_documents(of in any_type(), text in json_text()) {
        fuzz::any_json_round_trips(text.as_bytes());
        let document = format!("{{\"metadata\":{text},\"spec\":{text},\"data\":{text},\"status\":{text}}}");
        fuzz::json_is_canonical(of, document.as_bytes());
    }

    #[test]
    fn json_nearly_a_pod(bytes in damaged(POD.as_bytes().to_vec())) {
        fuzz::json_is_canonical(schema::kind("v1", "Pod").unwrap(), &bytes);
    }

    #[test]
    fn json_nearly_a_definition(bytes in damaged(CRD.as_bytes().to_vec())) {
        fuzz::json_is_canonical(schema::kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap(), &bytes);
    }

    #[test]
    fn yaml_of_any_text(of in any_type(), text in "[a-e0-9:\\-\\[\\]{},&*<?!|> \n'\"#.~]{0,60}") {
        fuzz::yaml_is_canonical(of, text.as_bytes());
    }

    #[test]
    fn yaml_nearly_a_pod(bytes in damaged(POD_YAML.as_bytes().to_vec())) {
        fuzz::yaml_is_canonical(schema::kind("v1", "Pod").unwrap(), &bytes);
    }

    #[test]
    fn protobuf_of_any_bytes(of in any_type(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::protobuf_is_canonical(of, &bytes);
        let mut body = b"k8s\0".to_vec();
        body.extend(&bytes);
        fuzz::envelope_round_trips(of, &body);
    }

    #[test]
    fn protobuf_nearly_a_pod(of in any_type(), bytes in damaged(pod_message())) {
        fuzz::protobuf_is_canonical(of, &bytes);
        fuzz::protobuf_is_canonical(schema::kind("v1", "Pod").unwrap(), &bytes);
    }
}

/// The undamaged documents are readable, so that the properties above are not about refusals alone.
#[test]
fn the_bases_are_valid() {
    use coracle_apimachinery::{json, protobuf, yaml};
    let pod = schema::kind("v1", "Pod").unwrap();
    let definition = schema::kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap();
    let report = json::FieldValidation::Report;
    assert!(json::decode(pod, POD.as_bytes(), report).unwrap().findings.is_empty());
    assert!(json::decode(definition, CRD.as_bytes(), report).unwrap().findings.is_empty());
    assert!(yaml::decode(pod, POD_YAML.as_bytes(), report).unwrap().findings.is_empty());
    assert!(protobuf::decode(pod, &pod_message()).is_ok());
}
