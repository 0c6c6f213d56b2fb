//! The encoder. Fields come in the order of their numbers and maps in the order of their keys; a field that is no pointer
//! is written even when it is zero, except lists, maps and absent byte strings.

use super::wire::{FIXED64, put_bytes, put_message, put_number, put_tag};
use crate::schema::{Field, Node, Scalar, Shape, Type, WireTarget};
use crate::time::{Instant, Precision};
use crate::{Object, Value, base64, duration};

/// Encodes an object of type `of`, without the envelope.
pub fn encode(of: Type<'_>, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let empty = Object::new();
    message(of, value.as_object().unwrap_or(&empty), &mut out);
    out
}

/// Appends one more item to a list of type `of` that has been encoded without items. The field of the items is the last
/// one of every list, so that item by item gives the same bytes as the whole list at once.
///
/// Says whether `of` is a list of messages; when it is not, nothing is appended.
#[must_use]
pub fn encode_item(of: Type<'_>, value: &Value, out: &mut Vec<u8>) -> bool {
    let items = of.of.field("items").map(|member| (member.number, of.shape_of(member).item()));
    let Some((number, Some(item))) = items else { return false };
    single(item, number, value, out);
    true
}

fn message(of: Type<'_>, object: &Object, out: &mut Vec<u8>) {
    for wire in &of.of.wire {
        match wire.target {
            WireTarget::Field(index) => {
                if let Some(member) = of.of.field_at(index) {
                    field(of, member, object.get(&member.name), out);
                }
            }
            // An embedded struct is a message on the wire while its members stand in this object.
            WireTarget::Inline(node) => {
                if let Some(embedded) = of.schema.shape(node).as_type() {
                    put_message(out, wire.number, |out| message(embedded, object, out));
                }
            }
        }
    }
}

fn field(of: Type<'_>, member: &Field, value: Option<&Value>, out: &mut Vec<u8>) {
    let shape = of.shape_of(member);
    match (shape.node(), value) {
        (Node::List(_), Some(Value::List(items))) => {
            if let Some(item) = shape.item() {
                for value in items {
                    single(item, member.number, value, out);
                }
            }
        }
        (Node::Map(_), Some(Value::Object(entries))) => {
            if let Some(item) = shape.item() {
                for (key, value) in entries.iter() {
                    put_message(out, member.number, |out| {
                        put_bytes(out, 1, key.as_bytes());
                        single(item, 2, value, out);
                    });
                }
            }
        }
        (Node::List(_) | Node::Map(_), _) => {}
        (_, None) if member.pointer => {}
        (Node::Wrapped(_) | Node::Scalar(Scalar::Bytes), None | Some(Value::Null)) => {}
        (_, value) => single(shape, member.number, value.unwrap_or(&Value::Null), out),
    }
}

/// Writes one value; null stands for the zero value.
fn single(shape: Shape<'_>, number: u32, value: &Value, out: &mut Vec<u8>) {
    match shape.node() {
        Node::Scalar(kind) => scalar(kind, number, value, out),
        Node::Named(_) => put_bytes(out, number, value.as_str().unwrap_or_default().as_bytes()),
        Node::Struct(_) | Node::Foreign(_) => {
            let empty = Object::new();
            let object = value.as_object().unwrap_or(&empty);
            if let Some(of) = shape.as_type() {
                put_message(out, number, |out| message(of, object, out));
            }
        }
        Node::Wrapped(_) => put_message(out, number, |out| {
            if let (Value::List(items), Some(item)) = (value, shape.item()) {
                for value in items {
                    single(item, 1, value, out);
                }
            }
        }),
        Node::SchemaOrArray(id) | Node::SchemaOrBool(id) | Node::SchemaOrStrings(id) => {
            put_message(out, number, |out| schema_union(shape, id, value, out));
        }
        // No message holds a list of lists or a map of maps.
        Node::List(_) | Node::Map(_) => {}
    }
}

fn schema_union(shape: Shape<'_>, id: u32, value: &Value, out: &mut Vec<u8>) {
    let Some(of) = shape.schema.struct_at(id) else { return };
    let schema = |number: u32, value: &Value, out: &mut Vec<u8>| {
        if let Value::Object(object) = value {
            put_message(out, number, |out| message(of, object, out));
        }
    };
    match shape.node() {
        Node::SchemaOrBool(_) => {
            let allows = matches!(value, Value::Bool(true) | Value::Object(_));
            put_number(out, 1, i64::from(allows));
            schema(2, value, out);
        }
        _ => {
            schema(1, value, out);
            if let Value::List(items) = value {
                for item in items {
                    match item {
                        Value::String(text) => put_bytes(out, 2, text.as_bytes()),
                        other => schema(2, other, out),
                    }
                }
            }
        }
    }
}

fn scalar(kind: Scalar, number: u32, value: &Value, out: &mut Vec<u8>) {
    let text = value.as_str().unwrap_or_default();
    match kind {
        Scalar::Bool => put_number(out, number, i64::from(*value == Value::Bool(true))),
        Scalar::Int32 | Scalar::Int64 => put_number(out, number, integer(value)),
        Scalar::Float64 => {
            let bits = match value {
                Value::Float(value) => value.to_bits(),
                #[expect(clippy::cast_precision_loss, reason = "a number that JSON wrote as an integer")]
                Value::Int(value) => (*value as f64).to_bits(),
                _ => 0,
            };
            put_tag(out, number, FIXED64);
            out.extend_from_slice(&bits.to_le_bytes());
        }
        Scalar::String => put_bytes(out, number, text.as_bytes()),
        // The tree holds base64 that decoding made, so it reads back; null in a map is a value that is not written.
        Scalar::Bytes if *value == Value::Null => {}
        Scalar::Bytes => put_bytes(out, number, &base64::decode(text).unwrap_or_default()),
        Scalar::Time => put_message(out, number, |out| time(text, Precision::Seconds, out)),
        Scalar::MicroTime => put_message(out, number, |out| time(text, Precision::Micros, out)),
        Scalar::Duration => put_message(out, number, |out| put_number(out, 1, duration::parse(text).unwrap_or(0))),
        Scalar::Quantity => {
            let text = if *value == Value::Null { "0" } else { text };
            put_message(out, number, |out| put_bytes(out, 1, text.as_bytes()));
        }
        Scalar::IntOrString => put_message(out, number, |out| {
            put_number(out, 1, i64::from(value.as_str().is_some()));
            put_number(out, 2, integer(value));
            put_bytes(out, 3, text.as_bytes());
        }),
        Scalar::Raw => put_message(out, number, |out| {
            if let Value::Raw(text) = value {
                put_bytes(out, 1, text.as_bytes());
            }
        }),
        // Has no protobuf form; no table gives it a number.
        Scalar::Any => {}
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        _ => 0,
    }
}

fn time(text: &str, precision: Precision, out: &mut Vec<u8>) {
    if let Some(instant) = Instant::parse(text, precision).ok().filter(|instant| !instant.is_zero()) {
        put_number(out, 1, instant.seconds);
        put_number(out, 2, i64::from(instant.micros) * 1_000);
    }
}
