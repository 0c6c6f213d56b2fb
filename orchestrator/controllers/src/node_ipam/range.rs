//! Ranges of addresses and how nodes' ranges are cut from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The range of a node has at most so many bits more than the range of the cluster; upstream's bound.
const MOST_BITS: u8 = 16;

/// A range of addresses: the first one, and how many leading bits are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    base: u128,
    prefix: u8,
    family: Family,
}

/// Kind of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

/// A range of the cluster and the size of what nodes get of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    range: Range,
    mask: u8,
}

/// Why ranges cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// There is no range at all.
    Nothing,
    /// More than one of each family.
    TooMany,
    /// Two of one family.
    SameFamily,
    /// No `ADDRESS/BITS`.
    Syntax(String),
    /// The address has bits beyond the fixed ones; with the range that may be meant.
    HostBits(String, String),
    /// The nodes' ranges do not lie within the cluster's: range and mask size.
    MaskTooSmall(String, u8),
    /// The mask size has more bits than addresses of the family.
    MaskTooLong(String, u8),
    /// There would be too many ranges to keep count of.
    MaskTooFine(String, u8),
}

impl Family {
    /// Bits of an address.
    #[must_use]
    pub fn width(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl Range {
    /// Reads `ADDRESS/BITS` and refuses addresses within the range other than the first.
    ///
    /// # Errors
    /// It is no such range.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let range = Self::parse_any(text).ok_or_else(|| Invalid::Syntax(text.to_owned()))?;
        let first = range.first();
        if first == range { Ok(range) } else { Err(Invalid::HostBits(text.to_owned(), first.to_string())) }
    }

    /// As [`Range::parse`], but with any address of the range.
    #[must_use]
    pub fn parse_any(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (base, family) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), Family::V4),
            IpAddr::V6(address) => (address.to_bits(), Family::V6),
        };
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= family.width())?;
        Some(Self { base, prefix, family })
    }

    /// Kind of its addresses.
    #[must_use]
    pub fn family(self) -> Family {
        self.family
    }

    fn first(self) -> Self {
        Self { base: self.base & !self.rest(), ..self }
    }

    /// The bits that are not fixed.
    fn rest(self) -> u128 {
        // All bits where the shift would be as wide as the number.
        let free = u32::from(self.family.width() - self.prefix);
        1_u128.checked_shl(free).map_or(u128::MAX, |above| above - 1)
    }

    fn bounds(self) -> (u128, u128) {
        let first = self.first().base;
        (first, first | self.rest())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::V4 => write!(f, "{}", Ipv4Addr::from_bits(u32::try_from(self.base).unwrap_or_default()))?,
            Family::V6 => write!(f, "{}", Ipv6Addr::from_bits(self.base))?,
        }
        write!(f, "/{}", self.prefix)
    }
}

impl Pool {
    /// Cuts ranges of `mask` bits from a range.
    ///
    /// # Errors
    /// That is not possible.
    pub fn new(range: Range, mask: u8) -> Result<Self, Invalid> {
        if mask > range.family.width() {
            return Err(Invalid::MaskTooLong(range.to_string(), mask));
        }
        let bits = mask.checked_sub(range.prefix).ok_or_else(|| Invalid::MaskTooSmall(range.to_string(), mask))?;
        if bits > MOST_BITS {
            return Err(Invalid::MaskTooFine(range.to_string(), mask));
        }
        Ok(Self { range, mask })
    }

