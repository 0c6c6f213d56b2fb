//! Which pod gets which address: next fit, so that an address that was just given back rests as long as possible.

use std::{collections::BTreeSet, net::IpAddr};

use crate::Cidr;

/// The addresses of a node's pods. The first address of each network belongs to the bridge.
#[derive(Debug, Clone)]
pub struct Addresses {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    cidr: Cidr,
    /// Number of the address that was given last.
    last: u128,
    used: BTreeSet<u128>,
}

/// Why a pod gets no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressesError {
    /// All addresses are taken.
    #[error("no IP addresses available in {0}")]
    Exhausted(Cidr),
    /// The address belongs to nobody here.
    #[error("{0} is not an address of this node's pods")]
    Foreign(IpAddr),
    /// The address belongs to another pod.
    #[error("{0} belongs to another pod")]
    Taken(IpAddr),
}

/// Number of the first address that pods get.
const FIRST: u128 = 2;

impl Addresses {
    /// All addresses of these networks are free.
    #[must_use]
    pub fn new(cidrs: &[Cidr]) -> Self {
        let range = |cidr: &Cidr| Range { cidr: *cidr, last: FIRST.saturating_sub(1), used: BTreeSet::new() };
        Self { ranges: cidrs.iter().map(range).collect() }
    }

    /// Takes one free address of each network.
    ///
    /// # Errors
    /// When one of the networks is full; nothing is taken then.
    pub fn take(&mut self) -> Result<Vec<IpAddr>, AddressesError> {
        let numbers: Result<Vec<u128>, AddressesError> =
            self.ranges.iter().map(|range| range.next().ok_or(AddressesError::Exhausted(range.cidr))).collect();
        let take = |(range, number): (&mut Range, u128)| {
            range.used.insert(number);
            range.last = number;
            range.cidr.nth(number)
        };
        Ok(self.ranges.iter_mut().zip(numbers?).map(take).collect())
    }

    /// Takes these addresses. The next free ones are looked for behind them: claim what was there in order of age.
    ///
    /// # Errors
    /// When one is taken or not among those of pods; nothing is taken then.
    pub fn claim(&mut self, addresses: &[IpAddr]) -> Result<(), AddressesError> {
        for address in addresses {
            let range = self.range(*address).ok_or(AddressesError::Foreign(*address))?;
            let number = range.cidr.number(*address);
            if !(FIRST..range.cidr.last()).contains(&number) {
                return Err(AddressesError::Foreign(*address));
            }
            if range.used.contains(&number) {
                return Err(AddressesError::Taken(*address));
            }
        }
        for address in addresses {
            if let Some(range) = self.range(*address) {
                range.last = range.cidr.number(*address);
                range.used.insert(range.last);
            }
        }
        Ok(())
    }

    /// Gives addresses back.
    pub fn release(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            if let Some(range) = self.range(*address) {
                let number = range.cidr.number(*address);
                range.used.remove(&number);
            }
        }
    }

    fn range(&mut self, address: IpAddr) -> Option<&mut Range> {
        self.ranges.iter_mut().find(|range| range.cidr.contains(address))
    }
}

impl Range {
    /// The first free number behind the last one, or from the start.
    fn next(&self) -> Option<u128> {
        let end = self.cidr.last();
        let from = self.last.saturating_add(1).max(FIRST);
        self.free(from, end).or_else(|| self.free(FIRST, from))
    }

    /// The first free number of `from..end`. Only taken numbers cost time.
    fn free(&self, from: u128, end: u128) -> Option<u128> {
        if from >= end {
            return None;
        }
        let mut candidate = from;
        for used in self.used.range(from..end) {
            if *used != candidate {
                break;
            }
            candidate = candidate.saturating_add(1);
        }
        (candidate < end).then_some(candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(cidrs: &[&str]) -> Addresses {
        Addresses::new(&cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect::<Vec<_>>())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn next_fit() {
        let mut addresses = addresses(&["10.42.0.0/29", "fd42::/64"]);
        assert_eq!(addresses.take().unwrap(), [ip("10.42.0.2"), ip("fd42::2")]);
        let second = addresses.take().unwrap();
        addresses.release(&second);
        for last in [4, 5, 6, 3] {
            assert_eq!(addresses.take().unwrap()[0], ip(&format!("10.42.0.{last}")), "a free one rests till the end");
        }
        assert_eq!(addresses.take(), Err(AddressesError::Exhausted("10.42.0.0/29".parse().unwrap())));
        addresses.release(&[ip("10.42.0.4")]);
        assert_eq!(addresses.take().unwrap(), [ip("10.42.0.4"), ip("fd42::8")], "the other network lost nothing");
    }

    #[test]
    fn claims() {
        let mut addresses = addresses(&["10.42.0.0/24"]);
        assert_eq!(addresses.claim(&[ip("10.42.0.200")]), Ok(()));
        assert_eq!(addresses.claim(&[ip("10.42.0.20")]), Ok(()));
        assert_eq!(addresses.take().unwrap(), [ip("10.42.0.21")]);
        assert_eq!(
            addresses.claim(&[ip("10.42.0.22"), ip("10.42.0.20")]),
            Err(AddressesError::Taken(ip("10.42.0.20")))
        );
        for foreign in ["10.42.0.0", "10.42.0.1", "10.42.0.255", "10.43.0.2", "fd42::2"] {
            assert_eq!(addresses.claim(&[ip(foreign)]), Err(AddressesError::Foreign(ip(foreign))));
        }
        assert_eq!(addresses.take().unwrap(), [ip("10.42.0.22")]);
    }

    proptest! {
        #[test]
        fn never_twice_never_lost(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)) {
            let mut addresses = addresses(&["10.42.0.0/28", "fd42::/124"]);
            let mut held: Vec<Vec<IpAddr>> = Vec::new();
            for (take, index) in steps {
                if take {
                    match addresses.take() {
                        Ok(ips) => {
                            prop_assert!(held.iter().all(|other| other != &ips));
                            prop_assert!(ips.iter().all(|ip| !["10.42.0.0", "10.42.0.1", "10.42.0.15", "fd42::", "fd42::1"].contains(&ip.to_string().as_str())));
                            held.push(ips);
                        }
                        Err(_) => prop_assert_eq!(held.len(), 13),
                    }
                } else if !held.is_empty() {
                    let back = held.swap_remove(index.index(held.len()));
                    addresses.release(&back);
                }
            }
            let mut restored = Addresses::new(&["10.42.0.0/28".parse().unwrap(), "fd42::/124".parse().unwrap()]);
            for ips in &held {
                prop_assert_eq!(restored.claim(ips), Ok(()));
            }
            let mut free = 0;
            while restored.take().is_ok() {
                free += 1;
            }
            prop_assert_eq!(free + held.len(), 13);
        }
    }
}
