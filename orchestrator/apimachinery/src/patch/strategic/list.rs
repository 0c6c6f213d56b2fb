//! Merging lists, and the directives that are about lists.

use super::failure::{self, Failure, list_text, type_name, unknown_directive};
use super::order::{By, members, scalar};
use super::{DELETE_FROM, Meta, Outcome, PATCH, SET_ORDER, merge_objects, without_directives, wrong_type};
use crate::{Key, Object, Value};
use std::collections::{HashMap, HashSet};

/// Merges a list of scalars or a list of objects.
pub(super) fn merge(original: Vec<Value>, patch: Vec<Value>, meta: Meta<'_>, key: &str) -> Outcome<Vec<Value>> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let by = By { key };
    if !are_objects(&original, &patch)? {
        let (server, wanted) = (By { key: "" }.places(&original)?, By { key: "" }.places(&patch)?);
        let merged = deduplicate(original.into_iter().chain(patch))?;
        if !key.is_empty() {
            // Upstream asks even scalars for their merge key.
            merged.iter().try_for_each(|item| members(item).map(drop))?;
        }
        return By { key: "" }.order(merged, &wanted, &server);
    }
    if key.is_empty() {
        let message = format!("cannot merge lists without merge key for {}", meta.kind_name());
        return Err(Failure::Unclassified(message));
    }
    let (original, patch) = special_items(original, patch, by)?;
    let (server, wanted) = (by.places(&original)?, by.places(&patch)?);
    let merged = merge_items(original, patch, meta, by)?;
    by.order(merged, &wanted, &server)
}

