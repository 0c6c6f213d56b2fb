//! What the cell functions share: an object with the present time, and the usual ways to make a cell of a member.

use super::duration::human_duration;
use coracle_apimachinery::Value;
use coracle_apimachinery::time::{Instant, Precision, ZERO_SECONDS};

/// What stands in a cell for something that is not set.
pub(super) const NONE: &str = "<none>";
/// What stands in a cell for a member that nobody set.
pub(super) const UNSET: &str = "<unset>";
/// What stands in a cell for something that cannot be told.
pub(super) const UNKNOWN: &str = "<unknown>";

/// One object on its way to its cells.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) object: &'a Value,
    pub(super) now: Instant,
}

/// A cell of text.
pub(super) fn text(text: impl Into<Box<str>>) -> Value {
    Value::text(text)
}

/// `text`, or `otherwise` when it is empty.
pub(super) fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The number behind these member names; 0 when there is none.
pub(super) fn int_at(value: &Value, names: &[&str]) -> i64 {
    value.at(names).and_then(Value::as_int).unwrap_or_default()
}

/// The truth behind these member names; false when there is none.
pub(super) fn bool_at(value: &Value, names: &[&str]) -> bool {
    value.at(names).and_then(Value::as_bool).unwrap_or_default()
}

/// The items of the list behind these member names.
pub(super) fn items_at<'a>(value: &'a Value, names: &[&str]) -> &'a [Value] {
    value.at(names).map(Value::items).unwrap_or_default()
}

/// How many items or members the list or map behind these member names has.
pub(super) fn length_at(value: &Value, names: &[&str]) -> usize {
    match value.at(names) {
        Some(Value::List(items)) => items.len(),
        Some(Value::Object(members)) => members.len(),
        _ => 0,
    }
}

/// A cell with a number of things.
pub(super) fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The texts of a list.
pub(super) fn texts(items: &[Value]) -> impl Iterator<Item = &str> {
    items.iter().filter_map(Value::as_str)
}

/// The texts behind these member names, joined by commas.
pub(super) fn joined(value: &Value, names: &[&str]) -> String {
    texts(items_at(value, names)).collect::<Vec<_>>().join(",")
}

/// A quantity; an absent one is zero.
pub(super) fn quantity_at<'a>(value: &'a Value, names: &[&str]) -> &'a str {
    or(value.text_at(names), "0")
}

/// The first condition of this type.
pub(super) fn condition<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|condition| condition.text_at(&["type"]) == kind)
}

/// Whether the first condition of this type is true.
pub(super) fn is_true(conditions: &[Value], kind: &str) -> bool {
    condition(conditions, kind).is_some_and(|condition| condition.text_at(&["status"]) == "True")
}

/// The resource with its group behind a dot, as Go prints a `GroupResource` or `GroupKind`.
pub(super) fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// The first of a list joined by commas, and how many more of `total` there are; `<unset>` for an empty list.
pub(super) fn first_of(list: &[String], limit: usize, total: usize) -> String {
    let shown: Vec<&str> = list.iter().take(limit).map(String::as_str).collect();
    let shown = shown.join(",");
    if total > limit { format!("{shown} + {} more...", total - limit) } else { or(&shown, UNSET).to_owned() }
}

/// Names and images of the containers of a pod's spec, as two cells.
pub(super) fn containers(spec: Option<&Value>) -> [Value; 2] {
    let containers = spec.map(|spec| items_at(spec, &["containers"])).unwrap_or_default();
    ["name", "image"].map(|member| {
        let texts: Vec<&str> = containers.iter().map(|container| container.text_at(&[member])).collect();
        text(texts.join(","))
    })
}

/// The time behind a member; none for Go's zero time.
pub(super) fn time(value: Option<&Value>) -> Option<Instant> {
    let text = value?.as_str()?;
    Instant::parse(text, Precision::Micros)
        .or_else(|_| Instant::parse(text, Precision::Seconds))
        .ok()
        .filter(|time| !time.is_zero())
}

/// Whole seconds from one time to another, cut towards zero.
pub(super) fn seconds_between(from: Instant, to: Instant) -> i64 {
    let micros = |time: Instant| i128::from(time.seconds) * 1_000_000 + i128::from(time.micros);
    // Both lie within ten thousand years.
    i64::try_from((micros(to) - micros(from)) / 1_000_000).unwrap_or_default()
}

impl Row<'_> {
    /// The name of the object.
    pub(super) fn name(&self) -> Value {
        self.text(&["metadata", "name"])
    }

    /// How old the object is.
    pub(super) fn age(&self) -> Value {
        text(self.since(self.object.at(&["metadata", "creationTimestamp"])))
    }

    /// When the object was created; Go's zero time when nobody said.
    pub(super) fn created(&self) -> Value {
        let zero = Instant { seconds: ZERO_SECONDS, micros: 0 };
        let created = time(self.object.at(&["metadata", "creationTimestamp"])).unwrap_or(zero);
        text(created.print(Precision::Seconds))
    }

    /// How long ago a time was.
    pub(super) fn since(&self, when: Option<&Value>) -> String {
        time(when).map_or_else(|| UNKNOWN.to_owned(), |when| self.since_time(when))
    }

    /// How long ago a time was.
    pub(super) fn since_time(&self, when: Instant) -> String {
        human_duration(seconds_between(when, self.now))
    }

    /// The text behind these member names.
    pub(super) fn text(&self, names: &[&str]) -> Value {
        text(self.object.text_at(names))
    }

    /// The text behind these member names, another one when the member is absent.
    pub(super) fn text_or(&self, names: &[&str], otherwise: &str) -> Value {
        text(self.object.at(names).and_then(Value::as_str).unwrap_or(otherwise))
    }

    /// The number behind these member names.
    pub(super) fn int(&self, names: &[&str]) -> Value {
        Value::Int(int_at(self.object, names))
    }

    /// The truth behind these member names.
    pub(super) fn flag(&self, names: &[&str]) -> Value {
        Value::Bool(bool_at(self.object, names))
    }

    /// The items of the list behind these member names.
    pub(super) fn items(&self, names: &[&str]) -> &[Value] {
        items_at(self.object, names)
    }

    /// How many items or members the list or map behind these member names has.
    pub(super) fn count(&self, names: &[&str]) -> Value {
        count(length_at(self.object, names))
    }

    /// Whether the object is being deleted.
    pub(super) fn is_ending(&self) -> bool {
        self.object.at(&["metadata", "deletionTimestamp"]).is_some()
    }
}
