//! How watch events follow each other in a stream.

use super::accept::Media;

/// Longest object in one event, so that no length field can overflow.
const LONGEST: usize = 1 << 30;

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It came into view.
    Added,
    /// It changed.
    Modified,
    /// It went out of view.
    Deleted,
    /// Nothing: only how far the stream is.
    Bookmark,
    /// The stream ends with a Status.
    Error,
}

impl Event {
    /// The word in the stream.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }
}

/// One event with its encoded object: a JSON document, or an enveloped protobuf message. None for YAML, which is never
/// streamed, and for objects that no client would take.
#[must_use]
pub fn frame(media: Media, event: Event, object: &[u8]) -> Option<Vec<u8>> {
    if object.len() > LONGEST {
        return None;
    }
    match media {
        Media::Json => Some(json(event, object)),
        Media::Protobuf => protobuf(event, object),
        Media::Yaml => None,
    }
}

fn json(event: Event, object: &[u8]) -> Vec<u8> {
    // A line break ends an event; documents end with one, too.
    let object = object.trim_ascii_end();
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(event.as_str().as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line
}

/// Length, then WatchEvent: its type, and RawExtension with the object.
fn protobuf(event: Event, object: &[u8]) -> Option<Vec<u8>> {
    let mut extension = Vec::with_capacity(object.len() + 6);
    put(&mut extension, 1, object);
    let mut message = Vec::with_capacity(extension.len() + 20);
    put(&mut message, 1, event.as_str().as_bytes());
    put(&mut message, 2, &extension);
    let mut frame = u32::try_from(message.len()).ok()?.to_be_bytes().to_vec();
    frame.append(&mut message);
    Some(frame)
}

/// A length-delimited field.
fn put(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    let mut length = bytes.len();
    while length > 0x7f {
        out.push(0x80 | u8::try_from(length & 0x7f).unwrap_or_default());
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_events_are_lines() {
        for (event, object, expected) in [
            (Event::Added, &b"{\"a\":1}\n"[..], &b"{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n"[..]),
            (Event::Bookmark, b"{}", b"{\"type\":\"BOOKMARK\",\"object\":{}}\n"),
        ] {
            assert_eq!(frame(Media::Json, event, object).unwrap(), expected);
        }
        assert_eq!(frame(Media::Yaml, Event::Added, b"a: 1"), None);
    }

    #[test]
    fn protobuf_events_have_lengths() {
        let found = frame(Media::Protobuf, Event::Error, b"k8s\0x").unwrap();
        assert_eq!(found, b"\0\0\0\x10\x0a\x05ERROR\x12\x07\x0a\x05k8s\0x");
        let long = frame(Media::Protobuf, Event::Added, &[0; 300]).unwrap();
        assert_eq!(long[..17], *b"\0\0\x01\x39\x0a\x05ADDED\x12\xaf\x02\x0a\xac\x02");
        assert_eq!(long.len(), 4 + 7 + 3 + 3 + 300);
    }
}
