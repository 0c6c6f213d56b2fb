//! YAML as `sigs.k8s.io/yaml` reads it: the first document, resolved by YAML 1.1 rules (`on`, `yes`, `n` are booleans),
//! becomes JSON, and the JSON decoder does the rest.
//!
//! It works on the event stream of granit-parser, the parser under serde-saphyr, because the events still say whether a
//! scalar was quoted; serde-saphyr itself resolves plain scalars by YAML 1.2 before its callers see them.

mod encode;
mod scalar;

pub use encode::encode_any;

use crate::json::{self, Decoded, FieldValidation};
use crate::schema::Type;
use crate::{Key, MAX_BYTES, MAX_DEPTH, Object, Value};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, options};
use std::collections::HashMap;

/// Aliases may not make the tree hold more values than this for each byte of text: enough for any real document, and an
/// end to documents that double themselves.
const VALUES_PER_BYTE: usize = 4;

/// Why a YAML document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML, or uses what JSON cannot say.
    #[error("error converting YAML to JSON: yaml: line {line}: {problem}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// It is larger than a decoder takes.
    #[error("document of {0} bytes is larger than the limit of {limit} bytes", limit = MAX_BYTES)]
    TooLarge(usize),
    /// Its JSON does not fit the schema.
    #[error(transparent)]
    Json(#[from] json::Error),
}

/// Decodes an object of type `of`.
pub fn decode(of: Type<'_>, text: &[u8], validation: FieldValidation) -> Result<Decoded, Error> {
    let (value, repeated) = read(text)?;
    let mut decoded = json::decode(of, &json::encode_any(&value), validation)?;
    if let (FieldValidation::Report, Some(finding)) = (validation, finding_of(&repeated)) {
        decoded.findings.insert(0, finding);
    }
    Ok(decoded)
}

/// Decodes any YAML document to the tree of its JSON.
pub fn decode_any(text: &[u8]) -> Result<Value, Error> {
    read(text).map(|(value, _)| value)
}

/// Decodes any YAML document to the tree of its JSON and lists the members that stand twice.
pub fn decode_any_reporting(text: &[u8], validation: FieldValidation) -> Result<Decoded, Error> {
    let (value, repeated) = read(text)?;
    let wanted = validation == FieldValidation::Report;
    Ok(Decoded { value, findings: finding_of(&repeated).filter(|_| wanted).into_iter().collect() })
}

/// All repeated keys in the one text that the Go parser makes of them.
fn finding_of(repeated: &[String]) -> Option<String> {
    (!repeated.is_empty()).then(|| format!("yaml: unmarshal errors:\n  {}", repeated.join("\n  ")))
}

fn read(text: &[u8]) -> Result<(Value, Vec<String>), Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::TooLarge(text.len()));
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| Error::Syntax { line: 1, problem: "invalid leading UTF-8 octet".to_owned() })?;
    // As libyaml, and so Go, read the end of the text.
    let options = options! { emit_comments: false, block_scalar_eof_without_line_feed: true };
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        repeated: Vec::new(),
        budget: text.len().saturating_mul(VALUES_PER_BYTE).saturating_add(64),
    };
    loop {
        match reader.next()? {
            Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
            // Only the first document counts; an empty stream is null.
            Some((Event::StreamEnd | Event::DocumentEnd, _)) | None => return Ok((Value::Null, Vec::new())),
            Some((event, span)) => {
                let value = reader.node(event, &span, 0)?;
                return Ok((value, reader.repeated));
            }
        }
    }
}

struct Reader<I> {
    events: I,
    /// Anchored values and how many values each holds.
    anchors: HashMap<usize, (Value, usize)>,
    /// `line N: key "x" already set in map`.
    repeated: Vec<String>,
    /// Values that may still be made.
    budget: usize,
}

fn syntax(span: &Span, problem: impl Into<String>) -> Error {
    Error::Syntax { line: span.start.line(), problem: problem.into() }
}

