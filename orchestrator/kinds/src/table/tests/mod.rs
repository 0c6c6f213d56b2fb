//! Tests of the whole table against what the real server answered.

mod cells;
mod columns;
mod pods;
mod recordings;

use super::Printer;
use coracle_apimachinery::json::{FieldValidation, decode, decode_any};
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, schema};
use std::fs;
use std::path::PathBuf;

/// When the tests look at their objects.
const NOW: &str = "2001-02-03T05:00:00Z";

fn now() -> Instant {
    Instant::parse(NOW, Precision::Seconds).unwrap()
}

/// An object with its apiVersion and kind, as the server keeps it.
fn object(json: &str) -> Value {
    let any = decode_any(json.as_bytes()).unwrap();
    let (version, kind) = (any.text_at(&["apiVersion"]), any.text_at(&["kind"]));
    let of = schema::kind(version, kind).unwrap_or_else(|| panic!("{version} {kind}"));
    let decoded = decode(of, json.as_bytes(), FieldValidation::Report).unwrap();
    assert!(decoded.findings.is_empty(), "{:?} in {json}", decoded.findings);
    decoded.value
}

/// The group of an object.
fn group(object: &Value) -> &str {
    object.text_at(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group)
}

fn recording_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../oracle/recordings")
}

/// A recorded answer with its question.
fn recording(name: &str) -> Value {
    let path = recording_directory().join(format!("{name}.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decode_any(&text).unwrap()
}

/// Group and resource of the path in a recorded question.
fn asked(recording: &Value) -> (String, String) {
    let line = recording.text_at(&["question", "http", "line"]);
    let path = line.split(' ').nth(1).unwrap().split('?').next().unwrap();
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    let group = if parts[0] == "api" { "" } else { parts[1] };
    parts.drain(..if parts[0] == "api" { 2 } else { 3 });
    let namespaced = parts[0] == "namespaces" && parts.len() > 2;
    (group.to_owned(), parts[if namespaced { 2 } else { 0 }].to_owned())
}

/// Asserts that the recorded columns are those of the printer.
fn assert_columns(printer: &Printer, table: &Value, name: &str) {
    let ours: Vec<_> = printer.columns().iter().map(|c| (c.name, c.kind, c.format, c.priority)).collect();
    let theirs = table.at(&["columnDefinitions"]).unwrap().items().iter().map(|column| {
        let priority = column.at(&["priority"]).and_then(Value::as_int).unwrap();
        (column.text_at(&["name"]), column.text_at(&["type"]), column.text_at(&["format"]), priority)
    });
    assert_eq!(ours, theirs.collect::<Vec<_>>(), "{name}");
}
