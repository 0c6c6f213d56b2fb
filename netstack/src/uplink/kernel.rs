//! The kernel's side: what is there, changes of it, and the wish to be told when something changes.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope},
    link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, protocols};

use super::plan::{Action, Address, Link, Route, Seen};
use crate::{
    Cidr, Error, sysctl,
    wire::{Frame, Wire, route},
};

const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;
const MAIN_TABLE: u8 = 254;
/// The mark of addresses: the number that routes of DHCP have.
const MARK: u8 = 16;
/// Flag of an address that a program made for privacy and that changes.
const TEMPORARY: u32 = 1;

/// Tells that something changed; what, has to be looked for.
pub(super) struct Events(Socket);

impl Events {
    /// From now on.
    pub(super) fn open() -> Result<Self, Error> {
        const LINKS: u32 = 1;
        const ADDRESSES: [u32; 2] = [5, 9];
        const ROUTES: [u32; 2] = [7, 11];
        let open = || {
            let mut socket = Socket::new(protocols::NETLINK_ROUTE)?;
            socket.bind_auto()?;
            for group in [LINKS].into_iter().chain(ADDRESSES).chain(ROUTES) {
                socket.add_membership(group)?;
            }
            socket.set_non_blocking(true)?;
            io::Result::Ok(Self(socket))
        };
        open().map_err(Error::io("listening to changes of the network"))
    }

    /// Forgets what was told. Nothing is lost when it was too much: all is looked at anyway.
    pub(super) fn drain(&self) {
        let mut buffer = Vec::with_capacity(1 << 16);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Looks at everything but the kernel's settings.
pub(super) fn look(wire: &mut Wire) -> Result<Seen, Error> {
    let mut get = LinkMessage::default();
    get.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let links = all(wire, "listing links", &RouteNetlinkMessage::GetLink(get), |message| match message {
        RouteNetlinkMessage::NewLink(message) => Some(link(message)),
        _ => None,
    })?;
    let get = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let addresses = all(wire, "listing addresses", &get, |message| match message {
        RouteNetlinkMessage::NewAddress(message) => address(&message),
        _ => None,
    })?;
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut get = RouteMessage::default();
        get.header.address_family = family;
        routes.extend(all(wire, "listing routes", &RouteNetlinkMessage::GetRoute(get), |message| match message {
            RouteNetlinkMessage::NewRoute(message) => read_route(&message),
            _ => None,
        })?);
    }
    Ok(Seen { links, addresses, routes, ..Seen::default() })
}

/// Does one change.
pub(super) fn execute(wire: &mut Wire, action: &Action) -> Result<(), Error> {
    let absent_is_fine = |result: Result<(), Error>| match result {
        Err(error) if error.is_absent() => Ok(()),
        other => other,
    };
    match action {
        Action::Set(key, value) => sysctl::write(key, value),
        Action::Up(index) => route::set_link(wire, "switching an interface on", *index, true, Vec::new()),
        Action::Mtu(index, mtu) => {
            route::set_link(wire, "changing the MTU", *index, false, vec![LinkAttribute::Mtu(*mtu)])
        }
        Action::AddAddress(index, cidr, metric) => {
            let what = format!("adding {cidr}");
            let message = RouteNetlinkMessage::NewAddress(address_message(*index, *cidr, Some(*metric)));
            wire.act(&what, &frame(&message, CREATE | REPLACE)).map(drop)
        }
        Action::DeleteAddress(index, cidr) => {
            let message = RouteNetlinkMessage::DelAddress(address_message(*index, *cidr, None));
            absent_is_fine(wire.act(&format!("removing {cidr}"), &frame(&message, 0)).map(drop))
        }
        Action::AddRoute(route, asks) => {
            let message = RouteNetlinkMessage::NewRoute(route_message(route, *asks));
            // Not in the place of another one: that may be somebody else's.
            match wire.act(&format!("adding a route to {}", route.to), &frame(&message, CREATE)) {
                Err(error) if error.errno() == Some(rustix::io::Errno::EXIST.raw_os_error()) => Ok(()),
                other => other.map(drop),
            }
        }
        Action::DeleteRoute(route) => {
            let message = RouteNetlinkMessage::DelRoute(route_message(route, false));
            absent_is_fine(wire.act(&format!("removing a route to {}", route.to), &frame(&message, 0)).map(drop))
        }
    }
}

fn link(message: LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::LowerUp),
        ..Link::default()
    };
    let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
    let (mut device, mut plain) = (false, true);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(mac) => link.mac = mac.try_into().ok().filter(|_| ethernet),
            // Of a bridge or a bond: that has the addresses.
            LinkAttribute::Controller(_) => plain = false,
            LinkAttribute::ParentDevName(_) => device = true,
            LinkAttribute::LinkInfo(infos) if infos.iter().any(|info| matches!(info, LinkInfo::Kind(_))) => {
                plain = false;
            }
            _ => {}
        }
    }
    link.wired = ethernet && device && plain && !is_wireless(&link.name);
    link
}

