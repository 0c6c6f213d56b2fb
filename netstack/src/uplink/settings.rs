//! What whoever runs the device says about its uplink.

use std::{collections::BTreeMap, net::IpAddr};

use super::names::is_name;
use crate::Cidr;

/// The uplink of the device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UplinkSettings {
    /// Identifies the machine to servers (as a UUID in the client identifier): stable, best derived from the machine's
    /// identifier rather than that itself.
    pub machine: [u8; 16],
    /// Name of the host, if servers shall know it.
    pub hostname: Option<String>,
    /// Interfaces that are not just wired ones with DHCP, by name.
    pub nics: BTreeMap<String, NicSettings>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicSettings {
    /// Where addresses come from.
    pub addressing: Addressing,
    /// Metric of its routes, the lower one wins; by default the interface that was there first wins.
    pub metric: Option<u32>,
    /// Name servers, instead of those of the DHCP server unless empty.
    pub resolvers: Vec<IpAddr>,
    /// Domains to search in, instead of those of the DHCP server unless empty.
    pub search: Vec<String>,
    /// Largest packet, instead of what the DHCP server says.
    pub mtu: Option<u32>,
    /// Whether the kernel makes addresses and routes of version 6 from router advertisements.
    pub router_advertisements: bool,
}

/// Where the addresses of an interface come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressing {
    /// From a DHCP server (version 4).
    Dhcp,
    /// From here.
    Static {
        /// Its addresses.
        addresses: Vec<Cidr>,
        /// The router of each version.
        gateways: Vec<IpAddr>,
    },
    /// The interface is none of the uplink's.
    Off,
}

impl Default for NicSettings {
    fn default() -> Self {
        Self {
            addressing: Addressing::Dhcp,
            metric: None,
            resolvers: Vec::new(),
            search: Vec::new(),
            mtu: None,
            router_advertisements: true,
        }
    }
}

impl UplinkSettings {
    /// What is wrong with the settings, if anything.
    ///
    /// # Errors
    /// A sentence for whoever configured it.
    pub fn check(&self) -> Result<(), String> {
        if let Some(name) = self.hostname.as_ref().filter(|name| !is_name(name)) {
            return Err(format!("{name:?} is no name of a host"));
        }
        self.nics.iter().try_for_each(|(name, nic)| nic.check().map_err(|problem| format!("{name}: {problem}")))
    }
}

impl NicSettings {
    fn check(&self) -> Result<(), String> {
        if let Some(name) = self.search.iter().find(|name| !is_name(name)) {
            return Err(format!("{name:?} is no name of a domain"));
        }
        if let Some(mtu) = self.mtu.filter(|mtu| !(576..=65535).contains(mtu)) {
            return Err(format!("an MTU of {mtu} is not between 576 and 65535"));
        }
        let Addressing::Static { addresses, gateways } = &self.addressing else { return Ok(()) };
        for version in [true, false] {
            let routers = gateways.iter().filter(|gateway| gateway.is_ipv4() == version).count();
            if routers > 1 {
                return Err("there are two gateways of one version".to_owned());
            }
            // A router of version 6 is reached by its address on the link.
            if version && routers == 1 && !addresses.iter().any(Cidr::is_v4) {
                return Err("there is a gateway, but no address".to_owned());
            }
        }
        let bad = |address: &IpAddr| address.is_unspecified() || address.is_multicast() || address.is_loopback();
        let mut all = addresses.iter().map(Cidr::address).chain(gateways.iter().copied());
        all.find(bad).map_or(Ok(()), |address| Err(format!("{address} is no address of a host")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_are_refused() {
        let fixed = |addresses: &[&str], gateways: &[&str]| NicSettings {
            addressing: Addressing::Static {
                addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
                gateways: gateways.iter().map(|text| text.parse().unwrap()).collect(),
            },
            ..NicSettings::default()
        };
        for (good, nic) in [
            (true, NicSettings::default()),
            (true, fixed(&["192.168.0.7/24", "fd00::7/64"], &["192.168.0.1", "fe80::1"])),
            (true, fixed(&[], &["fe80::1"])),
            (false, fixed(&["fd00::7/64"], &["192.168.0.1"])),
            (false, fixed(&["192.168.0.7/24"], &["192.168.0.1", "192.168.0.2"])),
            (false, fixed(&["0.0.0.0/24"], &[])),
            (false, fixed(&["127.0.0.1/8"], &[])),
            (false, NicSettings { search: vec!["a\nnameserver 6.6.6.6".to_owned()], ..NicSettings::default() }),
            (false, NicSettings { mtu: Some(100), ..NicSettings::default() }),
        ] {
            let settings = UplinkSettings { nics: [("eth0".to_owned(), nic)].into(), ..UplinkSettings::default() };
            assert_eq!(settings.check().is_ok(), good, "{settings:?}");
        }
        let settings = UplinkSettings { hostname: Some("a b".to_owned()), ..UplinkSettings::default() };
        assert!(settings.check().is_err());
    }
}
