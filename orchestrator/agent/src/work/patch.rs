//! What has to be merged into one tree to make it another one.

use coracle_apimachinery::{Key, Object, Value};

/// The merge patch (RFC 7386) that turns `old` into `new`. Lists are replaced as a whole.
pub(crate) fn difference(old: &Object, new: &Object) -> Object {
    let key = |name: &str| Key::Owned(name.to_owned());
    let mut patch = Object::new();
    for (name, _) in old.iter() {
        if new.get(name).is_none() {
            patch.insert(key(name), Value::Null);
        }
    }
    for (name, value) in new.iter() {
        match (old.get(name), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(key(name), Value::Object(difference(before, after)));
            }
            (_, after) => {
                patch.insert(key(name), after.clone());
            }
        }
    }
    patch
}

/// A patch of the status of `object` that makes it `status`, on the condition that the object is still in this version;
/// nothing if there is nothing to change.
pub(crate) fn status_patch(object: &Value, status: &Object) -> Option<Value> {
    let nothing = Object::new();
    let before = object.at(&["status"]).and_then(Value::as_object).unwrap_or(&nothing);
    let change = difference(before, status);
    if change.is_empty() {
        return None;
    }
    let mut patch = Object::new();
    patch.insert("status".into(), Value::Object(change));
    Some(conditional(object, patch))
}

/// The patch, for this very version of the object.
pub(crate) fn conditional(object: &Value, mut patch: Object) -> Value {
    let metadata = patch.object_mut("metadata");
    for name in ["resourceVersion", "uid"] {
        let text = object.text_at(&["metadata", name]);
        if !text.is_empty() {
            metadata.insert(name.into(), Value::text(text));
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use coracle_apimachinery::json::decode_any;
    use coracle_apimachinery::patch::merge_patch;

    use super::*;

    fn tree(text: &str) -> Value {
        decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_difference_makes_the_new_tree() {
        let cases = [
            ("{}", "{}", "{}"),
            (r#"{"a":1}"#, r#"{"a":1}"#, "{}"),
            (r#"{"a":1,"b":2}"#, r#"{"b":3}"#, r#"{"a":null,"b":3}"#),
            (r#"{"a":{"x":1,"y":[1]}}"#, r#"{"a":{"x":1,"y":[1,2]}}"#, r#"{"a":{"y":[1,2]}}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":[]}"#, r#"{"a":[]}"#),
            (r#"{"a":{"x":{"y":1}}}"#, r#"{"a":{"x":{}}}"#, r#"{"a":{"x":{"y":null}}}"#),
        ];
        for (old, new, patch) in cases {
            let (old, new) = (tree(old), tree(new));
            let made = Value::Object(difference(old.as_object().unwrap(), new.as_object().unwrap()));
            assert_eq!(made, tree(patch));
            assert_eq!(merge_patch(old, &made), new);
        }
    }

    #[test]
    fn a_status_patch_names_the_version() {
        let object = tree(r#"{"metadata":{"name":"a","resourceVersion":"7","uid":"u"},"status":{"phase":"Pending"}}"#);
        let status = tree(r#"{"phase":"Running"}"#);
        assert_eq!(
            status_patch(&object, status.as_object().unwrap()),
            Some(tree(r#"{"metadata":{"resourceVersion":"7","uid":"u"},"status":{"phase":"Running"}}"#))
        );
        assert_eq!(status_patch(&object, object.at(&["status"]).unwrap().as_object().unwrap()), None);
    }
}
