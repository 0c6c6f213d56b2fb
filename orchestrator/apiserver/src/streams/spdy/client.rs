//! The client's side, for tests.

use bytes::{Buf as _, Bytes};

use super::{Reset, frames};

pub(crate) use super::header_block::tests::Writer;
pub(crate) use frames::tests::open;

/// Data of a stream.
pub(crate) fn data(stream: u32, content: &[u8], ends: bool) -> Bytes {
    frames::data(stream, content, ends)
}

/// Ends both directions of a stream.
pub(crate) fn reset(stream: u32) -> Bytes {
    frames::reset(stream, Reset::Cancelled)
}

/// Asks for a sign of life.
pub(crate) fn ping(id: u32) -> Bytes {
    frames::pong(id)
}

/// A frame of the server in words.
pub(crate) fn shown(mut frame: &[u8]) -> String {
    let (first, flags) = (frame.get_u32(), frame.get_u8());
    assert_eq!(usize::try_from(frame.get_uint(3)).unwrap(), frame.len());
    let end = if flags & 1 == 1 { " end" } else { "" };
    match first {
        0x8003_0002 => format!("reply {}", frame.get_u32()),
        0x8003_0003 => format!("reset {} {}", frame.get_u32(), frame.get_u32()),
        0x8003_0006 => format!("ping {}", frame.get_u32()),
        stream => format!("data {stream} {}{end}", std::str::from_utf8(frame).unwrap()),
    }
}
