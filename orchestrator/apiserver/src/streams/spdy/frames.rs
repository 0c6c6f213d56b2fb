//! Frames of SPDY/3.1 as bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::Reset;
use super::header_block::{self, Headers};

/// Length of what stands before every frame's content.
const HEAD: usize = 8;

/// Longest content of a control frame.
const LONGEST_CONTROL: usize = 16 << 10;

/// The first 16 bits of a control frame: the control bit and version 3.
const CONTROL: u16 = 0x8003;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

const FIN: u8 = 1;

/// The 31 bits of a stream's number.
const NUMBER: u32 = 0x7fff_ffff;

/// A frame from a client, or a piece of one: long data comes in pieces, only the last of which can be an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Open {
        stream: u32,
        headers: Headers,
        ends: bool,
    },
    Data {
        stream: u32,
        content: Bytes,
        ends: bool,
    },
    Reset {
        stream: u32,
    },
    Ping {
        id: u32,
    },
    GoAway,
    /// One that means nothing to this side.
    Other,
}

/// Cuts a stream of bytes into frames.
pub(super) struct Decoder {
    bytes: BytesMut,
    /// The data frame whose content comes: stream, bytes to come, whether it is an end.
    data: Option<(u32, usize, bool)>,
    headers: header_block::Reader,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), data: None, headers: header_block::Reader::new() }
    }

    /// Takes bytes in. What is kept when [`Self::next`] has given everything out is less than one control frame.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, as soon as it is there.
    ///
    /// # Errors
    /// The client breaks the protocol; nothing can be read any more.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, &'static str> {
        if let Some(piece) = self.piece() {
            return Ok(Some(piece));
        }
        if self.data.is_some() || self.bytes.len() < HEAD {
            return Ok(None);
        }
        let mut head = self.bytes.get(..HEAD).unwrap_or_default();
        let (first, flags) = (head.get_u32(), head.get_u8());
        let length = usize::try_from(head.get_uint(3)).unwrap_or(usize::MAX);
        if first >> 31 == 0 {
            self.bytes.advance(HEAD);
            self.data = Some((first, length, flags & FIN != 0));
            return Ok(self.piece());
        }
        let [_, _, kind @ ..] = first.to_be_bytes();
        if first >> 16 != u32::from(CONTROL) {
            return Err("a frame of another version than SPDY/3");
        }
        if length > LONGEST_CONTROL {
            return Err("a control frame that is too long");
        }
        if self.bytes.len() < HEAD + length {
            return Ok(None);
        }
        self.bytes.advance(HEAD);
        let content = self.bytes.split_to(length).freeze();
        self.control(u16::from_be_bytes(kind), flags, content).map(Some)
    }

    /// What is there of the present data frame.
    fn piece(&mut self) -> Option<Frame> {
        let (stream, left, ends) = self.data?;
        if left > 0 && self.bytes.is_empty() {
            return None;
        }
        let content = self.bytes.split_to(left.min(self.bytes.len())).freeze();
        let left = left - content.len();
        self.data = (left > 0).then_some((stream, left, ends));
        Some(Frame::Data { stream, content, ends: ends && left == 0 })
    }

    fn control(&mut self, kind: u16, flags: u8, mut content: Bytes) -> Result<Frame, &'static str> {
        const SHORT: &str = "a control frame that is too short";
        let shortest = match kind {
            SYN_STREAM => 10,
            RST_STREAM => 8,
            PING | SYN_REPLY | HEADERS => 4,
            _ => 0,
        };
        if content.len() < shortest {
            return Err(SHORT);
        }
        Ok(match kind {
            SYN_STREAM => {
                let stream = content.get_u32() & NUMBER;
                content.advance(6);
                Frame::Open { stream, headers: self.headers.read(&content)?, ends: flags & FIN != 0 }
            }
            // Their headers matter only to what zlib knows.
            SYN_REPLY | HEADERS => {
                content.advance(4);
                self.headers.read(&content)?;
                Frame::Other
            }
            RST_STREAM => Frame::Reset { stream: content.get_u32() & NUMBER },
            PING => Frame::Ping { id: content.get_u32() },
            GOAWAY => Frame::GoAway,
            _ => Frame::Other,
        })
    }
}

fn control(kind: u16, content: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + content.len());
    frame.put_u16(CONTROL);
    frame.put_u16(kind);
    frame.put_u8(0);
    frame.put_uint(content.len() as u64, 3);
    frame.put_slice(content);
    frame.freeze()
}

/// Says that a stream is accepted.
pub(super) fn reply(stream: u32, first: bool) -> Bytes {
    control(SYN_REPLY, &[&stream.to_be_bytes()[..], &header_block::empty(first)].concat())
}

/// Ends both directions of a stream.
pub(super) fn reset(stream: u32, why: Reset) -> Bytes {
    control(RST_STREAM, &[stream.to_be_bytes(), (why as u32).to_be_bytes()].concat())
}

/// Answers a ping.
pub(super) fn pong(id: u32) -> Bytes {
    control(PING, &id.to_be_bytes())
}

