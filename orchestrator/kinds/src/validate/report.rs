//! The two tools of every rule: [`At`], a value with its place, and [`Report`], the problems found so far.
//!
//! A report is bounded: a hostile object cannot make the answer, or the work to word it, grow without end.

use coracle_apimachinery::field::{Error, Path, Problem};
use coracle_apimachinery::{Object, Value, json};

/// Problems after which a report takes no more. Far more than a person reads, far less than 3 MiB of body can hold.
const MAX_PROBLEMS: usize = 4096;
/// Bytes of wording after which a report takes no more.
const MAX_BYTES: usize = 1 << 20;

/// Problems in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<Error>,
    bytes: usize,
}

/// A value, perhaps an absent one, with its place in the object.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    /// The value; absent ones read as Go's zero value.
    pub(crate) value: Option<&'a Value>,
    /// Where it stands.
    pub(crate) path: Path,
}

impl Report {
    /// What was found.
    pub(crate) fn into_errors(self) -> Vec<Error> {
        self.errors
    }

    /// How many problems there are.
    pub(crate) fn len(&self) -> usize {
        self.errors.len()
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= MAX_PROBLEMS || self.bytes >= MAX_BYTES
    }

    /// Adds a problem.
    pub(crate) fn push(&mut self, error: Error) {
        if !self.is_full() {
            self.bytes += error.field.len() + error.detail.len() + error.value.as_ref().map_or(0, String::len);
            self.errors.push(error);
        }
    }

    /// Adds the problems that another report found.
    pub(crate) fn append(&mut self, other: Self) {
        for error in other.errors {
            self.push(error);
        }
    }

    /// A value is missing.
    pub(crate) fn required(&mut self, path: &Path, detail: &str) {
        self.push(Error::required(path, detail));
    }

    /// A value may not be there.
    pub(crate) fn forbidden(&mut self, path: &Path, detail: impl Into<String>) {
        self.push(Error::forbidden(path, detail));
    }

    /// A text is malformed.
    pub(crate) fn invalid(&mut self, path: &Path, text: &str, detail: impl Into<String>) {
        if !self.is_full() {
            self.push(Error::invalid(path, text, detail));
        }
    }

    /// A text is malformed in these ways.
    pub(crate) fn complaints(&mut self, path: &Path, text: &str, complaints: Vec<String>) {
        for complaint in complaints {
            self.invalid(path, text, complaint);
        }
    }

    /// A number is wrong in these ways.
    pub(crate) fn number_complaints(&mut self, path: &Path, number: i64, complaints: Vec<String>) {
        for complaint in complaints {
            self.invalid_number(path, number, complaint);
        }
    }

    /// A number is wrong.
    pub(crate) fn invalid_number(&mut self, path: &Path, number: i64, detail: impl Into<String>) {
        self.push(Error::invalid_value(path, number, detail));
    }

    /// A value is wrong; it is shown as JSON.
    pub(crate) fn invalid_json(&mut self, path: &Path, value: Option<&Value>, detail: impl Into<String>) {
        if !self.is_full() {
            self.push(Error::invalid_value(path, json_text(value), detail));
        }
    }

    /// A value is wrong; it is shown as this text.
    pub(crate) fn invalid_shown(&mut self, path: &Path, shown: impl FnOnce() -> String, detail: impl Into<String>) {
        if !self.is_full() {
            self.push(Error::invalid_value(path, shown(), detail));
        }
    }

    /// A text stands twice.
    pub(crate) fn duplicate(&mut self, path: &Path, text: &str) {
        self.push(Error::duplicate(path, text));
    }

    /// A text refers to nothing.
    pub(crate) fn not_found(&mut self, path: &Path, text: &str) {
        self.push(Error::not_found(path, text));
    }

    /// A text is not one of a closed set, which is printed in this order.
    pub(crate) fn not_supported(&mut self, path: &Path, text: &str, allowed: &[&str]) {
        self.push(Error::not_supported(path, text, allowed));
    }

    /// A text must be one of a closed set. An absent one is only complained about as an unsupported empty text.
    pub(crate) fn one_of(&mut self, at: &At<'_>, allowed: &[&str]) {
        if !allowed.contains(&at.text()) {
            self.not_supported(&at.path, at.text(), allowed);
        }
    }

    /// A text must be there and one of a closed set.
    pub(crate) fn required_one_of(&mut self, at: &At<'_>, allowed: &[&str]) {
        if at.text().is_empty() {
            self.required(&at.path, "");
        } else {
            self.one_of(at, allowed);
        }
    }

