//! Hides what two honest servers answer differently, and nothing else: uid, times, resourceVersion, generated suffixes,
//! addresses, Audit-Id and hashes. What is hidden leaves a placeholder, so that a value of another form still shows.

mod json;
mod template;
mod text;

use crate::recording::{Answer, Body};
use serde_json::Value;

/// All placeholders there are.
pub const PLACEHOLDERS: [&str; 8] =
    ["<uid>", "<time>", "<age>", "<resource-version>", "<suffix>", "<address>", "<audit-id>", "<hash>"];

/// Normalises an answer in place. Doing it twice changes nothing more.
pub fn normalise(answer: &mut Answer) {
    match answer {
        Answer::Http(answer) => {
            for (name, values) in &mut answer.headers {
                for value in values {
                    let normal = text::normalise(value);
                    *value = if name == "audit-id" && normal == "<uid>" { "<audit-id>".to_owned() } else { normal };
                }
            }
            match &mut answer.body {
                Body::Json(value) => json::tree(value),
                Body::Events(events) => json::events(events),
                Body::Text(lines) => text::normalise_lines(lines),
                Body::Empty | Body::Bytes(_) => {}
            }
        }
        Answer::Kubectl(answer) => {
            text::normalise_lines(&mut answer.stdout);
            text::normalise_lines(&mut answer.stderr);
        }
    }
}

/// Normalises one JSON document, for objects that stand outside an answer.
pub fn normalise_json(value: &mut Value) {
    json::tree(value);
}

/// Takes the description sentences, which are documentation and not committed, out of an OpenAPI document. A property named `description` is an object and stays.
pub fn remove_descriptions(value: &mut Value) {
    match value {
        Value::Object(items) => {
            items.retain(|key, value| !(key == "description" && value.is_string()));
            items.values_mut().for_each(remove_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}

/// Takes the sentences out of the column definitions of tables, wherever in the tree they stand.
pub fn remove_column_descriptions(value: &mut Value) {
    match value {
        Value::Object(items) => {
            if let Some(Value::Array(columns)) = items.get_mut("columnDefinitions") {
                for column in columns.iter_mut().filter_map(Value::as_object_mut) {
                    column.remove("description");
                }
            }
            items.values_mut().for_each(remove_column_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_column_descriptions),
        _ => {}
    }
}
