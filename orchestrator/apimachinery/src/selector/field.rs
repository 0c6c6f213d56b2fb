//! Field selectors: `a.b=c,d!=e`.
//!
//! Source of the grammar and the wording: k8s.io/apimachinery v0.37.2, pkg/fields/selector.go.

/// A conjunction of requirements; the empty one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector(Vec<Requirement>);

/// One field and the value that it must have, or must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The field's name.
    pub field: String,
    /// Whether it must have the value.
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

    /// Reads the text form.
    ///
    /// # Errors
    /// A term has no operator, or a value has an unknown escape; the text is upstream's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for term in terms(text).into_iter().filter(|term| !term.is_empty()) {
            let (field, equal, value) =
                operator(term).ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            requirements.push(Requirement { field: field.to_owned(), equal, value: unescape(value)? });
        }
        Ok(Self(requirements))
    }

    /// The same selector with one requirement more.
    #[must_use]
    pub fn and(mut self, field: &str, value: &str) -> Self {
        self.0.push(Requirement { field: field.to_owned(), equal: true, value: value.to_owned() });
        self
    }

    /// Its requirements.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// Whether all requirements hold; a field that the object does not have is empty.
    pub fn matches(&self, lookup: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|requirement| {
            let found = lookup(&requirement.field).unwrap_or_default();
            (found == requirement.value) == requirement.equal
        })
    }
}

/// The terms between commas that are not escaped.
fn terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(text.get(start..).unwrap_or_default());
    terms
}

/// Splits a term at its first operator.
fn operator(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    for (text, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some(value) = rest.strip_prefix(text) {
            return Some((field, equal, value));
        }
    }
    None
}

fn unescape(value: &str) -> Result<String, String> {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(next @ ('\\' | ',' | '=')) => out.push(next),
                Some(next) => return Err(format!("invalid field selector: invalid escape sequence: \\{next}")),
                None => return Err("invalid field selector: invalid escape sequence: \\".to_owned()),
            },
            '=' => return Err("invalid field selector: unescaped character in value: =".to_owned()),
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[test]
    fn terms_are_read_and_matched() {
        let object = |field: &str| match field {
            "a.b" => Some("c".to_owned()),
            "x" => Some("p,q".to_owned()),
            _ => None,
        };
        for (text, matches) in [
            ("", true),
            ("a.b=c", true),
            ("a.b==c,none=", true),
            ("a.b!=c", false),
            ("a.b=d", false),
            ("x=p\\,q", true),
            ("none!=z", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(object), matches, "{text}");
        }
    }

    #[test]
    fn broken_terms_are_named() {
        assert_eq!(Selector::parse("a").unwrap_err(), "invalid selector: 'a'; can't understand 'a'");
        assert!(Selector::parse("a=b=c").is_err());
        assert!(Selector::parse("a=\\n").is_err());
    }
}
