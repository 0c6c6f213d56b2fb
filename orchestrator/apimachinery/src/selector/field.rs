//! Field selectors: equalities and inequalities of fields that a resource offers.
//!
//! Source of the grammar: k8s.io/apimachinery v0.37.2, pkg/fields.

use crate::field::quote;
use std::fmt;

/// What must hold of the fields of an object; all of it. Selects everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// What must hold of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its name, such as `metadata.name`.
    pub field: String,
    /// Whether it must have the value; otherwise it must not.
    pub equal: bool,
    /// The value.
    pub value: String,
}

impl Selector {
    /// Selects everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects the objects with this value in this field.
    #[must_use]
    pub fn equal(field: &str, value: &str) -> Self {
        let requirement = Requirement { field: field.to_owned(), equal: true, value: value.to_owned() };
        Self { requirements: vec![requirement] }
    }

    /// Reads `a=b,c!=d`. The error is upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = split(text);
        terms.sort_unstable();
        let mut requirements = Vec::with_capacity(terms.len());
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let (field, equal, value) =
                operator(term).ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            let value = unescape(value)?;
            // A term that says nothing selects everything.
            if !(field.is_empty() && value.is_empty()) {
                requirements.push(Requirement { field: field.to_owned(), equal, value });
            }
        }
        Ok(Self { requirements })
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// What must hold, in the order of the terms' texts.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The value that a field must have, if one is required.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|requirement| requirement.equal && requirement.field == field);
        found.map(|requirement| requirement.value.as_str())
    }

    /// Complains about the first field that a resource does not offer, in the words that its kind has for that.
    pub fn check(&self, offered: &[&str], words: Unsupported) -> Result<(), String> {
        let unknown = self.requirements.iter().find(|requirement| !offered.contains(&requirement.field.as_str()));
        unknown.map_or(Ok(()), |requirement| Err(words.about(&requirement.field)))
    }

    /// The same with a field called by another name: some kinds have old names for their fields.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for requirement in self.requirements.iter_mut().filter(|requirement| requirement.field == from) {
            to.clone_into(&mut requirement.field);
        }
        self
    }

    /// Whether an object whose fields `lookup` tells is selected. A field that it has not counts as empty.
    pub fn matches(&self, lookup: impl Fn(&str) -> Option<String>) -> bool {
        let holds = |requirement: &Requirement| {
            (lookup(&requirement.field).unwrap_or_default() == requirement.value) == requirement.equal
        };
        self.requirements.iter().all(holds)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let sign = if requirement.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{sign}", requirement.field)?;
            for character in requirement.value.chars() {
                let escape = if matches!(character, '\\' | ',' | '=') { "\\" } else { "" };
                write!(f, "{escape}{character}")?;
            }
        }
        Ok(())
    }
}

