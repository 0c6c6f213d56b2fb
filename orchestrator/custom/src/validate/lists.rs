//! Lists whose items are told apart: sets and maps.

use crate::gotext;
use crate::structural::Structural;
use coracle_apimachinery::field::{Error, Path, Problem};
use coracle_apimachinery::{Key, Object, Value, json};
use std::collections::HashMap;

/// Checks that items of sets and keys of map lists differ, everywhere in a value.
pub(crate) fn check(value: &Value, schema: &Structural, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    walk(value, schema, path, &mut errors);
    errors
}

fn walk(value: &Value, schema: &Structural, path: &Path, errors: &mut Vec<Error>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter() {
                if let Some(other) = schema.additional.as_ref().and_then(|other| other.schema.as_deref()) {
                    walk(value, other, &path.key(name), errors);
                } else if let Some(property) = schema.properties.get(name) {
                    walk(value, property, &path.child(name), errors);
                }
            }
        }
        Value::List(items) => {
            match &*schema.list_type {
                "set" => errors.extend(repeated(items).into_iter().map(|index| {
                    let shown = items.get(index).map(gotext::shown);
                    Error::new(Problem::Duplicate, &path.index(index), shown, "")
                })),
                "map" => map(items, schema, path, errors),
                _ => {}
            }
            if let Some(schema) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    walk(item, schema, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn map(items: &[Value], schema: &Structural, path: &Path, errors: &mut Vec<Error>) {
    let is_object = |item: &Value| matches!(item, Value::Object(_) | Value::Null);
    if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| !is_object(item)) {
        errors.push(gotext::invalid(&path.index(index), item, "must be an object for an array of list-type map"));
        return;
    }
    let keys: Vec<Value> = items.iter().map(|item| key_of(item, schema)).collect();
    for index in repeated(&keys) {
        let shown = keys.get(index).map(gotext::shown);
        errors.push(Error::new(Problem::Duplicate, &path.index(index), shown, ""));
    }
}

/// The members that tell an item from others.
fn key_of(item: &Value, schema: &Structural) -> Value {
    let members = schema.list_keys.iter();
    let key = members.filter_map(|name| Some((Key::Owned(name.to_string()), item.at(&[name])?.clone())));
    Value::Object(key.collect::<Object>())
}

/// Indexes of values that stand for the second time.
fn repeated(values: &[Value]) -> Vec<usize> {
    let mut times: HashMap<Vec<u8>, usize> = HashMap::with_capacity(values.len());
    let mut found = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let mut text = json::encode_any(value);
        // Go tells 1 and 1.0 apart in a set of scalars.
        if matches!(value, Value::Float(_)) {
            text.push(b'f');
        }
        let count = times.entry(text).or_insert(0);
        *count += 1;
        if *count == 2 {
            found.push(index);
        }
    }
    found
}

/// Whether two items are equal.
pub(super) fn has_equal_items(items: &[Value]) -> bool {
    !repeated(items).is_empty()
}

/// The item of the old list that an item of a map list descends from.
pub(super) fn counterpart<'a>(schema: &Structural, item: &Value, old: &'a Value) -> Option<&'a Value> {
    if &*schema.list_type != "map" {
        return None;
    }
    let key = key_of(item, schema);
    old.items().iter().find(|before| key_of(before, schema) == key)
}
