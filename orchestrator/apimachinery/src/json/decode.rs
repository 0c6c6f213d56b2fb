//! The decoder: one pass over the text, led by the schema.
//!
//! It follows Go's decoder: names are case-sensitive; null leaves a member unset; of duplicates the later one counts, and
//! objects given twice are merged; the first value of a wrong type is reported, unless the text turns out to be no JSON.

use super::lexer::{Begin, Lexer, Syntax};
use super::mismatch::Place;
use super::{Error, zero};
use crate::quantity;
use crate::schema::{Field, Node, Scalar, Schema, Shape, Type};
use crate::time::{Instant, Precision};
use crate::{Key, MAX_BYTES, Object, Value, base64, duration};

/// What to do with unknown and duplicate fields. They never reach the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and list them; the caller warns or refuses.
    Report,
}

/// A decoded document.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The tree.
    pub value: Value,
    /// Findings in Go's words, such as `unknown field "spec.foo"`.
    pub findings: Vec<String>,
}

/// Decodes an object of type `of`.
pub fn decode(of: Type<'_>, text: &[u8], validation: FieldValidation) -> Result<Decoded, Error> {
    let report = validation == FieldValidation::Report;
    // Null leaves the object as it was: empty.
    run(text, report, |decoder| Ok(decoder.structure(of, None)?.or_else(|| Some(Value::Object(Object::new())))))
}

/// Decodes any JSON value.
pub fn decode_any(text: &[u8]) -> Result<Value, Error> {
    decode_any_reporting(text, FieldValidation::Ignore).map(|decoded| decoded.value)
}

/// Decodes any JSON value and lists the members that stand twice.
pub fn decode_any_reporting(text: &[u8], validation: FieldValidation) -> Result<Decoded, Error> {
    static NONE: Schema = Schema::empty();
    let any = Shape { schema: &NONE, node: Node::Scalar(Scalar::Any) };
    run(text, validation == FieldValidation::Report, |decoder| decoder.value(any, None))
}

fn run<'t>(
    text: &'t [u8],
    report: bool,
    read: impl FnOnce(&mut Decoder<'t>) -> Result<Option<Value>, Syntax>,
) -> Result<Decoded, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::TooLarge(text.len()));
    }
    let mut decoder = Decoder { lexer: Lexer::new(text), place: Place::new(report) };
    let value = read(&mut decoder)?;
    decoder.lexer.end()?;
    match decoder.place.first_error {
        Some(error) => Err(Error::Value(error)),
        None => Ok(Decoded { value: value.unwrap_or(Value::Null), findings: decoder.place.findings }),
    }
}

struct Decoder<'t> {
    lexer: Lexer<'t>,
    place: Place,
}

type Outcome = Result<Option<Value>, Syntax>;

