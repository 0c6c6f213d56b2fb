//! What a schema in a definition may say at all, structural or not.

use super::internal;
use crate::gotext;
use crate::structural::{MAX_DEPTH, texts, truth};
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::{Value, json};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What is forbidden at a place because of where it lies.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// Why there may be no defaults, if so.
    no_defaults: Option<&'a str>,
    in_metadata: bool,
    root: bool,
    depth: usize,
}

/// Members that hold schemas, in the order in which upstream looks into them.
const INNER: [&str; 11] = [
    "additionalProperties",
    "properties",
    "not",
    "allOf",
    "oneOf",
    "anyOf",
    "definitions",
    "items",
    "dependencies",
    "patternProperties",
    "additionalItems",
];

/// All schemas right below a schema, with their paths.
pub(super) fn inner_schemas<'s>(schema: &'s Value, path: &Path) -> Vec<(&'s Value, Path)> {
    INNER.iter().flat_map(|name| schemas_in(schema, name, path)).collect()
}

/// The schemas in one member of a schema: itself, the items of a list, or the values of a map.
fn schemas_in<'s>(schema: &'s Value, name: &str, path: &Path) -> Vec<(&'s Value, Path)> {
    let path = path.child(name);
    let is_map = matches!(name, "properties" | "patternProperties" | "definitions" | "dependencies");
    match schema.at(&[name]) {
        Some(Value::Object(members)) if is_map => {
            let schemas = members.iter().filter(|(_, inner)| inner.as_object().is_some());
            schemas.map(|(key, inner)| (inner, path.key(key))).collect()
        }
        Some(inner @ Value::Object(_)) => vec![(inner, path)],
        Some(Value::List(inner)) => inner.iter().enumerate().map(|(index, inner)| (inner, path.index(index))).collect(),
        _ => Vec::new(),
    }
}

/// Whether a schema nests deeper than one may; nothing but this may walk down such a schema.
pub(super) fn too_deep(schema: &Value) -> bool {
    fn below(schema: &Value, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return true };
        INNER.iter().filter_map(|name| schema.at(&[name])).any(|inner| match inner {
            Value::Object(members) => below(inner, left) || members.iter().any(|(_, inner)| below(inner, left)),
            other => other.items().iter().any(|inner| below(inner, left)),
        })
    }
    below(schema, MAX_DEPTH)
}

/// Checks the schema of a version.
pub(super) fn check(schema: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    visit(schema, path, Place { no_defaults: None, in_metadata: false, root: true, depth: 0 }, &mut errors);
    errors
}

fn visit(schema: &Value, path: &Path, place: Place<'_>, errors: &mut Vec<Error>) {
    if place.depth > MAX_DEPTH {
        return;
    }
    forbidden(schema, path, place, errors);
    if truth(schema, "uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(Error::forbidden(&path.child("uniqueItems"), why));
    }
    let inside = Place { root: false, depth: place.depth + 1, ..place };
    if let Some(additional) = schema.at(&["additionalProperties"]) {
        let excludes = *additional != Value::Bool(true);
        if excludes && schema.at(&["properties"]).is_some_and(|properties| !properties.is_empty()) {
            let why = "additionalProperties and properties are mutual exclusive";
            errors.push(Error::forbidden(&path.child("additionalProperties"), why));
        }
        if additional.as_object().is_some() {
            let why = "inside additionalProperties applying to object metadata";
            let no_defaults = if place.in_metadata { Some(why) } else { place.no_defaults };
            visit(additional, &path.child("additionalProperties"), Place { no_defaults, ..inside }, errors);
        }
    }
    let is_resource = place.root || truth(schema, "x-kubernetes-embedded-resource");
    for (name, property) in schema.at(&["properties"]).and_then(Value::as_object).into_iter().flat_map(|map| map.iter())
    {
        let mut inner = inside;
        let why = format!("in top-level {name}");
        if is_resource && crate::prune::IMPLICIT.contains(&name) {
            inner.in_metadata = true;
            if place.root {
                inner.no_defaults = Some(&why);
            }
        }
        visit(property, &path.child("properties").key(name), inner, errors);
    }
    for name in ["not", "allOf", "oneOf", "anyOf", "definitions", "items", "dependencies"] {
        for (schema, path) in schemas_in(schema, name, path) {
            visit(schema, &path, inside, errors);
        }
    }
    extensions(schema, path, errors);
    map_list(schema, path, errors);
    map_list_keys(schema, path, errors);
}

fn forbidden(schema: &Value, path: &Path, place: Place<'_>, errors: &mut Vec<Error>) {
    let mut forbid = |name: &str, why: &str| errors.push(Error::forbidden(&path.child(name), why));
    let kind = schema.text_at(&["type"]);
    let unknown = !kind.is_empty() && !TYPES.contains(&kind);
    if let (Some(why), Some(_)) = (place.no_defaults, schema.at(&["default"])) {
        forbid("default", &format!("must not be set {why}"));
    }
    for name in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        let given = schema.at(&[name]).is_some_and(|value| *value != Value::Null);
        if given {
            forbid(name, &format!("{name} is not supported"));
        }
    }
    if kind == "null" {
        forbid("type", "type cannot be set to null, use nullable as an alternative");
    }
    if schema.at(&["items"]).is_some_and(|items| matches!(items, Value::List(_))) {
        forbid("items", "items must be a schema object and not an array");
    }
    if place.in_metadata && truth(schema, "x-kubernetes-embedded-resource") {
        forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta");
    }
    if unknown {
        errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
    }
}

