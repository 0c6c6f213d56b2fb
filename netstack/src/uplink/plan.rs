//! What has to change on an interface: decided from what is wanted and what was seen.
//!
//! What the uplink makes carries a mark, so that a later run knows it, and what others made stays.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    lease::Lease,
    settings::{Addressing, NicSettings},
};
use crate::Cidr;

/// Metrics begin here; the number of the interface is added.
const METRIC: u32 = 1000;

/// An interface that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number.
    pub(super) index: u32,
    /// Its name.
    pub(super) name: String,
    /// Its hardware address, when it is one of Ethernet.
    pub(super) mac: Option<[u8; 6]>,
    /// Largest packet.
    pub(super) mtu: u32,
    /// Whether it is switched on.
    pub(super) up: bool,
    /// Whether it has a carrier.
    pub(super) carrier: bool,
    /// Whether a wired device is behind it, and it is no part of another interface.
    pub(super) wired: bool,
}

/// An address that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The interface.
    pub(super) link: u32,
    /// The address.
    pub(super) cidr: Cidr,
    /// Whether it carries the mark.
    pub(super) ours: bool,
    /// Whether others may be told: it is neither about to go, nor still being checked.
    pub(super) lasting: bool,
}

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The interface.
    pub(super) link: u32,
    /// Where it leads.
    pub(super) to: Cidr,
    /// The router, or none on the link.
    pub(super) gateway: Option<IpAddr>,
    /// The lower one wins.
    pub(super) metric: u32,
    /// The address to send from.
    pub(super) source: Option<IpAddr>,
    /// Whether it carries the mark.
    pub(super) ours: bool,
}

/// All that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Interfaces.
    pub(super) links: Vec<Link>,
    /// Addresses.
    pub(super) addresses: Vec<Address>,
    /// Routes.
    pub(super) routes: Vec<Route>,
    /// Kernel settings, those of [`settings`].
    pub(super) settings: BTreeMap<String, String>,
}

/// What an interface should have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its addresses.
    pub(super) addresses: Vec<Cidr>,
    /// Its routes.
    pub(super) routes: Vec<Route>,
    /// Largest packet.
    pub(super) mtu: Option<u32>,
    /// Metric of the routes that the kernel makes of addresses.
    pub(super) metric: u32,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Change a kernel setting.
    Set(String, &'static str),
    /// Switch it on.
    Up(u32),
    /// Change its largest packet.
    Mtu(u32, u32),
    /// Add an address, with the metric of its network's route.
    AddAddress(u32, Cidr, u32),
    /// Remove an address.
    DeleteAddress(u32, Cidr),
    /// Add a route; whether its router is asked for without a route to it.
    AddRoute(Route, bool),
    /// Remove a route.
    DeleteRoute(Route),
}

impl Wanted {
    /// What an interface should have by its settings and its lease. `usual` is the largest packet that it had
    /// before one was told.
    pub(super) fn new(link: &Link, settings: &NicSettings, lease: Option<&Lease>, usual: Option<u32>) -> Self {
        let metric = metric(link, settings);
        let route = |to, gateway, source| Route { link: link.index, to, gateway, metric, source, ours: true };
        let told = lease.and_then(|lease| lease.mtu).map(u32::from);
        let mut wanted = Self { mtu: settings.mtu.or(told).or(usual), metric, ..Self::default() };
        match &settings.addressing {
            Addressing::Off => {}
            Addressing::Dhcp => {
                let Some(lease) = lease else { return wanted };
                let own = IpAddr::V4(lease.address);
                wanted.addresses.extend(Cidr::new(own, lease.prefix));
                // Routes on the link come first: routers may be behind them.
                let mut routes = lease.routes.clone();
                routes.sort_by_key(|(_, gateway)| gateway.is_some());
                let routes = routes.into_iter().filter(|(to, gateway)| {
                    // The kernel makes the network's own route with the address.
                    gateway.is_some() || wanted.addresses.first().is_none_or(|address| address.network() != *to)
                });
                wanted.routes = routes.map(|(to, gateway)| route(to, gateway.map(IpAddr::V4), Some(own))).collect();
            }
            Addressing::Static { addresses, gateways } => {
                wanted.addresses.clone_from(addresses);
                for gateway in gateways {
                    let any = if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
                    let own = addresses.iter().map(Cidr::address).find(|own| own.is_ipv4() && gateway.is_ipv4());
                    wanted.routes.extend(any.parse().ok().map(|to| route(to, Some(*gateway), own)));
                }
            }
        }
        wanted
    }