/// Data of a stream. The content has less than 16 MiB, as all pieces here have.
pub(super) fn data(stream: u32, content: &[u8], ends: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + content.len());
    frame.put_u32(stream & NUMBER);
    frame.put_u8(if ends { FIN } else { 0 });
    frame.put_uint(content.len() as u64, 3);
    frame.put_slice(content);
    frame.freeze()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::header_block::tests::Writer;
    use super::*;
    use proptest::prelude::*;

    /// A frame that opens a stream.
    pub(crate) fn open(writer: &mut Writer, stream: u32, headers: &[(&str, &str)]) -> Bytes {
        let block = writer.write(headers);
        control(SYN_STREAM, &[&stream.to_be_bytes()[..], &[0; 6], &block].concat())
    }

    fn decoded(bytes: &[u8], step: usize) -> Result<Vec<Frame>, &'static str> {
        let mut decoder = Decoder::new();
        let mut frames: Vec<Frame> = Vec::new();
        for bytes in bytes.chunks(step) {
            decoder.push(bytes);
            while let Some(frame) = decoder.next()? {
                // Pieces are joined, so that every way of cutting gives the same.
                match (frames.last_mut(), frame) {
                    (
                        Some(Frame::Data { stream, content, ends: ends @ false }),
                        Frame::Data { stream: of, content: more, ends: end },
                    ) if *stream == of => {
                        *content = [content.as_ref(), &more].concat().into();
                        *ends = end;
                    }
                    (_, frame) => frames.push(frame),
                }
            }
        }
        Ok(frames)
    }

    #[test]
    fn frames_are_cut_out_of_bytes() {
        let mut writer = Writer::new();
        let bytes = [
            open(&mut writer, 1, &[("port", "80")]),
            control(4, &[0, 0, 0, 0]),
            open(&mut writer, 3, &[("port", "80"), ("a", "b")]),
            data(1, b"abc", false),
            data(3, b"x", true),
            data(1, b"", true),
            control(HEADERS, &[&[0, 0, 0, 1][..], &writer.write(&[("c", "d")])].concat()),
            pong(7),
            reset(3, Reset::Cancelled),
            open(&mut writer, 5, &[("port", "81")]),
            control(GOAWAY, &[0; 8]),
        ]
        .concat();
        for step in [1, 2, 7, 8, 9, bytes.len()] {
            let frames = decoded(&bytes, step).unwrap();
            let shown: Vec<String> = frames
                .iter()
                .map(|frame| match frame {
                    Frame::Open { stream, headers, ends } => format!("open {stream} {} {ends}", headers.get("port")),
                    Frame::Data { stream, content, ends } => format!("data {stream} {content:?} {ends}"),
                    other => format!("{other:?}"),
                })
                .collect();
            let expected = [
                "open 1 80 false",
                "Other",
                "open 3 80 false",
                "data 1 b\"abc\" false",
                "data 3 b\"x\" true",
                "data 1 b\"\" true",
                "Other",
                "Ping { id: 7 }",
                "Reset { stream: 3 }",
                "open 5 81 false",
                "GoAway",
            ];
            assert_eq!(shown, expected, "in steps of {step}");
        }
    }

    #[test]
    fn wrong_frames() {
        for (bytes, expected) in [
            (vec![0x80, 2, 0, 1, 0, 0, 0, 0], "a frame of another version than SPDY/3"),
            (vec![0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff], "a control frame that is too long"),
            (control(SYN_STREAM, &[0; 9]).to_vec(), "a control frame that is too short"),
            (control(SYN_STREAM, &[0; 20]).to_vec(), "headers that cannot be decompressed"),
            (control(RST_STREAM, &[0; 7]).to_vec(), "a control frame that is too short"),
            (control(PING, &[]).to_vec(), "a control frame that is too short"),
            (control(SYN_REPLY, &[0; 3]).to_vec(), "a control frame that is too short"),
        ] {
            assert_eq!(decoded(&bytes, bytes.len()), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn frames_are_written() {
        assert_eq!(reset(3, Reset::Refused).as_ref(), [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 3]);
        assert_eq!(data(1, b"ab", true).as_ref(), [0, 0, 0, 1, 1, 0, 0, 2, b'a', b'b']);
        assert_eq!(&reply(5, true)[..14], [0x80, 3, 0, 2, 0, 0, 0, 20, 0, 0, 0, 5, 0x78, 1]);
        assert_eq!(reply(5, false).len(), 8 + 18);
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes: Vec<u8>, step in 1_usize..50) {
            let _ = decoded(&bytes, step);
        }

        #[test]
        fn any_control_frame_gets_an_answer(kind in 0_u16..10, content: Vec<u8>) {
            let _ = decoded(&control(kind, &content), 64);
        }

        #[test]
        fn data_comes_through_unchanged(pieces: Vec<(u8, Vec<u8>)>, step in 1_usize..50) {
            let bytes: Vec<u8> =
                pieces.iter().flat_map(|(stream, content)| data(u32::from(*stream), content, true)).collect();
            let expected: Vec<Frame> = pieces
                .into_iter()
                .map(|(stream, content)| Frame::Data { stream: stream.into(), content: content.into(), ends: true })
                .collect();
            prop_assert_eq!(decoded(&bytes, step), Ok(expected));
        }
    }
}
