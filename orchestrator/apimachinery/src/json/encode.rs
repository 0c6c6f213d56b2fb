//! The canonical encoder: what Go's `encoding/json` prints for the typed object, without white space.

use super::text::{compact, quote};
use crate::at_rest::Marks;
use crate::float;
use crate::schema::{Node, Scalar, Shape, Type};
use crate::{Object, Value};

/// Prints an object of type `of`.
pub fn encode(of: Type<'_>, value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::default();
    match value {
        Value::Object(object) => encoder.structure(of, object),
        other => encoder.any(other),
    }
    encoder.out
}

/// Prints a value by itself, without a schema: members sorted by name.
pub fn encode_any(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.any(value);
    encoder.out
}

/// What a shape is when nothing was said: its Go zero value.
pub(crate) fn zero(shape: Shape<'_>) -> Value {
    match shape.node() {
        Node::Scalar(scalar) => match scalar {
            Scalar::Bool => Value::Bool(false),
            Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString => Value::Int(0),
            Scalar::Float64 => Value::Float(0.0),
            Scalar::String => Value::text(""),
            Scalar::Duration => Value::text("0s"),
            Scalar::Quantity => Value::text("0"),
            Scalar::Bytes | Scalar::Time | Scalar::MicroTime | Scalar::Raw | Scalar::Any => Value::Null,
        },
        Node::Named(_) => Value::text(""),
        Node::Struct(_) | Node::Foreign(_) => Value::Object(Object::new()),
        Node::SchemaOrBool(_) => Value::Bool(false),
        Node::List(_) | Node::Map(_) | Node::Wrapped(_) | Node::SchemaOrArray(_) | Node::SchemaOrStrings(_) => {
            Value::Null
        }
    }
}

/// Whether the shape is a struct in Go, which `omitempty` never leaves out.
fn is_go_struct(node: Node) -> bool {
    match node {
        Node::Scalar(scalar) => matches!(
            scalar,
            Scalar::Time | Scalar::MicroTime | Scalar::Duration | Scalar::Quantity | Scalar::IntOrString | Scalar::Raw
        ),
        Node::Struct(_)
        | Node::Foreign(_)
        | Node::SchemaOrArray(_)
        | Node::SchemaOrBool(_)
        | Node::SchemaOrStrings(_) => true,
        Node::Named(_) | Node::List(_) | Node::Map(_) | Node::Wrapped(_) => false,
    }
}

#[derive(Default)]
pub(crate) struct Encoder {
    pub(crate) out: Vec<u8>,
    /// Where the places that the store slices are noted, when it asks for them; counts the structs around the cursor.
    pub(crate) marks: Option<Marks>,
    depth: usize,
}

impl Encoder {
    /// An encoder that notes where the store's pieces lie.
    pub(crate) fn with_marks() -> Self {
        Self { marks: Some(Marks::default()), ..Self::default() }
    }

    pub(crate) fn structure(&mut self, of: Type<'_>, object: &Object) {
        self.out.push(b'{');
        self.depth += 1;
        let mut first = true;
        for field in &of.of.fields {
            let shape = of.shape_of(field);
            let value = object.get(&field.name);
            if self.marks.is_some() && self.at_revision_slot(&field.name) {
                let end = self.out.len();
                if let Some(marks) = &mut self.marks {
                    marks.slot(end, first);
                }
                continue;
            }
            let printed = match value {
                Some(value) if field.pointer => Some(value),
                Some(value) if field.omit_zero && *value == Value::Null => None,
                Some(value) if field.omit_empty && !is_go_struct(shape.node()) && value.is_empty() => None,
                Some(value) => Some(value),
                None if field.omit_zero => None,
                None if field.pointer && field.omit_empty => None,
                None if field.omit_empty && !is_go_struct(shape.node()) => None,
                None => Some(&Value::Null),
            };
            let Some(printed) = printed else { continue };
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            let from = self.out.len();
            quote(&field.name, &mut self.out);
            self.out.push(b':');
            let value_from = self.out.len();
            if field.pointer && value.is_none() {
                self.out.extend_from_slice(b"null");
            } else {
                self.shaped(shape, printed);
            }
            if self.depth == 1 {
                let to = self.out.len();
                if let Some(marks) = &mut self.marks {
                    marks.member(&field.name, from, value_from, to);
                }
            }
        }
        if let Some(marks) = &mut self.marks {
            marks.end_of_struct(self.depth, first);
        }
        self.depth -= 1;
        self.out.push(b'}');
    }

    /// The resourceVersion of the object itself; it is not kept but filled in when the object is sent.
    fn at_revision_slot(&self, name: &str) -> bool {
        self.depth == 2 && name == "resourceVersion" && self.marks.as_ref().is_some_and(Marks::in_metadata)
    }

    fn shaped(&mut self, shape: Shape<'_>, value: &Value) {
        let node = shape.node();
        match (node, value) {
            (_, Value::Null) => match zero(shape) {
                Value::Null => self.out.extend_from_slice(b"null"),
                Value::Object(object) => match shape.as_type() {
                    Some(of) => self.structure(of, &object),
                    None => self.out.extend_from_slice(b"{}"),
                },
                other => self.any(&other),
            },
            (Node::Struct(_) | Node::Foreign(_), Value::Object(object)) => match shape.as_type() {
                Some(of) => self.structure(of, object),
                None => self.any(value),
            },
            (Node::List(_) | Node::Wrapped(_), Value::List(items)) => match shape.item() {
                Some(item) => self.list(items, |encoder, value| encoder.shaped(item, value)),
                None => self.any(value),
            },
            (Node::Map(_), Value::Object(object)) => match shape.item() {
                Some(item) => self.map(object, |encoder, value| encoder.shaped(item, value)),
                None => self.any(value),
            },
            (Node::SchemaOrArray(id) | Node::SchemaOrBool(id) | Node::SchemaOrStrings(id), Value::Object(object)) => {
                match shape.schema.struct_at(id) {
                    Some(of) => self.structure(of, object),
                    None => self.any(value),
                }
            }
            (Node::SchemaOrArray(id), Value::List(items)) => {
                let item = Shape { schema: shape.schema, node: Node::Struct(id) };
                self.list(items, |encoder, value| encoder.shaped(item, value));
            }
            _ => self.any(value),
        }
    }

    fn list(&mut self, items: &[Value], mut print: impl FnMut(&mut Self, &Value)) {
        self.out.push(b'[');
        // Structs in lists are never the object's own metadata.
        self.depth += 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            print(self, item);
        }
        self.depth -= 1;
        self.out.push(b']');
    }

    fn map(&mut self, object: &Object, mut print: impl FnMut(&mut Self, &Value)) {
        self.out.push(b'{');
        self.depth += 1;
        for (index, (key, value)) in object.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            quote(key, &mut self.out);
            self.out.push(b':');
            print(self, value);
        }
        self.depth -= 1;
        self.out.push(b'}');
    }

    pub(crate) fn any(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(value) => self.out.extend_from_slice(value.to_string().as_bytes()),
            Value::Float(value) => float::print(*value, &mut self.out),
            Value::String(text) => quote(text, &mut self.out),
            Value::List(items) => self.list(items, Self::any),
            Value::Object(object) => self.map(object, Self::any),
            Value::Raw(text) => compact(text, &mut self.out),
        }
    }
}
