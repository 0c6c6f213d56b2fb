//! An address with the length of its network's prefix.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address and a prefix length: either a network (`10.42.0.0/24`) or an address in it (`10.42.0.1/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no [`Cidr`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address with a prefix length")]
pub struct CidrError(String);

impl Cidr {
    /// An address in a network, or nothing when the prefix is longer than the address.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    /// The address as it was given.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether this is a version 4 network.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The network: the address without its host bits.
    #[must_use]
    pub fn network(&self) -> Self {
        Self { address: self.nth_from(self.bits() & !self.host_mask()), prefix: self.prefix }
    }

    /// Whether an address lies in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4() && to_bits(address) & !self.host_mask() == self.bits() & !self.host_mask()
    }

    /// The address with that number in the network; numbers past the end wrap inside it.
    #[must_use]
    pub fn nth(&self, number: u128) -> IpAddr {
        self.nth_from((self.bits() & !self.host_mask()) | (number & self.host_mask()))
    }

    /// The number of an address inside the network.
    #[must_use]
    pub fn number(&self, address: IpAddr) -> u128 {
        to_bits(address) & self.host_mask()
    }

    /// The number of the last address, which in version 4 is the broadcast address.
    #[must_use]
    pub fn last(&self) -> u128 {
        self.host_mask()
    }

    /// The prefix as an address: `255.255.255.0`.
    #[must_use]
    pub fn mask(&self) -> IpAddr {
        let all = Self { prefix: 0, ..*self }.host_mask();
        self.nth_from(all & !self.host_mask())
    }

    fn bits(&self) -> u128 {
        to_bits(self.address)
    }

    fn host_mask(&self) -> u128 {
        let host = u32::from(width(self.address).saturating_sub(self.prefix));
        1_u128.checked_shl(host).map_or(u128::MAX, |top| top.wrapping_sub(1))
    }

    fn nth_from(&self, bits: u128) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            Self::new(address.parse().ok()?, prefix.parse().ok()?)
        };
        parse().ok_or_else(|| CidrError(text.to_owned()))
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, network, last, mask) in [
            ("10.42.0.7/24", "10.42.0.0/24", "10.42.0.255", "255.255.255.0"),
            ("10.42.0.7/20", "10.42.0.0/20", "10.42.15.255", "255.255.240.0"),
            ("10.42.0.7/32", "10.42.0.7/32", "10.42.0.7", "255.255.255.255"),
            ("10.42.0.7/0", "0.0.0.0/0", "255.255.255.255", "0.0.0.0"),
            ("fd00:42::9/64", "fd00:42::/64", "fd00:42::ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::"),
            ("::1/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"),
        ] {
            let cidr: Cidr = text.parse().unwrap();
            assert_eq!(cidr.network().to_string(), network);
            assert_eq!(cidr.nth(cidr.last()).to_string(), last);
            assert_eq!(cidr.mask().to_string(), mask);
            assert!(cidr.contains(last.parse().unwrap()));
        }
        for text in ["", "10.42.0.0", "10.42.0.0/33", "fd00::/129", "10.42.0.0/-1", "a/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let cidr: Cidr = "10.42.0.0/24".parse().unwrap();
        assert!(!cidr.contains("10.42.1.0".parse().unwrap()));
        assert!(!cidr.contains("::10.42.0.1".parse().unwrap()));
    }
}
