//! What has to change on the host and in a pod: decided from what is wanted and what was seen, nothing is touched here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{Cidr, Error, NodeNetwork};

/// Name of the interface in a pod.
pub const INSIDE: &str = "eth0";
/// First word of the alias of a link that this crate made for a pod; the pod's UID and its addresses follow.
const OWNER: &str = "coracle";
const LOOPBACK: &str = "lo";
/// How many names are tried for a pod's link when others have them.
const NAMES: u32 = 16;

/// A link that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Number in its namespace; a younger one has a higher one.
    pub index: u32,
    /// Name.
    pub name: String,
    /// `bridge`, `veth`, …; empty for hardware.
    pub kind: String,
    /// Free text.
    pub alias: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Largest packet.
    pub mtu: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it has a carrier.
    pub running: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// The bridge it is a port of.
    pub master: Option<u32>,
    /// Number of the other end of a veth pair, in the other end's namespace.
    pub peer: Option<u32>,
    /// Whether the bridge sends frames back to where they came from.
    pub hairpin: bool,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
}

/// A default route that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Whether it is of version 4.
    pub v4: bool,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Number of the link.
    pub link: u32,
    /// The lower one wins.
    pub metric: u32,
}

/// What was seen in a pod's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// Its links.
    pub links: Vec<Link>,
    /// Its default routes.
    pub routes: Vec<Route>,
}

/// One change. Links are told by name, since a new one has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a bridge.
    AddBridge {
        /// Name.
        name: String,
        /// Hardware address; without one it would change with the ports.
        mac: [u8; 6],
    },
    /// Make a veth pair, its other end as [`INSIDE`] in the pod.
    AddVeth {
        /// Name of the host's end.
        name: String,
        /// Largest packet of both ends.
        mtu: u32,
        /// Hardware address of the pod's end.
        mac: [u8; 6],
    },
    /// Change a link.
    SetLink {
        /// Its name.
        name: String,
        /// What changes.
        change: Change,
    },
    /// Let the bridge send frames back to this port.
    SetHairpin {
        /// Its name.
        name: String,
    },
    /// Remove a link.
    DeleteLink {
        /// Its name.
        name: String,
    },
    /// Give a link an address.
    AddAddress {
        /// The link's name.
        link: String,
        /// The address.
        address: Cidr,
    },
    /// Take an address from a link.
    DeleteAddress {
        /// The link's name.
        link: String,
        /// The address.
        address: Cidr,
    },
    /// Set the default route.
    SetDefaultRoute {
        /// The link's name.
        link: String,
        /// The router.
        gateway: IpAddr,
    },
    /// Change a setting of the kernel.
    SetSysctl {
        /// Path below `/proc/sys`.
        key: String,
        /// New value.
        value: String,
    },
}

/// Changes of one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Largest packet.
    pub mtu: Option<u32>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Free text.
    pub alias: Option<String>,
    /// Name of the bridge to join.
    pub master: Option<String>,
    /// Whether to switch it on.
    pub up: bool,
}

/// The bridge and its addresses.
///
/// # Errors
/// When something else has the bridge's name.
pub fn bridge(network: &NodeNetwork, links: &[Link]) -> Result<Vec<Action>, Error> {
    let name = &network.bridge;
    let gateways = network.gateways();
    let mac = gateways.first().map(|gateway| mac(gateway.address())).unwrap_or_default();
    let mut actions = Vec::new();
    let fresh = Link { mac, ..Link::default() };
    let seen = match links.iter().find(|link| link.name == *name) {
        Some(link) if link.kind == "bridge" => link,
        Some(_) => return Err(Error::Network(format!("{name} exists and is not a bridge"))),
        None => {
            actions.push(Action::AddBridge { name: name.clone(), mac });
            &fresh
        }
    };
    // The MTU is set after the bridge is made, or the bridge would follow that of its ports.
    let change = Change {
        mtu: (seen.mtu != network.mtu).then_some(network.mtu),
        mac: (seen.mac != mac).then_some(mac),
        up: !seen.up,
        ..Change::default()
    };
    actions.extend(change.on(name));
    for address in seen.addresses.iter().filter(|address| !link_local(address) && !gateways.contains(address)) {
        actions.push(Action::DeleteAddress { link: name.clone(), address: *address });
    }
    for address in gateways.iter().filter(|address| !seen.addresses.contains(address)) {
        actions.push(Action::AddAddress { link: name.clone(), address: *address });
    }
    Ok(actions)
}

