//! Which item is which, and in what order the items of a merged list stand.

use super::Outcome;
use super::failure::{COMPOSITE_KEY, no_merge_key, wrong_type};
use crate::{Object, Value};
use std::collections::HashMap;

/// What tells one item of a list from another: a scalar, itself or behind the merge key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Null,
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(Box<str>),
}

/// How items are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// The merge key; empty for lists of scalars.
    pub(super) key: &'a str,
}

impl By<'_> {
    pub(super) fn identity(self, item: &Value) -> Outcome<Identity> {
        let value = if self.key.is_empty() { item } else { self.key_of(members(item)?)? };
        scalar(value)
    }

    fn key_of<'v>(&self, item: &'v Object) -> Outcome<&'v Value> {
        item.get(self.key).ok_or_else(|| no_merge_key(item, self.key))
    }

    /// The first place of each item.
    pub(super) fn places(self, items: &[Value]) -> Outcome<HashMap<Identity, usize>> {
        let mut places = HashMap::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            places.entry(self.identity(item)?).or_insert(at);
        }
        Ok(places)
    }

    /// Orders a merged list. Items that `wanted` names follow one another as they do there; the others as they did on the
    /// server, and before a named one if they stood before it there.
    pub(super) fn order(
        self,
        merged: Vec<Value>,
        wanted: &HashMap<Identity, usize>,
        server: &HashMap<Identity, usize>,
    ) -> Outcome<Vec<Value>> {
        let (mut named, mut others) = (Vec::new(), Vec::new());
        for item in merged {
            let identity = self.identity(&item)?;
            let server = server.get(&identity).copied();
            match wanted.get(&identity).copied() {
                Some(place) => named.push(Placed { place: Some(place), server, item }),
                None => others.push(Placed { place: server, server, item }),
            }
        }
        sort(&mut named);
        sort(&mut others);
        let mut ordered = Vec::with_capacity(named.len() + others.len());
        let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
        loop {
            let next = match (others.peek(), named.peek()) {
                (None, None) => return Ok(ordered),
                (Some(_), None) => others.next(),
                (None, Some(_)) => named.next(),
                (Some(other), Some(name)) => match (other.server, name.server) {
                    (Some(other), Some(name)) if other < name => others.next(),
                    _ => named.next(),
                },
            };
            ordered.extend(next.map(|placed| placed.item));
        }
    }
}

struct Placed {
    place: Option<usize>,
    server: Option<usize>,
    item: Value,
}

/// Up to this many items, Go sorts by insertion.
const INSERTION_LIMIT: usize = 20;

/// Sorts by place. Go's comparison is none for items without a place: each goes before what it is compared with, and so
/// the outcome is that of Go's insertion sort. In longer lists, where Go sorts otherwise, they go last.
fn sort(items: &mut [Placed]) {
    if items.len() > INSERTION_LIMIT || items.iter().all(|item| item.place.is_some()) {
        items.sort_by_key(|item| item.place.unwrap_or(usize::MAX));
        return;
    }
    let before = |left: &Placed, right: &Placed| match (left.place, right.place) {
        (Some(left), Some(right)) => left < right,
        _ => true,
    };
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 {
            let (Some(left), Some(right)) = (items.get(at - 1), items.get(at)) else { break };
            if !before(right, left) {
                break;
            }
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// The members of an item that must be an object.
pub(super) fn members(item: &Value) -> Outcome<&Object> {
    item.as_object().ok_or_else(|| wrong_type("map[string]interface {}", item))
}

pub(super) fn scalar(value: &Value) -> Outcome<Identity> {
    Ok(match value {
        Value::Null => Identity::Null,
        Value::Bool(value) => Identity::Bool(*value),
        Value::Int(value) => Identity::Int(*value),
        // Minus zero equals zero.
        Value::Float(value) => Identity::Float((value + 0.0).to_bits()),
        Value::String(text) | Value::Raw(text) => Identity::Text(text.clone()),
        Value::List(_) | Value::Object(_) => return Err(COMPOSITE_KEY),
    })
}
