//! The protobuf wire: tags, varints and length-delimited fields.

use super::Error;

/// Wire kinds.
pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const BYTES: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// One field of a message.
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) wire_type: u8,
    /// Of a varint or fixed field.
    pub(super) bits: u64,
    /// Of a length-delimited field.
    pub(super) bytes: &'a [u8],
}

/// A cursor over a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.0.split_first().ok_or(Error::Truncated)?;
            if shift >= 64 {
                return Err(Error::Overflow);
            }
            self.0 = rest;
            // Bits beyond the 64th fall off, as they do in Go.
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let length = usize::try_from(length).map_err(|_| Error::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed(&mut self, length: u64) -> Result<u64, Error> {
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn tag(&mut self) -> Result<(u32, u8), Error> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0).ok_or(Error::IllegalTag(tag))?;
        let wire_type = u8::try_from(tag & 7).map_err(|_| Error::IllegalTag(tag))?;
        Ok((number, wire_type))
    }

    /// The next field; `None` at the end. A group, which no Kubernetes type has, is passed over as a field of its kind.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let (bits, bytes) = self.content(wire_type)?;
        if wire_type == GROUP_START {
            self.skip_group()?;
        } else if wire_type == GROUP_END {
            return Err(Error::UnexpectedEndOfGroup);
        }
        Ok(Some(Field { number, wire_type, bits, bytes }))
    }

    fn content(&mut self, wire_type: u8) -> Result<(u64, &'a [u8]), Error> {
        Ok(match wire_type {
            VARINT => (self.varint()?, &[]),
            FIXED64 => (self.fixed(8)?, &[]),
            FIXED32 => (self.fixed(4)?, &[]),
            GROUP_START | GROUP_END => (0, &[]),
            BYTES => {
                let length = self.varint()?;
                (0, self.take(length)?)
            }
            other => return Err(Error::IllegalTag(other.into())),
        })
    }

    /// Passes over everything up to the end of the group that has begun. As in Go, end tags only count.
    fn skip_group(&mut self) -> Result<(), Error> {
        let mut depth = 1usize;
        while depth > 0 {
            let (_, wire_type) = self.tag()?;
            self.content(wire_type)?;
            match wire_type {
                GROUP_START => depth += 1,
                GROUP_END => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

pub(super) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u32, value: i64) {
    put_tag(out, number, VARINT);
    put_varint(out, value.cast_unsigned());
}

/// Writes a message field whose body `write` appends. Most bodies are short, so one byte is kept for the length and the
/// body is moved when it needs more.
pub(super) fn put_message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_tag(out, number, BYTES);
    let length_at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - length_at - 1;
    let mut prefix = Vec::with_capacity(10);
    put_varint(&mut prefix, length as u64);
    out.splice(length_at..=length_at, prefix);
}
