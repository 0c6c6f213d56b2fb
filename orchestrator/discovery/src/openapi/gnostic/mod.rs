//! The OpenAPI v2 document as protobuf: gnostic's message `openapi.v2.Document`, which `kubectl` reads.
//!
//! The bytes are those that gnostic makes of the same JSON: fields by number, members of maps as they stand, and
//! values of any form as YAML text. Unlike gnostic, a document may lack what OpenAPI requires: that is for its maker to see
//! to, and no reason to withhold all the rest from clients.

mod node;
mod scalar;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod wire;
mod yaml;

use node::Node;
use std::fmt;
use table::{Choice, Field, Keys, Kind, Message, When};
use wire::{bytes, double, integer, text};

/// Why a document has no protobuf.
#[derive(Debug)]
pub enum Error {
    /// It is not JSON.
    Json(serde_json::Error),
    /// A member, named with those above it, is unknown or has a value of the wrong kind.
    Unexpected(String),
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(to),
            Self::Unexpected(at) if at.is_empty() => to.write_str("the document is no object"),
            Self::Unexpected(at) => write!(to, "{at} has an unexpected value"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The same error, seen from one level above.
    fn below(self, name: &str) -> Self {
        match self {
            Self::Unexpected(at) if at.is_empty() => Self::Unexpected(name.to_owned()),
            Self::Unexpected(at) => Self::Unexpected(format!("{name}.{at}")),
            other => other,
        }
    }
}

/// Converts an OpenAPI v2 document from JSON, as this crate makes it, to protobuf.
///
/// # Errors
/// The text is no JSON (or is nested beyond 127 levels), or holds what OpenAPI v2 does not know.
pub fn openapi_v2_to_protobuf(json: &[u8]) -> Result<Vec<u8>, Error> {
    let node: Node = serde_json::from_slice(json).map_err(Error::Json)?;
    message(&table::DOCUMENT, &node)
}

/// Fields of the message that pairs a name with a value.
const NAME: u32 = 1;
const VALUE: u32 = 2;
/// The field of any value's YAML text.
const YAML: u32 = 2;

fn message(of: &Message, node: &Node) -> Result<Vec<u8>, Error> {
    let Node::Map(members) = node else { return Err(Error::Unexpected(String::new())) };
    let mut out = Vec::new();
    for Field { name, number, kind } in of.fields.iter().copied().flatten() {
        if let Some(value) = node.get(name) {
            put(&mut out, *number, *kind, value).map_err(|error| error.below(name))?;
        }
    }
    for others in of.others {
        for (name, value) in members.iter().filter(|(name, _)| others.keys.take(name)) {
            let mut pair = Vec::new();
            text(&mut pair, NAME, name);
            put(&mut pair, VALUE, others.kind, value).map_err(|error| error.below(name))?;
            bytes(&mut out, others.number, &pair);
        }
    }
    match members.iter().find(|(name, _)| !of.knows(name)) {
        Some((name, _)) => Err(Error::Unexpected(name.clone())),
        None => Ok(out),
    }
}

/// Writes a field; zero values are left out as protobuf leaves them out.
fn put(out: &mut Vec<u8>, number: u32, kind: Kind, node: &Node) -> Result<(), Error> {
    match (kind, node) {
        (Kind::Text, Node::Null) => {}
        (Kind::Text, Node::Text(value)) => text(out, number, value),
        (Kind::Bool, Node::Bool(false)) => {}
        (Kind::Bool | Kind::Chosen, Node::Bool(value)) => integer(out, number, u64::from(*value)),
        (Kind::Int, Node::Number(value)) => match value.as_i64() {
            Some(0) => {}
            Some(value) => integer(out, number, value.cast_unsigned()),
            None => return Err(Error::Unexpected(String::new())),
        },
        (Kind::Double, Node::Number(value)) => double(out, number, value.as_f64().unwrap_or_default()),
        (Kind::Texts, Node::Text(value)) => bytes(out, number, value.as_bytes()),
        (Kind::Texts, Node::List(items)) => {
            for item in items {
                let Node::Text(value) = item else { return Err(Error::Unexpected(String::new())) };
                bytes(out, number, value.as_bytes());
            }
        }
        (Kind::Any, node) => {
            let mut any = Vec::new();
            text(&mut any, YAML, &yaml::print(node));
            bytes(out, number, &any);
        }
        (Kind::Message(of), node) => bytes(out, number, &message(of, node)?),
        (Kind::Within(kind), node) => {
            let mut inner = Vec::new();
            put(&mut inner, 1, *kind, node)?;
            bytes(out, number, &inner);
        }
        (Kind::Each(kind), Node::List(items)) => {
            for item in items {
                put(out, number, *kind, item)?;
            }
        }
        (Kind::OneOf(choices), node) => {
            let chosen = choices.iter().find(|choice| choice.when.fits(node));
            let Some(Choice { number: inner_number, kind, .. }) = chosen else {
                return Err(Error::Unexpected(String::new()));
            };
            let mut inner = Vec::new();
            put(&mut inner, *inner_number, *kind, node)?;
            bytes(out, number, &inner);
        }
        _ => return Err(Error::Unexpected(String::new())),
    }
    Ok(())
}

impl Message {
    fn knows(&self, name: &str) -> bool {
        self.fields.iter().copied().flatten().any(|field| field.name == name)
            || self.others.iter().any(|others| others.keys.take(name))
    }
}

impl Keys {
    fn take(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Starting(start) => name.starts_with(start),
            Self::Statuses => name == "default" || name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_digit()),
        }
    }
}

impl When {
    fn fits(self, node: &Node) -> bool {
        match self {
            Self::Always => true,
            Self::IsBool => matches!(node, Node::Bool(_)),
            Self::Has(key) => node.get(key).is_some(),
            Self::Says(members) => members.iter().all(|(key, text)| node.says(key, text)),
        }
    }
}
