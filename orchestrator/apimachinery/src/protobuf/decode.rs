//! The decoder. As the generated Go code does, it skips unknown fields, takes the last of repeated single fields, merges
//! messages given twice, and refuses a known field with the wrong wire kind.

use super::wire::{self, Reader};
use super::{Error, wire::BYTES, wire::FIXED64, wire::VARINT};
use crate::json::{self, zero};
use crate::schema::{self, Node, Scalar, Shape, Type, WireTarget};
use crate::time::{Instant, Precision};
use crate::{Key, MAX_BYTES, MAX_DEPTH, Object, Value, base64, duration, quantity};

/// Decodes a message of type `of`, without the envelope.
pub fn decode(of: Type<'_>, bytes: &[u8]) -> Result<Value, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge(bytes.len()));
    }
    let mut object = Builder::default();
    message(of, bytes, &mut object, 0)?;
    Ok(Value::Object(object.finish(of)))
}

/// Members of an object while its message is read. Lists and maps grow in place; sorting waits for the end.
#[derive(Default)]
struct Builder {
    members: Vec<(Key, Value)>,
    /// Entries of maps, by member; the last of equal keys counts.
    maps: Vec<(Key, Vec<(Key, Value)>)>,
}

impl Builder {
    fn from_object(object: Option<Value>) -> Self {
        match object {
            Some(Value::Object(object)) => Self { members: object.into_members(), maps: Vec::new() },
            _ => Self::default(),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(key, _)| key == name)?;
        Some(self.members.swap_remove(at).1)
    }

    fn list(&mut self, name: &Key) -> Option<&mut Vec<Value>> {
        let at = match self.members.iter().position(|(key, _)| key == name) {
            Some(at) => at,
            None => {
                self.members.push((name.clone(), Value::List(Vec::new())));
                self.members.len() - 1
            }
        };
        match self.members.get_mut(at) {
            Some((_, Value::List(items))) => Some(items),
            _ => None,
        }
    }

    fn map(&mut self, name: &Key) -> Option<&mut Vec<(Key, Value)>> {
        if let Some(at) = self.maps.iter().position(|(key, _)| key == name) {
            return self.maps.get_mut(at).map(|(_, entries)| entries);
        }
        let before = match self.take(name) {
            Some(Value::Object(object)) => object.into_members(),
            _ => Vec::new(),
        };
        self.maps.push((name.clone(), before));
        self.maps.last_mut().map(|(_, entries)| entries)
    }

    /// Sorts everything and drops what a typed object could not tell from absent.
    fn finish(mut self, of: Type<'_>) -> Object {
        for (name, entries) in self.maps {
            self.members.push((name, Value::Object(Object::from_members(entries).0)));
        }
        self.members.retain(|(key, value)| of.of.field(key).is_none_or(|field| field.keeps(value)));
        Object::from_members(self.members).0
    }
}

fn message(of: Type<'_>, bytes: &[u8], object: &mut Builder, depth: usize) -> Result<(), Error> {
    if depth >= MAX_DEPTH {
        return Err(Error::TooDeep);
    }
    let mut reader = Reader(bytes);
    while let Some(found) = reader.next()? {
        let Ok(at) = of.of.wire.binary_search_by_key(&found.number, |wire| wire.number) else { continue };
        match of.of.wire.get(at).map(|wire| wire.target) {
            Some(WireTarget::Field(index)) => {
                if let Some(member) = of.of.field_at(index) {
                    field(of.shape_of(member), member, &found, object, depth)?;
                }
            }
            Some(WireTarget::Inline(node)) => {
                expect(&found, BYTES, "inline")?;
                if let Some(embedded) = of.schema.shape(node).as_type() {
                    message(embedded, found.bytes, object, depth + 1)?;
                }
            }
            None => {}
        }
    }
    Ok(())
}

fn expect(found: &wire::Field<'_>, wire_type: u8, field: &str) -> Result<(), Error> {
    if found.wire_type == wire_type {
        return Ok(());
    }
    Err(Error::WrongWireType { wire_type: found.wire_type, field: field.to_owned() })
}

fn field(
    shape: Shape<'_>,
    member: &schema::Field,
    found: &wire::Field<'_>,
    object: &mut Builder,
    depth: usize,
) -> Result<(), Error> {
    match (shape.node(), shape.item()) {
        (Node::List(_), Some(item)) => {
            let value = single(item, &member.name, found, None, depth)?.unwrap_or_else(|| zero(item));
            if let Some(items) = object.list(&member.name) {
                items.push(value);
            }
        }
        (Node::Map(_), Some(item)) => {
            expect(found, BYTES, &member.name)?;
            let entry = entry(item, member, found.bytes, depth + 1)?;
            if let Some(entries) = object.map(&member.name) {
                entries.push(entry);
            }
        }
        _ => {
            let before = object.take(&member.name);
            if let Some(value) = single(shape, &member.name, found, before, depth)? {
                object.members.push((member.name.clone(), value));
            }
        }
    }
    Ok(())
}

