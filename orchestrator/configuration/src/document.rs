//! Typed looks at a document, each of which reports what does not fit.

use std::fmt::Display;
use std::ops::RangeInclusive;

use coracle_apimachinery::Value;
use coracle_apimachinery::yaml::Place;

use crate::keys;
use crate::problem::{Report, shortened};

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node<'d> {
    pub(crate) value: &'d Value,
    pub(crate) place: &'d Place,
    /// Names with dots between; empty for the document.
    pub(crate) path: String,
}

impl<'d> Node<'d> {
    /// Reports something about this value.
    pub(crate) fn wrong(&self, report: &mut Report, text: impl Into<String>) {
        report.add(self.place.line(), &self.path, text);
    }

    /// The members in the order of the document, if it is an object; an empty value is an empty object.
    pub(crate) fn members(&self, report: &mut Report) -> Vec<(&'d str, Self)> {
        match self.value {
            Value::Null => Vec::new(),
            Value::Object(object) => object.iter().map(|(name, value)| (name, self.member(name, value))).collect(),
            _ => {
                self.wrong_type(report, "an object");
                Vec::new()
            }
        }
    }

    /// The members whose names are in the table; others are reported.
    pub(crate) fn known_members(&self, known: &[&str], report: &mut Report) -> Vec<(&'d str, Self)> {
        let mut members = self.members(report);
        members.retain(|(name, node)| {
            let is_known = known.contains(name);
            if !is_known {
                node.wrong(report, keys::unknown(name, known));
            }
            is_known
        });
        members
    }

    fn member(&self, name: &str, value: &'d Value) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", self.path, shortened(name));
        Self { value, place: self.place.member(name), path }
    }

    /// The items, if it is a list; an empty value is an empty list, and one text a list of what stands between commas,
    /// as for k3s' flags.
    pub(crate) fn texts(&self, report: &mut Report) -> Vec<(Self, &'d str)> {
        match self.value {
            Value::Null => Vec::new(),
            Value::String(text) => text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(|text| (self.clone(), text))
                .collect(),
            Value::List(items) => {
                let nodes = items.iter().enumerate().map(|(index, value)| Self {
                    value,
                    place: self.place.item(index),
                    path: format!("{}[{index}]", self.path),
                });
                nodes.filter_map(|node| node.text(report).map(|text| (node, text))).collect()
            }
            _ => {
                self.wrong_type(report, "a list of texts");
                Vec::new()
            }
        }
    }

    /// The text.
    pub(crate) fn text(&self, report: &mut Report) -> Option<&'d str> {
        if self.value.as_str().is_none() {
            self.wrong_type(report, "a text");
        }
        self.value.as_str()
    }

    /// The truth.
    pub(crate) fn boolean(&self, report: &mut Report) -> Option<bool> {
        if self.value.as_bool().is_none() {
            self.wrong_type(report, "true or false");
        }
        self.value.as_bool()
    }

    /// The number, if it is in the range.
    pub(crate) fn number<N: TryFrom<i64> + PartialOrd + Display>(
        &self,
        range: RangeInclusive<N>,
        report: &mut Report,
    ) -> Option<N> {
        let Some(number) = self.value.as_int() else {
            self.wrong_type(report, "a whole number");
            return None;
        };
        let fitting = N::try_from(number).ok().filter(|number| range.contains(number));
        if fitting.is_none() {
            self.wrong(report, format!("must be from {} to {}", range.start(), range.end()));
        }
        fitting
    }

    /// What a check makes of the text.
    pub(crate) fn checked<T>(&self, report: &mut Report, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let checked = check(self.text(report)?);
        checked.map_err(|problem| self.wrong(report, problem)).ok()
    }

    /// What a check makes of each item.
    pub(crate) fn checked_items<T>(
        &self,
        report: &mut Report,
        mut check: impl FnMut(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut kept = Vec::new();
        for (node, text) in self.texts(report) {
            match check(text) {
                Ok(item) => kept.push(item),
                Err(problem) => node.wrong(report, problem),
            }
        }
        kept
    }

    fn wrong_type(&self, report: &mut Report, wanted: &str) {
        let (is, hint) = match self.value {
            Value::Null => ("nothing", ""),
            Value::Bool(_) => ("true or false", "; put it in quotes"),
            Value::Int(_) | Value::Float(_) => ("a number", "; put it in quotes"),
            Value::String(_) | Value::Raw(_) => ("a text", ""),
            Value::List(_) => ("a list", ""),
            Value::Object(_) => ("an object", ""),
        };
        let hint = if wanted == "a text" { hint } else { "" };
        self.wrong(report, format!("must be {wanted}, but is {is}{hint}"));
    }
}
