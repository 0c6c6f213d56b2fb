//! What a test waits for: a marker, a console line, or an event of QEMU.

use crate::record::{Entry, Event, What};
use coracle_contract::marker::Marker;
use std::fmt;

/// One condition on one entry of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    kind: Kind,
    fields: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Marker(String),
    Event(String),
    Line(String),
}

/// A serial marker with this name.
#[must_use]
pub fn marker(name: &str) -> Pattern {
    Pattern { kind: Kind::Marker(name.to_owned()), fields: Vec::new() }
}

/// A QMP event with this name, for example `RESET`.
#[must_use]
pub fn event(name: &str) -> Pattern {
    Pattern { kind: Kind::Event(name.to_owned()), fields: Vec::new() }
}

/// A console line that contains this text.
#[must_use]
pub fn line(text: &str) -> Pattern {
    Pattern { kind: Kind::Line(text.to_owned()), fields: Vec::new() }
}

impl Pattern {
    /// Also requires a field of the marker, or a text member of the event's data, to have this value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.fields.push((key.to_owned(), value.to_string()));
        self
    }

    /// True when it is looked for on the console, not among QEMU's events.
    #[must_use]
    pub const fn is_console(&self) -> bool {
        !matches!(self.kind, Kind::Event(_))
    }

    /// Does this entry fulfil the condition?
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        match (&self.kind, &entry.what) {
            (Kind::Marker(name), What::Line { marker: Some(found), .. }) => {
                found.name() == name && self.all(|key| found.get(key))
            }
            (Kind::Event(name), What::Event(found)) => {
                found.name == *name && self.all(|key| found.data.get(key).and_then(serde_json::Value::as_str))
            }
            (Kind::Line(text), What::Line { text: found, .. }) => found.contains(text),
            _ => false,
        }
    }

    fn all<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.fields.iter().all(|(key, value)| get(key) == Some(value))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Marker(name) => write!(f, "marker {name}")?,
            Kind::Event(name) => write!(f, "event {name}")?,
            Kind::Line(text) => write!(f, "line {text:?}")?,
        }
        self.fields.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Line { marker: Some(Marker { .. }), text } => write!(f, "marker line {text:?}"),
            What::Line { text, .. } => write!(f, "line {text:?}"),
            What::Event(Event { name, data }) => write!(f, "event {name} {data}"),
        }
    }
}
