//! Addresses of pods, out of the node's ranges.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that are in use.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    taken: BTreeSet<IpAddr>,
    last: Vec<(String, u128)>,
}

impl Addresses {
    /// One address of each range. Like a bridge's address plug-in it goes on after the last one it gave, so an address is
    /// not used again at once; the first of a range is the bridge's.
    pub(super) fn take(&mut self, ranges: &[String]) -> Result<Vec<String>, String> {
        let mut given = Vec::new();
        for range in ranges {
            let (network, count) = parse(range).ok_or_else(|| format!("invalid CIDR address: {range}"))?;
            let last = self.last.iter().find(|(name, _)| name == range).map_or(1, |(_, last)| *last);
            let usable = if network.is_ipv4() { count.saturating_sub(1) } else { count };
            let free = (last.saturating_add(1)..usable).chain(2..usable.min(last.saturating_add(1)));
            let found = free.map(|at| (at, offset(network, at))).find(|(_, address)| !self.taken.contains(address));
            let Some((at, address)) = found else {
                self.free(&given);
                return Err(format!("no IP addresses available in range set: {range}"));
            };
            self.last.retain(|(name, _)| name != range);
            self.last.push((range.clone(), at));
            self.taken.insert(address);
            given.push(address.to_string());
        }
        Ok(given)
    }

    /// Gives addresses back.
    pub(super) fn free(&mut self, addresses: &[String]) {
        for address in addresses.iter().filter_map(|text| text.parse().ok()) {
            self.taken.remove(&address);
        }
    }
}

/// The first address of a range and how many there are.
fn parse(range: &str) -> Option<(IpAddr, u128)> {
    let (address, length) = range.split_once('/')?;
    let (address, length): (IpAddr, u32) = (address.parse().ok()?, length.parse().ok()?);
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    let host = bits.checked_sub(length)?;
    Some((address, 1u128.checked_shl(host).unwrap_or(u128::MAX)))
}

fn offset(network: IpAddr, at: u128) -> IpAddr {
    match network {
        IpAddr::V4(network) => {
            let at = u32::try_from(at).unwrap_or_default();
            IpAddr::V4(Ipv4Addr::from_bits(network.to_bits().wrapping_add(at)))
        }
        IpAddr::V6(network) => IpAddr::V6(Ipv6Addr::from_bits(network.to_bits().wrapping_add(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round() {
        let ranges = ["10.244.1.0/29".to_owned(), "fd00:1::/64".to_owned()];
        let mut addresses = Addresses::default();
        let mut take = |free: &[&str]| {
            addresses.free(&free.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
            addresses.take(&ranges).map(|given| given.join(" "))
        };
        for last in 2..=6 {
            assert_eq!(take(&[]), Ok(format!("10.244.1.{last} fd00:1::{last}")));
        }
        assert_eq!(take(&[]), Err("no IP addresses available in range set: 10.244.1.0/29".to_owned()));
        assert_eq!(take(&["10.244.1.4", "10.244.1.3"]), Ok("10.244.1.3 fd00:1::7".to_owned()));
        assert_eq!(take(&["10.244.1.3"]), Ok("10.244.1.4 fd00:1::8".to_owned()));
        assert!(addresses.take(&["10.0.0.0".to_owned()]).is_err());
    }
}