    /// A text, if it is there, must be one of a closed set.
    pub(crate) fn optional_one_of(&mut self, at: &At<'_>, allowed: &[&str]) {
        if at.is_set() {
            self.one_of(at, allowed);
        }
    }

    /// A text must be there.
    pub(crate) fn required_text(&mut self, at: &At<'_>) {
        if at.text().is_empty() {
            self.required(&at.path, "");
        }
    }

    /// A text must be there and obey a rule.
    pub(crate) fn required_format(&mut self, at: &At<'_>, rule: fn(&str) -> Vec<String>) {
        if at.text().is_empty() {
            self.required(&at.path, "");
        } else {
            self.format(at, rule);
        }
    }

    /// A text must obey a rule.
    pub(crate) fn format(&mut self, at: &At<'_>, rule: fn(&str) -> Vec<String>) {
        self.complaints(&at.path, at.text(), rule(at.text()));
    }

    /// A text, if it is not empty, must obey a rule.
    pub(crate) fn optional_format(&mut self, at: &At<'_>, rule: fn(&str) -> Vec<String>) {
        if !at.text().is_empty() {
            self.format(at, rule);
        }
    }

    /// A number must not be negative.
    pub(crate) fn not_negative(&mut self, at: &At<'_>) {
        if at.int() < 0 {
            self.invalid_number(&at.path, at.int(), "must be greater than or equal to 0");
        }
    }

    /// A value is shown with its number; too many items are in a list.
    pub(crate) fn too_many(&mut self, path: &Path, count: usize, limit: usize) {
        self.push(Error::too_many(path, count, limit));
    }

    /// A repeated value that is shown as it is given.
    pub(crate) fn duplicate_shown(&mut self, path: &Path, shown: String, detail: &str) {
        self.push(Error::new(Problem::Duplicate, path, Some(shown), detail));
    }
}

impl<'a> At<'a> {
    /// The whole object.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value: Some(value), path: Path::default() }
    }

    /// A member.
    pub(crate) fn get(&self, name: &str) -> Self {
        self.get_as(name, name)
    }

    /// A member whose place upstream calls by another name.
    pub(crate) fn get_as(&self, name: &str, shown: &str) -> Self {
        Self { value: self.member(name), path: self.path.child(shown) }
    }

    /// A member without its place.
    pub(crate) fn member(&self, name: &str) -> Option<&'a Value> {
        self.value?.as_object()?.get(name)
    }

    /// The text of a member; empty when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &'a str {
        self.member(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The truth of a member; absent is false.
    pub(crate) fn flag_of(&self, name: &str) -> bool {
        self.member(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Whether a member is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| *value != Value::Null)
    }

    /// Whether the value is there: for members that are pointers in Go.
    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some_and(|value| *value != Value::Null)
    }

    /// The text; empty when there is none.
    pub(crate) fn text(&self) -> &'a str {
        self.value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The number; 0 when there is none.
    pub(crate) fn int(&self) -> i64 {
        self.some_int().unwrap_or_default()
    }

    /// The number, if there is one.
    pub(crate) fn some_int(&self) -> Option<i64> {
        self.value.and_then(Value::as_int)
    }

    /// Number of items or members.
    pub(crate) fn len(&self) -> usize {
        match self.value {
            Some(Value::List(items)) => items.len(),
            Some(Value::Object(members)) => members.len(),
            _ => 0,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let path = self.path.clone();
        let items = self.value.map(Value::items).unwrap_or_default();
        items.iter().enumerate().map(move |(at, value)| At { value: Some(value), path: path.index(at) })
    }

    /// The members of a map, sorted by key.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.value.and_then(Value::as_object).into_iter().flat_map(Object::iter)
    }
}

/// A value as Go's `encoding/json` prints it.
pub(crate) fn json_text(value: Option<&Value>) -> String {
    match value {
        None => "null".to_owned(),
        Some(value) => String::from_utf8_lossy(&json::encode_any(value)).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, MAX_PROBLEMS, Report};
    use coracle_apimachinery::field::Path;

    #[test]
    fn a_report_is_bounded() {
        let mut report = Report::default();
        for _ in 0..=MAX_PROBLEMS {
            report.required(&Path::new("a"), "");
        }
        assert_eq!(report.len(), MAX_PROBLEMS);
        let mut report = Report::default();
        let long = "x".repeat(MAX_BYTES / 2);
        for _ in 0..5 {
            report.invalid(&Path::new("a"), &long, "no");
        }
        assert_eq!(report.len(), 2);
    }
}
