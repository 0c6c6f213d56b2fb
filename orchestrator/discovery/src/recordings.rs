//! Reads what the real server answered, and says where a document differs from it. For tests only.

use serde_json::Value;
use std::path::PathBuf;

fn recording(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../oracle/recordings").join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The body of a recorded answer: JSON, also if it was recorded as text.
pub(crate) fn recorded(name: &str) -> Value {
    let body = recording(name).pointer("/answer/http/body").cloned().unwrap();
    match body.get("text") {
        Some(Value::Array(lines)) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            serde_json::from_str(&lines.join("\n")).unwrap()
        }
        _ => body.get("json").cloned().unwrap(),
    }
}

/// The first value of a recorded header.
pub(crate) fn header(name: &str, header: &str) -> String {
    recording(name).pointer(&format!("/answer/http/headers/{header}/0")).and_then(Value::as_str).unwrap().to_owned()
}

/// Takes out the sentences of an OpenAPI document, which recordings do not hold.
pub(crate) fn remove_descriptions(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, value| !(key == "description" && value.is_string()));
            members.values_mut().for_each(remove_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}

/// A document without sentences.
pub(crate) fn bare(document: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(document).unwrap();
    remove_descriptions(&mut value);
    value.to_string().into_bytes()
}

/// Fails with the first differences, leaf by leaf.
pub(crate) fn assert_same(name: &str, document: &[u8], expected: &Value) {
    let ours: Value = serde_json::from_slice(document).unwrap();
    let mut differences = Vec::new();
    compare("", &ours, expected, &mut differences);
    let count = differences.len();
    differences.truncate(25);
    assert!(count == 0, "{name}: {count} differences\n{}", differences.join("\n"));
}

fn compare(path: &str, ours: &Value, expected: &Value, differences: &mut Vec<String>) {
    match (ours, expected) {
        (Value::Object(ours), Value::Object(expected)) => {
            for (key, value) in expected {
                match ours.get(key) {
                    Some(our) => compare(&format!("{path} {key}"), our, value, differences),
                    None => differences.push(format!("{path} {key}: missing, should be {}", short(value))),
                }
            }
            for (key, value) in ours.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                differences.push(format!("{path} {key}: too much: {}", short(value)));
            }
        }
        (Value::Array(ours), Value::Array(expected)) => {
            for (index, value) in expected.iter().enumerate() {
                match ours.get(index) {
                    Some(our) => compare(&format!("{path} {index}"), our, value, differences),
                    None => differences.push(format!("{path} {index}: missing, should be {}", short(value))),
                }
            }
            for (index, value) in ours.iter().enumerate().skip(expected.len()) {
                differences.push(format!("{path} {index}: too much: {}", short(value)));
            }
        }
        _ if ours == expected => {}
        _ => differences.push(format!("{path}: {} should be {}", short(ours), short(expected))),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(160).collect()
}
