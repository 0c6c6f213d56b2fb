//! The grammar of query texts. Complaints name the token that was found, as upstream does.

use super::spec::bad_key;
use super::{Operator, Requirement};
use crate::field::Path;
use std::collections::BTreeSet;

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    End,
    Close,
    Open,
    Comma,
    Not,
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    Name,
}

type Outcome<T> = Result<T, String>;

/// All tokens of a text with their texts, the end last, and a cursor.
struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    at: usize,
}

pub(super) fn selector(text: &str) -> Outcome<Vec<Requirement>> {
    let mut parser = Parser { tokens: scan(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            (Token::End, _) => return Ok(requirements),
            (Token::Name | Token::Not, _) => {
                let requirement =
                    parser.requirement().map_err(|error| format!("unable to parse requirement: {error}"))?;
                requirements.push(requirement);
            }
            (_, found) => return Err(format!("found '{found}', expected: !, identifier, or 'end of string'")),
        }
        match parser.next() {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => match parser.peek() {
                (Token::Name | Token::Not, _) => {}
                (_, found) => return Err(format!("found '{found}', expected: identifier after ','")),
            },
            (_, found) => return Err(format!("found '{found}', expected: ',' or 'end of string'")),
        }
    }
}

impl<'a> Parser<'a> {
    /// The token at the cursor. `in` and `notin` are names where no operator is looked for.
    fn peek(&self) -> (Token, &'a str) {
        match self.peek_operator() {
            (Token::In | Token::NotIn, text) => (Token::Name, text),
            other => other,
        }
    }

    fn peek_operator(&self) -> (Token, &'a str) {
        self.tokens.get(self.at).copied().unwrap_or((Token::End, ""))
    }

    fn next(&mut self) -> (Token, &'a str) {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Outcome<Requirement> {
        let mut negated = false;
        let mut token = self.next();
        if token.0 == Token::Not {
            negated = true;
            token = self.next();
        }
        let (Token::Name, key) = token else { return Err(format!("found '{}', expected: identifier", token.1)) };
        if let Some(error) = bad_key(&Path::default(), key) {
            // Upstream prints the place, which it has not, as nil.
            return Err(format!("<nil>{error}"));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let (token, found) = self.peek_operator();
        self.at += 1;
        let operator = match token {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            _ => return Err(format!("found '{found}', expected: {OPERATORS}")),
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.value()?.to_owned()],
        };
        Requirement::new(key, operator, values)
    }

