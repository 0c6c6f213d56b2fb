//! Places in an object and what is wrong there, worded as k8s.io/apimachinery v0.37.2, pkg/util/validation/field, words it.

use std::fmt::{self, Write as _};

/// What kind of problem a field has; the names are the cause reasons of a Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A referenced value does not exist.
    NotFound,
    /// A required value is not there.
    Required,
    /// A value that must be unique is there twice.
    Duplicate,
    /// The value is malformed or out of bounds.
    Invalid,
    /// The value is not one of a closed set.
    NotSupported,
    /// The value may not be set here.
    Forbidden,
    /// The value is too long.
    TooLong,
    /// There are too many items.
    TooMany,
    /// There are too few items.
    TooFew,
    /// Something went wrong that is not the client's doing.
    Internal,
    /// The value has the wrong type.
    TypeInvalid,
}

/// A path such as `spec.containers[0].ports` or `metadata.labels[a/b]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(String);

/// One problem of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of problem.
    pub problem: Problem,
    /// Where.
    pub field: String,
    /// The value as it is shown (Go `%q` for texts), where the problem shows one.
    pub value: Option<String>,
    /// Words that follow.
    pub detail: String,
}

impl Problem {
    /// The reason of a Status cause.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TooFew => "FieldValueTooFew",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::TooFew => "Too few",
            Self::Internal => "Internal error",
        }
    }
}

impl Path {
    /// A path that begins at a member of the object.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The member `name` of the value here.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    /// An item of the list here.
    #[must_use]
    pub fn index(&self, at: usize) -> Self {
        Self(format!("{}[{at}]", self.0))
    }

    /// A value of the map here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The text; empty for the object itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error {
    /// A problem with an already printed value.
    #[must_use]
    pub fn new(problem: Problem, path: &Path, value: Option<String>, detail: impl Into<String>) -> Self {
        Self { problem, field: path.0.clone(), value, detail: detail.into() }
    }

    /// A malformed text.
    #[must_use]
    pub fn invalid(path: &Path, text: &str, detail: impl Into<String>) -> Self {
        Self::new(Problem::Invalid, path, Some(quote(text)), detail)
    }

    /// A malformed value that is shown as it prints (a number, or compact JSON).
    #[must_use]
    pub fn invalid_value(path: &Path, value: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(Problem::Invalid, path, Some(value.to_string()), detail)
    }

    /// A value that must be there.
    #[must_use]
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(Problem::Required, path, None, detail)
    }

    /// A text that stands twice.
    #[must_use]
    pub fn duplicate(path: &Path, text: &str) -> Self {
        Self::new(Problem::Duplicate, path, Some(quote(text)), "")
    }

    /// A reference to nothing.
    #[must_use]
    pub fn not_found(path: &Path, text: &str) -> Self {
        Self::new(Problem::NotFound, path, Some(quote(text)), "")
    }

    /// A text outside a closed set; the set is printed in the order given.
    #[must_use]
    pub fn not_supported(path: &Path, text: &str, supported: &[&str]) -> Self {
        let mut detail = String::new();
        if !supported.is_empty() {
            let quoted: Vec<String> = supported.iter().map(|value| quote(value)).collect();
            detail = format!("supported values: {}", quoted.join(", "));
        }
        Self::new(Problem::NotSupported, path, Some(quote(text)), detail)
    }

    /// A value that may not be set.
    #[must_use]
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(Problem::Forbidden, path, None, detail)
    }

    /// A text above its length limit, in bytes.
    #[must_use]
    pub fn too_long(path: &Path, limit: usize) -> Self {
        Self::new(Problem::TooLong, path, None, format!("may not be more than {limit} bytes"))
    }

    /// A list above its length limit.
    #[must_use]
    pub fn too_many(path: &Path, count: usize, limit: usize) -> Self {
        Self::new(Problem::TooMany, path, Some(count.to_string()), format!("must have at most {limit} items"))
    }

    /// The text without the field: the message of a Status cause.
    #[must_use]
    pub fn body(&self) -> String {
        let mut text = self.problem.words().to_owned();
        let shows =
            !matches!(self.problem, Problem::Required | Problem::Forbidden | Problem::TooLong | Problem::Internal);
        if let (true, Some(value)) = (shows, &self.value) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {value}");
        }
        if !self.detail.is_empty() {
            let _ = write!(text, ": {}", self.detail);
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// Go's `%q` of a text.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            low if u32::from(low) < 0x20 || u32::from(low) == 0x7f => {
                let _ = write!(out, "\\x{:02x}", u32::from(low));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{Error, Path, quote};

    #[test]
    fn problems_read_as_upstream_words_them() {
        let path = Path::new("spec").child("containers").index(0).child("name");
        assert_eq!(Error::invalid(&path, "A", "no").to_string(), r#"spec.containers[0].name: Invalid value: "A": no"#);
        assert_eq!(Error::required(&path, "").to_string(), "spec.containers[0].name: Required value");
        assert_eq!(
            Error::not_supported(&Path::new("a").key("b/c"), "x", &["A", "B"]).to_string(),
            r#"a[b/c]: Unsupported value: "x": supported values: "A", "B""#
        );
        assert_eq!(Error::duplicate(&path, "a").body(), r#"Duplicate value: "a""#);
        assert_eq!(Error::forbidden(&path, "why").body(), "Forbidden: why");
        assert_eq!(quote("a\"\u{1}é"), "\"a\\\"\\x01é\"");
    }
}
