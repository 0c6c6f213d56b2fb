//! Messages about links, addresses and routes: what is there, and changes of it.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope},
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkExtentMask,
        LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    },
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::{Frame, Wire};
use crate::{
    Cidr, Error,
    plan::{Link, Route},
};

const REPLACE: u16 = 0x100;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const MAIN_TABLE: u8 = 254;

/// All links of the socket's namespace, with their addresses.
pub(crate) fn links(wire: &mut Wire) -> Result<Vec<Link>, Error> {
    let mut get = LinkMessage::default();
    get.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let mut links: Vec<Link> =
        all(wire, "listing links", &RouteNetlinkMessage::GetLink(get), |message| match message {
            RouteNetlinkMessage::NewLink(message) => Some(link(message)),
            _ => None,
        })?;
    let get = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let addresses = all(wire, "listing addresses", &get, |message| match message {
        RouteNetlinkMessage::NewAddress(message) => address(&message),
        _ => None,
    })?;
    for (index, address) in addresses {
        if let Some(link) = links.iter_mut().find(|link| link.index == index) {
            link.addresses.push(address);
        }
    }
    Ok(links)
}

/// The number of a link.
pub(crate) fn index(wire: &mut Wire, name: &str) -> Result<u32, Error> {
    let mut get = LinkMessage::default();
    get.attributes =
        vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
    let replies = wire.act(&format!("looking for {name}"), &frame(&RouteNetlinkMessage::GetLink(get), 0))?;
    // The number stands at a fixed place: family, type, number.
    let index = replies.first().and_then(|reply| reply.payload.get(4..)?.first_chunk().copied());
    index.map(u32::from_ne_bytes).ok_or(Error::Answer("link"))
}

/// The default routes of the main table.
pub(crate) fn default_routes(wire: &mut Wire) -> Result<Vec<Route>, Error> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut get = RouteMessage::default();
        get.header.address_family = family;
        routes.extend(all(wire, "listing routes", &RouteNetlinkMessage::GetRoute(get), |message| match message {
            RouteNetlinkMessage::NewRoute(message) => default_route(&message),
            _ => None,
        })?);
    }
    Ok(routes)
}

/// Makes a bridge.
pub(crate) fn add_bridge(wire: &mut Wire, name: &str, mac: [u8; 6]) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    send(wire, &format!("making bridge {name}"), &RouteNetlinkMessage::NewLink(message), CREATE | EXCLUSIVE)
}

/// Makes a veth pair whose other end is `eth0` in another namespace.
pub(crate) fn add_veth(
    wire: &mut Wire,
    name: &str,
    inside: BorrowedFd<'_>,
    inside_name: &str,
    mtu: u32,
    mac: [u8; 6],
) -> Result<(), Error> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(inside_name.to_owned()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::NetNsFd(inside.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    send(wire, &format!("making {name}"), &RouteNetlinkMessage::NewLink(message), CREATE | EXCLUSIVE)
}

/// Changes attributes of a link.
pub(crate) fn set_link(
    wire: &mut Wire,
    what: &str,
    index: u32,
    up: bool,
    attributes: Vec<LinkAttribute>,
) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    if up {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    }
    message.attributes = attributes;
    send(wire, what, &RouteNetlinkMessage::SetLink(message), 0)
}

/// Lets a port of a bridge send a frame back to where it came from.
pub(crate) fn set_hairpin(wire: &mut Wire, what: &str, index: u32) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(true)])),
    ])];
    send(wire, what, &RouteNetlinkMessage::NewLink(message), 0)
}

/// Removes a link.
pub(crate) fn delete_link(wire: &mut Wire, name: &str, index: u32) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    send(wire, &format!("removing {name}"), &RouteNetlinkMessage::DelLink(message), 0)
}

