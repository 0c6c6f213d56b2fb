//! What a writer of a definition is told although it is taken.

use super::openapi::inner_schemas;
use crate::structural::{MAX_DEPTH, enforced_format};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Path, quote};
use std::collections::BTreeSet;

/// Warnings about a definition: formats that nobody enforces, and sets whose items are no scalars. What the old
/// definition had already is not said again.
#[must_use]
pub fn warnings(crd: &Value, old: Option<&Value>) -> Vec<String> {
    let (mut formats, mut sets) = found(crd);
    if let Some(old) = old {
        let (old_formats, old_sets) = found(old);
        formats.retain(|warning| !old_formats.contains(warning));
        sets.retain(|warning| !old_sets.contains(warning));
    }
    formats.into_iter().chain(sets).collect()
}

fn found(crd: &Value) -> (Vec<String>, BTreeSet<String>) {
    let (mut formats, mut sets) = (Vec::new(), BTreeSet::new());
    let mut schemas: Vec<&Value> = Vec::new();
    let versions = crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default();
    for schema in versions.iter().filter_map(|version| version.at(&["schema", "openAPIV3Schema"])) {
        // What all versions share is looked at once.
        if !schemas.contains(&schema) {
            schemas.push(schema);
            visit(schema, 0, &mut formats, &mut sets);
        }
    }
    (formats, sets)
}

fn visit(schema: &Value, depth: usize, formats: &mut Vec<String>, sets: &mut BTreeSet<String>) {
    let format = schema.text_at(&["format"]);
    if !format.is_empty() && enforced_format(format, schema.text_at(&["type"])).is_empty() {
        formats.push(format!("unrecognized format {}", quote(format)));
    }
    let items = schema.text_at(&["items", "type"]);
    if schema.text_at(&["x-kubernetes-list-type"]) == "set" && matches!(items, "object" | "array") {
        sets.insert(format!(
            "x-kubernetes-list-type: set for items of type {} is not supported by server-side apply or CEL validation rules",
            quote(items)
        ));
    }
    if depth < MAX_DEPTH {
        for (inner, _) in inner_schemas(schema, &Path::default()) {
            visit(inner, depth + 1, formats, sets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::warnings;
    use coracle_apimachinery::{Value, json};

    fn crd(schema: &str) -> Value {
        let text = format!(r#"{{"spec":{{"versions":[{{"schema":{{"openAPIV3Schema":{schema}}}}}]}}}}"#);
        json::decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn formats_and_sets_are_warned_of_once() {
        let given =
            crd(r#"{"properties":{"a":{"type":"string","format":"colour"},"b":{"type":"integer","format":"int32"},
            "c":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"object"}}}}"#);
        let set = "x-kubernetes-list-type: set for items of type \"object\" is not supported by server-side apply or CEL validation rules";
        assert_eq!(warnings(&given, None), ["unrecognized format \"colour\"", set]);
        assert_eq!(warnings(&given, Some(&given)), Vec::<String>::new());
    }
}
