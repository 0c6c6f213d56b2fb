//! The hash of a template in names and labels, and whether two templates are the same.

use coracle_apimachinery::{Object, Value, json};

/// The label that tells the pods of one template from those of others.
pub(super) const LABEL: &str = "pod-template-hash";

/// Letters and digits that make no words and are not taken for one another.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a template: of its canonical text, not of upstream's dump of memory, so that it differs from upstream's
/// for the same template. Nothing may depend on its value, only on its staying the same.
pub(super) fn of(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = fnv(0x811c_9dc5, &json::encode_any(template));
    if let Some(collisions) = collisions {
        hash = fnv(hash, &collisions.to_le_bytes());
    }
    let letter = |digit: u8| ALPHABET.get(usize::from(digit) % ALPHABET.len()).copied().map_or('b', char::from);
    hash.to_string().bytes().map(letter).collect()
}

/// FNV-1a with 32 bits.
fn fnv(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Whether two templates are the same but for the label of the hash.
pub(super) fn same_template(left: &Value, right: &Value) -> bool {
    without(left) == without(right)
}

/// A template without the label of the hash.
pub(super) fn without(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(members) = template.as_object_mut() {
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
                labels.remove(LABEL);
            }
            drop_empty(metadata, "labels");
        }
        drop_empty(members, "metadata");
    }
    template
}

fn drop_empty(object: &mut Object, member: &str) {
    if object.get(member).is_some_and(Value::is_empty) {
        object.remove(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;

    #[test]
    fn hashes_are_stable_and_safe() {
        let template = tree(r#"{"spec":{"containers":[{"name":"c"}]}}"#);
        let hashes = [None, Some(0), Some(1)].map(|collisions| of(&template, collisions));
        // The value itself must never change: running Deployments carry it in their names.
        assert_eq!(hashes, ["57fd66d564", "588cd7c9f6", "7458944469"]);
        for hash in &hashes {
            assert!(hash.len() <= 10 && hash.bytes().all(|letter| ALPHABET.contains(&letter)), "{hash}");
        }
    }

    #[test]
    fn the_label_of_the_hash_does_not_count() {
        for (left, right, same) in [
            (
                r#"{"metadata":{"labels":{"a":"1","pod-template-hash":"x"}}}"#,
                r#"{"metadata":{"labels":{"a":"1"}}}"#,
                true,
            ),
            (r#"{"metadata":{"labels":{"pod-template-hash":"x"}}}"#, r#"{}"#, true),
            (
                r#"{"metadata":{"labels":{"a":"2","pod-template-hash":"x"}}}"#,
                r#"{"metadata":{"labels":{"a":"1"}}}"#,
                false,
            ),
            (r#"{"spec":{"hostname":"x"}}"#, r#"{"spec":{}}"#, false),
        ] {
            assert_eq!(same_template(&tree(left), &tree(right)), same, "{left} {right}");
        }
    }
}
