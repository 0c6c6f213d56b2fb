//! JSON patch, merge patch and strategic merge patch over schema-less trees.
//!
//! Source of the behaviour and the wording: k8s.io/apiserver v0.37.2, pkg/endpoints/handlers/patch.go, and the libraries
//! that it uses.

mod json;
mod strategic;

pub use json::json_patch;
pub use strategic::strategic_merge;

use crate::status::Status;
use crate::{Object, Value};

/// Why a patch was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// It does not fit the document.
    #[error("the server rejected our request due to an error in our request")]
    Rejected,
    /// It is larger than the server takes.
    #[error("{0}")]
    TooLarge(String),
    /// It cannot be used for another reason.
    #[error("{0}")]
    Unusable(String),
}

impl Error {
    /// The failure as clients see it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Malformed(_) => Status::bad_request(self.to_string()),
            Self::Rejected => Status::new(422, "Invalid", self.to_string()).about("", "", ""),
            Self::TooLarge(message) => Status::new(413, "RequestEntityTooLarge", message.as_str()),
            Self::Unusable(message) => Status::bad_request(message.as_str()),
        }
    }
}

/// Applies a JSON merge patch (RFC 7386).
#[must_use]
pub fn merge_patch(document: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return without_nulls_below(patch) };
    let mut merged = match document {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    for (name, value) in patch.iter() {
        if *value == Value::Null {
            merged.remove(name);
            continue;
        }
        let present = merged.remove(name).unwrap_or(Value::Null);
        merged.insert(name.to_owned().into(), merge_patch(present, value));
    }
    Value::Object(merged)
}

/// A list keeps its nulls; only members of objects mean "remove" by null.
fn without_nulls_below(value: &Value) -> Value {
    value.clone()
}

#[cfg(test)]
mod tests {
    use super::merge_patch;
    use crate::json;

    #[test]
    fn merge_patches_follow_the_rfc() {
        for (document, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"c":{"d":null,"e":2}}}"#, r#"{"a":{"b":1,"c":{"e":2}}}"#),
            (r#"{"a":[1]}"#, r#"{"a":[null]}"#, r#"{"a":[null]}"#),
            (r#"{"a":[1]}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            ("[1]", "[2]", "[2]"),
        ] {
            let read = |text: &str| json::decode_any(text.as_bytes()).unwrap();
            assert_eq!(merge_patch(read(document), &read(patch)), read(result), "{document} {patch}");
        }
    }
}
