//! Label selectors: `a=b,c!=d,e in (f,g),!h,i>3`.
//!
//! Source of the grammar and the wording: k8s.io/apimachinery v0.37.2, pkg/labels/selector.go.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Object, Value};

/// A conjunction of requirements; the empty one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: BTreeSet<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is an integer above the value.
    GreaterThan,
    /// It is an integer below the value.
    LessThan,
}

impl Selector {
    /// Selects everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The text is no selector, or a key or value is no label; the wording is upstream's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut requirements = Vec::new();
        if matches!(parser.peek(), Token::End) {
            return Ok(Self::default());
        }
        loop {
            requirements.push(parser.requirement()?);
            match parser.next() {
                Token::End => break,
                Token::Comma => match parser.peek() {
                    Token::Word(_) | Token::Not => {}
                    other => {
                        return Err(parse_error(format!("found '{}', expected: identifier after ','", other.text())));
                    }
                },
                other => {
                    return Err(parse_error(format!("found '{}', expected: ',' or 'end of string'", other.text())));
                }
            }
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }

    /// Reads a `metav1.LabelSelector`: an empty one selects everything.
    ///
    /// # Errors
    /// An operator is unknown, or its values do not fit.
    pub fn from_label_selector(selector: &Value) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for (key, value) in selector.at(&["matchLabels"]).and_then(Value::as_object).into_iter().flat_map(Object::iter)
        {
            requirements.push(requirement(key, Operator::In, [value.as_str().unwrap_or_default().to_owned()].into())?);
        }
        for expression in selector.at(&["matchExpressions"]).map(Value::items).unwrap_or_default() {
            let operator = match expression.text_at(&["operator"]) {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("{} is not a valid label selector operator", crate::field::quote(other))),
            };
            let values = expression.at(&["values"]).map(Value::items).unwrap_or_default();
            let values = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
            requirements.push(requirement(expression.text_at(&["key"]), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Its requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether labels fit.
    #[must_use]
    pub fn matches(&self, labels: Option<&Object>) -> bool {
        !self.nothing
            && self.requirements.iter().all(|requirement| {
                let found = labels.and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
                requirement.matches(found)
            })
    }
}

impl Requirement {
    fn matches(&self, found: Option<&str>) -> bool {
        let compares = |want: fn(&i64, &i64) -> bool| {
            let found = found.and_then(|text| text.parse::<i64>().ok());
            let wanted = self.values.first().and_then(|text| text.parse::<i64>().ok());
            found.zip(wanted).is_some_and(|(found, wanted)| want(&found, &wanted))
        };
        match self.operator {
            Operator::In => found.is_some_and(|found| self.values.contains(found)),
            Operator::NotIn => found.is_none_or(|found| !self.values.contains(found)),
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
            Operator::GreaterThan => compares(i64::gt),
            Operator::LessThan => compares(i64::lt),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let (key, joined) = (&self.key, values.join(","));
        match (self.operator, values.as_slice()) {
            (Operator::In, [one]) => write!(f, "{key}={one}"),
            (Operator::NotIn, [one]) => write!(f, "{key}!={one}"),
            (Operator::In, _) => write!(f, "{key} in ({joined})"),
            (Operator::NotIn, _) => write!(f, "{key} notin ({joined})"),
            (Operator::Exists, _) => f.write_str(key),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::GreaterThan, _) => write!(f, "{key}>{joined}"),
            (Operator::LessThan, _) => write!(f, "{key}<{joined}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Not,
    Equal,
    DoubleEqual,
    NotEqual,
    Greater,
    Less,
    Open,
    Close,
    Comma,
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Not => "!",
            Self::Equal => "=",
            Self::DoubleEqual => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
            Self::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let symbols = [
            ("!=", Token::NotEqual),
            ("==", Token::DoubleEqual),
            ("!", Token::Not),
            ("=", Token::Equal),
            (">", Token::Greater),
            ("<", Token::Less),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
        ];
        if let Some((symbol, token)) = symbols.into_iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            tokens.push(token);
            rest = rest.get(symbol.len()..).unwrap_or_default();
            continue;
        }
        let end = rest.find([' ', '\t', '\r', '\n', '!', '=', '>', '<', '(', ')', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            break;
        }
        tokens.push(Token::Word(word.to_owned()));
        rest = after;
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = matches!(self.peek(), Token::Not);
        if negated {
            self.at += 1;
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other if negated => return Err(parse_error(format!("found '{}', expected: identifier", other.text()))),
            other => {
                return Err(parse_error(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    other.text()
                )));
            }
        };
        check_key(&key).map_err(parse_error)?;
        if negated {
            return requirement(&key, Operator::DoesNotExist, BTreeSet::new()).map_err(parse_error);
        }
        let operator = match self.peek() {
            Token::End | Token::Comma => {
                return requirement(&key, Operator::Exists, BTreeSet::new()).map_err(parse_error);
            }
            Token::Word(word) if word == "in" => Operator::In,
            Token::Word(word) if word == "notin" => Operator::NotIn,
            Token::Equal | Token::DoubleEqual => Operator::In,
            Token::NotEqual => Operator::NotIn,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            other => {
                let expected = "expected: in, notin, =, ==, !=, gt, lt";
                return Err(parse_error(format!("found '{}', {expected}", other.text())));
            }
        };
        let is_set = matches!(self.next(), Token::Word(_));
        let values = if is_set { self.set()? } else { [self.value()?].into() };
        requirement(&key, operator, values).map_err(parse_error)
    }

    /// A single value; none at all is the empty one.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            Token::End | Token::Comma => Ok(String::new()),
            other => Err(parse_error(format!("found '{}', expected: identifier", other.text()))),
        }
    }

    fn set(&mut self) -> Result<BTreeSet<String>, String> {
        match self.next() {
            Token::Open => {}
            other => return Err(parse_error(format!("found '{}' expected: '('", other.text()))),
        }
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                Token::Word(word) => values.insert(word),
                Token::Comma => values.insert(String::new()),
                Token::Close => {
                    values.insert(String::new());
                    return Ok(values);
                }
                other => {
                    return Err(parse_error(format!("found '{}', expected: ',', ')' or identifier", other.text())));
                }
            };
            match (self.tokens.get(self.at.saturating_sub(1)), self.peek()) {
                (Some(Token::Word(_)), Token::Comma) => self.at += 1,
                (_, Token::Close) => {
                    self.at += 1;
                    return Ok(values);
                }
                (Some(Token::Comma), _) => {}
                (_, other) => return Err(parse_error(format!("found '{}', expected: ',' or ')'", other.text()))),
            }
        }
    }
}

