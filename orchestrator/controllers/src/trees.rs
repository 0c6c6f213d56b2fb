//! Small edits of trees and questions to them that several controllers share.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::object::int;

/// Sets a counter of a status. Zero stands for absent, and what says the same already is left as it is.
pub(crate) fn set_count(status: &mut Object, counter: &'static str, count: i64) {
    let old = status.get(counter).and_then(Value::as_int).unwrap_or(0);
    if old == count {
        return;
    }
    if count == 0 {
        status.remove(counter);
    } else {
        status.insert(counter.into(), Value::Int(count));
    }
}

/// The text of an annotation.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.at(&["metadata", "annotations", key]).and_then(Value::as_str)
}

/// The labels of an object.
pub(crate) fn labels(object: &Value) -> Option<&Object> {
    object.at(&["metadata", "labels"]).and_then(Value::as_object)
}

/// The members of an object below the root, made if they are not there.
pub(crate) fn within<'a>(tree: &'a mut Value, path: &[&'static str]) -> Option<&'a mut Object> {
    path.iter().try_fold(tree.as_object_mut()?, |object, member| Some(object.object_mut(member)))
}

/// `metadata.generation`.
pub(crate) fn generation(object: &Value) -> i64 {
    int(object, &["metadata", "generation"], 0)
}

/// The size of a collection as the API counts.
pub(crate) fn count(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A point in time as it stands in conditions.
pub(crate) fn stamp(now: Instant) -> Value {
    Value::text(now.print(Precision::Seconds))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tree from JSON.
    pub(crate) fn tree(text: &str) -> Value {
        coracle_apimachinery::json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn counters_stay_canonical() {
        for (before, count, after) in [
            (r#"{}"#, 0, r#"{}"#),
            (r#"{}"#, 2, r#"{"n":2}"#),
            (r#"{"n":0}"#, 0, r#"{"n":0}"#),
            (r#"{"n":1}"#, 0, r#"{}"#),
            (r#"{"n":1}"#, 3, r#"{"n":3}"#),
        ] {
            let mut status = tree(before);
            set_count(status.as_object_mut().unwrap(), "n", count);
            assert_eq!(status, tree(after), "{before} {count}");
        }
    }
}
