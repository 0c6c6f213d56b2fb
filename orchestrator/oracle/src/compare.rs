//! Compares answers leaf by leaf and says where they differ.

use crate::normalise::normalise;
use crate::recording::{Answer, Recording};
use serde_json::Value;
use std::fmt;

/// One place where a live answer is not the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Name of the recording.
    pub recording: String,
    /// JSON pointer into the answer: `/http/status`, `/http/body/json/metadata/name`, `/kubectl/stdout/3`.
    pub path: String,
    /// First character that differs, from 1, where both sides are text: the column of a line.
    pub column: Option<usize>,
    /// What the recording has; none when the place is only in the live answer.
    pub expected: Option<String>,
    /// What the live answer has; none when the place is only in the recording.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recording, path, column, expected, found } = self;
        write!(formatter, "{recording} {path}")?;
        if let Some(column) = column {
            write!(formatter, " column {column}")?;
        }
        let shown = |side: &Option<String>| side.as_deref().map_or_else(|| "nothing".to_owned(), shorten);
        write!(formatter, ": expected {}, found {}", shown(expected), shown(found))
    }
}

/// The start of a long value.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// All differences between a recording and a live answer, which is normalised first.
#[must_use]
pub fn compare(recording: &Recording, mut live: Answer) -> Vec<Difference> {
    normalise(&mut live);
    let sides = [&recording.answer, &live].map(|answer| serde_json::to_value(answer).unwrap_or_default());
    let [expected, found] = sides;
    differences(&recording.name, &expected, &found)
}

/// All differences between two normalised trees.
#[must_use]
pub fn differences(name: &str, expected: &Value, found: &Value) -> Vec<Difference> {
    let mut walk = Walk { name, path: String::new(), differences: Vec::new() };
    walk.compare(Some(expected), Some(found));
    walk.differences
}

struct Walk<'a> {
    name: &'a str,
    path: String,
    differences: Vec<Difference>,
}

impl Walk<'_> {
    fn compare(&mut self, expected: Option<&Value>, found: Option<&Value>) {
        match (expected, found) {
            (Some(Value::Object(expected)), Some(Value::Object(found))) => {
                for (key, value) in expected {
                    self.at(key, |walk| walk.compare(Some(value), found.get(key)));
                }
                for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                    self.at(key, |walk| walk.compare(None, Some(value)));
                }
            }
            (Some(Value::Array(expected)), Some(Value::Array(found))) => {
                for index in 0..expected.len().max(found.len()) {
                    self.at(&index.to_string(), |walk| walk.compare(expected.get(index), found.get(index)));
                }
            }
            (expected, found) if expected != found => {
                let column = match (expected, found) {
                    (Some(Value::String(expected)), Some(Value::String(found))) => {
                        Some(first_difference(expected, found))
                    }
                    _ => None,
                };
                self.differences.push(Difference {
                    recording: self.name.to_owned(),
                    path: self.path.clone(),
                    column,
                    expected: expected.map(Value::to_string),
                    found: found.map(Value::to_string),
                });
            }
            _ => {}
        }
    }

    fn at(&mut self, key: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        work(self);
        self.path.truncate(length);
    }
}

/// The first character that two different texts do not share, counted from 1.
fn first_difference(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_difference_has_its_place() {
        let expected = json!({"same": 1, "number": 1, "gone": {"a": 1}, "list": [1, 2], "text": "abc", "a/b": null});
        let found = json!({"same": 1, "number": 2, "list": [1], "text": "abd", "more": [], "a/b": false});
        let found = differences("r", &expected, &found);
        let places: Vec<(&str, Option<usize>)> =
            found.iter().map(|difference| (difference.path.as_str(), difference.column)).collect();
        assert_eq!(
            places,
            [
                ("/a~1b", None),
                ("/gone", None),
                ("/list/1", None),
                ("/number", None),
                ("/text", Some(3)),
                ("/more", None)
            ]
        );
    }

    #[test]
    fn one_and_one_point_nothing_differ() {
        assert_eq!(differences("r", &json!(1), &json!(1.0)).len(), 1);
        assert_eq!(differences("r", &json!(1), &json!("1")).len(), 1);
    }

    #[test]
    fn an_empty_container_is_not_nothing() {
        assert_eq!(differences("r", &json!({"a": {}}), &json!({})).len(), 1);
        assert_eq!(differences("r", &json!({"a": []}), &json!({"a": {}})).len(), 1);
    }
}
