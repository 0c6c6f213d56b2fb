//! GUIDs as a GPT stores them: the first three groups little-endian.

use std::fmt;

/// A GUID, held in the order in which it is written for people.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The type of an unused entry.
    pub const ZERO: Self = Self([0; 16]);

    /// A GUID from its 32 hexadecimal digits read as one number.
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// A random (version 4) GUID from 16 random bytes.
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, version, h, variant, j, k, l, m, n, o, p] = random;
        Self([a, b, c, d, e, f, (version & 0x0f) | 0x40, h, (variant & 0x3f) | 0x80, j, k, l, m, n, o, p])
    }

    /// From the bytes of a GPT.
    #[must_use]
    pub const fn from_disk(bytes: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [i, j, k, l, m, n, o, p] = rest;
        Self([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
    }

    /// The bytes in a GPT.
    #[must_use]
    pub const fn to_disk(self) -> [u8; 16] {
        // The exchange of bytes is its own inverse.
        Self::from_disk(self.0).0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_groups_are_little_endian() {
        let guid = Guid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b);
        assert_eq!(guid.to_disk()[..10], [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b]);
        assert_eq!(Guid::from_disk(guid.to_disk()), guid);
        assert_eq!(Guid::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
