//! The state that others are told, from what was seen and what servers gave.

use std::{cmp::Reverse, net::IpAddr, time::Duration};

use super::{
    lease::Lease,
    plan::{self, Link, Seen},
    settings::NicSettings,
    state::{NicState, UplinkState},
};
use crate::Cidr;

/// One interface of the uplink.
pub(super) struct Source<'a> {
    /// The interface.
    pub(super) link: &'a Link,
    /// Its settings.
    pub(super) settings: &'a NicSettings,
    /// Its lease, and when it ends in milliseconds.
    pub(super) lease: Option<(&'a Lease, Option<u64>)>,
}

/// The state of the uplink.
pub(super) fn report(mut sources: Vec<Source<'_>>, seen: &Seen) -> UplinkState {
    // Without a carrier an interface comes last, but an address of it is better than none.
    sources.sort_by_key(|source| (!source.link.carrier, plan::metric(source.link, source.settings), source.link.index));
    let nics: Vec<NicState> = sources.iter().map(|source| nic(source, seen)).collect();
    let mut state = UplinkState {
        primary_v4: primary(&sources, seen, true),
        primary_v6: primary(&sources, seen, false),
        ..UplinkState::default()
    };
    for nic in &nics {
        let own_domain = nic.domain.iter().filter(|_| nic.search.is_empty());
        add_new(&mut state.resolvers, &nic.resolvers);
        add_new(&mut state.search, nic.search.iter().chain(own_domain));
    }
    state.nics = nics;
    state
}

fn add_new<'a, T: PartialEq + Clone + 'a>(all: &mut Vec<T>, more: impl IntoIterator<Item = &'a T>) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

fn nic(source: &Source<'_>, seen: &Seen) -> NicState {
    let Source { link, settings, lease } = source;
    let given = lease.map(|(lease, _)| lease);
    let ips = |list: fn(&Lease) -> &Vec<std::net::Ipv4Addr>| {
        given.into_iter().flat_map(move |lease| list(lease).iter().copied().map(IpAddr::V4)).collect::<Vec<_>>()
    };
    let told = |own: &[IpAddr], theirs: Vec<IpAddr>| if own.is_empty() { theirs } else { own.to_vec() };
    let search = if settings.search.is_empty() {
        given.map(|lease| lease.search.clone()).unwrap_or_default()
    } else {
        settings.search.clone()
    };
    let addresses = seen.addresses.iter().filter(|address| address.link == link.index && address.lasting);
    let mut defaults: Vec<_> =
        seen.routes.iter().filter(|route| route.link == link.index && route.to.prefix() == 0).collect();
    defaults.sort_by_key(|route| route.metric);
    NicState {
        name: link.name.clone(),
        mac: link.mac,
        carrier: link.carrier,
        addresses: addresses.map(|address| address.cidr).collect(),
        gateways: defaults.iter().filter_map(|route| route.gateway).collect(),
        resolvers: told(&settings.resolvers, ips(|lease| &lease.resolvers)),
        domain: given.and_then(|lease| lease.domain.clone()),
        search,
        ntp: ips(|lease| &lease.ntp),
        leased: given.is_some(),
        lease_until: lease.and_then(|(_, end)| end).map(Duration::from_millis),
    }
}

/// The address of a version that others reach the device by: of the interface of the best default route; where no router
/// is, of the first interface that has one.
fn primary(sources: &[Source<'_>], seen: &Seen, v4: bool) -> Option<IpAddr> {
    let default = |link: &Link| {
        let routes = seen.routes.iter().filter(|route| route.link == link.index && route.to.is_v4() == v4);
        routes.filter(|route| route.to.prefix() == 0).map(|route| route.metric).min()
    };
    let mut found: Vec<_> = sources
        .iter()
        .filter_map(|source| {
            let metric = default(source.link);
            let address = best(source, seen, v4)?;
            Some(((!source.link.carrier, metric.is_none(), metric), address))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.first().map(|(_, address)| *address)
}

/// The best address of an interface: the leased one, a global one, any but those of the link.
fn best(source: &Source<'_>, seen: &Seen, v4: bool) -> Option<IpAddr> {
    let leased = source.lease.map(|(lease, _)| IpAddr::V4(lease.address));
    let own = seen.addresses.iter().filter(|address| address.link == source.link.index && address.lasting);
    let reachable = |address: &IpAddr| match address {
        IpAddr::V4(address) => v4 && !address.is_link_local() && !address.is_loopback(),
        IpAddr::V6(address) => !v4 && !address.is_unicast_link_local() && !address.is_loopback(),
    };
    let rank = |address: &IpAddr| match address {
        IpAddr::V4(_) => Some(*address) == leased,
        IpAddr::V6(address) => address.octets().first().is_some_and(|first| first & 0xe0 == 0x20),
    };
    own.map(|address| &address.cidr).map(Cidr::address).filter(reachable).min_by_key(|address| Reverse(rank(address)))
}