/// The kernel settings that [`settings`] wants to know, as paths below `/proc/sys`.
#[must_use]
pub fn setting_keys(network: &NodeNetwork, links: &[Link]) -> Vec<String> {
    let mut keys: Vec<String> = wanted_settings(network).into_iter().map(|(key, _)| key).collect();
    if network.has(false) {
        keys.extend(links.iter().filter(|link| may_be_uplink(network, link)).map(accept_ra));
    }
    keys
}

/// Settings of the host: forwarding, and what makes host ports work from the host itself.
///
/// A router does not take router advertisements, unless told so: uplinks that took them until now still do.
#[must_use]
pub fn settings(network: &NodeNetwork, links: &[Link], seen: &BTreeMap<String, String>) -> Vec<Action> {
    let set = |key: &str, value: &str| Action::SetSysctl { key: key.to_owned(), value: value.to_owned() };
    let mut actions = Vec::new();
    if network.has(false) && seen.get(V6_FORWARDING).is_none_or(|value| value == "0") {
        let takes = |key: &String| seen.get(key).is_some_and(|value| value == "1");
        let uplinks = links.iter().filter(|link| may_be_uplink(network, link)).map(accept_ra).filter(takes);
        actions.extend(uplinks.map(|key| set(&key, "2")));
    }
    let wanted = wanted_settings(network).into_iter();
    actions.extend(wanted.filter(|(key, value)| seen.get(key) != Some(value)).map(|(key, value)| set(&key, &value)));
    actions
}

const V6_FORWARDING: &str = "net/ipv6/conf/all/forwarding";

fn wanted_settings(network: &NodeNetwork) -> Vec<(String, String)> {
    let bridge = &network.bridge;
    let mut wanted = Vec::new();
    if network.has(false) {
        wanted.push((format!("net/ipv6/conf/{bridge}/disable_ipv6"), "0"));
        wanted.push((format!("net/ipv6/conf/{bridge}/accept_ra"), "0"));
        wanted.push((V6_FORWARDING.to_owned(), "1"));
    }
    if network.has(true) {
        // Host ports of 127.0.0.1 leave through the bridge; the rules keep pods from coming in by the same door.
        wanted.push((format!("net/ipv4/conf/{bridge}/route_localnet"), "1"));
        wanted.push(("net/ipv4/ip_forward".to_owned(), "1"));
    }
    wanted.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

/// Whether routers may be behind a link: containers and parts of others have none.
fn may_be_uplink(network: &NodeNetwork, link: &Link) -> bool {
    link.kind != "veth" && link.master.is_none() && !link.loopback && link.name != network.bridge
}

fn accept_ra(link: &Link) -> String {
    format!("net/ipv6/conf/{}/accept_ra", link.name)
}

/// The link of a pod among those of the host, if there is one.
#[must_use]
pub fn port<'a>(uid: &str, links: &'a [Link]) -> Option<&'a Link> {
    links.iter().find(|link| owner(link).is_some_and(|(owner, _)| owner == uid))
}

/// The name of a pod's link: the one it has, or a free one.
#[must_use]
pub fn port_name(uid: &str, links: &[Link]) -> Option<String> {
    let names = || (0..NAMES).map(|attempt| hashed_name(uid, attempt));
    let free = |name: &String| !links.iter().any(|link| link.name == *name);
    port(uid, links).map(|link| link.name.clone()).or_else(|| names().find(free))
}

