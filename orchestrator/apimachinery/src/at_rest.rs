//! The form in which the store keeps an object: its canonical JSON without resourceVersion, and where the pieces lie that
//! answers are cut from. GET is the bytes with a revision put into the slot; a list item is the bytes without the type
//! header; a metadata-only answer is the metadata.

use crate::Value;
use crate::json::Encoder;
use crate::schema::Type;
use std::ops::Range;

/// An object at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtRest {
    /// Canonical JSON without `metadata.resourceVersion`.
    pub bytes: Vec<u8>,
    /// Where its pieces lie.
    pub spans: Spans,
}

/// Byte ranges in the JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// The members `kind` and `apiVersion` with the comma behind them; empty if the object has neither.
    pub header: Range<usize>,
    /// The value of `metadata`, with its braces.
    pub metadata: Range<usize>,
    /// Where `resourceVersion` belongs.
    pub revision: Slot,
}

/// A place for a member that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Offset at which the text goes.
    pub at: usize,
    /// Whether members stand before it, so that a comma leads.
    pub comma_before: bool,
    /// Whether members follow only behind it, so that a comma trails.
    pub comma_after: bool,
}

/// An object whose type has no `metadata` cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no metadata: it is not an object that can be stored")]
pub struct NotStorable(String);

impl AtRest {
    /// Encodes an object for the store.
    pub fn encode(of: Type<'_>, value: &Value) -> Result<Self, NotStorable> {
        let refuse = || NotStorable(of.name().to_owned());
        let object = value.as_object().ok_or_else(refuse)?;
        let mut encoder = Encoder::with_marks();
        encoder.structure(of, object);
        let marks = encoder.marks.take().unwrap_or_default();
        let (metadata, revision) = marks.metadata.zip(marks.slot).ok_or_else(refuse)?;
        // The header comes first in every type, so it begins behind the opening brace and takes the comma behind it.
        let header = 1..marks.header_end.map_or(1, |end| end + usize::from(encoder.out.get(end) == Some(&b',')));
        Ok(Self { bytes: encoder.out, spans: Spans { header, metadata, revision } })
    }

    /// The whole object as it is sent, at a revision.
    pub fn at_revision(&self, revision: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 42);
        self.write(0..self.bytes.len(), revision, &mut out);
        out
    }

    /// The object as an item of a typed list: without `kind` and `apiVersion`.
    pub fn item_at_revision(&self, revision: u64, out: &mut Vec<u8>) {
        out.push(b'{');
        self.write(self.spans.header.end..self.bytes.len(), revision, out);
    }

    /// The value of `metadata` at a revision.
    pub fn metadata_at_revision(&self, revision: u64, out: &mut Vec<u8>) {
        self.write(self.spans.metadata.clone(), revision, out);
    }

    /// Copies a range that contains the slot, with the revision in it.
    fn write(&self, range: Range<usize>, revision: u64, out: &mut Vec<u8>) {
        let slot = self.spans.revision;
        out.extend_from_slice(self.bytes.get(range.start..slot.at).unwrap_or_default());
        if slot.comma_before {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"resourceVersion\":\"{revision}\"").as_bytes());
        if slot.comma_after {
            out.push(b',');
        }
        out.extend_from_slice(self.bytes.get(slot.at..range.end).unwrap_or_default());
    }
}

/// Notes of the encoder while it prints an object for the store.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    header_end: Option<usize>,
    metadata: Option<Range<usize>>,
    slot: Option<Slot>,
    slot_was_first: bool,
    past_header: bool,
}

impl Marks {
    /// Whether the struct being printed at depth 2 is the object's metadata: the first one with the slot's member that
    /// comes right behind the header. Status, spec and the like follow it.
    pub(crate) fn in_metadata(&self) -> bool {
        self.slot.is_none() && self.metadata.is_none()
    }

    /// The slot's member came up at `at`; `first` says that nothing was printed before it in its object.
    pub(crate) fn slot(&mut self, at: usize, first: bool) {
        self.slot = Some(Slot { at, comma_before: !first, comma_after: false });
        self.slot_was_first = first;
    }

    /// The end of a struct; `empty` says that it printed no member.
    pub(crate) fn end_of_struct(&mut self, depth: usize, empty: bool) {
        if let (2, None, Some(slot)) = (depth, &self.metadata, &mut self.slot) {
            slot.comma_after = self.slot_was_first && !empty;
        }
    }

    /// A member of the object itself was printed.
    pub(crate) fn member(&mut self, name: &str, _from: usize, value_from: usize, to: usize) {
        match name {
            "kind" | "apiVersion" if !self.past_header => self.header_end = Some(to),
            "metadata" => {
                self.past_header = true;
                self.metadata = Some(value_from..to);
            }
            _ => self.past_header = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AtRest;
    use crate::json::{self, FieldValidation};
    use crate::schema;

    fn at_rest(text: &str) -> AtRest {
        let of = schema::kind("v1", "ConfigMap").unwrap();
        let value = json::decode(of, text.as_bytes(), FieldValidation::Ignore).unwrap().value;
        AtRest::encode(of, &value).unwrap()
    }

    #[test]
    fn a_revision_fits_wherever_the_slot_is() {
        let cases = [
            (r#"{"name":"n","uid":"u","resourceVersion":"9"}"#, r#"{"name":"n","uid":"u","resourceVersion":"7"}"#),
            (r#"{"generation":3}"#, r#"{"resourceVersion":"7","generation":3}"#),
            (r#"{"name":"n","generation":3}"#, r#"{"name":"n","resourceVersion":"7","generation":3}"#),
            (r#"{}"#, r#"{"resourceVersion":"7"}"#),
        ];
        for (given, expected) in cases {
            let stored =
                at_rest(&format!(r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{given},"data":{{"a":"b"}}}}"#));
            assert!(!String::from_utf8_lossy(&stored.bytes).contains("resourceVersion"));
            let full = format!(r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{expected},"data":{{"a":"b"}}}}"#);
            assert_eq!(String::from_utf8(stored.at_revision(7)).unwrap(), full);
            let mut item = Vec::new();
            stored.item_at_revision(7, &mut item);
            assert_eq!(String::from_utf8(item).unwrap(), format!(r#"{{"metadata":{expected},"data":{{"a":"b"}}}}"#));
            let mut metadata = Vec::new();
            stored.metadata_at_revision(7, &mut metadata);
            assert_eq!(String::from_utf8(metadata).unwrap(), expected);
            let header = &stored.bytes[stored.spans.header.clone()];
            assert_eq!(header, br#""kind":"ConfigMap","apiVersion":"v1","#);
        }
    }

    #[test]
    fn an_object_without_header_or_metadata_is_an_item_of_itself() {
        let stored = at_rest("{}");
        let mut item = Vec::new();
        stored.item_at_revision(1, &mut item);
        assert_eq!(item, stored.at_revision(1));
        assert_eq!(item, br#"{"metadata":{"resourceVersion":"1"}}"#);
    }

    #[test]
    fn other_resource_versions_stay() {
        let of = schema::kind("v1", "Event").unwrap();
        let text = r#"{"metadata":{"name":"n"},"involvedObject":{"resourceVersion":"5"}}"#;
        let value = json::decode(of, text.as_bytes(), FieldValidation::Ignore).unwrap().value;
        let stored = AtRest::encode(of, &value).unwrap();
        assert!(String::from_utf8_lossy(&stored.bytes).contains(r#""involvedObject":{"resourceVersion":"5"}"#));
        let review = schema::lookup("meta.k8s.io/v1", "DeleteOptions").unwrap();
        assert!(AtRest::encode(review, &value).is_err());
    }
}
