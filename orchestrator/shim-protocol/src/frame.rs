//! Frames: a 32-bit big-endian length, then that many bytes of JSON.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most bytes that the JSON of one frame may have.
pub const MAXIMUM: usize = 1 << 20;

/// Bytes of the length in front.
pub const HEADER: usize = 4;

/// Why a frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The length in front is above [`MAXIMUM`], or a value became that long.
    #[error("a frame of {0} bytes is too long, at most {MAXIMUM} are taken")]
    TooLong(usize),
    /// The other side closed the connection in the middle of a frame.
    #[error("the connection ended in the middle of a frame")]
    Truncated,
    /// The bytes are not the JSON of the expected type.
    #[error("a frame is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// The system call failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// One whole frame with this value.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, value)?;
    let length = bytes.len().saturating_sub(HEADER);
    let announced = u32::try_from(length).ok().filter(|_| length <= MAXIMUM).ok_or(Error::TooLong(length))?;
    if let Some(header) = bytes.first_chunk_mut::<HEADER>() {
        *header = announced.to_be_bytes();
    }
    Ok(bytes)
}

/// Collects bytes as they come and gives out whole frames. It never holds more than one frame and what followed it
/// in the same read.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// With nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, `None` if more bytes are needed. After an error the connection cannot be used any more.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let Some(header) = self.bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length > MAXIMUM {
            return Err(Error::TooLong(length));
        }
        let end = HEADER.saturating_add(length);
        let Some(body) = self.bytes.get(HEADER..end) else { return Ok(None) };
        let value = serde_json::from_slice(body)?;
        if end == self.bytes.len() {
            // A long frame's memory is given back: shims live long and receive seldom.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..end);
        }
        Ok(Some(value))
    }

    /// Whether nothing of an unfinished frame is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Writes one frame to a blocking stream.
pub fn write<T: Serialize>(stream: &mut impl Write, value: &T) -> Result<(), Error> {
    stream.write_all(&encode(value)?)?;
    Ok(stream.flush()?)
}

/// Reads one frame from a blocking stream; `None` if it ended before the frame's first byte.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, Error> {
    let mut header = [0; HEADER];
    let mut filled = 0;
    while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(Error::Truncated),
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length > MAXIMUM {
        return Err(Error::TooLong(length));
    }
    let mut body = Vec::new();
    let announced = u64::try_from(length).unwrap_or(u64::MAX);
    stream.take(announced).read_to_end(&mut body)?;
    if body.len() != length {
        return Err(Error::Truncated);
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let mut bytes = encode(&"one").unwrap();
        bytes.extend(encode(&"two, longer").unwrap());
        for cut in 0..=bytes.len() {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(text) = decoder.take::<String>().unwrap() {
                    found.push(text);
                }
            }
            assert_eq!(found, ["one", "two, longer"], "cut at {cut}");
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn bad_frames_are_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.take::<String>(), Err(Error::TooLong(_))));
        let mut decoder = Decoder::default();
        decoder.push(b"\0\0\0\x03abc");
        assert!(matches!(decoder.take::<String>(), Err(Error::Json(_))));
        assert!(matches!(encode(&"x".repeat(MAXIMUM)), Err(Error::TooLong(_))));
    }

    #[test]
    fn blocking_streams_work_too() {
        let mut bytes = Vec::new();
        write(&mut bytes, &7_u8).unwrap();
        for cut in 0..bytes.len() {
            let outcome = read::<u8>(&mut &bytes[..cut]);
            assert!(if cut == 0 { matches!(outcome, Ok(None)) } else { matches!(outcome, Err(Error::Truncated)) });
        }
        assert_eq!(read::<u8>(&mut bytes.as_slice()).unwrap(), Some(7));
        assert!(matches!(read::<u8>(&mut [0xff; 8].as_slice()), Err(Error::TooLong(_))));
    }
}