/// What has to happen on the host for a pod's link; whether the pair has to be made anew is [`is_paired`]'s answer.
#[must_use]
pub fn attach(
    network: &NodeNetwork,
    uid: &str,
    ips: &[IpAddr],
    name: &str,
    links: &[Link],
    paired: bool,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let bridge = links.iter().find(|link| link.name == network.bridge).map(|link| link.index);
    let seen = port(uid, links);
    if !paired {
        if seen.is_some() {
            actions.push(Action::DeleteLink { name: name.to_owned() });
        }
        actions.push(Action::AddVeth { name: name.to_owned(), mtu: network.mtu, mac: pod_mac(ips) });
    }
    let fresh = Link { mtu: network.mtu, ..Link::default() };
    let seen = seen.filter(|_| paired).unwrap_or(&fresh);
    let change = Change {
        mtu: (seen.mtu != network.mtu).then_some(network.mtu),
        master: (seen.master.is_none() || seen.master != bridge).then(|| network.bridge.clone()),
        up: !seen.up,
        ..Change::default()
    };
    let joins = change.master.is_some();
    actions.extend(change.on(name));
    if joins || !seen.hairpin {
        actions.push(Action::SetHairpin { name: name.to_owned() });
    }
    actions
}

/// The last step: writes on a pod's link whose it is. One without that is not finished, and made anew.
#[must_use]
pub fn sign(uid: &str, ips: &[IpAddr], name: &str, links: &[Link], paired: bool) -> Option<Action> {
    let alias = alias(uid, ips);
    let signed = paired && port(uid, links).is_some_and(|link| link.alias == alias);
    let change = Change { alias: Some(alias), ..Change::default() };
    (!signed).then(|| Action::SetLink { name: name.to_owned(), change })
}

/// Whether a pod's interface is the other end of its link.
#[must_use]
pub fn is_paired(uid: &str, links: &[Link], inside: &Inside) -> bool {
    let theirs = inside.links.iter().find(|link| link.name == INSIDE);
    port(uid, links)
        .zip(theirs)
        .is_some_and(|(ours, theirs)| ours.peer == Some(theirs.index) && theirs.peer == Some(ours.index))
}

/// What has to go from a pod before its interface can be made: one that is no end of its link.
#[must_use]
pub fn clear(inside: &Inside) -> Vec<Action> {
    let stale = inside.links.iter().filter(|link| link.name == INSIDE);
    stale.map(|link| Action::DeleteLink { name: link.name.clone() }).collect()
}

/// What has to happen in a pod, once its interface is there.
#[must_use]
pub fn inside(network: &NodeNetwork, ips: &[IpAddr], seen: &Inside) -> Vec<Action> {
    let find = |name: &str| seen.links.iter().find(|link| link.name == name).cloned().unwrap_or_default();
    let mut actions: Vec<Action> =
        Change { up: !find(LOOPBACK).up, ..Change::default() }.on(LOOPBACK).into_iter().collect();
    let link = find(INSIDE);
    let mac = pod_mac(ips);
    let change = Change {
        mtu: (link.mtu != network.mtu).then_some(network.mtu),
        mac: (link.mac != mac).then_some(mac),
        up: !link.up,
        ..Change::default()
    };
    actions.extend(change.on(INSIDE));
    let wanted: Vec<Cidr> = ips.iter().filter_map(|ip| pod_address(network, *ip)).collect();
    for address in link.addresses.iter().filter(|address| !link_local(address) && !wanted.contains(address)) {
        actions.push(Action::DeleteAddress { link: INSIDE.to_owned(), address: *address });
    }
    for address in wanted.iter().filter(|address| !link.addresses.contains(address)) {
        actions.push(Action::AddAddress { link: INSIDE.to_owned(), address: *address });
    }
    for gateway in network.gateways() {
        let (address, v4) = (gateway.address(), gateway.is_v4());
        let there = |route: &Route| route.v4 == v4 && route.gateway == Some(address) && route.link == link.index;
        if wanted.iter().any(|wanted| wanted.is_v4() == v4) && !seen.routes.iter().any(there) {
            actions.push(Action::SetDefaultRoute { link: INSIDE.to_owned(), gateway: address });
        }
    }
    actions
}

