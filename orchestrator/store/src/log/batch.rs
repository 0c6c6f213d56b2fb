//! The payload of a batch record: the revision mark and the changes that became durable together.
//!
//! ```text
//! u64  mark: every revision issued so far, and every one issued before the next batch, is below it
//! u32  number of changes
//! then for each change
//!   u8   1 = put, 2 = delete
//!   u16  key length, key (UTF-8)
//!   put: u64 revision, u32 value length, value with its envelope
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::frame;
use crate::error::Error;
use crate::key::Key;
use crate::replica::Entry;
use crate::store::Revision;
use crate::value::Value;

/// The newest change of each key: its entry, or `None` for a deletion.
pub(crate) type ChangeSet = BTreeMap<Key, Option<Arc<Entry>>>;

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Bytes before the first change.
const PREFIX_BYTES: usize = 12;
/// Bytes of a put beside key and value.
const CHANGE_BYTES: usize = 1 + 2 + 8 + 4;

/// A decoded batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) mark: u64,
    pub(crate) changes: Vec<(Key, Option<(Revision, Value)>)>,
}

/// What one change needs in a batch, at most.
pub(crate) fn change_bytes(key: &Key, value: Option<&Value>) -> usize {
    CHANGE_BYTES + key.as_str().len() + value.map_or(0, |value| value.as_bytes().len())
}

/// What a record with changes of this many bytes needs in the log.
pub(crate) fn record_bytes(changes: usize) -> u64 {
    frame::size_of(PREFIX_BYTES + changes) as u64
}

/// A batch's bytes. Keys and values are bounded by their types; a count beyond 32 bits cannot fit a segment.
pub(crate) fn encode(mark: u64, changes: &ChangeSet) -> Vec<u8> {
    let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&mark.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    for (key, entry) in changes {
        let text = key.as_str().as_bytes();
        bytes.push(if entry.is_some() { PUT } else { DELETE });
        bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(text);
        if let Some(entry) = entry {
            let value = entry.value().as_bytes();
            bytes.extend_from_slice(&entry.revision().as_u64().to_le_bytes());
            bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

/// Reads a batch.
///
/// # Errors
/// [`Error::Corrupt`] for bytes that are not a batch, and the errors of keys and values.
pub(crate) fn decode(payload: &[u8], file: &str) -> Result<Batch, Error> {
    let mut reader = Reader { rest: payload, file };
    let mark = reader.number()?;
    let count = reader.short()?;
    let mut changes = Vec::new();
    for _ in 0..count {
        let operation = reader.take(1)?;
        let key_bytes = usize::from(u16::from_le_bytes(reader.array()?));
        let text = std::str::from_utf8(reader.take(key_bytes)?).map_err(|_| reader.damaged("a key is not UTF-8"))?;
        let key = Key::parse(text)?;
        let change = match operation {
            [PUT] => {
                let revision = Revision::from_u64(reader.number()?);
                let value_bytes = usize::try_from(reader.short()?).unwrap_or(usize::MAX);
                Some((revision, Value::parse(reader.take(value_bytes)?)?))
            }
            [DELETE] => None,
            other => return Err(reader.damaged(&format!("change type {other:?} is unknown"))),
        };
        changes.push((key, change));
    }
    if !reader.rest.is_empty() {
        return Err(reader.damaged("bytes follow its last change"));
    }
    Ok(Batch { mark, changes })
}

struct Reader<'a> {
    rest: &'a [u8],
    file: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damaged("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::corrupt(self.file, format!("a batch with a correct checksum cannot be read: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Tick;
    use crate::replica::NoIndex;

    fn entry(key: &str, revision: u64, body: &[u8]) -> (Key, Option<Arc<Entry>>) {
        let key = Key::parse(key).unwrap();
        let value = Value::new(3, body).unwrap();
        let entry = Entry::new(key.clone(), value, Revision::from_u64(revision), false);
        (key, Some(entry.written(Tick::default(), &NoIndex)))
    }

    #[test]
    fn layout_is_final() {
        let mut changes = ChangeSet::new();
        changes.extend([entry("a/b/c/d", 258, b"x")]);
        changes.insert(Key::parse("a/b//e").unwrap(), None);
        #[rustfmt::skip]
        assert_eq!(encode(5, &changes), [
            5, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0,
            2, 6, 0, b'a', b'/', b'b', b'/', b'/', b'e',
            1, 7, 0, b'a', b'/', b'b', b'/', b'c', b'/', b'd',
            2, 1, 0, 0, 0, 0, 0, 0,
            7, 0, 0, 0, 1, 0, 3, 0, 0, 0, b'x',
        ]);
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [&[0; 11][..], &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], &[0; 13]] {
            assert!(matches!(decode(bytes, "log"), Err(Error::Corrupt { .. })), "{bytes:?}");
        }
        let mut changes = ChangeSet::new();
        changes.insert(Key::parse("a/b/c/d").unwrap(), None);
        let mut bytes = encode(0, &changes);
        bytes[12] = 3;
        assert!(decode(&bytes, "log").unwrap_err().to_string().contains("change type [3] is unknown"));
    }

    proptest! {
        #[test]
        fn round_trip(
            mark: u64,
            items in proptest::collection::btree_map("[a-z]{1,8}", (any::<u64>(), any::<Option<Vec<u8>>>()), 0..8),
        ) {
            let mut changes = ChangeSet::new();
            for (name, (revision, body)) in &items {
                let (key, put) = entry(&format!("g/r/ns/{name}"), *revision, body.as_deref().unwrap_or_default());
                changes.insert(key, body.as_ref().and(put));
            }
            let bytes = encode(mark, &changes);
            let bound: usize = changes.iter().map(|(k, e)| change_bytes(k, e.as_ref().map(|e| e.value()))).sum();
            prop_assert!(frame::size_of(bytes.len()) as u64 <= record_bytes(bound));
            let batch = decode(&bytes, "log").unwrap();
            prop_assert_eq!(batch.mark, mark);
            let expected: Vec<_> = changes
                .into_iter()
                .map(|(key, entry)| (key, entry.map(|entry| (entry.revision(), entry.value().clone()))))
                .collect();
            prop_assert_eq!(batch.changes, expected);
        }

        #[test]
        fn any_payload_is_a_batch_or_an_error(bytes: Vec<u8>) {
            if let Ok(batch) = decode(&bytes, "log") {
                prop_assert!(batch.changes.len() <= bytes.len());
            }
        }
    }
}