/// Netlink does not tell whether an interface is one of Wi-Fi.
fn is_wireless(name: &str) -> bool {
    let folder = Path::new("/sys/class/net").join(name);
    folder.join("phy80211").exists() || folder.join("wireless").exists()
}

fn address(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut plain, mut ours, mut flags) = (None, None, false, 0);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => plain = Some(*address),
            AddressAttribute::Protocol(mark) => ours = *mark == AddressProtocol::Other(MARK),
            AddressAttribute::Flags(found) => flags = found.bits(),
            _ => {}
        }
    }
    let found = local.or(plain)?;
    let unsure = AddressFlags::Tentative | AddressFlags::Deprecated | AddressFlags::Dadfailed;
    // What means temporary in version 6 means secondary in version 4.
    let lasting = flags & unsure.bits() == 0 && (found.is_ipv4() || flags & TEMPORARY == 0);
    Some(Address { link: message.header.index, cidr: Cidr::new(found, message.header.prefix_len)?, ours, lasting })
}

fn read_route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    if header.table != MAIN_TABLE || header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let v4 = header.address_family == AddressFamily::Inet;
    let (mut to, mut gateway, mut link, mut metric, mut source) = (None, None, None, 0, None);
    let plain = |address: &RouteAddress| match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = plain(address),
            RouteAttribute::Gateway(address) => gateway = plain(address),
            RouteAttribute::PrefSource(address) => source = plain(address),
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Priority(number) => metric = *number,
            _ => {}
        }
    }
    let any = if v4 { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let to = Cidr::new(to.unwrap_or(any), header.destination_prefix_length)?;
    Some(Route { link: link?, to, gateway, metric, source, ours: header.protocol == RouteProtocol::Dhcp })
}

fn address_message(index: u32, cidr: Cidr, metric: Option<u32>) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address());
    message.header.prefix_len = cidr.prefix();
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(cidr.address()), AddressAttribute::Address(cidr.address())];
    let Some(metric) = metric else { return message };
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(MARK)));
    message.attributes.push(AddressAttribute::RoutePriority(metric));
    match cidr.nth(cidr.last()) {
        IpAddr::V4(last) if cidr.prefix() < 31 => message.attributes.push(AddressAttribute::Broadcast(last)),
        IpAddr::V4(_) => {}
        // Who sets an address by hand is told of a double one by the log only; it is there at once.
        IpAddr::V6(_) => {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    message
}

fn route_message(route: &Route, asks: bool) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.to.address());
    message.header.destination_prefix_length = route.to.prefix();
    message.header.table = MAIN_TABLE;
    message.header.protocol = RouteProtocol::Dhcp;
    message.header.scope =
        if route.gateway.is_none() && route.to.is_v4() { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    if asks {
        message.header.flags = RouteFlags::Onlink;
    }
    message.attributes = vec![
        RouteAttribute::Destination(route.to.address().into()),
        RouteAttribute::Oif(route.link),
        RouteAttribute::Priority(route.metric),
    ];
    message.attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    message.attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A message to send.
pub(super) fn frame(message: &RouteNetlinkMessage, flags: u16) -> Frame {
    let mut payload = vec![0; NetlinkSerializable::buffer_len(message)];
    message.serialize(&mut payload);
    Frame { kind: message.message_type(), flags, payload }
}

/// Dumps, and reads each answer. One that cannot be read belongs to something that is not ours.
fn all<T>(
    wire: &mut Wire,
    what: &str,
    get: &RouteNetlinkMessage,
    read: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Frame { kind, payload, .. } = frame(get, 0);
    let replies = wire.dump(what, kind, &payload)?;
    let parse = |reply: &crate::wire::Reply| {
        let mut header = NetlinkHeader::default();
        header.message_type = reply.kind;
        match RouteNetlinkMessage::deserialize(&header, &reply.payload) {
            Ok(message) => read(message),
            Err(error) => {
                tracing::debug!(%error, what, "cannot read one of the kernel's answers");
                None
            }
        }
    };
    Ok(replies.iter().filter_map(parse).collect())
}
