//! Definitions of custom kinds, from the schemas of their CustomResourceDefinitions.

use super::definitions::{Form, group_version_kind};
use super::model::{Model, Models, close};
use super::names::custom_model;
use crate::group::{CustomKind, GroupVersion};
use crate::json::Json;
use serde_json::{Map, Value, json};

/// Keys of a schema that hold one schema each.
const NESTED: [&str; 2] = ["items", "additionalProperties"];
/// Keys that v2 has no place for.
const JUNCTORS: [&str; 4] = ["allOf", "anyOf", "oneOf", "not"];
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

/// Adds the models that every custom kind refers to.
pub(super) fn close_over(models: &mut Models) {
    for name in ["ObjectMeta", "ListMeta"] {
        if let Some(model) = Model::meta(name) {
            close(models, model);
        }
    }
}

/// Writes the definitions of a kind and of its list.
pub(super) fn definitions(json: &mut Json, group_version: &GroupVersion, kind: &CustomKind, form: Form) {
    let name = |kind: &str| custom_model(&group_version.group, &group_version.version, kind);
    let mut schema = own(&kind.schema, form);
    let extensions = |json: &mut Json, kind_name: &str| {
        json.key("x-kubernetes-group-version-kind").array(|json| {
            group_version_kind(json, &group_version.group, &group_version.version, kind_name);
        });
        if !kind.selectable_fields.is_empty() {
            json.key("x-kubernetes-selectable-fields").array(|json| {
                for path in &kind.selectable_fields {
                    json.object(|json| json.member("fieldPath", path.strip_prefix('.').unwrap_or(path)));
                }
            });
        }
    };
    json.key(&name(&kind.kind)).object(|json| {
        for (key, value) in std::mem::take(&mut schema) {
            json.key(&key).raw(&value.to_string());
        }
        extensions(json, &kind.kind);
    });
    json.key(&name(&kind.list_kind)).object(|json| {
        json.member("type", "object");
        json.key("required").texts(["items"]);
        let item = json!({"type": "array", "items": {"$ref": form.address(&name(&kind.kind))}});
        let properties = type_properties(form, "ListMeta").into_iter().chain([("items", item)]);
        json.key("properties").object(|json| {
            for (key, value) in properties {
                json.key(key).raw(&value.to_string());
            }
        });
        extensions(json, &kind.list_kind);
    });
}

/// What every object has: its kind and its metadata.
fn type_properties(form: Form, metadata: &str) -> [(&'static str, Value); 3] {
    let name = Model::meta(metadata).map(|model| model.name()).unwrap_or_default();
    let reference = json!({"$ref": form.address(&name)});
    // A reference with a sentence beside it stands wrapped in v3.
    let metadata = if form == Form::V3 { json!({"allOf": [reference]}) } else { reference };
    [("apiVersion", json!({"type": "string"})), ("kind", json!({"type": "string"})), ("metadata", metadata)]
}

/// The schema of a kind as it is published.
fn own(schema: &Value, form: Form) -> Map<String, Value> {
    let preserves = schema.get(PRESERVE) == Some(&Value::Bool(true));
    let mut published = match schema {
        // Clients of v2 take members that are named for the only ones there are.
        Value::Object(_) if form == Form::V2 && preserves => return as_map(json!({"type": "object"})),
        Value::Object(schema) => schema.clone(),
        _ => return as_map(json!({"type": "object"})),
    };
    each(&mut published, form);
    set_properties(&mut published, form);
    published
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn set_properties(schema: &mut Map<String, Value>, form: Form) {
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        for (key, value) in type_properties(form, "ObjectMeta") {
            properties.insert(key.to_owned(), value);
        }
    }
}

fn is_set(schema: &Map<String, Value>, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

/// Brings a schema and all below it into the published form.
fn each(schema: &mut Map<String, Value>, form: Form) {
    schema.retain(|key, _| !matches!(key.as_str(), "id" | "$schema"));
    // No default at all, as Go cannot tell it from one.
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if form == Form::V2 {
        simplify(schema);
    } else if is_set(schema, INT_OR_STRING) {
        unfold(schema);
    }
    // A schema says false by saying nothing.
    for key in [PRESERVE, EMBEDDED, INT_OR_STRING, "nullable", "exclusiveMaximum", "exclusiveMinimum", "uniqueItems"] {
        if schema.get(key) == Some(&Value::Bool(false)) {
            schema.remove(key);
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for value in properties.values_mut().filter_map(Value::as_object_mut) {
            each(value, form);
        }
    }
    for key in NESTED {
        if let Some(Value::Object(below)) = schema.get_mut(key) {
            each(below, form);
        }
    }
    if is_set(schema, EMBEDDED) && !(form == Form::V2 && is_set(schema, PRESERVE)) {
        set_properties(schema, form);
        let required = schema.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(required) = required {
            for name in ["kind", "apiVersion"] {
                if !required.iter().any(|present| present == name) {
                    required.push(json!(name));
                }
            }
        }
    }
}

/// Spells out that a value may be an integer or a string, unless the schema does so already in one of two ways.
fn unfold(schema: &mut Map<String, Value>) {
    let both = json!([{"type": "integer"}, {"type": "string"}]);
    let in_all = schema.get("allOf").and_then(|all| all.get(0)).and_then(|first| first.get("anyOf"));
    if schema.get("anyOf") == Some(&both) || in_all == Some(&both) {
        return;
    }
    if !schema.contains_key("anyOf") {
        schema.insert("anyOf".to_owned(), both);
    } else if let Value::Array(all) = schema.entry("allOf").or_insert_with(|| json!([])) {
        all.insert(0, json!({"anyOf": both}));
    }
}

/// Takes out what v2, or the clients that read it, cannot cope with.
fn simplify(schema: &mut Map<String, Value>) {
    for key in JUNCTORS {
        schema.remove(key);
    }
    schema.remove("default");
    let preserves = is_set(schema, PRESERVE);
    if is_set(schema, "nullable") {
        for key in ["nullable", "type", "items", "properties"] {
            schema.remove(key);
        }
    }
    if preserves {
        schema.remove("items");
        schema.remove("properties");
    }
    let of_type = |schema: &Map<String, Value>, name: &str| schema.get("type").is_some_and(|found| found == name);
    if (of_type(schema, "array") && !schema.contains_key("items")) || (preserves && of_type(schema, "object")) {
        schema.remove("type");
    }
    let nullable = |value: &Value| value.get("nullable") == Some(&Value::Bool(true));
    let optional: Vec<String> = match schema.get("properties") {
        Some(Value::Object(properties)) => {
            properties.iter().filter(|(_, value)| nullable(value)).map(|(key, _)| key.clone()).collect()
        }
        _ => Vec::new(),
    };
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| !optional.iter().any(|optional| name == optional));
        if required.is_empty() {
            schema.remove("required");
        }
    }
    if schema.get("additionalProperties").is_some_and(nullable) {
        schema.remove("required");
    }
}