fn entry(item: Shape<'_>, member: &schema::Field, bytes: &[u8], depth: usize) -> Result<(Key, Value), Error> {
    let mut key = String::new();
    let mut value = None;
    let mut reader = Reader(bytes);
    while let Some(found) = reader.next()? {
        match found.number {
            1 => {
                expect(&found, BYTES, &member.name)?;
                key = String::from_utf8_lossy(found.bytes).into_owned();
            }
            2 => value = single(item, &member.name, &found, None, depth)?,
            _ => {}
        }
    }
    Ok((Key::Owned(key), value.unwrap_or_else(|| zero(item))))
}

/// Reads one value; `None` when it is what an absent one would be.
fn single(
    shape: Shape<'_>,
    name: &str,
    found: &wire::Field<'_>,
    before: Option<Value>,
    depth: usize,
) -> Result<Option<Value>, Error> {
    let kind = match shape.node() {
        Node::Scalar(kind) => kind,
        Node::Named(_) => Scalar::String,
        Node::Struct(_) | Node::Foreign(_) => {
            expect(found, BYTES, name)?;
            let Some(of) = shape.as_type() else { return Ok(None) };
            let mut object = Builder::from_object(before);
            message(of, found.bytes, &mut object, depth + 1)?;
            return Ok(Some(Value::Object(object.finish(of))));
        }
        Node::Wrapped(_) => {
            expect(found, BYTES, name)?;
            return wrapped(shape, name, found.bytes, before, depth + 1).map(Some);
        }
        Node::SchemaOrArray(_) | Node::SchemaOrBool(_) | Node::SchemaOrStrings(_) => {
            expect(found, BYTES, name)?;
            return schema_union(shape, name, found.bytes, depth + 1);
        }
        Node::List(_) | Node::Map(_) => return Ok(None),
    };
    let wire_type = match kind {
        Scalar::Bool | Scalar::Int32 | Scalar::Int64 => VARINT,
        Scalar::Float64 => FIXED64,
        _ => BYTES,
    };
    expect(found, wire_type, name)?;
    scalar(kind, name, found)
}

fn wrapped(shape: Shape<'_>, name: &str, bytes: &[u8], before: Option<Value>, depth: usize) -> Result<Value, Error> {
    let mut items = match before {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    };
    let mut reader = Reader(bytes);
    while let (Some(found), Some(item)) = (reader.next()?, shape.item()) {
        if found.number == 1 {
            items.push(single(item, name, &found, None, depth)?.unwrap_or_else(|| zero(item)));
        }
    }
    Ok(Value::List(items))
}

fn schema_union(shape: Shape<'_>, name: &str, bytes: &[u8], depth: usize) -> Result<Option<Value>, Error> {
    let (Node::SchemaOrArray(id) | Node::SchemaOrBool(id) | Node::SchemaOrStrings(id)) = shape.node() else {
        return Ok(None);
    };
    let is_bool = matches!(shape.node(), Node::SchemaOrBool(_));
    let schema = Shape { schema: shape.schema, node: Node::Struct(id) };
    let text = Shape { schema: shape.schema, node: Node::Scalar(Scalar::String) };
    let item = if matches!(shape.node(), Node::SchemaOrArray(_)) { schema } else { text };
    let (mut allows, mut single_schema, mut items) = (false, None, Vec::new());
    let mut reader = Reader(bytes);
    while let Some(found) = reader.next()? {
        match (is_bool, found.number) {
            (true, 1) => {
                expect(&found, VARINT, name)?;
                allows = found.bits != 0;
            }
            (false, 1) | (true, 2) => single_schema = single(schema, name, &found, single_schema, depth)?,
            (false, 2) => items.push(single(item, name, &found, None, depth)?.unwrap_or_else(|| zero(item))),
            _ => {}
        }
    }
    Ok(match (is_bool, single_schema, items.is_empty()) {
        (false, _, false) => Some(Value::List(items)),
        (_, Some(schema), _) => Some(schema),
        (true, None, _) => Some(Value::Bool(allows)),
        (false, None, true) => None,
    })
}