/// Which types the extensions want, and their values.
fn extensions(schema: &Value, path: &Path, errors: &mut Vec<Error>) {
    let kind = schema.text_at(&["type"]);
    let preserve = "x-kubernetes-preserve-unknown-fields";
    if schema.at(&[preserve]).and_then(Value::as_bool) == Some(false) {
        errors.push(Error::invalid_value(&path.child(preserve), false, "must be true or undefined"));
    }
    let wrong_type = |wanted: &str, extension: &str| {
        let detail = format!("must be {wanted} if {extension} is specified");
        let path = path.child("type");
        if kind.is_empty() { Error::required(&path, detail) } else { Error::invalid(&path, kind, detail) }
    };
    let given = |name: &str| schema.at(&[name]).and_then(Value::as_str);
    if let Some(map_type) = given("x-kubernetes-map-type") {
        if kind != "object" {
            errors.push(wrong_type("object", "x-kubernetes-map-type"));
        }
        if !matches!(map_type, "atomic" | "granular") {
            let place = path.child("x-kubernetes-map-type");
            errors.push(Error::not_supported(&place, map_type, &["atomic", "granular"]));
        }
    }
    let Some(list_type) = given("x-kubernetes-list-type") else { return };
    if kind != "array" {
        errors.push(wrong_type("array", "x-kubernetes-list-type"));
    } else if list_type == "set" {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let items = schema.at(&["items"]).cloned().unwrap_or(Value::Null);
        let list_of_items = items.at(&["x-kubernetes-list-type"]).cloned();
        let shown = list_of_items.clone().unwrap_or(Value::Null);
        let place = path.child("items");
        match items.text_at(&["type"]) {
            "array" if list_of_items.is_some_and(|found| found.as_str() != Some("atomic")) => {
                errors.push(gotext::invalid(&place.child("x-kubernetes-list-type"), &shown, detail));
            }
            "object" if items.text_at(&["x-kubernetes-map-type"]) != "atomic" => {
                errors.push(gotext::invalid(&place.child("x-kubernetes-map-type"), &shown, detail));
            }
            _ => {}
        }
    }
    if !matches!(list_type, "atomic" | "set" | "map") {
        let place = path.child("x-kubernetes-list-type");
        errors.push(Error::not_supported(&place, list_type, &["atomic", "set", "map"]));
    }
}

fn map_list(schema: &Value, path: &Path, errors: &mut Vec<Error>) {
    let list_type = schema.at(&["x-kubernetes-list-type"]).and_then(Value::as_str);
    let keys = texts(schema, "x-kubernetes-list-map-keys");
    if !keys.is_empty() {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        let place = path.child("x-kubernetes-list-type");
        match list_type {
            None => errors.push(Error::required(&place, detail)),
            Some("map") => {}
            Some(other) => errors.push(Error::invalid(&place, other, detail)),
        }
    }
    if list_type != Some("map") {
        return;
    }
    let place = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(Error::required(&place, "must not be empty if x-kubernetes-list-type is map"));
    }
    let of_items = path.child("items");
    let items = match schema.at(&["items"]) {
        None => {
            errors.push(Error::required(&of_items, "must have a schema if x-kubernetes-list-type is map"));
            return;
        }
        Some(items @ Value::List(_)) => {
            let detail = "must only have a single schema if x-kubernetes-list-type is map";
            errors.push(Error::invalid_value(&of_items, internal::or_array(items), detail));
            return;
        }
        Some(items) => items,
    };
    let kind = items.text_at(&["type"]);
    if kind != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(Error::invalid(&of_items.child("type"), kind, detail));
        return;
    }
    let shown =
        String::from_utf8_lossy(&json::encode_any(schema.at(&["x-kubernetes-list-map-keys"]).unwrap_or(&Value::Null)))
            .into_owned();
    for (index, key) in keys.iter().enumerate() {
        match items.at(&["properties", key]).map(|property| property.text_at(&["type"])) {
            Some("array" | "object") => {
                let place = of_items.child("properties").key(key).child("type");
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.push(Error::invalid(&place, kind, detail));
            }
            Some(_) => {}
            None => {
                errors.push(Error::invalid_value(&place, &shown, "entries must all be names of item properties"));
            }
        }
        if keys.iter().take(index).any(|before| before == key) {
            errors.push(Error::invalid_value(&place, &shown, "must not contain duplicate entries"));
        }
    }
}

/// Items of sets and maps are never null, and their keys are always there.
fn map_list_keys(schema: &Value, path: &Path, errors: &mut Vec<Error>) {
    let list_type = schema.text_at(&["x-kubernetes-list-type"]);
    let Some(items @ Value::Object(_)) = schema.at(&["items"]).filter(|_| matches!(list_type, "set" | "map")) else {
        return;
    };
    let of_items = path.child("items");
    if truth(items, "nullable") {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(Error::forbidden(&of_items.child("nullable"), why));
    }
    if list_type != "map" {
        return;
    }
    let required = texts(items, "required");
    for key in texts(schema, "x-kubernetes-list-map-keys") {
        let Some(property) = items.at(&["properties", &key]) else { continue };
        let place = of_items.child("properties").key(&key);
        if !required.contains(&key) && property.at(&["default"]).is_none() {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(Error::required(&place.child("default"), detail));
        }
        if truth(property, "nullable") {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(Error::forbidden(&place.child("nullable"), why));
        }
    }
}
