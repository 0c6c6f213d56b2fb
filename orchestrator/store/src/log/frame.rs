//! One record of the log. The layout is final; a new kind of record gets a new type number.
//!
//! ```text
//! 0..4    payload length        all numbers little endian
//! 4       record type
//! 5..8    zero
//! 8..16   sequence: 1, 2, 3, … without gap over all segments
//! 16..24  salt of the segment
//! 24..28  CRC-32 of the payload
//! 28..32  CRC-32 of bytes 0..28
//! 32..    payload, then zeros up to a multiple of 8
//! ```
//!
//! The salt is a random number that no client knows. It tells a record of this use of the segment from the remains of
//! an earlier use, and from bytes that a client has put into a value to look like a record.

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 32;
/// Records begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// A batch of changes: the only record type of this format.
pub(crate) const TYPE_BATCH: u8 = 1;

/// What the bytes at a position are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded<'a> {
    /// A whole record with a correct checksum, of whatever type.
    Record(Record<'a>),
    /// Not a record of this segment: unwritten space, remains, or torn by a power cut.
    Nothing,
}

/// A record whose checksums are right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) record_type: u8,
    pub(crate) sequence: u64,
    pub(crate) payload: &'a [u8],
    /// Where the next record begins, counted from this one.
    pub(crate) length: usize,
}

/// The size on disk of a record with a payload of this many bytes.
pub(crate) fn size_of(payload: usize) -> usize {
    (HEADER_BYTES + payload).next_multiple_of(ALIGNMENT)
}

/// A record's bytes; `None` if the payload does not fit the length field.
pub(crate) fn encode(record_type: u8, sequence: u64, salt: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(size_of(payload.len()));
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[record_type, 0, 0, 0]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&salt.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let header_crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&header_crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(size_of(payload.len()), 0);
    Some(bytes)
}

/// Reads the record at the beginning of `bytes`, if there is one with this salt.
pub(crate) fn decode(bytes: &[u8], salt: u64) -> Decoded<'_> {
    try_decode(bytes, salt).map_or(Decoded::Nothing, Decoded::Record)
}

fn try_decode(bytes: &[u8], salt: u64) -> Option<Record<'_>> {
    let (checked, _) = bytes.split_first_chunk::<28>()?;
    if number(bytes, 16)? != salt || short(bytes, 28)? != crc32fast::hash(checked) {
        return None;
    }
    let payload_bytes = usize::try_from(short(bytes, 0)?).ok()?;
    let payload = bytes.get(HEADER_BYTES..)?.get(..payload_bytes)?;
    if short(bytes, 24)? != crc32fast::hash(payload) {
        return None;
    }
    let record_type = *bytes.get(4)?;
    Some(Record { record_type, sequence: number(bytes, 8)?, payload, length: size_of(payload_bytes) })
}

/// The 32-bit number at an offset.
pub(crate) fn short(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// The 64-bit number at an offset.
pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layout_is_final() {
        let bytes = encode(TYPE_BATCH, 0x0102_0304_0506_0708, 0x1112_1314_1516_1718, b"abc").unwrap();
        #[rustfmt::skip]
        assert_eq!(bytes, [
            3, 0, 0, 0, 1, 0, 0, 0,
            8, 7, 6, 5, 4, 3, 2, 1,
            0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
            0xc2, 0x41, 0x24, 0x35, // CRC-32 (IEEE) of "abc" is 352441c2
            bytes[28], bytes[29], bytes[30], bytes[31],
            b'a', b'b', b'c', 0, 0, 0, 0, 0,
        ]);
        assert_eq!(short(&bytes, 28), Some(crc32fast::hash(&bytes[..28])));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = encode(TYPE_BATCH, 7, 9, b"some payload").unwrap();
        for bit in 0..(HEADER_BYTES + 12) * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged, 9), Decoded::Nothing, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(kind: u8, sequence: u64, salt: u64, payload: Vec<u8>, tail: Vec<u8>) {
            let mut bytes = encode(kind, sequence, salt, &payload).unwrap();
            let length = bytes.len();
            bytes.extend(tail);
            let expected = Record { record_type: kind, sequence, payload: &payload, length };
            prop_assert_eq!(decode(&bytes, salt), Decoded::Record(expected));
            prop_assert_eq!(decode(&bytes, salt ^ 1), Decoded::Nothing);
        }

        #[test]
        fn any_bytes_decode_or_are_nothing(bytes: Vec<u8>, salt: u64) {
            if let Decoded::Record(record) = decode(&bytes, salt) {
                prop_assert!(record.payload.len() + HEADER_BYTES <= bytes.len());
            }
        }

        #[test]
        fn a_cut_record_is_nothing(payload in proptest::collection::vec(any::<u8>(), 0..64), cut: usize) {
            let bytes = encode(TYPE_BATCH, 1, 2, &payload).unwrap();
            let whole = HEADER_BYTES + payload.len();
            prop_assert_eq!(decode(&bytes[..cut % whole], 2), Decoded::Nothing);
        }
    }
}
