//! Strategic merge patch: a merge patch that merges lists too, as the schema says how, with directives in the patch.
//!
//! | Directive | Meaning |
//! |---|---|
//! | `$patch: replace` in an object | the patch takes the place of the object |
//! | `$patch: delete` in an object | the object becomes empty |
//! | `$patch: replace`, `delete` in an item of a list | the list is replaced; items with this key go |
//! | `$retainKeys: […]` | all other members of the object go |
//! | `$setElementOrder/LIST: […]` | the order of the list |
//! | `$deleteFromPrimitiveList/LIST: […]` | these items go from a list of scalars |
//!
//! Other than upstream, a merge key that is an object or list is refused as a bad request instead of crashing.

mod failure;
mod list;
mod meta;
mod order;
#[cfg(test)]
mod tests;

use crate::schema::Type;
use crate::status::Status;
use crate::{Key, Object, Value};
use failure::{Failure, wrong_type};
use meta::Meta;
use std::cmp::Ordering;

type Outcome<T> = Result<T, Failure>;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// Merges `patch` into `document`, an object of type `of`.
///
/// Failures are those of upstream: what a directive gets wrong is a bad request, and what the lists of the patch get wrong
/// an internal error without reason. A patch that is no object becomes the document; reading refuses such ones.
pub fn strategic_merge(of: Type<'_>, document: Value, patch: &Value) -> Result<Value, Status> {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => {
            Ok(Value::Object(merge_objects(document, patch.clone(), Meta::of(of)).map_err(Status::from)?))
        }
        (_, other) => Ok(other.clone()),
    }
}

fn merge_objects(mut original: Object, mut patch: Object, meta: Meta<'_>) -> Outcome<Object> {
    if let Some(directive) = patch.remove(PATCH) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Object::new()),
            _ => {
                patch.insert(PATCH.into(), directive.clone());
                Err(failure::unknown_directive(&directive, &patch))
            }
        };
    }
    retain_keys(&mut original, &mut patch)?;
    list::set_orders(&mut original, &mut patch, meta)?;
    delete_from_lists(&mut original, &mut patch, meta)?;

    // Walks both sorted lists of members side by side: single insertions would take quadratic time.
    let mut merged: Vec<(Key, Value)> = Vec::with_capacity(original.len().max(patch.len()));
    let mut original = original.into_members().into_iter().peekable();
    for (name, value) in patch.into_members() {
        let before = loop {
            match original.peek().map(|(key, _)| key.cmp(&name)) {
                Some(Ordering::Less) => merged.extend(original.next()),
                Some(Ordering::Equal) => break original.next(),
                Some(Ordering::Greater) | None => break None,
            }
        };
        if value == Value::Null {
            continue;
        }
        let value = match before {
            Some((_, before)) => merge_member(&name, before, value, meta)?,
            None => added(value),
        };
        merged.extend(value.map(|value| (name, value)));
    }
    merged.extend(original);
    Ok(merged.into_iter().collect())
}

/// Merges a member that both have. `None`: it goes.
fn merge_member(name: &str, before: Value, patch: Value, meta: Meta<'_>) -> Outcome<Option<Value>> {
    match (before, patch) {
        (Value::Object(before), Value::Object(patch)) => {
            let found = meta.member(name)?;
            if found.strategy == "replace" {
                return Ok(Some(Value::Object(patch)));
            }
            merge_objects(before, patch, found.meta).map(|merged| Some(Value::Object(merged)))
        }
        (Value::List(before), Value::List(patch)) => {
            let found = meta.list(name)?;
            if found.strategy != "merge" {
                return Ok(Some(Value::List(patch)));
            }
            list::merge(before, patch, found.meta, found.merge_key).map(|merged| Some(Value::List(merged)))
        }
        (_, patch) => Ok(added(patch)),
    }
}

/// What a patch value is where nothing can be merged: without directives and null members.
fn added(mut value: Value) -> Option<Value> {
    discard_nulls(&mut value);
    without_directives(value)
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| *value != Value::Null);
            object.iter_mut().for_each(|(_, value)| discard_nulls(value));
        }
        Value::List(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Drops the objects that bear a `$patch`.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(object) if object.get(PATCH).is_some() => None,
        Value::Object(object) => {
            let members = object.into_members().into_iter();
            let kept = members.filter_map(|(name, value)| without_directives(value).map(|value| (name, value)));
            Some(Value::Object(kept.collect()))
        }
        Value::List(items) => Some(Value::List(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

/// Follows `$retainKeys`: members of the object that it does not name go; the patch may set no others.
fn retain_keys(original: &mut Object, patch: &mut Object) -> Outcome<()> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::List(items) = &directive else { return Err(failure::BAD_RETAIN_KEYS) };
    let retained: std::collections::HashSet<&str> = items.iter().filter_map(Value::as_str).collect();
    let names = |name: &str| retained.contains(name);
    let allowed = |(name, value): (&str, &Value)| {
        *value == Value::Null || name.starts_with(DELETE_FROM) || name.starts_with(SET_ORDER) || names(name)
    };
    if !patch.iter().all(allowed) {
        return Err(failure::BAD_RETAIN_KEYS);
    }
    original.retain(|name, _| names(name));
    Ok(())
}

/// Follows `$deleteFromPrimitiveList/…`. Upstream does this before or after merging, as chance has it; here before.
fn delete_from_lists(original: &mut Object, patch: &mut Object, meta: Meta<'_>) -> Outcome<()> {
    for (key, value) in list::take_directives(patch, DELETE_FROM) {
        let name = list::named(&key).ok_or(failure::BAD_PRIMITIVE_LIST)?;
        if value == Value::Null {
            original.remove(name);
            continue;
        }
        let Value::List(gone) = value else { continue };
        if let Some(Value::List(items)) = original.get_mut(name) {
            let found = meta.list(name)?;
            *items = list::delete(std::mem::take(items), gone, found.meta, found.merge_key)?;
        }
    }
    Ok(())
}