    fn value(&mut self) -> Outcome<&'a str> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok("");
        }
        match self.next() {
            (Token::Name, value) => Ok(value),
            (_, found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    /// Values in parentheses, sorted. Nothing between commas is the empty value.
    fn values(&mut self) -> Outcome<Vec<String>> {
        let mut values = BTreeSet::new();
        match self.next() {
            (Token::Open, _) => {}
            (_, found) => return Err(format!("found '{found}' expected: '('")),
        }
        match self.peek() {
            (Token::Close, _) => {
                values.insert("");
            }
            (Token::Name | Token::Comma, _) => self.names(&mut values)?,
            (_, found) => return Err(format!("found '{found}', expected: ',', ')' or identifier")),
        }
        // What reads the values stops before the parenthesis.
        self.at += 1;
        Ok(values.into_iter().map(str::to_owned).collect())
    }

    fn names(&mut self, values: &mut BTreeSet<&'a str>) -> Outcome<()> {
        loop {
            match self.next() {
                (Token::Name, value) => {
                    values.insert(value);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(()),
                        (_, found) => return Err(format!("found '{found}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.insert("");
                    }
                    match self.peek().0 {
                        Token::Close => {
                            values.insert("");
                            return Ok(());
                        }
                        Token::Comma => {
                            values.insert("");
                        }
                        _ => {}
                    }
                }
                (_, found) => return Err(format!("found '{found}', expected: ',', or identifier")),
            }
        }
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn scan(text: &str) -> Vec<(Token, &str)> {
    // Upstream takes a null character for the end.
    let text = text.split('\0').next().unwrap_or_default();
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (token, length) = special(rest).unwrap_or_else(|| {
            let length = rest.find(|character| is_special(character) || is_space(character)).unwrap_or(rest.len());
            match rest.get(..length) {
                Some("in") => (Token::In, length),
                Some("notin") => (Token::NotIn, length),
                _ => (Token::Name, length),
            }
        });
        let (found, behind) = rest.split_at(length);
        tokens.push((token, found));
        rest = behind.trim_start_matches(is_space);
    }
    tokens.push((Token::End, ""));
    tokens
}

fn special(text: &str) -> Option<(Token, usize)> {
    let two = match text.get(..2) {
        Some("==") => Some(Token::DoubleEquals),
        Some("!=") => Some(Token::NotEquals),
        _ => None,
    };
    if let Some(token) = two {
        return Some((token, 2));
    }
    let token = match text.chars().next()? {
        '=' => Token::Equals,
        '!' => Token::Not,
        '(' => Token::Open,
        ')' => Token::Close,
        ',' => Token::Comma,
        '>' => Token::Greater,
        '<' => Token::Less,
        _ => return None,
    };
    Some((token, 1))
}

#[cfg(test)]
mod tests {
    use crate::selector::label::Selector;
    use proptest::prelude::*;

    #[test]
    fn texts_are_read_as_upstream_reads_them() {
        let name = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        let value = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
        let prefix = r"prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        let long = "x".repeat(64);
        let (long_value, long_domain) = (format!("a={long}"), format!("{}/x", "x".repeat(254)));
        let key =
            |key: &str, why: &str| Err(format!(r#"unable to parse requirement: <nil>: Invalid value: "{key}": {why}"#));
        let found =
            |found: &str, why: &str| Err(format!("unable to parse requirement: found '{found}', expected: {why}"));
        let behind = |found: &str| Err(format!("found '{found}', expected: ',' or 'end of string'"));
        let begin = |found: &str| Err(format!("found '{found}', expected: !, identifier, or 'end of string'"));
        let ok = |text: &str| Ok(text.to_owned());
        let operators = "in, notin, =, ==, !=, gt, lt";
        let integer = |value: &str| {
            Err(format!(
                r#"unable to parse requirement: values[0]: Invalid value: "{value}": for 'Gt', 'Lt' operators, the value must be an integer"#
            ))
        };
        let table = [
            ("", ok("")),
            (" \t", ok("")),
            ("a", ok("a")),
            ("!a", ok("!a")),
            ("c , b,a", ok("a,b,c")),
            ("a==", ok("a==")),
            ("a=", ok("a=")),
            ("a=,b", ok("a=,b")),
            ("a != b", ok("a!=b")),
            ("a in (y,x,y)", ok("a in (x,y)")),
            ("a in ()", ok("a in ()")),
            ("a in (,)", ok("a in ()")),
            ("a in (x,)", ok("a in (,x)")),
            ("a in (x,,y)", ok("a in (,x,y)")),
            ("x in (foo,,baz),y,z notin ()", ok("x in (,baz,foo),y,z notin ()")),
            ("a notin (x)", ok("a notin (x)")),
            ("a>5", ok("a>5")),
            ("a<5,a<6", ok("a<5,a<6")),
            ("in in (in)", ok("in in (in)")),
            ("notin", ok("notin")),
            ("in", ok("in")),
            ("a=in", ok("a=in")),
            ("a in (in,notin)", ok("a in (in,notin)")),
            ("example.com/A_b.c=1", ok("example.com/A_b.c=1")),
            ("a b", found("b", operators)),
            ("a gt 5", found("gt", operators)),
            ("a!", found("!", operators)),
            ("a ! b", found("!", operators)),
            ("a,", Err("found '', expected: identifier after ','".to_owned())),
            (",a", begin(",")),
            ("(a)", begin("(")),
            (")", begin(")")),
            ("=a", begin("=")),
            (">", begin(">")),
            ("a=b=c", behind("=")),
            ("a=b c", behind("c")),
            ("!a=b", behind("=")),
            ("!a in (b)", behind("in")),
            ("!a b", behind("b")),
            ("!a!", behind("!")),
            ("a in (b))", behind(")")),
            ("!", found("", "identifier")),
            ("a,!", found("", "identifier")),
            ("!!a", found("!", "identifier")),
            ("a === b", found("=", "identifier")),
            ("a=!b", found("!", "identifier")),
            ("a in", Err("unable to parse requirement: found '' expected: '('".to_owned())),
            ("a in x", Err("unable to parse requirement: found 'x' expected: '('".to_owned())),
            ("a in (x", found("", "',' or ')'")),
            ("a in (x y)", found("y", "',' or ')'")),
            ("a in (x=y)", found("=", "',' or ')'")),
            ("a in (=)", found("=", "',', ')' or identifier")),
            ("a in (x,=)", found("=", "',', or identifier")),
            ("a>x", integer("x")),
            ("a<", integer("")),
            ("-a=b", key("-a", &format!("name part {name}"))),
            ("é", key("é", &format!("name part {name}"))),
            (
                "a/b/c",
                key(
                    "a/b/c",
                    &format!(
                        "a valid label key {name} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
                    ),
                ),
            ),
            ("/a", key("/a", "prefix part must be non-empty")),
            ("A.B_/x", key("A.B_/x", prefix)),
            ("a..b/x", key("a..b/x", prefix)),
            (&long_domain, key(&long_domain, "prefix part must be no more than 253 bytes")),
            ("x/", key("x/", &format!("name part must be non-empty; name part {name}"))),
            (&long, key(&long, "name part must be no more than 63 bytes")),
            (
                &long_value,
                Err(format!(
                    r#"unable to parse requirement: values[0][a]: Invalid value: "{long}": must be no more than 63 bytes"#
                )),
            ),
            ("a=é", Err(format!(r#"unable to parse requirement: values[0][a]: Invalid value: "é": {value}"#))),
            (
                "a in (b,-c,d-)",
                Err(format!(
                    r#"unable to parse requirement: [values[0][a]: Invalid value: "-c": {value}, values[2][a]: Invalid value: "d-": {value}]"#
                )),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(Selector::parse(text).map(|selector| selector.to_string()), expected, "{text}");
        }
    }

    #[test]
    fn the_recorded_refusal_is_given() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../oracle/recordings/error-bad-label-selector.json");
        let recording = crate::json::decode_any(&std::fs::read(path).unwrap()).unwrap();
        let status = crate::selector::refused(&Selector::parse("a b").unwrap_err());
        assert_eq!(Some(&status.to_value()), recording.at(&["answer", "http", "body", "json"]));
    }

    proptest! {
        #[test]
        fn what_prints_reads_as_the_same(text in "[ab!=<>(), in1]{0,16}") {
            if let Ok(selector) = Selector::parse(&text) {
                prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Selector::parse(&text);
        }
    }
}