/// How a kind words that it does not offer a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// Kinds that offer name and namespace and have no words of their own.
    OnlyNameAndNamespace,
    /// Most kinds that offer more, and custom resources.
    Plain,
    /// Like `Job`: the field is quoted, and the kind is named behind it.
    QuotedForKind(&'static str),
    /// Like `resource.k8s.io/v1, Kind=ResourceSlice`: the kind is named before the field.
    ForKind(&'static str),
}

impl Unsupported {
    /// The complaint about a field.
    #[must_use]
    pub fn about(self, field: &str) -> String {
        match self {
            Self::OnlyNameAndNamespace => {
                let (name, namespace) = (quote("metadata.name"), quote("metadata.namespace"));
                format!("{} is not a known field selector: only {name}, {namespace}", quote(field))
            }
            Self::Plain => format!("field label not supported: {field}"),
            Self::QuotedForKind(kind) => format!("field label {} not supported for {kind}", quote(field)),
            Self::ForKind(kind) => format!("field label not supported for {kind}: {field}"),
        }
    }
}

/// Splits at commas that no backslash stands before.
fn split(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let at_comma = |character: char| {
        let splits = !escaped && character == ',';
        escaped = !escaped && character == '\\';
        splits
    };
    text.split(at_comma).collect()
}

/// Field, whether it shall be equal, and value as written. The first operator counts; before it nothing is escaped.
fn operator(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.char_indices().find(|(at, _)| {
        let rest = term.get(*at..).unwrap_or_default();
        rest.starts_with('=') || rest.starts_with("!=")
    });
    let (field, rest) = term.split_at_checked(at?.0)?;
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')).map(|value| (field, true, value))
}

fn unescape(text: &str) -> Result<String, String> {
    let bad = |sequence: &str| format!("invalid field selector: invalid escape sequence: {sequence}");
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => value.push(escaped),
                Some(other) => return Err(bad(&format!("\\{other}"))),
                None => return Err(bad("\\")),
            },
            ',' | '=' => {
                return Err(format!("invalid field selector: unescaped character in value: {}", u32::from(character)));
            }
            other => value.push(other),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{Selector, Unsupported};

    #[test]
    fn texts_are_read_as_upstream_reads_them() {
        let unknown = |field: &str| {
            format!(r#""{field}" is not a known field selector: only "metadata.name", "metadata.namespace""#)
        };
        let table = [
            ("", Ok("")),
            (",,", Ok("")),
            ("=", Ok("")),
            ("!=", Ok("")),
            ("metadata.name=c", Ok("metadata.name=c")),
            ("metadata.name==c", Ok("metadata.name=c")),
            ("metadata.name!=c", Ok("metadata.name!=c")),
            ("metadata.namespace=y,metadata.name=x", Ok("metadata.name=x,metadata.namespace=y")),
            (r"metadata.name=a\=b", Ok(r"metadata.name=a\=b")),
            (r"metadata.name=a\,b", Ok(r"metadata.name=a\,b")),
            (r"metadata.name=a\\,metadata.name=b", Ok(r"metadata.name=a\\,metadata.name=b")),
            ("metadata.name=", Ok("metadata.name=")),
            ("a", Err("invalid selector: 'a'; can't understand 'a'".to_owned())),
            ("metadata.name=c,x", Err("invalid selector: 'metadata.name=c,x'; can't understand 'x'".to_owned())),
            ("metadata.name=a=b", Err("invalid field selector: unescaped character in value: 61".to_owned())),
            (r"metadata.name=a\x", Err(r"invalid field selector: invalid escape sequence: \x".to_owned())),
            (r"metadata.name=a\", Err(r"invalid field selector: invalid escape sequence: \".to_owned())),
            ("a=b", Err(unknown("a"))),
            ("data.a=1", Err(unknown("data.a"))),
            (r"x\,y=z", Err(unknown(r"x\\,y"))),
        ];
        for (text, expected) in table {
            let offered = ["metadata.name", "metadata.namespace"];
            let read = Selector::parse(text)
                .and_then(|read| read.check(&offered, Unsupported::OnlyNameAndNamespace).map(|()| read.to_string()));
            assert_eq!(read, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn each_kind_has_its_words_for_an_unknown_field() {
        let table = [
            (Unsupported::Plain, "field label not supported: spec.x"),
            (Unsupported::QuotedForKind("Job"), r#"field label "spec.x" not supported for Job"#),
            (
                Unsupported::ForKind("resource.k8s.io/v1, Kind=ResourceSlice"),
                "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x",
            ),
        ];
        for (words, expected) in table {
            let selector =
                Selector::parse("spec.x=1,metadata.name=a,spec.old=2").unwrap().renamed("spec.old", "spec.new");
            assert_eq!(selector.check(&["metadata.name", "spec.new"], words), Err(expected.to_owned()));
            assert_eq!(selector.check(&["metadata.name", "spec.new", "spec.x"], words), Ok(()));
        }
    }

    #[test]
    fn the_recorded_refusal_is_given() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../oracle/recordings/error-bad-field-selector.json");
        let recording = crate::json::decode_any(&std::fs::read(path).unwrap()).unwrap();
        let offered = ["metadata.name", "metadata.namespace"];
        let selector = Selector::parse("data.a=1").unwrap();
        let error = selector.check(&offered, Unsupported::OnlyNameAndNamespace).unwrap_err();
        assert_eq!(
            Some(&crate::selector::refused(&error).to_value()),
            recording.at(&["answer", "http", "body", "json"])
        );
    }

    #[test]
    fn it_matches_what_it_says() {
        let lookup = |field: &str| (field == "metadata.name").then(|| "c".to_owned());
        let table = [
            ("", true),
            ("metadata.name=c", true),
            ("metadata.name!=c", false),
            ("metadata.name=d", false),
            ("metadata.name!=d", true),
            ("spec.none=", true),
            ("spec.none!=", false),
            ("metadata.name=c,metadata.name!=c", false),
        ];
        for (text, expected) in table {
            assert_eq!(Selector::parse(text).unwrap().matches(lookup), expected, "{text}");
        }
        let selector = Selector::parse("a!=1,b=2").unwrap();
        assert_eq!((selector.exact("a"), selector.exact("b"), selector.is_empty()), (None, Some("2"), false));
        assert_eq!(Selector::equal("b", "2").requirements(), &selector.requirements()[1..]);
    }
}
