//! Attributes: type, length, value; values are big-endian numbers, texts that end with zero, or attributes again.

const HEADER: usize = 4;
const NESTED: u16 = 0x8000;
const KIND: u16 = 0x3fff;

/// A sequence of attributes that is being written.
#[derive(Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = HEADER.saturating_add(value.len());
        // No caller comes near the limit: elements go in pieces, all else is short.
        self.0.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    pub(crate) fn nest(self, kind: u16, Self(value): Self) -> Self {
        self.bytes(kind | NESTED, &value)
    }

    /// The bytes behind the header that nftables' messages have.
    pub(crate) fn message(self, family: u8, resource: u16) -> Vec<u8> {
        let [high, low] = resource.to_be_bytes();
        [&[family, 0, high, low], self.0.as_slice()].concat()
    }
}

/// Reads attributes; a cut one ends the sequence.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([l0, l1, k0, k1], _) = rest.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let value = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([*k0, *k1]) & KIND, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let bytes =
            Attributes::new().text(1, "cni0").number(2, 7).nest(3, Attributes::new().bytes(4, &[9])).message(1, 10);
        assert_eq!(bytes[..4], [1, 0, 0, 10]);
        let read: Vec<_> = attributes(&bytes[4..]).collect();
        assert_eq!(read[0], (1, b"cni0\0".as_slice()));
        assert_eq!(read[1], (2, [0, 0, 0, 7].as_slice()));
        assert_eq!(attributes(read[2].1).collect::<Vec<_>>(), [(4, [9].as_slice())]);
        for cut in 0..bytes.len() {
            assert!(attributes(&bytes[4.min(cut)..cut]).count() <= 3);
        }
    }
}