    /// Kind of its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        self.range.family
    }

    /// The lowest range that touches none of the taken ones.
    #[must_use]
    pub fn free(&self, taken: &[Range]) -> Option<Range> {
        let mut taken: Vec<_> = taken.iter().filter_map(|taken| self.indices(*taken)).collect();
        taken.sort_unstable();
        let mut free = 0_u32;
        for (first, last) in taken {
            if first > free {
                break;
            }
            free = free.max(last + 1);
        }
        (free < self.count()).then(|| self.at(free))
    }

    fn count(&self) -> u32 {
        1 << u32::from(self.mask - self.range.prefix)
    }

    fn at(&self, index: u32) -> Range {
        // A single range of width 0 has index 0, for which there is nothing to shift.
        let offset = u128::from(index).checked_shl(self.shift()).unwrap_or_default();
        Range { base: self.range.base | offset, prefix: self.mask, family: self.range.family }
    }

    fn shift(&self) -> u32 {
        u32::from(self.range.family.width() - self.mask)
    }

    /// The first and the last of the ranges of this pool that another range touches.
    fn indices(&self, other: Range) -> Option<(u32, u32)> {
        let ((from, to), (first, last)) = (self.range.bounds(), other.bounds());
        if other.family != self.range.family || last < from || first > to {
            return None;
        }
        let index = |address: u128| {
            let index = (address - from).checked_shr(self.shift()).unwrap_or_default();
            u32::try_from(index).unwrap_or(u32::MAX)
        };
        Some((index(first.max(from)), index(last.min(to))))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there must be at least one range of pod addresses"),
            Self::TooMany => f.write_str("there may be at most two ranges of pod addresses, one IPv4 and one IPv6"),
            Self::SameFamily => f.write_str("of two ranges of pod addresses one must be IPv4 and the other IPv6"),
            Self::Syntax(text) => write!(f, "{text:?} is no range of addresses such as 10.42.0.0/16 or fd42::/48"),
            Self::HostBits(text, meant) => {
                write!(f, "{text:?} is not the first address of its range: use {meant:?}")
            }
            Self::MaskTooSmall(range, mask) => {
                write!(f, "nodes' ranges of size /{mask} do not fit into {range}: the mask size must not be smaller")
            }
            Self::MaskTooLong(range, mask) => {
                write!(f, "a mask size of {mask} is more than the addresses of {range} have bits")
            }
            Self::MaskTooFine(range, mask) => {
                write!(f, "nodes' ranges of size /{mask} are too small for {range}: at most {MOST_BITS} bits more")
            }
        }
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::{Pool, Range};

    fn pool(range: &str, mask: u8) -> Pool {
        Pool::new(Range::parse(range).unwrap(), mask).unwrap()
    }

    #[test]
    fn the_lowest_free_range_is_found() {
        let table: &[(&str, u8, &[&str], Option<&str>)] = &[
            ("10.42.0.0/16", 24, &[], Some("10.42.0.0/24")),
            ("10.42.0.0/16", 24, &["10.42.0.0/24", "10.42.1.0/24"], Some("10.42.2.0/24")),
            ("10.42.0.0/16", 24, &["10.42.2.0/24", "10.42.0.0/24"], Some("10.42.1.0/24")),
            // Larger and smaller ranges, and the same one twice.
            ("10.42.0.0/16", 24, &["10.42.0.0/17", "10.42.128.77/32"], Some("10.42.129.0/24")),
            ("10.42.0.0/16", 24, &["10.42.0.0/24", "10.42.0.0/25", "10.42.0.0/24"], Some("10.42.1.0/24")),
            // Foreign ranges do not matter, surrounding ones do.
            ("10.42.0.0/16", 24, &["10.43.0.0/24", "fd42::/64"], Some("10.42.0.0/24")),
            ("10.42.0.0/16", 24, &["10.0.0.0/8"], None),
            ("10.42.0.0/16", 24, &["0.0.0.0/0"], None),
            ("10.42.0.0/23", 24, &["10.42.0.0/24", "10.42.1.0/24"], None),
            ("10.42.0.0/24", 24, &[], Some("10.42.0.0/24")),
            ("10.42.0.7/32", 32, &[], Some("10.42.0.7/32")),
            ("255.255.0.0/16", 32, &["255.255.0.0/17"], Some("255.255.128.0/32")),
            ("0.0.0.0/0", 0, &[], Some("0.0.0.0/0")),
            ("::/0", 0, &["fd42::/64"], None),
            ("::/0", 16, &["::/16"], Some("1::/16")),
            ("fd42::/48", 64, &[], Some("fd42::/64")),
            ("fd42::/48", 64, &["fd42::/64", "fd42:0:0:1::/64"], Some("fd42:0:0:2::/64")),
            ("fd42::/60", 76, &["fd42::/61"], Some("fd42:0:0:8::/76")),
            ("fd42::/112", 128, &["fd42::/128"], Some("fd42::1/128")),
        ];
        for (range, mask, taken, expected) in table {
            let taken: Vec<_> = taken.iter().map(|taken| Range::parse_any(taken).unwrap()).collect();
            let free = pool(range, *mask).free(&taken).map(|free| free.to_string());
            assert_eq!(free.as_deref(), *expected, "{range} {mask} {taken:?}");
        }
    }

    #[test]
    fn every_range_is_given_once() {
        for (range, mask, count) in [("10.42.0.0/20", 28, 256), ("fd42::/56", 64, 256)] {
            let pool = pool(range, mask);
            let mut taken = Vec::new();
            while let Some(free) = pool.free(&taken) {
                assert!(!taken.contains(&free));
                taken.push(free);
            }
            assert_eq!(taken.len(), count);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (range, mask, expected) in [
            ("10.42.0.0", 24, r#""10.42.0.0" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
            ("10.42.0.0/", 24, r#""10.42.0.0/" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
            ("10.42.0.0/33", 24, r#""10.42.0.0/33" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
            ("10.42.0.0/+8", 24, r#""10.42.0.0/+8" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
            ("10.042.0.0/16", 24, r#""10.042.0.0/16" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
            ("10.42.0.1/16", 24, r#""10.42.0.1/16" is not the first address of its range: use "10.42.0.0/16""#),
            (
                "10.42.0.0/16",
                15,
                "nodes' ranges of size /15 do not fit into 10.42.0.0/16: the mask size must not be smaller",
            ),
            ("10.42.0.0/16", 33, "a mask size of 33 is more than the addresses of 10.42.0.0/16 have bits"),
            ("fd42::/32", 64, "nodes' ranges of size /64 are too small for fd42::/32: at most 16 bits more"),
        ] {
            let error = Range::parse(range).and_then(|range| Pool::new(range, mask)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
