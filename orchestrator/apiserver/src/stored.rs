//! What the store keeps of an object: the spans of its pieces, then its canonical JSON without resourceVersion.
//!
//! ```text
//! bytes 0..4    end of the type header      (little endian, offsets count from byte 20)
//! bytes 4..12   begin and end of metadata
//! bytes 12..16  where resourceVersion belongs
//! byte 16       bit 0: a comma leads it, bit 1: a comma trails it
//! bytes 17..20  zero
//! bytes 20..    JSON
//! ```
//! The layout is final; the store's envelope carries its version (schema generation, `SCHEMA_GENERATION`).

use coracle_apimachinery::at_rest::{AtRest, Slot, Spans};
use coracle_store::{Entry, Value as StoreValue};

/// Which schema and defaults the stored bytes were derived with.
pub(crate) const SCHEMA_GENERATION: u32 = 1;

const HEADER: usize = 20;

/// An object as answers are cut from it: stored bytes and the revision they have, 0 for none.
#[derive(Debug, Clone)]
pub struct Object {
    value: StoreValue,
    revision: u64,
}

impl Object {
    /// The object of a store entry.
    #[must_use]
    pub fn of_entry(entry: &Entry) -> Self {
        Self { value: entry.value().clone(), revision: entry.revision().as_u64() }
    }

    /// The last state of a deleted entry, at the revision of its deletion.
    #[must_use]
    pub fn at(entry: &Entry, revision: u64) -> Self {
        Self { value: entry.value().clone(), revision }
    }

    /// An object that is not stored (yet).
    ///
    /// # Errors
    /// It is larger than the store takes.
    pub fn unstored(at_rest: &AtRest) -> Result<Self, coracle_store::Error> {
        Ok(Self { value: to_store(at_rest)?, revision: 0 })
    }

    /// An object of stored bytes at a revision.
    #[must_use]
    pub fn made(value: StoreValue, revision: u64) -> Self {
        Self { value, revision }
    }

    /// Other bytes at the same revision.
    #[must_use]
    pub fn with_value(&self, value: StoreValue) -> Self {
        Self { value, revision: self.revision }
    }

    /// The stored form.
    #[must_use]
    pub fn store_value(&self) -> &StoreValue {
        &self.value
    }

    /// The revision; 0 when it is not stored.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The JSON of the whole object.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        let Some((json, spans)) = pieces(&self.value) else { return Vec::new() };
        let mut out = Vec::with_capacity(json.len() + 42);
        self.cut(json, spans.revision, 0..json.len(), &mut out);
        out
    }

    /// The object as an item of a typed list, which has no type header.
    pub fn item(&self, out: &mut Vec<u8>) {
        let Some((json, spans)) = pieces(&self.value) else { return };
        out.push(b'{');
        self.cut(json, spans.revision, spans.header.end..json.len(), out);
    }

    /// The value of `metadata`.
    pub fn metadata(&self, out: &mut Vec<u8>) {
        let Some((json, spans)) = pieces(&self.value) else { return };
        self.cut(json, spans.revision, spans.metadata, out);
    }

    fn cut(&self, json: &[u8], slot: Slot, range: std::ops::Range<usize>, out: &mut Vec<u8>) {
        out.extend_from_slice(json.get(range.start..slot.at).unwrap_or_default());
        if self.revision != 0 {
            if slot.comma_before {
                out.push(b',');
            }
            out.extend_from_slice(format!("\"resourceVersion\":\"{}\"", self.revision).as_bytes());
            if slot.comma_after {
                out.push(b',');
            }
        }
        out.extend_from_slice(json.get(slot.at..range.end).unwrap_or_default());
    }
}

/// The stored form of an encoded object.
///
/// # Errors
/// It is larger than the store takes.
pub(crate) fn to_store(at_rest: &AtRest) -> Result<StoreValue, coracle_store::Error> {
    let Spans { header, metadata, revision } = &at_rest.spans;
    let mut body = Vec::with_capacity(HEADER + at_rest.bytes.len());
    for offset in [header.end, metadata.start, metadata.end, revision.at] {
        // A larger object is refused by the store below.
        body.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
    }
    body.push(u8::from(revision.comma_before) | u8::from(revision.comma_after) << 1);
    body.extend_from_slice(&[0; 3]);
    body.extend_from_slice(&at_rest.bytes);
    StoreValue::new(SCHEMA_GENERATION, &body)
}

/// JSON and spans of stored bytes; `None` when they are none that this program wrote.
#[must_use]
pub(crate) fn pieces(value: &StoreValue) -> Option<(&[u8], Spans)> {
    let (header, json) = value.body().split_at_checked(HEADER)?;
    let offset = |at: usize| -> Option<usize> {
        let bytes = header.get(at..at + 4)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok().filter(|offset| *offset <= json.len())
    };
    let (end, from, to, at) = (offset(0)?, offset(4)?, offset(8)?, offset(12)?);
    let flags = *header.get(16)?;
    if end > at || from > at || at > to {
        return None;
    }
    let revision = Slot { at, comma_before: flags & 1 != 0, comma_after: flags & 2 != 0 };
    Some((json, Spans { header: 1..end, metadata: from..to, revision }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::{json, schema};

    #[test]
    fn pieces_survive_the_store() {
        let of = schema::kind("v1", "ConfigMap").unwrap();
        let text = br#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n","generation":2},"data":{"a":"b"}}"#;
        let value = json::decode(of, text, json::FieldValidation::Ignore).unwrap().value;
        let at_rest = AtRest::encode(of, &value).unwrap();
        let object = Object::unstored(&at_rest).unwrap();
        assert_eq!(object.json(), text);
        let (json, spans) = pieces(object.store_value()).unwrap();
        assert_eq!((json, spans), (at_rest.bytes.as_slice(), at_rest.spans.clone()));
        let object = Object { revision: 7, ..object };
        assert_eq!(object.json(), at_rest.at_revision(7));
        let (mut item, mut expected) = (Vec::new(), Vec::new());
        object.item(&mut item);
        at_rest.item_at_revision(7, &mut expected);
        assert_eq!(item, expected);
    }

    #[test]
    fn foreign_bytes_have_no_pieces() {
        for body in [&b""[..], &[0; 19], &[0xff; 40]] {
            assert!(pieces(&StoreValue::new(1, body).unwrap()).is_none(), "{body:?}");
        }
    }
}