/// Deletes items from a list of scalars.
pub(super) fn delete(original: Vec<Value>, gone: Vec<Value>, meta: Meta<'_>, key: &str) -> Outcome<Vec<Value>> {
    if original.is_empty() && gone.is_empty() {
        return Ok(original);
    }
    if are_objects(&original, &gone)? {
        // Upstream merges lists of objects here.
        return merge(original, gone, meta, key);
    }
    let gone = gone.iter().map(scalar).collect::<Outcome<HashSet<_>>>()?;
    let mut kept = Vec::with_capacity(original.len());
    for item in original {
        if !gone.contains(&scalar(&item)?) {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// Whether the items of two lists are objects. All must be of one type, and lists they may not be.
fn are_objects(left: &[Value], right: &[Value]) -> Outcome<bool> {
    let mut items = left.iter().chain(right);
    let Some(first) = items.next() else {
        return Err(Failure::Unclassified("no elements in any of the given slices".to_owned()));
    };
    match first {
        Value::List(_) => return Err(Failure::Unprocessable),
        // Upstream crashes on a first null.
        Value::Null => return Err(not_identical(left, right)),
        _ => {}
    }
    if items.any(|item| type_name(item) != type_name(first)) {
        return Err(not_identical(left, right));
    }
    Ok(matches!(first, Value::Object(_)))
}

fn not_identical(left: &[Value], right: &[Value]) -> Failure {
    let lists = format!("[{} {}]", list_text(left), list_text(right));
    Failure::Unclassified(format!("list element types are not identical: {lists}"))
}

/// Drops repeated scalars.
fn deduplicate(items: impl Iterator<Item = Value>) -> Outcome<Vec<Value>> {
    let (mut seen, mut kept) = (HashSet::new(), Vec::new());
    for item in items {
        if seen.insert(scalar(&item)?) {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// Follows the items of the patch that bear a `$patch`; gives what is left of both lists.
fn special_items(original: Vec<Value>, patch: Vec<Value>, by: By<'_>) -> Outcome<(Vec<Value>, Vec<Value>)> {
    let (mut plain, mut gone, mut replace) = (Vec::with_capacity(patch.len()), HashSet::new(), false);
    for item in patch {
        let object = members(&item)?;
        let Some(directive) = object.get(PATCH) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => drop(gone.insert(by.identity(&item)?)),
            Some("replace") => replace = true,
            Some("merge") => {
                return Err(Failure::Unclassified("merging lists cannot yet be specified in the patch".to_owned()));
            }
            _ => return Err(unknown_directive(directive, object)),
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    let mut kept = original;
    if !gone.is_empty() {
        // An item without the key is not what the patch means; it is complained about when the list is ordered.
        kept.retain(|item| !by.identity(item).is_ok_and(|identity| gone.contains(&identity)));
    }
    Ok((kept, plain))
}

fn merge_items(original: Vec<Value>, patch: Vec<Value>, meta: Meta<'_>, by: By<'_>) -> Outcome<Vec<Value>> {
    let mut places = by.places(&original)?;
    let mut merged = original;
    for item in patch {
        let identity = by.identity(&item)?;
        let found = places.get(&identity).and_then(|at| merged.get_mut(*at));
        match (found, item) {
            (Some(slot), Value::Object(item)) => {
                let before = match std::mem::replace(slot, Value::Null) {
                    Value::Object(before) => before,
                    other => return Err(wrong_type("map[string]interface {}", &other)),
                };
                *slot = Value::Object(merge_objects(before, item, meta)?);
            }
            (_, item) => {
                places.insert(identity, merged.len());
                merged.push(item);
            }
        }
    }
    Ok(merged)
}

/// Takes the directives with this prefix out of a patch.
pub(super) fn take_directives(patch: &mut Object, prefix: &str) -> Vec<(Key, Value)> {
    if !patch.iter().any(|(name, _)| name.starts_with(prefix)) {
        return Vec::new();
    }
    let members = std::mem::take(patch).into_members().into_iter();
    let (taken, left) = members.partition::<Vec<_>, _>(|(name, _)| name.starts_with(prefix));
    *patch = left.into_iter().collect();
    taken
}

/// The list that a directive names behind its prefix; `None` if it is not written so.
pub(super) fn named(directive: &str) -> Option<&str> {
    let (prefix, name) = directive.split_once('/')?;
    [DELETE_FROM, SET_ORDER].contains(&prefix).then_some(name)
}

/// Follows `$setElementOrder/…`: merges the lists that it names and orders them.
pub(super) fn set_orders(original: &mut Object, patch: &mut Object, meta: Meta<'_>) -> Outcome<()> {
    for (key, directive) in take_directives(patch, SET_ORDER) {
        let wanted = into_list(directive)?;
        let name = named(&key).ok_or(failure::BAD_ORDER)?;
        // Both lists are taken out; the original one goes back when it is merged.
        let before = original.remove(name).map(into_list).transpose()?;
        let items = patch.remove(name).map(into_list).transpose()?;
        let found = meta.list(name)?;
        let by = By { key: found.merge_key };
        check_order(items.as_deref().unwrap_or_default(), &wanted, by)?;
        let (left, right) = (before.as_deref().unwrap_or_default(), items.as_deref().unwrap_or_default());
        if before.is_none() && items.is_none() {
            continue;
        }
        let objects = are_objects(left, right)?;
        let server = match objects {
            true if found.strategy == "merge" => by.places(&server_order(left, right, by))?,
            true => by.places(left)?,
            false => By { key: "" }.places(left)?,
        };
        let merged = match (before, items) {
            (Some(before), Some(items)) if found.strategy == "merge" => merge(before, items, found.meta, by.key)?,
            (Some(_), Some(items)) => items,
            (None, Some(items)) => items.into_iter().filter_map(without_directives).collect(),
            (Some(before), None) => before,
            (None, None) => continue,
        };
        let places = named_places(&wanted, by)?;
        original.insert(Key::Owned(name.to_owned()), Value::List(by.order(merged, &places, &server)?));
    }
    Ok(())
}

fn named_places(wanted: &[Value], by: By<'_>) -> Outcome<HashMap<super::order::Identity, usize>> {
    if !by.key.is_empty()
        && let Some(at) = wanted.iter().position(|item| item.as_object().is_none())
    {
        return Err(Failure::Unclassified(format!("value for key {at} is not a map")));
    }
    by.places(wanted)
}

/// The order of a list on the server. Upstream merges into the memory of the list that it later takes for the order on
/// the server: new items count as standing there in the places that deleted ones left at its end.
fn server_order(before: &[Value], patch: &[Value], by: By<'_>) -> Vec<Value> {
    let directive = |item: &Value| item.at(&[PATCH]).and_then(Value::as_str).map(str::to_owned);
    if before.is_empty() || patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        return before.to_vec();
    }
    let deletes = patch.iter().filter(|item| directive(item).as_deref() == Some("delete"));
    let gone: HashSet<_> = deletes.filter_map(|item| by.identity(item).ok()).collect();
    if gone.is_empty() {
        return before.to_vec();
    }
    let is_gone = |item: &Value| by.identity(item).is_ok_and(|identity| gone.contains(&identity));
    let mut order: Vec<Value> = before.iter().filter(|item| !is_gone(item)).cloned().collect();
    let mut known: HashSet<_> = order.iter().filter_map(|item| by.identity(item).ok()).collect();
    let plain = patch.iter().filter(|item| item.at(&[PATCH]).is_none());
    order.extend(plain.filter(|item| by.identity(item).is_ok_and(|identity| known.insert(identity))).cloned());
    order.truncate(before.len());
    order
}

/// Items of the patch must stand in the wanted order, and all be named there. Items that bear a `$patch` need not, but
/// upstream passes over those that do not delete only as long as wanted items are left.
fn check_order(patch: &[Value], wanted: &[Value], by: By<'_>) -> Outcome<()> {
    if patch.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let mut items = Vec::with_capacity(patch.len());
    for item in patch {
        if by.key.is_empty() || members(item)?.get(PATCH).and_then(Value::as_str) != Some("delete") {
            items.push(item);
        }
    }
    let mut items = items.into_iter().peekable();
    let mut ordered = wanted.iter().peekable();
    while let (Some(item), Some(candidate)) = (items.peek(), ordered.peek()) {
        if item.at(&[PATCH]).is_some() {
            items.next();
            continue;
        }
        if by.identity(item)? == by.identity(candidate)? {
            items.next();
        }
        ordered.next();
    }
    if items.peek().is_none() {
        return Ok(());
    }
    let (patch, wanted) = (list_text(patch), list_text(wanted));
    let message = format!("The order in patch list:\n{patch}\n doesn't match {SET_ORDER} list:\n{wanted}\n");
    Err(Failure::Unclassified(message))
}

fn into_list(value: Value) -> Outcome<Vec<Value>> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(wrong_type("[]interface {}", &other)),
    }
}
