//! What the host's network looks like: for the node's own addresses.

use std::net::IpAddr;

use crate::{
    Cidr, Error,
    plan::{Link, Route},
    wire::{Wire, route},
};

/// The links and default routes of the calling thread's network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// All links.
    pub links: Vec<HostLink>,
    /// Default routes of the main table, the preferred ones first.
    pub defaults: Vec<DefaultRoute>,
}

/// A link of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLink {
    /// Name.
    pub name: String,
    /// `bridge`, `veth`, …; empty for hardware.
    pub kind: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Largest packet.
    pub mtu: u32,
    /// Whether it is switched on and has a carrier.
    pub running: bool,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
}

/// A default route of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoute {
    /// Whether it is of version 4.
    pub v4: bool,
    /// The router, if there is one.
    pub gateway: Option<IpAddr>,
    /// Name of the link.
    pub link: String,
    /// The lower one wins.
    pub metric: u32,
}

impl Links {
    /// Looks. This blocks for less than a millisecond.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn observe() -> Result<Self, Error> {
        let mut wire = Wire::route()?;
        let links = route::links(&mut wire)?;
        let routes = route::default_routes(&mut wire)?;
        Ok(Self::from_seen(links, routes))
    }

    /// The address of a version that others reach the host by: the first global one of the link of the default route.
    #[must_use]
    pub fn node_address(&self, v4: bool) -> Option<IpAddr> {
        let through = self.defaults.iter().filter(|route| route.v4 == v4);
        let mut links = through.filter_map(|route| self.links.iter().find(|link| link.name == route.link));
        links.find_map(|link| link.addresses.iter().map(Cidr::address).find(|address| is_global(*address, v4)))
    }

    fn from_seen(links: Vec<Link>, mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| route.metric);
        let default = |route: Route| {
            let link = links.iter().find(|link| link.index == route.link)?.name.clone();
            Some(DefaultRoute { v4: route.v4, gateway: route.gateway, link, metric: route.metric })
        };
        let defaults = routes.into_iter().filter_map(default).collect();
        let host = |link: Link| HostLink {
            name: link.name,
            kind: link.kind,
            mac: link.mac,
            mtu: link.mtu,
            running: link.up && link.running,
            addresses: link.addresses,
        };
        Self { defaults, links: links.into_iter().map(host).collect() }
    }
}

fn is_global(address: IpAddr, v4: bool) -> bool {
    match address {
        IpAddr::V4(address) => v4 && !address.is_link_local() && !address.is_loopback(),
        IpAddr::V6(address) => !v4 && !address.is_unicast_link_local() && !address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_address_is_that_of_the_best_default_route() {
        let link = |index, name: &str, address: &str| Link {
            index,
            name: name.to_owned(),
            up: true,
            running: true,
            addresses: vec!["fe80::1/64".parse().unwrap(), address.parse().unwrap()],
            ..Link::default()
        };
        let links = vec![
            link(1, "wlan0", "192.168.1.7/24"),
            link(2, "eth0", "192.168.0.7/24"),
            link(3, "cni0", "10.42.0.1/24"),
        ];
        let route = |link, metric| Route { v4: true, gateway: None, link, metric };
        let seen = Links::from_seen(links, vec![route(1, 600), route(2, 100), route(9, 0)]);
        assert_eq!(seen.node_address(true), Some("192.168.0.7".parse().unwrap()));
        assert_eq!(seen.node_address(false), None);
        assert_eq!(seen.defaults.iter().map(|route| route.link.as_str()).collect::<Vec<_>>(), ["eth0", "wlan0"]);
    }
}