impl<'t, I> Reader<I>
where
    I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>,
{
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Error> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(error)) => Err(Error::Syntax { line: error.marker().line(), problem: error.info() }),
        }
    }

    /// The next event of a collection, which cannot end with the text.
    fn inside(&mut self, span: &Span) -> Result<(Event<'t>, Span), Error> {
        self.next()?.ok_or_else(|| syntax(span, "unexpected end of stream"))
    }

    fn spend(&mut self, values: usize, span: &Span) -> Result<(), Error> {
        match self.budget.checked_sub(values) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(syntax(span, "document contains excessive aliasing")),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Value, Error> {
        if depth >= MAX_DEPTH {
            return Err(syntax(span, "exceeded max depth"));
        }
        let before = self.budget;
        self.spend(1, span)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let value = scalar::resolve(&text, style == ScalarStyle::Plain, tag.as_deref());
                (anchor, value.map_err(|problem| syntax(span, problem))?)
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.sequence(span, depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping(span, depth)?),
            Event::Alias(id) => {
                let (value, size) =
                    self.anchors.get(&id).cloned().ok_or_else(|| syntax(span, "anchor contains itself"))?;
                self.spend(size, span)?;
                return Ok(value);
            }
            other => return Err(syntax(span, format!("unexpected event {other:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), before - self.budget));
        }
        Ok(value)
    }

    fn sequence(&mut self, span: &Span, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            match self.inside(span)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, span: &Span, depth: usize) -> Result<Value, Error> {
        let mut members: HashMap<Key, Value> = HashMap::new();
        let mut merged: Vec<Object> = Vec::new();
        loop {
            let (event, key_span) = match self.inside(span)? {
                (Event::MappingEnd, _) => break,
                found => found,
            };
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, &key_span, depth + 1)?;
            let (event, value_span) = self.inside(span)?;
            let value = self.node(event, &value_span, depth + 1)?;
            if is_merge {
                merge_sources(value, &mut merged).map_err(|problem| syntax(&value_span, problem))?;
                continue;
            }
            let key = key_text(&key).map_err(|problem| syntax(&key_span, problem))?;
            if members.contains_key(key.as_str()) {
                self.repeated.push(format!("line {}: key {key:?} already set in map", key_span.start.line()));
            }
            members.insert(Key::Owned(key), value);
        }
        for (key, value) in merged.into_iter().flat_map(Object::into_members) {
            members.entry(key).or_insert(value);
        }
        Ok(Value::Object(members.into_iter().collect()))
    }
}

/// The maps that a merge key names; those named first win.
fn merge_sources(value: Value, merged: &mut Vec<Object>) -> Result<(), &'static str> {
    match value {
        Value::Object(object) => merged.push(object),
        Value::List(items) => {
            for item in items {
                match item {
                    Value::Object(object) => merged.push(object),
                    _ => return Err("map merge requires map or sequence of maps as the value"),
                }
            }
        }
        _ => return Err("map merge requires map or sequence of maps as the value"),
    }
    Ok(())
}

/// JSON knows only texts as names.
fn key_text(key: &Value) -> Result<String, &'static str> {
    match key {
        Value::String(text) => Ok(text.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Int(value) => Ok(value.to_string()),
        Value::Float(_) => Ok(String::from_utf8_lossy(&json::encode_any(key)).into_owned()),
        _ => Err("unsupported map key"),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode_any, read};
    use crate::json;

    fn as_json(text: &str) -> String {
        String::from_utf8(json::encode_any(&decode_any(text.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn documents_become_json() {
        let cases = [
            ("", "null"),
            ("a: 1\n---\nb: 2\n", r#"{"a":1}"#),
            ("a: [x, 'y', \"z\", y]\n", r#"{"a":["x","y","z",true]}"#),
            ("1: a\nyes: b\n", r#"{"1":"a","true":"b"}"#),
            (
                "base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  'y': 3\n",
                r#"{"base":{"true":2,"x":1},"other":{"true":2,"x":1,"y":3}}"#,
            ),
            ("a: &x [1]\nb: *x\n", r#"{"a":[1],"b":[1]}"#),
            ("a: |\n  one\n  two\nb: >-\n  one\n  two\n", r#"{"a":"one\ntwo\n","b":"one two"}"#),
            ("a: !!str 1\nb: !!int \"2\"\nc:\n", r#"{"a":"1","b":2,"c":null}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(as_json(text), expected, "{text}");
        }
    }

    #[test]
    fn repeated_keys_are_named_with_their_line() {
        let (_, repeated) = read(b"a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(repeated, [r#"line 3: key "a" already set in map"#]);
    }

    #[test]
    fn bombs_and_nonsense_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let line = format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 8].join(", "));
            bomb.push_str(&line);
        }
        let error = decode_any(bomb.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("excessive aliasing"), "{error}");
        for text in ["a: b: c", "a: *missing", "{", "? [a]\n: b\n", "a: &x [*x]", "a: .inf", "\u{0}"] {
            assert!(decode_any(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(5_000);
        assert!(decode_any(deep.as_bytes()).is_err());
    }
}