fn scalar(kind: Scalar, name: &str, found: &wire::Field<'_>) -> Result<Option<Value>, Error> {
    let fail = |problem: String| Error::Value { field: name.to_owned(), problem };
    let bits = found.bits.cast_signed();
    Ok(match kind {
        Scalar::Bool => Some(Value::Bool(bits != 0)),
        #[expect(clippy::cast_possible_truncation, reason = "the generated code keeps the low 32 bits")]
        Scalar::Int32 => Some(Value::Int(i64::from(bits as i32))),
        Scalar::Int64 => Some(Value::Int(bits)),
        Scalar::Float64 => {
            let value = f64::from_bits(found.bits);
            if !value.is_finite() {
                return Err(fail(format!("{value} has no JSON form")));
            }
            Some(Value::Float(value))
        }
        Scalar::String => Some(Value::text(String::from_utf8_lossy(found.bytes))),
        Scalar::Bytes => Some(Value::text(base64::encode(found.bytes))),
        Scalar::Time => time(found.bytes, Precision::Seconds, name)?,
        Scalar::MicroTime => time(found.bytes, Precision::Micros, name)?,
        Scalar::Duration => {
            let mut nanoseconds = 0;
            each(found.bytes, |field| {
                if field.number == 1 {
                    expect(field, VARINT, name)?;
                    nanoseconds = field.bits.cast_signed();
                }
                Ok(())
            })?;
            Some(Value::text(duration::print(nanoseconds)))
        }
        Scalar::Quantity => {
            let mut text = "0".to_owned();
            each(found.bytes, |field| {
                if field.number == 1 {
                    expect(field, BYTES, name)?;
                    text = String::from_utf8_lossy(field.bytes).into_owned();
                }
                Ok(())
            })?;
            Some(Value::text(quantity::canonical(&text).map_err(|error| fail(error.to_string()))?))
        }
        Scalar::IntOrString => Some(int_or_string(found.bytes, name)?),
        Scalar::Raw => raw(found.bytes, name)?,
        Scalar::Any => None,
    })
}

fn each(bytes: &[u8], mut read: impl FnMut(&wire::Field<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let mut reader = Reader(bytes);
    while let Some(found) = reader.next()? {
        read(&found)?;
    }
    Ok(())
}

fn time(bytes: &[u8], precision: Precision, name: &str) -> Result<Option<Value>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut seconds, mut nanos) = (0, 0);
    each(bytes, |field| {
        match field.number {
            1 => {
                expect(field, VARINT, name)?;
                seconds = field.bits.cast_signed();
            }
            2 => {
                expect(field, VARINT, name)?;
                nanos = field.bits.cast_signed();
            }
            _ => {}
        }
        Ok(())
    })?;
    let micros = match precision {
        Precision::Seconds => Some(0),
        Precision::Micros => u32::try_from(nanos.div_euclid(1_000)).ok(),
    };
    let instant = micros.and_then(|micros| Instant::new(seconds, micros)).ok_or_else(|| Error::Value {
        field: name.to_owned(),
        problem: format!("time of {seconds} s and {nanos} ns is outside the years 0 to 9999"),
    })?;
    Ok((!instant.is_zero()).then(|| Value::text(instant.print(precision))))
}

fn int_or_string(bytes: &[u8], name: &str) -> Result<Value, Error> {
    let (mut kind, mut integer, mut text) = (0, 0, String::new());
    each(bytes, |field| {
        match field.number {
            1 => {
                expect(field, VARINT, name)?;
                kind = field.bits;
            }
            2 => {
                expect(field, VARINT, name)?;
                #[expect(clippy::cast_possible_truncation, reason = "the generated code keeps the low 32 bits")]
                let value = field.bits.cast_signed() as i32;
                integer = i64::from(value);
            }
            3 => {
                expect(field, BYTES, name)?;
                text = String::from_utf8_lossy(field.bytes).into_owned();
            }
            _ => {}
        }
        Ok(())
    })?;
    match kind {
        0 => Ok(Value::Int(integer)),
        1 => Ok(Value::text(text)),
        _ => Err(Error::Value { field: name.to_owned(), problem: "impossible IntOrString.Type".to_owned() }),
    }
}

/// An embedded document. At rest objects are JSON, so other encodings inside it are refused here and not later.
fn raw(bytes: &[u8], name: &str) -> Result<Option<Value>, Error> {
    let mut document: &[u8] = &[];
    let mut reader = Reader(bytes);
    while let Some(found) = reader.next()? {
        if found.number == 1 {
            expect(&found, BYTES, name)?;
            document = found.bytes;
        }
    }
    if document.is_empty() {
        return Ok(None);
    }
    let fail = |problem: String| Error::Value { field: name.to_owned(), problem };
    json::check(document).map_err(|error| fail(error.to_string()))?;
    let text = std::str::from_utf8(document).map_err(|_| fail("embedded JSON is not UTF-8".to_owned()))?;
    Ok(Some(Value::Raw(text.into())))
}
