//! What checks find, and how it becomes field errors.

use crate::gotext;
use coracle_apimachinery::field::{Error, Path, Problem, quote};
use coracle_apimachinery::{Value, json};

/// One problem.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where; without a place it is the whole value.
    path: Option<String>,
    what: What,
    message: String,
}

#[derive(Debug, Clone)]
enum What {
    Invalid(Value),
    Kind(Value),
    Required,
    NotIn(Value, Vec<Value>),
    TooLong(i64),
    TooMany(i64, i64),
}

impl Found {
    /// A problem that upstream does not tie to a place.
    pub(super) fn whole(message: String) -> Self {
        Self { path: None, what: What::Invalid(Value::text("")), message }
    }

    pub(super) fn invalid(path: &str, value: Value, message: String) -> Self {
        Self { path: Some(path.to_owned()), what: What::Invalid(value), message }
    }

    /// The value has the type `found` instead of `wanted`; upstream shows the type in place of the value.
    pub(super) fn kind(path: &str, wanted: &str, found: &str) -> Self {
        let message = format!("{path} in body must be of type {wanted}: {}", quote(found));
        Self { path: Some(path.to_owned()), what: What::Kind(Value::text(found)), message }
    }

    pub(super) fn required(path: &str) -> Self {
        Self { path: Some(path.to_owned()), what: What::Required, message: format!("{path} in body is required") }
    }

    pub(super) fn not_in(path: &str, value: &Value, allowed: &[Value]) -> Self {
        let printed = allowed.iter().map(gotext::print).collect::<Vec<_>>().join(" ");
        let message = format!("{path} in body should be one of [{printed}]");
        Self { path: Some(path.to_owned()), what: What::NotIn(value.clone(), allowed.to_vec()), message }
    }

    pub(super) fn too_long(path: &str, most: i64) -> Self {
        let message = format!("{path} in body should be at most {most} chars long");
        Self { path: Some(path.to_owned()), what: What::TooLong(most), message }
    }

    pub(super) fn too_many(path: &str, count: i64, most: i64, message: String) -> Self {
        Self { path: Some(path.to_owned()), what: What::TooMany(count, most), message }
    }

    fn into_error(self, base: Option<&Path>) -> Error {
        let name = self.path.as_deref().map(|path| path.strip_prefix('.').unwrap_or(path)).unwrap_or_default();
        let path = match (base, name) {
            (None, "") => Path::new("<nil>"),
            (None, name) => Path::new(name),
            (Some(base), "") => base.clone(),
            (Some(base), name) => base.child(name),
        };
        match self.what {
            What::Invalid(value) => gotext::invalid(&path, &value, self.message),
            What::Kind(value) => Error::new(Problem::TypeInvalid, &path, Some(gotext::shown(&value)), self.message),
            What::Required => Error::required(&path, ""),
            What::NotIn(value, allowed) => {
                let text = |value: &Value| match value {
                    Value::String(text) => quote(text),
                    other => quote(&String::from_utf8_lossy(&json::encode_any(other))),
                };
                let list = allowed.iter().map(text).collect::<Vec<_>>().join(", ");
                let detail = format!("supported values: {list}");
                Error::new(Problem::NotSupported, &path, Some(gotext::shown(&value)), detail)
            }
            What::TooLong(most) => {
                Error::new(Problem::TooLong, &path, None, format!("may not be more than {most} bytes"))
            }
            What::TooMany(count, most) => {
                let items = if most == 1 { "item" } else { "items" };
                let detail = format!("must have at most {most} {items}");
                Error::new(Problem::TooMany, &path, Some(count.to_string()), detail)
            }
        }
    }
}

/// The problems of a value and the number of checks it went through.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) errors: Vec<Found>,
    pub(super) matches: usize,
}

impl Outcome {
    /// A check that held.
    pub(super) fn passed() -> Self {
        Self { errors: Vec::new(), matches: 1 }
    }

    /// A check that did not hold.
    pub(super) fn failed(found: Found) -> Self {
        Self { errors: vec![found], matches: 0 }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds a problem unless it was said before.
    pub(super) fn add(&mut self, found: Found) {
        if !self.errors.iter().any(|known| known.message == found.message) {
            self.errors.push(found);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        other.errors.into_iter().for_each(|found| self.add(found));
    }

    pub(super) fn merge_some(&mut self, other: Option<Self>) {
        if let Some(other) = other {
            self.merge(other);
        }
    }

    pub(super) fn into_errors(self, base: Option<&Path>) -> Vec<Error> {
        self.errors.into_iter().map(|found| found.into_error(base)).collect()
    }
}