/// Settings of a pod's namespace. Neighbours are no routers: what they say about routes is not believed.
#[must_use]
pub fn inside_settings(network: &NodeNetwork) -> Vec<(String, &'static str)> {
    let mut wanted = Vec::new();
    if network.has(true) {
        wanted.push(("net/ipv4/conf/all/accept_redirects".to_owned(), "0"));
        wanted.push((format!("net/ipv4/conf/{INSIDE}/accept_redirects"), "0"));
    }
    if network.has(false) {
        wanted.push((format!("net/ipv6/conf/{LOOPBACK}/disable_ipv6"), "0"));
        wanted.push((format!("net/ipv6/conf/{INSIDE}/disable_ipv6"), "0"));
        wanted.push((format!("net/ipv6/conf/{INSIDE}/accept_ra"), "0"));
        wanted.push((format!("net/ipv6/conf/{INSIDE}/accept_redirects"), "0"));
    }
    wanted
}

/// Links of pods that are gone.
#[must_use]
pub fn leftovers(links: &[Link], keep: &BTreeSet<&str>) -> Vec<Action> {
    let gone = |link: &&Link| owner(link).is_some_and(|(uid, _)| !keep.contains(uid.as_str()));
    links.iter().filter(gone).map(|link| Action::DeleteLink { name: link.name.clone() }).collect()
}

/// The pod that a link of the host was made for, and the addresses that the pod got. Links of others have none.
#[must_use]
pub fn owner(link: &Link) -> Option<(String, Vec<IpAddr>)> {
    let mut words = link.alias.split(' ');
    (link.kind == "veth" && words.next() == Some(OWNER)).then_some(())?;
    let uid = words.next()?;
    Some((uid.to_owned(), words.map_while(|word| word.parse().ok()).collect()))
}

/// The hardware address that belongs to a pod's addresses. An address that comes back keeps its neighbours valid.
#[must_use]
pub fn pod_mac(ips: &[IpAddr]) -> [u8; 6] {
    ips.first().copied().map(mac).unwrap_or_default()
}

/// A pod's address in the network it is from.
fn pod_address(network: &NodeNetwork, ip: IpAddr) -> Option<Cidr> {
    let cidr = network.pod_cidrs.iter().find(|cidr| cidr.contains(ip))?;
    Cidr::new(ip, cidr.prefix())
}

/// A locally administered hardware address of an IP address, made as other network plugins do.
fn mac(address: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => hash(&address.octets(), 0).to_be_bytes(),
    };
    [0x0a, 0x58, a, b, c, d]
}

fn alias(uid: &str, ips: &[IpAddr]) -> String {
    ips.iter().fold(format!("{OWNER} {uid}"), |text, ip| format!("{text} {ip}"))
}

fn hashed_name(uid: &str, attempt: u32) -> String {
    format!("veth{:08x}", hash(uid.as_bytes(), attempt))
}

/// FNV-1a, folded: names must be the same in each version of the program, which the standard hash does not promise.
fn hash(bytes: &[u8], attempt: u32) -> u32 {
    let whole = crate::nft::digest(attempt.to_be_bytes().iter().chain(bytes).copied());
    let [a, b, c, d, e, f, g, h] = whole.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

fn link_local(address: &Cidr) -> bool {
    match address.address() {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

impl Change {
    /// The change of a link, if anything changes.
    fn on(self, name: &str) -> Option<Action> {
        (self != Self::default()).then(|| Action::SetLink { name: name.to_owned(), change: self })
    }
}

#[cfg(test)]
mod tests;
