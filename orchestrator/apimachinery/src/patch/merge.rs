//! Merge patch, RFC 7386, with the corners that evanphx/json-patch has.

use crate::{Key, Object, Value};
use std::cmp::Ordering;

/// Merges `patch` into `document`. Null deletes a member.
///
/// A value that is put where no object was loses its null members, also those of objects in lists; a list that takes the
/// place of an object keeps them. A patch that is no object becomes the document.
pub fn merge_patch(document: Value, patch: &Value) -> Value {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => Value::Object(merge_objects(document, patch)),
        _ => without_nulls(patch),
    }
}

fn merge(current: Value, patch: &Value) -> Value {
    match (current, patch) {
        (Value::Object(current), Value::Object(patch)) => Value::Object(merge_objects(current, patch)),
        (Value::Object(_), other) => other.clone(),
        _ => without_nulls(patch),
    }
}

/// Walks both sorted lists of members side by side: single insertions would take quadratic time.
fn merge_objects(current: Object, patch: &Object) -> Object {
    let mut merged: Vec<(Key, Value)> = Vec::with_capacity(current.len().max(patch.len()));
    let mut current = current.into_members().into_iter().peekable();
    for (name, value) in patch.iter() {
        let before = loop {
            match current.peek().map(|(key, _)| key.as_ref().cmp(name)) {
                Some(Ordering::Less) => merged.extend(current.next()),
                Some(Ordering::Equal) => break current.next(),
                Some(Ordering::Greater) | None => break None,
            }
        };
        match (before, value) {
            (_, Value::Null) => {}
            (Some((key, before)), value) if before != Value::Null => merged.push((key, merge(before, value))),
            (_, value) => merged.push((Key::Owned(name.to_owned()), without_nulls(value))),
        }
    }
    merged.extend(current);
    merged.into_iter().collect()
}

/// A copy without null members at any depth. Null items of lists stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| **value != Value::Null);
            Value::Object(kept.map(|(name, value)| (Key::Owned(name.to_owned()), without_nulls(value))).collect())
        }
        Value::List(items) => Value::List(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::merge_patch;
    use crate::json;

    #[test]
    fn merges_as_the_rfc_and_upstream_do() {
        let table = [
            // The appendix of RFC 7386.
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            // Corners of the library.
            (r#"{"a":null}"#, r#"{"a":{"b":null,"c":1}}"#, r#"{"a":{"c":1}}"#),
            (r#"{"a":[1]}"#, r#"{"a":[{"b":null,"c":1},null]}"#, r#"{"a":[{"c":1},null]}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":[{"b":null}]}"#, r#"{"a":[{"b":null}]}"#),
            (
                r#"{"b":1,"d":1,"f":1}"#,
                r#"{"a":2,"c":2,"d":null,"e":2,"g":2}"#,
                r#"{"a":2,"b":1,"c":2,"e":2,"f":1,"g":2}"#,
            ),
        ];
        for (document, patch, expected) in table {
            let merged = merge_patch(
                json::decode_any(document.as_bytes()).unwrap(),
                &json::decode_any(patch.as_bytes()).unwrap(),
            );
            assert_eq!(String::from_utf8(json::encode_any(&merged)).unwrap(), expected, "{document} {patch}");
        }
    }
}
