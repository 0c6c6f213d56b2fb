//! Unknown, duplicate and mistyped fields: the paths and words that clients see.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::{schema, yaml};

fn findings(group_version: &str, kind: &str, text: &str) -> Vec<String> {
    let of = schema::kind(group_version, kind).unwrap();
    json::decode(of, text.as_bytes(), FieldValidation::Report).unwrap().findings
}

fn error(group_version: &str, kind: &str, text: &str) -> String {
    let of = schema::kind(group_version, kind).unwrap();
    json::decode(of, text.as_bytes(), FieldValidation::Ignore).unwrap_err().to_string()
}

fn printed(group_version: &str, kind: &str, text: &str) -> String {
    let of = schema::kind(group_version, kind).unwrap();
    let decoded = json::decode(of, text.as_bytes(), FieldValidation::Ignore).unwrap();
    String::from_utf8(json::encode(of, &decoded.value)).unwrap()
}

#[test]
fn unknown_and_duplicate_fields_have_go_paths() {
    let cases = [
        (r#"{"foo":1}"#, vec![r#"unknown field "foo""#]),
        (r#"{"metadata":{"Name":"n"}}"#, vec![r#"unknown field "metadata.Name""#]),
        (
            r#"{"spec":{"containers":[{"name":"a"},{"name":"b","foo":{"x":1,"x":2}}]}}"#,
            vec![r#"unknown field "spec.containers[1].foo""#],
        ),
        (r#"{"metadata":{"labels":{"a":"1","a":"2"}}}"#, vec![r#"duplicate field "metadata.labels.a""#]),
        (
            r#"{"spec":{"nodeName":"a","nodeName":"b","x":0,"x":0}}"#,
            vec![r#"duplicate field "spec.nodeName""#, r#"unknown field "spec.x""#],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(findings("v1", "Pod", text), expected, "{text}");
    }
    let all = json::strict_error(&findings("v1", "Pod", r#"{"a":1,"b":2}"#));
    assert_eq!(all, r#"strict decoding error: unknown field "a", unknown field "b""#);
}

#[test]
fn findings_are_bounded() {
    let members: Vec<String> = (0..500).map(|number| format!("\"f{number}\":0")).collect();
    assert_eq!(findings("v1", "Pod", &format!("{{{}}}", members.join(","))).len(), 100);
}

#[test]
fn ignoring_drops_without_a_word() {
    let of = schema::kind("v1", "Pod").unwrap();
    let decoded = json::decode(of, br#"{"foo":1,"metadata":{"name":"n"}}"#, FieldValidation::Ignore).unwrap();
    assert!(decoded.findings.is_empty());
    assert!(decoded.value.as_object().unwrap().get("foo").is_none());
}

#[test]
fn wrong_types_are_named_as_go_names_them() {
    let cases = [
        (
            "apps/v1",
            "Deployment",
            r#"{"spec":{"replicas":"x"}}"#,
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "apps/v1",
            "Deployment",
            r#"{"spec":{"replicas":1.5}}"#,
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "v1",
            "Pod",
            r#"{"spec":{"containers":{}}}"#,
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "v1",
            "Pod",
            r#"{"spec":{"containers":[{"imagePullPolicy":1}]}}"#,
            "json: cannot unmarshal number into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy",
        ),
        (
            "v1",
            "ConfigMap",
            r#"{"data":{"a":1}}"#,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "v1",
            "Pod",
            r#"{"spec":{"hostNetwork":"yes"}}"#,
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        ("v1", "Pod", "[]", "json: cannot unmarshal array into Go value of type v1.Pod"),
        ("v1", "Secret", r#"{"data":{"a":"*"}}"#, "illegal base64 data at input byte 0"),
        (
            "v1",
            "Pod",
            r#"{"spec":{"overhead":{"cpu":"x"}}}"#,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ];
    for (group_version, kind, text, expected) in cases {
        assert_eq!(error(group_version, kind, text), expected, "{text}");
    }
}

#[test]
fn a_syntax_error_comes_before_a_wrong_type() {
    assert_eq!(
        error("v1", "Pod", r#"{"spec":[1],}"#),
        "invalid character '}' looking for beginning of object key string"
    );
}

#[test]
fn null_and_duplicates_follow_go() {
    let cases = [
        (r#"{"metadata":{"name":"a","name":null}}"#, r#"{"metadata":{"name":"a"}}"#),
        (r#"{"metadata":{"name":"a"},"metadata":{"namespace":"b"}}"#, r#"{"metadata":{"name":"a","namespace":"b"}}"#),
        (
            r#"{"data":{"a":null,"b":"<"},"immutable":false}"#,
            r#"{"metadata":{},"immutable":false,"data":{"a":"","b":"\u003c"}}"#,
        ),
        (r#"{"data":{},"binaryData":{"a":"AAA="}}"#, r#"{"metadata":{},"binaryData":{"a":"AAA="}}"#),
        (r#"{"data":{"a":"1"},"data":null}"#, r#"{"metadata":{}}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(printed("v1", "ConfigMap", text), expected, "{text}");
    }
}

#[test]
fn zero_values_print_as_go_prints_them() {
    assert_eq!(printed("v1", "Pod", r#"{"spec":{}}"#), r#"{"metadata":{},"spec":{"containers":null},"status":{}}"#);
    let deployment = printed("apps/v1", "Deployment", "{}");
    let template = r#""template":{"metadata":{},"spec":{"containers":null}}"#;
    assert_eq!(
        deployment,
        format!(r#"{{"metadata":{{}},"spec":{{"selector":null,{template},"strategy":{{}}}},"status":{{}}}}"#)
    );
}

#[test]
fn embedded_documents_stay_as_sent() {
    let text = r#"{"metadata":{},"data":{ "b" : 1.50, "a":["<"] },"revision":1}"#;
    let expected = r#"{"metadata":{},"data":{"b":1.50,"a":["\u003c"]},"revision":1}"#;
    assert_eq!(printed("apps/v1", "ControllerRevision", text), expected);
}

#[test]
fn yaml_findings_name_the_line() {
    let of = schema::kind("v1", "ConfigMap").unwrap();
    let text = b"metadata:\n  name: a\n  name: b\nfoo: 1\n";
    let found = yaml::decode(of, text, FieldValidation::Report).unwrap().findings;
    let repeated = "yaml: unmarshal errors:\n  line 3: key \"name\" already set in map";
    assert_eq!(found, [repeated, "unknown field \"foo\""]);
}

#[test]
fn documents_are_bounded() {
    let of = schema::kind("v1", "ConfigMap").unwrap();
    let long = vec![b' '; coracle_apimachinery::MAX_BYTES + 1];
    assert!(
        json::decode(of, &long, FieldValidation::Ignore).unwrap_err().to_string().contains("larger than the limit")
    );
    let deep = format!(r#"{{"data":{}"#, "[".repeat(100_000));
    assert_eq!(error("v1", "ConfigMap", &deep), "exceeded max depth");
}
