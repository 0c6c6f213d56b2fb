//! What the uplink tells others: its interfaces, the addresses that others reach the device by, and name servers.

use std::{fmt::Write as _, net::IpAddr, time::Duration};

use crate::Cidr;

/// The uplink at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UplinkState {
    /// The interfaces that belong to it, the preferred ones first.
    pub nics: Vec<NicState>,
    /// The address of version 4 that others reach the device by.
    pub primary_v4: Option<IpAddr>,
    /// The address of version 6 that others reach the device by.
    pub primary_v6: Option<IpAddr>,
    /// Name servers, the preferred ones first.
    pub resolvers: Vec<IpAddr>,
    /// Domains to search in.
    pub search: Vec<String>,
}

/// An interface at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NicState {
    /// Name.
    pub name: String,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Whether it is switched on and has a carrier.
    pub carrier: bool,
    /// All of its addresses, also those of others and of the kernel, that last.
    pub addresses: Vec<Cidr>,
    /// Routers of its default routes.
    pub gateways: Vec<IpAddr>,
    /// Name servers.
    pub resolvers: Vec<IpAddr>,
    /// The domain that the DHCP server put the device into.
    pub domain: Option<String>,
    /// Domains to search in.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<IpAddr>,
    /// Whether there is a lease.
    pub leased: bool,
    /// When the lease ends, counted from the start of the machine (`CLOCK_BOOTTIME`); nothing if there is none or it
    /// does not end.
    pub lease_until: Option<Duration>,
}

/// How many name servers the C libraries take.
const MOST_RESOLVERS: usize = 3;

impl UplinkState {
    /// The text of `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(&self) -> String {
        let mut text = String::new();
        if self.resolvers.is_empty() {
            text.push_str("# No resolver is known yet.\n");
        }
        if !self.search.is_empty() {
            let _ = writeln!(text, "search {}", self.search.join(" "));
        }
        for resolver in self.resolvers.iter().take(MOST_RESOLVERS) {
            let _ = writeln!(text, "nameserver {resolver}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolver_files() {
        let state = |resolvers: &[&str], search: &[&str]| UplinkState {
            resolvers: resolvers.iter().map(|text| text.parse().unwrap()).collect(),
            search: search.iter().map(|&text| text.to_owned()).collect(),
            ..UplinkState::default()
        };
        for (state, text) in [
            (state(&[], &[]), "# No resolver is known yet.\n"),
            (state(&["10.0.0.1"], &[]), "nameserver 10.0.0.1\n"),
            (
                state(&["10.0.0.1", "fd00::1", "1.1.1.1", "8.8.8.8"], &["lan", "example.com"]),
                "search lan example.com\nnameserver 10.0.0.1\nnameserver fd00::1\nnameserver 1.1.1.1\n",
            ),
        ] {
            assert_eq!(state.resolv_conf(), text);
        }
    }
}
