//! What goes wrong with a strategic merge patch, in upstream's words.

use crate::field::quote;
use crate::patch::unprocessable;
use crate::status::Status;
use crate::{Object, Value};
use std::fmt::Write as _;

/// Why a patch cannot be merged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// A directive is malformed.
    BadRequest(&'static str),
    /// The patch is more than merging can do; the client is not told what.
    Unprocessable,
    /// Upstream has no status for it: an internal error without a reason.
    Unclassified(String),
}

pub(super) const BAD_PRIMITIVE_LIST: Failure = Failure::BadRequest("invalid patch format of primitive list");
pub(super) const BAD_RETAIN_KEYS: Failure = Failure::BadRequest("invalid patch format of retainKeys");
pub(super) const BAD_ORDER: Failure = Failure::BadRequest("invalid patch format of setElementOrder list");
pub(super) const COMPOSITE_KEY: Failure = Failure::BadRequest("invalid patch format: a merge key must be a scalar");

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadRequest(message) => Self::bad_request(message),
            Failure::Unprocessable => unprocessable(),
            Failure::Unclassified(message) => Self::new(500, "", message),
        }
    }
}

pub(super) fn no_merge_key(item: &Object, key: &str) -> Failure {
    Failure::Unclassified(format!("map: {} does not contain declared merge key: {key}", object_text(item)))
}

pub(super) fn unknown_directive(directive: &Value, item: &Object) -> Failure {
    let shown = match directive {
        Value::String(text) => text.to_string(),
        Value::Null => "%!s(<nil>)".to_owned(),
        other => format!("%!s({}={})", type_name(other), text(other)),
    };
    Failure::Unclassified(format!("unknown patch type: {shown} in map: {}", object_text(item)))
}

/// A value is not of the Go type `expected`.
pub(super) fn wrong_type(expected: &str, actual: &Value) -> Failure {
    Failure::Unclassified(format!("expected a {expected}, but received a {}", type_name(actual)))
}

pub(super) fn no_field(of: &str, name: &str) -> Failure {
    Failure::Unclassified(format!("unable to find api field in struct {of} for the json field {}", quote(name)))
}

/// Go's name of the type that a JSON value has in a tree without schema.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) | Value::Raw(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Go's `%v` of a list.
pub(super) fn list_text(items: &[Value]) -> String {
    let mut out = String::new();
    write_list(&mut out, items);
    out
}

fn object_text(object: &Object) -> String {
    let mut out = String::new();
    write_object(&mut out, object);
    out
}

fn text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write_list(out: &mut String, items: &[Value]) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        write(out, item);
    }
    out.push(']');
}

fn write_object(out: &mut String, object: &Object) {
    out.push_str("map[");
    for (at, (name, value)) in object.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(name);
        out.push(':');
        write(out, value);
    }
    out.push(']');
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::String(text) | Value::Raw(text) => out.push_str(text),
        Value::List(items) => write_list(out, items),
        Value::Object(object) => write_object(out, object),
        // Writing to a String cannot fail.
        Value::Bool(value) => drop(write!(out, "{value}")),
        Value::Int(value) => drop(write!(out, "{value}")),
        Value::Float(value) => drop(write!(out, "{value}")),
    }
}
