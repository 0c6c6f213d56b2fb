//! YAML as `sigs.k8s.io/yaml` reads it: the first document, resolved by YAML 1.1 rules (`on`, `yes`, `n` are booleans),
//! becomes JSON, and the JSON decoder does the rest.
//!
//! It works on the event stream of granit-parser, the parser under serde-saphyr, because the events still say whether a
//! scalar was quoted; serde-saphyr itself resolves plain scalars by YAML 1.2 before its callers see them.

mod encode;
mod place;
mod scalar;

pub use encode::encode_any;
pub use place::{Located, Place};

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

/// Decodes a YAML document that a person wrote for this system, more strictly than the API does: it must be the only
/// one, and names must be texts (an unquoted `no` is a boolean). Says where everything stands.
pub fn decode_any_located(text: &[u8]) -> Result<Located, Error> {
    let mut reader = reader(text)?;
    reader.places = Some(Vec::new());
    let (value, line) = match reader.document()? {
        Some((event, span)) => (reader.node(event, &span, 0)?, span.start.line()),
        None => (Value::Null, 1),
    };
    let place = reader.places.as_mut().and_then(Vec::pop).unwrap_or_else(|| Place::at(line));
    match reader.document()? {
        Some((_, span)) => Err(syntax(&span, "there is a second document")),
        None => Ok(Located { value, place, repeated: reader.repeated }),
    }
}

/// All repeated keys in the one text that the Go parser makes of them.
fn finding_of(repeated: &[(usize, String)]) -> Option<String> {
    let lines = repeated.iter().map(|(line, key)| format!("  line {line}: key {key:?} already set in map"));
    (!repeated.is_empty()).then(|| format!("yaml: unmarshal errors:\n{}", lines.collect::<Vec<_>>().join("\n")))
}

fn read(text: &[u8]) -> Result<(Value, Vec<(usize, String)>), Error> {
    let mut reader = reader(text)?;
    // Only the first document counts; an empty stream is null.
    match reader.document()? {
        Some((event, span)) => Ok((reader.node(event, &span, 0)?, reader.repeated)),
        None => Ok((Value::Null, Vec::new())),
    }
}

fn reader(text: &[u8]) -> Result<Reader<impl Iterator<Item = Next<'_>>>, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::TooLarge(text.len()));
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| Error::Syntax { line: 1, problem: "invalid leading UTF-8 octet".to_owned() })?;
    // As libyaml, and so Go, read the end of the text.
    let options = options! { emit_comments: false, block_scalar_eof_without_line_feed: true };
    Ok(Reader {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        repeated: Vec::new(),
        budget: text.len().saturating_mul(VALUES_PER_BYTE).saturating_add(64),
        places: None,
    })
}

/// What the parser finds next.
type Next<'t> = Result<(Event<'t>, Span), ScanError>;

struct Reader<I> {
    events: I,
    /// Anchored values and how many values each holds.
    anchors: HashMap<usize, (Value, usize)>,
    /// Names that an object has twice, with the line of the later one.
    repeated: Vec<(usize, String)>,
    /// Values that may still be made.
    budget: usize,
    /// Places of the values that are being read, the innermost last, if somebody wants to know. A value that was read
    /// leaves its own for the one that holds it.
    places: Option<Vec<Place>>,
}

fn syntax(span: &Span, problem: impl Into<String>) -> Error {
    Error::Syntax { line: span.start.line(), problem: problem.into() }
}

impl<'t, I> Reader<I>
where
    I: Iterator<Item = Next<'t>>,
{
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Error> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(error)) => Err(Error::Syntax { line: error.marker().line(), problem: error.info() }),
        }
    }

    /// Skips to what the next document holds; nothing when there is none or it is empty.
    fn document(&mut self) -> Result<Option<(Event<'t>, Span)>, Error> {
        loop {
            match self.next()? {
                Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
                Some((Event::DocumentEnd, _)) if self.places.is_some() => {}
                Some((Event::StreamEnd | Event::DocumentEnd, _)) | None => return Ok(None),
                found => return Ok(found),
            }
        }
    }

    /// Takes the place of the value that was read last.
    fn place_of_last(&mut self) -> Option<Place> {
        self.places.as_mut().and_then(Vec::pop)
    }

    /// The place of the value that is being read.
    fn place(&mut self) -> Option<&mut Place> {
        self.places.as_mut().and_then(|places| places.last_mut())
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
        if let Some(places) = &mut self.places {
            places.push(Place::at(span.start.line()));
        }
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
                (event, span) => {
                    items.push(self.node(event, &span, depth + 1)?);
                    if let Some(item) = self.place_of_last()
                        && let Some(place) = self.place()
                    {
                        place.hold_item(item);
                    }
                }
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
            self.place_of_last();
            let (event, value_span) = self.inside(span)?;
            let value = self.node(event, &value_span, depth + 1)?;
            let member = self.place_of_last();
            if is_merge {
                merge_sources(value, &mut merged).map_err(|problem| syntax(&value_span, problem))?;
                continue;
            }
            if self.places.is_some() && key.as_str().is_none() {
                return Err(syntax(&key_span, "a name is no text; put it in quotes"));
            }
            let key = key_text(&key).map_err(|problem| syntax(&key_span, problem))?;
            let line = key_span.start.line();
            if members.contains_key(key.as_str()) {
                self.repeated.push((line, key.clone()));
            }
            if let Some(member) = member
                && let Some(place) = self.place()
            {
                place.hold_member(&key, line, member);
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
    use super::{decode_any, decode_any_located, finding_of, read};
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
        assert_eq!(repeated, [(3, "a".to_owned())]);
        let finding = finding_of(&repeated).unwrap();
        assert_eq!(finding, "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map");
    }

    #[test]
    fn places_are_those_of_names_and_items() {
        let text = "# c\na: 1\nb:\n  c.d:\n    - x\n    - w: |\n        t\n      z: &z\n        q: 1\n  e: *z\nb: 2\n";
        let located = decode_any_located(text.as_bytes()).unwrap();
        assert_eq!(located.repeated, [(11, "b".to_owned())]);
        let place = decode_any_located(text.trim_end_matches("b: 2\n").as_bytes()).unwrap().place;
        assert_eq!(place.member("a").line(), 2);
        let b = place.member("b");
        assert_eq!((b.line(), b.member("c.d").item(0).line(), b.member("c.d").item(1).line()), (3, 5, 6));
        assert_eq!(b.member("c.d").item(1).member("z").member("q").line(), 9);
        assert_eq!(b.member("e").member("q").line(), 10, "an alias stands where it is used");
        assert_eq!((place.path("b.c.d").line(), place.path("b.e.q.r").line(), place.path("x").line()), (4, 10, 2));
    }

    #[test]
    fn strict_documents_have_one_part_and_texts_as_names() {
        for (text, want) in [
            ("a: 1\n---\nb: 2\n", Err("line 3: there is a second document")),
            ("no: 1\n", Err("line 1: a name is no text; put it in quotes")),
            ("a:\n  1: x\n", Err("line 2: a name is no text; put it in quotes")),
            ("a: 1\n...\n", Ok(())),
            ("---\na: 1\n", Ok(())),
            ("", Ok(())),
            ("# only a comment\n", Ok(())),
        ] {
            let found = decode_any_located(text.as_bytes()).map(|_| ()).map_err(|error| error.to_string());
            match want {
                Ok(()) => assert_eq!(found, Ok(()), "{text}"),
                Err(want) => assert!(found.as_ref().is_err_and(|found| found.contains(want)), "{text}: {found:?}"),
            }
        }
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
