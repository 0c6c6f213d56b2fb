//! What makes a schema structural: types outside of value validations, and value validations that only validate.

use crate::pattern;
use crate::structural::truth;
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};

/// Where a schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Checks that a schema is structural. Problems are sorted by their text.
pub(super) fn check(schema: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, path, &mut errors);
    complete(schema, Some(schema), path, path, &mut errors);
    errors.sort_by_key(ToString::to_string);
    errors
}

fn members<'s>(schema: &'s Value, name: &'static str) -> impl Iterator<Item = (&'s str, &'s Value)> {
    schema.at(&[name]).and_then(Value::as_object).into_iter().flat_map(|members| members.iter())
}

fn list<'s>(schema: &'s Value, name: &'static str) -> &'s [Value] {
    schema.at(&[name]).map(Value::items).unwrap_or_default()
}

fn invariants(schema: &Value, level: Level, path: &Path, errors: &mut Vec<Error>) {
    let kind = schema.text_at(&["type"]);
    let embedded = truth(schema, "x-kubernetes-embedded-resource");
    let preserve = truth(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = truth(schema, "x-kubernetes-int-or-string");
    let additional = schema.at(&["additionalProperties"]);
    match schema.at(&["items"]) {
        Some(items) => invariants(items, Level::Item, &path.child("items"), errors),
        None if kind == "array" => errors.push(Error::required(&path.child("items"), "must be specified")),
        None => {}
    }
    for (name, property) in members(schema, "properties") {
        invariants(property, Level::Field, &path.child("properties").key(name), errors);
    }
    let place = path.child("additionalProperties");
    if let Some(additional) = additional {
        if level == Level::Root {
            errors.push(Error::forbidden(&place, "must not be used at the root"));
        }
        if additional.as_object().is_some() {
            invariants(additional, Level::Field, &place, errors);
        }
    }
    for (given, name) in
        [(preserve, "x-kubernetes-preserve-unknown-fields"), (embedded, "x-kubernetes-embedded-resource")]
    {
        if int_or_string && given {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(Error::invalid_value(&path.child(name), true, detail));
        }
    }
    validations(schema, is_int_or_string(schema), first_is_int_or_string(schema), level, path, errors);
    let of_type = path.child("type");
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match kind {
            "" => Error::required(&of_type, detail),
            other => Error::invalid(&of_type, other, detail),
        });
    } else if kind.is_empty() && !int_or_string && !preserve {
        errors.push(Error::required(
            &of_type,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if embedded && additional.is_some() {
        errors.push(Error::forbidden(&place, "must not be used if x-kubernetes-embedded-resource is set"));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(Error::invalid(&of_type, kind, "must be object at the root"));
    }
    let is_resource = level == Level::Root || embedded;
    for name in ["kind", "apiVersion"] {
        let property = schema.at(&["properties", name]).filter(|_| is_resource);
        if let Some(kind) = property.map(|property| property.text_at(&["type"])).filter(|kind| *kind != "string") {
            let place = path.child("properties").key(name).child("type");
            errors.push(Error::invalid(&place, kind, "must be string"));
        }
    }
    if let Some(metadata) = schema.at(&["properties", "metadata"]) {
        of_metadata(metadata, is_resource, level, &path.child("properties").key("metadata"), errors);
    }
    let has_properties = schema.at(&["properties"]).is_some_and(|properties| !properties.is_empty());
    if embedded && !preserve && !has_properties {
        let detail =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(Error::required(&path.child("properties"), detail));
    }
}

fn of_metadata(schema: &Value, is_resource: bool, level: Level, path: &Path, errors: &mut Vec<Error>) {
    let kind = schema.text_at(&["type"]);
    if is_resource && kind != "object" {
        errors.push(Error::invalid(&path.child("type"), kind, "must be object"));
    }
    if level != Level::Root {
        return;
    }
    let only_names = members(schema, "properties").all(|(name, _)| matches!(name, "name" | "generateName"));
    let Some(object) = schema.as_object() else { return };
    let others = object.iter().any(|(name, value)| match name {
        "type" | "default" => false,
        "properties" => !only_names,
        _ => !value.is_empty(),
    });
    if others {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(Error::forbidden(path, why));
    }
}

/// `anyOf: [{type: integer}, {type: string}]` and nothing else in it.
fn is_int_or_string(schema: &Value) -> bool {
    let is = |schema: &Value, kind: &str| {
        schema.text_at(&["type"]) == kind && schema.as_object().is_some_and(|object| object.len() == 1)
    };
    matches!(list(schema, "anyOf"), [first, second] if is(first, "integer") && is(second, "string"))
}

fn first_is_int_or_string(schema: &Value) -> bool {
    list(schema, "allOf").first().is_some_and(is_int_or_string)
}

fn validations(schema: &Value, skip_any: bool, skip_first: bool, level: Level, path: &Path, errors: &mut Vec<Error>) {
    for name in ["anyOf", "allOf", "oneOf"] {
        if skip_any && name == "anyOf" {
            continue;
        }
        for (index, inner) in list(schema, name).iter().enumerate() {
            let skip = name == "allOf" && skip_first && index == 0;
            nested(inner, skip, level, &path.child(name).index(index), errors);
        }
    }
    if let Some(not) = schema.at(&["not"]) {
        nested(not, false, level, &path.child("not"), errors);
    }
    let text = schema.text_at(&["pattern"]);
    if let Some(problem) = Some(text).filter(|text| !text.is_empty()).and_then(pattern::problem) {
        let detail = format!("must be a valid regular expression, but isn't: {problem}");
        errors.push(Error::invalid(&path.child("pattern"), text, detail));
    }
}

fn nested(schema: &Value, skip_any: bool, level: Level, path: &Path, errors: &mut Vec<Error>) {
    validations(schema, skip_any, false, level, path, errors);
    if let Some(items) = schema.at(&["items"]) {
        nested(items, false, level, &path.child("items"), errors);
    }
    for (name, property) in members(schema, "properties") {
        nested(property, false, Level::Field, &path.child("properties").key(name), errors);
    }
    let rules = [
        ("type", "empty"),
        ("additionalProperties", "undefined"),
        ("default", "undefined"),
        ("title", "empty"),
        ("description", "empty"),
        ("nullable", "false"),
        ("x-kubernetes-preserve-unknown-fields", "false"),
        ("x-kubernetes-embedded-resource", "false"),
        ("x-kubernetes-int-or-string", "false"),
        ("x-kubernetes-list-map-keys", "empty"),
        ("x-kubernetes-list-type", "undefined"),
        ("x-kubernetes-map-type", "undefined"),
        ("x-kubernetes-validations", "empty"),
    ];
    for (name, wanted) in rules {
        let given = schema.at(&[name]).is_some_and(|value| match name {
            "additionalProperties" => *value != Value::Bool(false),
            _ => wanted == "undefined" || !value.is_empty(),
        });
        if given {
            errors.push(Error::forbidden(&path.child(name), format!("must be {wanted} to be structural")));
        }
    }
    if schema.at(&["properties", "metadata"]).is_some() {
        let place = path.child("properties").key("metadata");
        errors.push(Error::forbidden(&place, "must not be specified in a nested context"));
    }
}

/// Whatever a value validation names has to stand outside of value validations too.
fn complete(rules: &Value, schema: Option<&Value>, at: &Path, from: &Path, errors: &mut Vec<Error>) {
    let nots = rules.at(&["not"]).map(|not| (not, from.child("not")));
    let lists = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|name| {
        list(rules, name).iter().enumerate().map(move |(index, inner)| (inner, from.child(name).index(index)))
    });
    for (inner, from) in nots.into_iter().chain(lists) {
        complete_nested(inner, schema, at, &from, errors);
    }
}

fn complete_nested(rules: &Value, schema: Option<&Value>, at: &Path, from: &Path, errors: &mut Vec<Error>) {
    let Some(schema) = schema else {
        errors.push(Error::required(at, format!("because it is defined in {from}")));
        return;
    };
    complete(rules, Some(schema), at, from, errors);
    if let Some(items) = rules.at(&["items"]) {
        complete_nested(items, schema.at(&["items"]), &at.child("items"), &from.child("items"), errors);
    }
    for (name, property) in members(rules, "properties") {
        let (at, from) = (at.child("properties").key(name), from.child("properties").key(name));
        complete_nested(property, schema.at(&["properties", name]), &at, &from, errors);
    }
}