    /// What has to change. The new comes before the old goes, so that connections see no gap.
    pub(super) fn changes(&self, link: &Link, settings: &NicSettings, seen: &Seen) -> Vec<Action> {
        let mut actions: Vec<Action> = self::settings(&link.name, settings)
            .into_iter()
            .filter(|(key, value)| seen.settings.get(key).is_some_and(|seen| seen != value))
            .map(|(key, value)| Action::Set(key, value))
            .collect();
        let mtu = self.mtu.filter(|mtu| *mtu != link.mtu);
        actions.extend(mtu.map(|mtu| Action::Mtu(link.index, mtu)));
        if !link.up {
            actions.push(Action::Up(link.index));
        }
        let addresses = || seen.addresses.iter().filter(|address| address.link == link.index);
        let routes = || seen.routes.iter().filter(|route| route.link == link.index);
        let missing = self.addresses.iter().filter(|wanted| !addresses().any(|address| address.cidr == **wanted));
        actions.extend(missing.map(|cidr| Action::AddAddress(link.index, *cidr, self.metric)));
        // A route like that of somebody else does as well. Only on a link that is up the kernel takes one.
        let like = |wanted: &Route| routes().any(|route| Route { ours: true, ..route.clone() } == *wanted);
        let missing = self.routes.iter().filter(|wanted| !like(wanted));
        actions.extend(missing.map(|route| Action::AddRoute(route.clone(), self.has_to_ask(route))));
        let stale = routes().filter(|route| route.ours && !self.routes.contains(route));
        actions.extend(stale.map(|route| Action::DeleteRoute(route.clone())));
        let stale = addresses().filter(|address| address.ours && !self.addresses.contains(&address.cidr));
        actions.extend(stale.map(|address| Action::DeleteAddress(link.index, address.cidr)));
        actions
    }

    /// Whether no address or route leads to a route's router: then it is taken to be on the link.
    fn has_to_ask(&self, route: &Route) -> bool {
        let Some(gateway) = route.gateway.filter(IpAddr::is_ipv4) else { return false };
        let direct = self.routes.iter().filter(|route| route.gateway.is_none()).map(|route| route.to);
        !self.addresses.iter().copied().chain(direct).any(|cidr| cidr.contains(gateway))
    }
}

/// The metric of an interface's routes: the one that was there first wins.
pub(super) fn metric(link: &Link, settings: &NicSettings) -> u32 {
    settings.metric.unwrap_or_else(|| METRIC.saturating_add(link.index))
}

/// Kernel settings of an interface, as paths below `/proc/sys`.
pub(super) fn settings(name: &str, settings: &NicSettings) -> Vec<(String, &'static str)> {
    let v4 = |key: &str| format!("net/ipv4/conf/{name}/{key}");
    let v6 = |key: &str| format!("net/ipv6/conf/{name}/{key}");
    vec![
        // A new address of the same network outlives the old one, and so do others'.
        (v4("promote_secondaries"), "1"),
        // Without a carrier, another interface's routes are used.
        (v4("ignore_routes_with_linkdown"), "1"),
        (v6("ignore_routes_with_linkdown"), "1"),
        // The host forwards for its pods: only with 2 it still listens to routers.
        (v6("accept_ra"), if settings.router_advertisements { "2" } else { "0" }),
    ]
}