/// Gives a link an address, usable at once.
pub(crate) fn add_address(wire: &mut Wire, what: &str, index: u32, cidr: Cidr) -> Result<(), Error> {
    let mut message = address_message(index, cidr);
    match cidr.address() {
        IpAddr::V4(address) => {
            let IpAddr::V4(broadcast) = cidr.nth(cidr.last()) else { return Err(Error::Answer("broadcast address")) };
            message.attributes.push(AddressAttribute::Address(address.into()));
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        // The allocator knows that nobody else has it: asking the link would only delay the pod.
        IpAddr::V6(_) => {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    send(wire, what, &RouteNetlinkMessage::NewAddress(message), CREATE | REPLACE)
}

/// Takes an address from a link.
pub(crate) fn delete_address(wire: &mut Wire, what: &str, index: u32, cidr: Cidr) -> Result<(), Error> {
    send(wire, what, &RouteNetlinkMessage::DelAddress(address_message(index, cidr)), 0)
}

/// Sets a default route.
pub(crate) fn set_default_route(wire: &mut Wire, what: &str, index: u32, gateway: IpAddr) -> Result<(), Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = MAIN_TABLE;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Gateway(gateway.into()), RouteAttribute::Oif(index)];
    send(wire, what, &RouteNetlinkMessage::NewRoute(message), CREATE | REPLACE)
}

fn address_message(index: u32, cidr: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address());
    message.header.prefix_len = cidr.prefix();
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(cidr.address()));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn send(wire: &mut Wire, what: &str, message: &RouteNetlinkMessage, flags: u16) -> Result<(), Error> {
    wire.act(what, &frame(message, flags)).map(drop)
}

fn frame(message: &RouteNetlinkMessage, flags: u16) -> Frame {
    let mut payload = vec![0; NetlinkSerializable::buffer_len(message)];
    message.serialize(&mut payload);
    Frame { kind: message.message_type(), flags, payload }
}

/// Dumps, and reads each answer. One that cannot be read belongs to a link that is not ours: others must not fail for it.
fn all<T>(
    wire: &mut Wire,
    what: &str,
    get: &RouteNetlinkMessage,
    read: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Frame { kind, payload, .. } = frame(get, 0);
    let replies = wire.dump(what, kind, &payload)?;
    let parse = |reply: &super::Reply| {
        let mut header = NetlinkHeader::default();
        header.message_type = reply.kind;
        match RouteNetlinkMessage::deserialize(&header, &reply.payload) {
            Ok(message) => read(message),
            Err(error) => {
                tracing::warn!(%error, what, "cannot read one of the kernel's answers");
                None
            }
        }
    };
    Ok(replies.iter().filter_map(parse).collect())
}

fn link(message: LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::LowerUp),
        loopback: message.header.link_layer_type == LinkLayerType::Loopback,
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = alias,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(mac) => link.mac = mac.try_into().unwrap_or_default(),
            LinkAttribute::Controller(index) => link.master = Some(index),
            LinkAttribute::Link(index) => link.peer = Some(index),
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    match info {
                        LinkInfo::Kind(kind) => link.kind = kind.to_string(),
                        LinkInfo::PortData(InfoPortData::BridgePort(port)) => {
                            link.hairpin = port.contains(&InfoBridgePort::HairpinMode(true));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    link
}

fn address(message: &AddressMessage) -> Option<(u32, Cidr)> {
    // The local address is another one than the link's on links with a peer, and absent in version 6.
    let local = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    };
    let plain = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    };
    let found = message.attributes.iter().find_map(local).or_else(|| message.attributes.iter().find_map(plain))?;
    Some((message.header.index, Cidr::new(found, message.header.prefix_len)?))
}

fn default_route(message: &RouteMessage) -> Option<Route> {
    if message.header.destination_prefix_length != 0
        || message.header.table != MAIN_TABLE
        || message.header.kind != RouteType::Unicast
    {
        return None;
    }
    let mut route = Route { v4: message.header.address_family == AddressFamily::Inet, ..Route::default() };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => route.gateway = Some(IpAddr::V4(*address)),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => route.gateway = Some(IpAddr::V6(*address)),
            RouteAttribute::Oif(index) => route.link = *index,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            _ => {}
        }
    }
    Some(route)
}
