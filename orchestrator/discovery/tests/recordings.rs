//! The documents of the built-in group-versions against recorded answers of the real server.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use coracle_discovery::{aggregated, built_in, group, groups, resources};
use serde_json::Value;

/// The recorded JSON body of an answer.
fn recorded(name: &str) -> Value {
    let path = format!("{}/../oracle/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let recording: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    recording.pointer("/answer/http/body/json").unwrap_or_else(|| panic!("{name} has no JSON body")).clone()
}

#[test]
fn documents_equal_the_recordings() {
    let all = built_in();
    for (name, document) in [
        ("discovery-legacy-groups", Some(groups(&all))),
        ("discovery-legacy-core", resources(&all, "", "v1")),
        ("discovery-legacy-apps", resources(&all, "apps", "v1")),
        ("discovery-legacy-autoscaling-v2", resources(&all, "autoscaling", "v2")),
        ("discovery-legacy-batch", resources(&all, "batch", "v1")),
        ("discovery-group-apps", group(&all, "apps")),
        ("discovery-group-autoscaling", group(&all, "autoscaling")),
        ("discovery-aggregated-core", Some(aggregated(&all, true))),
        ("discovery-aggregated-groups", Some(aggregated(&all, false))),
    ] {
        let found: Value = serde_json::from_slice(&document.unwrap()).unwrap();
        let expected = recorded(name);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{name}: {key}");
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_is_not_served_has_no_document() {
    let all = built_in();
    assert!(group(&all, "none.example.com").is_none());
    assert!(resources(&all, "apps", "v2").is_none());
}