impl Decoder<'_> {
    /// Reads one value. `None` stands for null and for what cannot be told from absent; `before` is the value that an
    /// earlier duplicate left.
    fn value(&mut self, shape: Shape<'_>, before: Option<Value>) -> Outcome {
        match shape.node {
            Node::Scalar(scalar) => self.scalar(shape, scalar, before),
            Node::Named(_) => self.scalar(shape, Scalar::String, before),
            Node::List(_) | Node::Wrapped(_) => self.list(shape),
            Node::Map(_) => self.map(shape, before),
            Node::Struct(_) | Node::Foreign(_) => match shape.as_type() {
                Some(of) => self.structure(of, before),
                // A link of a committed table always resolves; a test holds that.
                None => self.scalar(shape, Scalar::Any, before),
            },
            Node::SchemaOrArray(_) | Node::SchemaOrBool(_) | Node::SchemaOrStrings(_) => self.schema_union(shape),
        }
    }

    fn structure(&mut self, of: Type<'_>, before: Option<Value>) -> Outcome {
        match self.lexer.begin()? {
            Begin::Object => {}
            Begin::Null => {
                self.lexer.literal("null")?;
                return Ok(before);
            }
            _ => return self.wrong(&of.go_name()),
        }
        let outer = std::mem::replace(&mut self.place.inside, of.of.name.clone());
        let mut seen = vec![false; of.of.fields.len()];
        let mut object = match before {
            Some(Value::Object(object)) => object,
            _ => Object::new(),
        };
        let mut members: Vec<(Key, Value)> = Vec::new();
        let mut more = self.lexer.enter_object()?;
        while more {
            let key = self.lexer.key()?;
            let mark = self.place.enter_key(&key);
            match of.of.field_position(&key) {
                None => {
                    self.place.find("unknown");
                    self.lexer.skip_value()?;
                }
                Some((position, field)) => {
                    let again = seen.get_mut(position).is_some_and(|seen| std::mem::replace(seen, true));
                    if again {
                        self.place.find("duplicate");
                    }
                    self.place.enter_field(&field.name);
                    self.field(of, field, &mut object, &mut members)?;
                    self.place.leave_field();
                }
            }
            self.place.leave(mark);
            more = self.lexer.more_members()?;
        }
        self.place.inside = outer;
        if object.is_empty() {
            object = Object::from_members(members).0;
        } else {
            for (key, value) in members {
                object.insert(key, value);
            }
        }
        Ok(Some(Value::Object(object)))
    }

    /// Reads the value of a member into `members`. What an earlier duplicate left, there or in `object`, is its start.
    fn field(
        &mut self,
        of: Type<'_>,
        field: &Field,
        object: &mut Object,
        members: &mut Vec<(Key, Value)>,
    ) -> Result<(), Syntax> {
        let earlier = members.iter().position(|(key, _)| *key == field.name).map(|at| members.remove(at).1);
        let before = earlier.or_else(|| object.remove(&field.name));
        let is_null = self.lexer.begin()? == Begin::Null;
        let keeps = is_null
            && !field.pointer
            && !matches!(of.shape_of(field).node, Node::List(_) | Node::Map(_) | Node::Wrapped(_));
        if is_null {
            self.lexer.literal("null")?;
            if let (true, Some(before)) = (keeps, before) {
                members.push((field.name.clone(), before));
            }
            return Ok(());
        }
        let value = self.value(of.shape_of(field), before)?;
        if let Some(value) = value.filter(|value| field.keeps(value)) {
            members.push((field.name.clone(), value));
        }
        Ok(())
    }

    fn list(&mut self, shape: Shape<'_>) -> Outcome {
        let Some(item) = shape.item() else { return self.wrong(&shape.go_name()) };
        match self.lexer.begin()? {
            Begin::List => {}
            Begin::Null => {
                self.lexer.literal("null")?;
                return Ok(None);
            }
            _ => return self.wrong(&shape.go_name()),
        }
        let mut items = Vec::new();
        let mut more = self.lexer.enter_list()?;
        while more {
            let mark = self.place.enter_index(items.len());
            let value = self.value(item, None)?;
            items.push(value.unwrap_or_else(|| zero(item)));
            self.place.leave(mark);
            more = self.lexer.more_items()?;
        }
        Ok(Some(Value::List(items)))
    }

    fn map(&mut self, shape: Shape<'_>, before: Option<Value>) -> Outcome {
        let Some(item) = shape.item() else { return self.wrong(&shape.go_name()) };
        match self.lexer.begin()? {
            Begin::Object => {}
            Begin::Null => {
                self.lexer.literal("null")?;
                return Ok(None);
            }
            _ => return self.wrong(&shape.go_name()),
        }
        let read = self.members(|decoder| Ok(decoder.value(item, None)?.unwrap_or_else(|| zero(item))))?;
        let object = match before {
            Some(Value::Object(mut object)) => {
                for (key, value) in read {
                    object.insert(key, value);
                }
                object
            }
            _ => self.collect(read),
        };
        Ok(Some(Value::Object(object)))
    }

    /// Reads the members of the object at the cursor in document order.
    fn members(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<Value, Syntax>,
    ) -> Result<Vec<(Key, Value)>, Syntax> {
        let mut members = Vec::new();
        let mut more = self.lexer.enter_object()?;
        while more {
            let key = self.lexer.key()?;
            let mark = self.place.enter_key(&key);
            let value = read(self)?;
            self.place.leave(mark);
            members.push((Key::Owned(key.into_owned()), value));
            more = self.lexer.more_members()?;
        }
        Ok(members)
    }

    fn collect(&mut self, members: Vec<(Key, Value)>) -> Object {
        let (object, repeated) = Object::from_members(members);
        for key in repeated {
            let mark = self.place.enter_key(&key);
            self.place.find("duplicate");
            self.place.leave(mark);
        }
        object
    }

    fn any(&mut self) -> Result<Value, Syntax> {
        Ok(match self.lexer.begin()? {
            Begin::Object => {
                let members = self.members(Self::any)?;
                Value::Object(self.collect(members))
            }
            Begin::List => {
                let mut items = Vec::new();
                let mut more = self.lexer.enter_list()?;
                while more {
                    let mark = self.place.enter_index(items.len());
                    items.push(self.any()?);
                    self.place.leave(mark);
                    more = self.lexer.more_items()?;
                }
                Value::List(items)
            }
            Begin::String => Value::text(self.lexer.string()?),
            Begin::Number => self.any_number()?,
            Begin::True => {
                self.lexer.literal("true")?;
                Value::Bool(true)
            }
            Begin::False => {
                self.lexer.literal("false")?;
                Value::Bool(false)
            }
            Begin::Null => {
                self.lexer.literal("null")?;
                Value::Null
            }
        })
    }

    /// A number without a type: a 64-bit integer if it is written as one, else floating-point.
    fn any_number(&mut self) -> Result<Value, Syntax> {
        let text = self.lexer.number()?;
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(Value::Int(integer));
        }
        match text.parse::<f64>() {
            // Negative zero would print as -0, which reads back as the integer 0.
            Ok(0.0) => Ok(Value::Float(0.0)),
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => {
                self.place.unreadable(&format!("json: cannot unmarshal number {text} into Go value of type float64"));
                Ok(Value::Null)
            }
        }
    }

    fn scalar(&mut self, shape: Shape<'_>, scalar: Scalar, before: Option<Value>) -> Outcome {
        let begin = self.lexer.begin()?;
        if begin == Begin::Null {
            self.lexer.literal("null")?;
            return Ok(before);
        }
        match (scalar, begin) {
            (Scalar::Any, _) => self.any().map(Some),
            (Scalar::Raw, _) => {
                let raw = self.lexer.skip_value()?;
                Ok(Some(Value::Raw(String::from_utf8_lossy(raw).into())))
            }
            (Scalar::Bool, Begin::True | Begin::False) => {
                let value = begin == Begin::True;
                self.lexer.literal(if value { "true" } else { "false" })?;
                Ok(Some(Value::Bool(value)))
            }
            (Scalar::Int32 | Scalar::Int64 | Scalar::Float64 | Scalar::IntOrString, Begin::Number) => {
                let text = self.lexer.number()?;
                Ok(self.number(shape, scalar, text))
            }
            (Scalar::Quantity, Begin::Number) => {
                let text = self.lexer.number()?;
                Ok(self.readable(quantity::canonical(text)))
            }
            (
                Scalar::String
                | Scalar::Bytes
                | Scalar::Time
                | Scalar::MicroTime
                | Scalar::Duration
                | Scalar::Quantity
                | Scalar::IntOrString,
                Begin::String,
            ) => {
                let text = self.lexer.string()?;
                Ok(self.string(scalar, &text))
            }
            // Its own reader takes any text that is not a quoted string for the quantity itself.
            (Scalar::Quantity, _) => {
                self.lexer.skip_value()?;
                Ok(self.readable(Err::<String, _>(quantity::Invalid::Format)))
            }
            (Scalar::Time | Scalar::MicroTime | Scalar::Duration, _) => {
                let found = self.describe()?;
                self.place.mismatch(&found, "string");
                Ok(None)
            }
            (Scalar::IntOrString, _) => {
                let found = self.describe()?;
                self.place.mismatch(&found, "int32");
                Ok(None)
            }
            _ => self.wrong(&shape.go_name()),
        }
    }

    fn number(&mut self, shape: Shape<'_>, scalar: Scalar, text: &str) -> Option<Value> {
        let value = match scalar {
            Scalar::Int32 => text.parse::<i32>().ok().map(|value| Value::Int(value.into())),
            Scalar::Int64 => text.parse::<i64>().ok().map(Value::Int),
            Scalar::Float64 => text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Float),
            _ => match text.parse::<i32>() {
                Ok(value) => Some(Value::Int(value.into())),
                Err(_) => {
                    self.place.mismatch(&format!("number {text}"), "int32");
                    return None;
                }
            },
        };
        if value.is_none() {
            self.place.mismatch(&format!("number {text}"), &shape.go_name());
        }
        value
    }

    fn string(&mut self, scalar: Scalar, text: &str) -> Option<Value> {
        match scalar {
            Scalar::Bytes => self.readable(base64::decode(text).map(|bytes| base64::encode(&bytes))),
            Scalar::Time => self.time(text, Precision::Seconds),
            Scalar::MicroTime => self.time(text, Precision::Micros),
            Scalar::Duration => self.readable(duration::parse(text).map(duration::print)),
            Scalar::Quantity => self.readable(quantity::canonical(text.trim())),
            _ => Some(Value::text(text)),
        }
    }

    fn time(&mut self, text: &str, precision: Precision) -> Option<Value> {
        match Instant::parse(text, precision) {
            Ok(instant) if instant.is_zero() => None,
            Ok(instant) => Some(Value::text(instant.print(precision))),
            Err(error) => {
                self.place.unreadable(&error);
                None
            }
        }
    }

    fn readable<E: std::fmt::Display>(&mut self, read: Result<String, E>) -> Option<Value> {
        match read {
            Ok(text) => Some(Value::text(text)),
            Err(error) => {
                self.place.unreadable(&error);
                None
            }
        }
    }

    /// A value that is an object in one form and something simpler in the other.
    fn schema_union(&mut self, shape: Shape<'_>) -> Outcome {
        let (Node::SchemaOrArray(id) | Node::SchemaOrBool(id) | Node::SchemaOrStrings(id)) = shape.node else {
            return self.wrong(&shape.go_name());
        };
        let begin = self.lexer.begin()?;
        match (shape.node, begin) {
            (_, Begin::Object) => match shape.schema.struct_at(id) {
                Some(of) => self.structure(of, None),
                None => self.wrong(&shape.go_name()),
            },
            (Node::SchemaOrBool(_), Begin::True | Begin::False) => {
                let value = begin == Begin::True;
                self.lexer.literal(if value { "true" } else { "false" })?;
                Ok(Some(Value::Bool(value)))
            }
            (Node::SchemaOrBool(_), _) => {
                self.lexer.skip_value()?;
                self.place.unreadable(&"boolean or JSON schema expected");
                Ok(None)
            }
            (_, Begin::List) => {
                let mut items = Vec::new();
                let mut more = self.lexer.enter_list()?;
                while more {
                    let item = match shape.node {
                        Node::SchemaOrArray(_) => Shape { schema: shape.schema, node: Node::Struct(id) },
                        _ => Shape { schema: shape.schema, node: Node::Scalar(Scalar::String) },
                    };
                    let mark = self.place.enter_index(items.len());
                    items.push(self.value(item, None)?.unwrap_or_else(|| zero(item)));
                    self.place.leave(mark);
                    more = self.lexer.more_items()?;
                }
                Ok(Some(Value::List(items)).filter(|value| !value.is_empty()))
            }
            // Its own reader passes over anything else.
            _ => {
                self.lexer.skip_value()?;
                Ok(None)
            }
        }
    }

    fn wrong(&mut self, wanted: &str) -> Outcome {
        let found = self.describe()?;
        self.place.mismatch(&found, wanted);
        Ok(None)
    }

    /// Skips the value at the cursor and names its kind as Go does.
    fn describe(&mut self) -> Result<String, Syntax> {
        let begin = self.lexer.begin()?;
        self.lexer.skip_value()?;
        let kind = match begin {
            Begin::Object => "object",
            Begin::List => "array",
            Begin::String => "string",
            Begin::Number => "number",
            Begin::True | Begin::False => "bool",
            Begin::Null => "null",
        };
        Ok(kind.to_owned())
    }
}
