//! Label selectors, as query texts and as the `LabelSelector` of specs.
//!
//! Source of the grammar and the wording: k8s.io/apimachinery v0.37.2, pkg/labels and meta/v1.

mod check;
mod parse;
mod spec;

use crate::{Object, Value};
use std::fmt;

pub use check::{key_problems, value_problems};

/// What must hold of the labels of an object; all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Sorted by key. `None` selects nothing.
    requirements: Option<Vec<Requirement>>,
}

/// What must hold of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

/// How a label relates to the values of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It has the value.
    Equals,
    /// It has the value; written with two signs.
    DoubleEquals,
    /// It has another value or is not there.
    NotEquals,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is a greater integer.
    GreaterThan,
    /// It is a smaller integer.
    LessThan,
}

impl Selector {
    /// Selects everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { requirements: Some(Vec::new()) }
    }

    /// Selects nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self { requirements: None }
    }

    /// Reads the text of a query. The error is upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::selector(text).map(Self::new)
    }

    /// Reads a `metav1.LabelSelector`. An empty one selects everything, null nothing. The error is upstream's text.
    pub fn from_label_selector(spec: &Value) -> Result<Self, String> {
        match spec {
            Value::Null => Ok(Self::nothing()),
            spec => spec::requirements(spec).map(Self::new),
        }
    }

    fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|left, right| left.key.cmp(&right.key));
        Self { requirements: Some(requirements) }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it selects nothing, whatever the labels are.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.requirements.is_none()
    }

    /// What must hold, sorted by key. Empty too if it selects nothing.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or_default()
    }

    /// The one value that a label must have, if there is one.
    #[must_use]
    pub fn exact(&self, key: &str) -> Option<&str> {
        self.requirements().iter().filter(|requirement| requirement.key == key).find_map(Requirement::exact)
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: Option<&Object>) -> bool {
        let Some(requirements) = &self.requirements else { return false };
        requirements.iter().all(|requirement| {
            let label = labels.and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
            requirement.matches(label)
        })
    }
}

impl Requirement {
    /// The label.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it relates to the values.
    #[must_use]
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values; none for an operator that has none.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The one value that the label must have, if there is one.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match (self.operator, self.values.as_slice()) {
            (Operator::Equals | Operator::DoubleEquals | Operator::In, [value]) => Some(value),
            _ => None,
        }
    }

    /// Whether it holds of a label with this value, or of an absent one.
    #[must_use]
    pub fn matches(&self, label: Option<&str>) -> bool {
        let has = |label: &str| self.values.iter().any(|value| value == label);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => label.is_some_and(has),
            Operator::NotIn | Operator::NotEquals => !label.is_some_and(has),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compare(label).is_some_and(|(label, value)| label > value),
            Operator::LessThan => self.compare(label).is_some_and(|(label, value)| label < value),
        }
    }

    fn compare(&self, label: Option<&str>) -> Option<(i64, i64)> {
        Some((label?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;
    use crate::{Object, Value};

    #[test]
    fn it_matches_what_it_says() {
        let labels: Object = [("a", "1"), ("b", ""), ("n", "7")]
            .into_iter()
            .map(|(key, value)| (key.into(), Value::text(value)))
            .collect();
        let table = [
            ("", true, true),
            ("a", true, false),
            ("!a", false, true),
            ("a=1", true, false),
            ("a==1", true, false),
            ("a=2", false, false),
            ("a!=1", false, true),
            ("x!=1", true, true),
            ("a in (1,2)", true, false),
            ("a notin (1,2)", false, true),
            ("x in ()", false, false),
            ("b=", true, false),
            ("b in ()", true, false),
            ("x=", false, false),
            ("n>6", true, false),
            ("n>7", false, false),
            ("n<8", true, false),
            ("b<8", false, false),
            ("a=1,b,!x", true, false),
            ("a=1,x", false, false),
        ];
        for (text, labelled, bare) in table {
            let selector = Selector::parse(text).unwrap();
            assert_eq!((selector.matches(Some(&labels)), selector.matches(None)), (labelled, bare), "{text}");
        }
        assert!(!Selector::nothing().matches(Some(&labels)));
        assert!(!Selector::nothing().is_empty() && Selector::nothing().is_nothing());
        assert!(Selector::everything().is_empty());
    }

    #[test]
    fn what_an_index_can_use_is_told() {
        let selector = Selector::parse("b in (2),a=1,c in (3,4),d!=5,e==6").unwrap();
        let exact = ["a", "b", "c", "d", "e"].map(|key| selector.exact(key));
        assert_eq!(exact, [Some("1"), Some("2"), None, None, Some("6")]);
        let keys: Vec<&str> = selector.requirements().iter().map(super::Requirement::key).collect();
        assert_eq!(keys, ["a", "b", "c", "d", "e"]);
    }
}
