//! The envelope of Kubernetes protobuf bodies: four bytes, then a `runtime.Unknown` with the type and the message.

use super::wire::{BYTES, Reader, put_bytes, put_message};
use super::{Error, decode, encode};
use crate::schema::Type;
use crate::{Key, MAX_BYTES, Value};

/// First bytes of every body.
pub const PREFIX: [u8; 4] = *b"k8s\0";

/// An opened envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `apiVersion` of the message.
    pub api_version: String,
    /// `kind` of the message.
    pub kind: String,
    /// The message.
    pub raw: &'a [u8],
}

/// Opens the envelope of a body; the caller looks up the type and decodes `raw`.
pub fn open(body: &[u8]) -> Result<Envelope<'_>, Error> {
    if body.len() > MAX_BYTES {
        return Err(Error::TooLarge(body.len()));
    }
    let message = body.strip_prefix(&PREFIX).ok_or(Error::NoPrefix)?;
    let mut envelope = Envelope { api_version: String::new(), kind: String::new(), raw: &[] };
    let mut reader = Reader(message);
    while let Some(field) = reader.next()? {
        if (1..=4).contains(&field.number) && field.wire_type != BYTES {
            return Err(Error::WrongWireType { wire_type: field.wire_type, field: "Unknown".to_owned() });
        }
        match field.number {
            1 => type_meta(field.bytes, &mut envelope)?,
            2 => envelope.raw = field.bytes,
            _ => {}
        }
    }
    Ok(envelope)
}

fn type_meta(bytes: &[u8], envelope: &mut Envelope<'_>) -> Result<(), Error> {
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        let target = match field.number {
            1 => &mut envelope.api_version,
            2 => &mut envelope.kind,
            _ => continue,
        };
        if field.wire_type != BYTES {
            return Err(Error::WrongWireType { wire_type: field.wire_type, field: "TypeMeta".to_owned() });
        }
        *target = String::from_utf8_lossy(field.bytes).into_owned();
    }
    Ok(())
}

impl Envelope<'_> {
    /// Decodes the message as `of` and puts the type's names, which the message does not hold, into the tree.
    pub fn decode(&self, of: Type<'_>) -> Result<Value, Error> {
        let mut value = decode(of, self.raw)?;
        if let Value::Object(object) = &mut value {
            for (name, text) in [("apiVersion", &self.api_version), ("kind", &self.kind)] {
                if !text.is_empty() {
                    object.insert(Key::Borrowed(name), Value::text(text.as_str()));
                }
            }
        }
        Ok(value)
    }
}

/// Encodes an object with its envelope; the type's names come from its `apiVersion` and `kind`.
pub fn seal(of: Type<'_>, value: &Value) -> Vec<u8> {
    let text =
        |name: &str| value.as_object().and_then(|object| object.get(name)).and_then(Value::as_str).unwrap_or_default();
    seal_message(text("apiVersion"), text("kind"), &encode(of, value))
}

/// Puts a message that is encoded already into its envelope.
pub fn seal_message(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let mut out = PREFIX.to_vec();
    out.reserve(message.len() + api_version.len() + kind.len() + 32);
    put_message(&mut out, 1, |out| {
        put_bytes(out, 1, api_version.as_bytes());
        put_bytes(out, 2, kind.as_bytes());
    });
    put_bytes(&mut out, 2, message);
    put_bytes(&mut out, 3, &[]);
    put_bytes(&mut out, 4, &[]);
    out
}

#[cfg(test)]
mod tests {
    use super::{Error, open, seal};
    use crate::schema;
    use crate::{Object, Value};

    #[test]
    fn an_empty_object_has_the_known_bytes() {
        let of = schema::kind("v1", "ConfigMap").unwrap();
        let object: Object =
            [("kind".into(), Value::text("ConfigMap")), ("apiVersion".into(), Value::text("v1"))].into_iter().collect();
        let body = seal(of, &Value::Object(object));
        let metadata = b"\x0a\x10\x0a\x00\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00\x38\x00\x42\x00";
        let mut expected = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x12".to_vec();
        expected.extend_from_slice(metadata);
        expected.extend_from_slice(b"\x1a\x00\x22\x00");
        assert_eq!(body, expected);
        assert_eq!(open(&body).unwrap().kind, "ConfigMap");
    }

    #[test]
    fn items_one_by_one_give_the_bytes_of_the_whole_list() {
        let of = schema::kind("v1", "ConfigMapList").unwrap();
        let item = |name: &str| {
            let metadata: Object = [("name".into(), Value::text(name))].into_iter().collect();
            Value::Object([("metadata".into(), Value::Object(metadata))].into_iter().collect())
        };
        let items = ["a", "b"].map(item).to_vec();
        let revision: Object = [("resourceVersion".into(), Value::text("7"))].into_iter().collect();
        let head: Object = [("metadata".into(), Value::Object(revision))].into_iter().collect();
        let mut whole = head.clone();
        whole.insert("items".into(), Value::List(items.clone()));
        let mut message = super::encode(of, &Value::Object(head));
        assert!(items.iter().all(|item| super::super::encode_item(of, item, &mut message)));
        assert_eq!(message, super::encode(of, &Value::Object(whole)));
        let not_a_list = schema::kind("v1", "ConfigMap").unwrap();
        assert!(!super::super::encode_item(not_a_list, &items[0], &mut message));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        assert_eq!(open(b"{}"), Err(Error::NoPrefix));
        assert_eq!(open(b"k8s\0\x12\x05ab"), Err(Error::Truncated));
        assert!(matches!(open(b"k8s\0\x10\x01"), Err(Error::WrongWireType { wire_type: 0, .. })));
    }

    #[test]
    fn unknown_fields_are_skipped_and_wrong_kinds_refused() {
        let of = schema::kind("v1", "ConfigMap").unwrap();
        let skipped = super::decode(of, b"\xa2\x06\x03abc\xa8\x06\x01").unwrap();
        assert_eq!(skipped, Value::Object(Object::new()));
        // A group with a varint and another group in it.
        let group = super::decode(of, b"\xa3\x06\x08\x01\x13\x14\xa4\x06").unwrap();
        assert_eq!(group, Value::Object(Object::new()));
        assert_eq!(super::decode(of, b"\xa4\x06"), Err(Error::UnexpectedEndOfGroup));
        let error = super::decode(of, b"\x08\x01").unwrap_err().to_string();
        assert_eq!(error, "proto: wrong wireType = 0 for field metadata");
    }
}