fn parse_error(why: String) -> String {
    format!("unable to parse requirement: {why}")
}

/// A requirement whose parts fit together.
fn requirement(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Requirement, String> {
    check_key(key)?;
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            return Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".to_owned());
        }
        Operator::GreaterThan | Operator::LessThan
            if values.len() != 1 || values.iter().any(|value| value.parse::<i64>().is_err()) =>
        {
            let shown = values.iter().next().cloned().unwrap_or_default();
            return Err(format!(
                "values[0]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
                crate::field::quote(&shown)
            ));
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            return Err("values: Invalid value: values set must be empty for exists and does not exist".to_owned());
        }
        _ => {}
    }
    for (at, value) in values.iter().enumerate() {
        if let Some(why) = crate::names::label_value(value) {
            return Err(format!("values[{at}][{key}]: Invalid value: {}: {why}", crate::field::quote(value)));
        }
    }
    Ok(Requirement { key: key.to_owned(), operator, values })
}

fn check_key(key: &str) -> Result<(), String> {
    match crate::names::qualified_name(key).as_slice() {
        [] => Ok(()),
        why => Err(format!("key: Invalid value: {}: {}", crate::field::quote(key), why.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;
    use crate::Value;

    fn labels() -> crate::Object {
        [("a", "b"), ("n", "5"), ("e", "")].into_iter().map(|(key, value)| (key.into(), Value::text(value))).collect()
    }

    #[test]
    fn selectors_are_read_matched_and_printed() {
        for (text, matches, printed) in [
            ("", true, ""),
            ("a=b", true, "a=b"),
            ("a==b,n", true, "a=b,n"),
            ("a!=b", false, "a!=b"),
            ("x!=y", true, "x!=y"),
            ("!a", false, "!a"),
            ("!x, a", true, "a,!x"),
            ("a in (c, b)", true, "a in (b,c)"),
            ("a notin (b)", false, "a!=b"),
            ("x notin (b,c)", true, "x notin (b,c)"),
            ("n>4", true, "n>4"),
            ("n<5", false, "n<5"),
            ("e=", true, "e="),
            ("a=", false, "a="),
        ] {
            let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(selector.matches(Some(&labels())), matches, "{text}");
            assert_eq!(selector.to_string(), printed);
        }
    }

    #[test]
    fn broken_selectors_are_refused() {
        for text in
            ["a b", "=", "a in", "a in (", "a in b", "a,", ",a", "a=b c", "n>x", "a=b/c", "A B", "!", "a in ()x"]
        {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Selector::parse("a b").unwrap_err(),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
        );
    }
}
