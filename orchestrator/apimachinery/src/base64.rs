//! Standard base64 with padding, as Go's `encoding/base64` reads and writes it: line breaks in the input are skipped and
//! the unused bits of the last character are not looked at.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text is not base64; the number is the offset of the offending byte, counted as Go counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub struct Illegal(pub usize);

/// Encodes bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 3];
        for (slot, byte) in group.iter_mut().zip(chunk) {
            *slot = *byte;
        }
        let [a, b, c] = group;
        let word = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        for position in 0..4usize {
            let index = (word >> (18 - 6 * position)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if position > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

/// Decodes text.
pub fn decode(text: &str) -> Result<Vec<u8>, Illegal> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut letters = text.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    loop {
        let mut word = 0u32;
        let mut count = 0usize;
        while count < 4 {
            let Some((at, byte)) = letters.next() else {
                return if count == 0 { Ok(out) } else { Err(Illegal(text.len() - count)) };
            };
            if byte == b'=' && count >= 2 {
                return finish(out, word, count, &mut letters, text.len());
            }
            let six = letter_value(byte).ok_or(Illegal(at))?;
            word = word << 6 | u32::from(six);
            count += 1;
        }
        let [_, a, b, c] = word.to_be_bytes();
        out.extend([a, b, c]);
    }
}

/// Handles the padding behind `count` letters.
fn finish(
    mut out: Vec<u8>,
    word: u32,
    count: usize,
    letters: &mut impl Iterator<Item = (usize, u8)>,
    length: usize,
) -> Result<Vec<u8>, Illegal> {
    let bytes = (word << (6 * (4 - count))).to_be_bytes();
    if count == 2 {
        match letters.next() {
            Some((_, b'=')) => {}
            Some((at, _)) => return Err(Illegal(at)),
            None => return Err(Illegal(length)),
        }
    }
    if let Some((at, _)) = letters.next() {
        return Err(Illegal(at));
    }
    out.extend(bytes.iter().skip(1).take(count - 1));
    Ok(out)
}

fn letter_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Illegal, decode, encode};
    use proptest::prelude::*;

    #[test]
    fn known_texts() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode("Zm9v\r\nYg==\n").unwrap(), b"foob");
        assert_eq!(decode("Z*=="), Err(Illegal(1)));
        assert_eq!(decode("Zg="), Err(Illegal(3)));
        assert_eq!(decode("Zg==Zg=="), Err(Illegal(4)));
    }

    proptest! {
        #[test]
        fn round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
