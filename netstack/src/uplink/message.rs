//! DHCP messages (RFC 2131, 2132): what a client writes, and what of a server's answer it reads.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// Length of the fixed part, up to the mark that tells DHCP from its ancestor.
const FIXED: usize = 240;
const MARK: [u8; 4] = [99, 130, 83, 99];
/// Servers and relays drop shorter messages, as the ancestor had them all of this length.
const SHORTEST: usize = 300;
/// A longer one would not fit into one frame.
pub(super) const LONGEST: usize = 1500;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET: u8 = 1;

const PAD: u8 = 0;
pub(super) const MASK: u8 = 1;
pub(super) const ROUTERS: u8 = 3;
pub(super) const RESOLVERS: u8 = 6;
const HOST_NAME: u8 = 12;
pub(super) const DOMAIN: u8 = 15;
pub(super) const MTU: u8 = 26;
pub(super) const NTP: u8 = 42;
const ADDRESS: u8 = 50;
pub(super) const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const KIND: u8 = 53;
const SERVER: u8 = 54;
const WANTED: u8 = 55;
const MAX_SIZE: u8 = 57;
pub(super) const RENEWAL: u8 = 58;
pub(super) const REBINDING: u8 = 59;
const CLIENT: u8 = 61;
pub(super) const SEARCH: u8 = 119;
pub(super) const CLASSLESS: u8 = 121;
const END: u8 = 255;

/// What servers are asked for. Classless routes have to stand before routers.
const ASKED: [u8; 11] = [MASK, CLASSLESS, ROUTERS, RESOLVERS, DOMAIN, SEARCH, MTU, NTP, LEASE_TIME, RENEWAL, REBINDING];

/// Kinds of messages that a client sends or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who gives addresses?
    Discover,
    /// A server would give this one.
    Offer,
    /// This one, please.
    Request,
    /// It is yours.
    Ack,
    /// It is not yours.
    Nak,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Hardware address.
    pub(super) mac: [u8; 6],
    /// What servers know the client by, even with another interface.
    pub(super) client: Vec<u8>,
    /// Name of the host, if servers shall know it.
    pub(super) hostname: Option<String>,
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// [`Kind::Discover`] or [`Kind::Request`].
    pub(super) kind: Kind,
    /// Number of the exchange.
    pub(super) exchange: u32,
    /// How long the client has been asking.
    pub(super) seconds: u16,
    /// The address that it has.
    pub(super) has: Option<Ipv4Addr>,
    /// The address that it wants.
    pub(super) wants: Option<Ipv4Addr>,
    /// The server whose offer it takes.
    pub(super) server: Option<Ipv4Addr>,
}

/// A message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// [`Kind::Offer`], [`Kind::Ack`] or [`Kind::Nak`].
    pub(super) kind: Kind,
    /// Number of the exchange.
    pub(super) exchange: u32,
    /// The client's hardware address.
    pub(super) mac: [u8; 6],
    /// The address that is given.
    pub(super) given: Ipv4Addr,
    /// The server.
    pub(super) server: Option<Ipv4Addr>,
    /// All options; parts of a long one are joined (RFC 3396).
    pub(super) options: BTreeMap<u8, Vec<u8>>,
}

impl Identity {
    /// An identity whose client identifier (RFC 4361) is made of an identifier of the machine and of the interface.
    pub(super) fn new(mac: [u8; 6], machine: [u8; 16], hostname: Option<String>) -> Self {
        const WITH_MACHINE: u8 = 255;
        const BY_UUID: [u8; 2] = [0, 4];
        let interface = mac.last_chunk::<4>().copied().unwrap_or_default();
        let client = [&[WITH_MACHINE][..], &interface, &BY_UUID, &machine].concat();
        Self { mac, client, hostname }
    }
}

impl Query {
    /// The bytes.
    pub(super) fn encode(&self, who: &Identity) -> Vec<u8> {
        let any = Ipv4Addr::UNSPECIFIED.octets();
        let mut bytes = vec![REQUEST, ETHERNET, 6, 0];
        bytes.extend(self.exchange.to_be_bytes());
        bytes.extend(self.seconds.to_be_bytes());
        // No flag for broadcast: the packet socket hears what is sent to the hardware address alone.
        bytes.extend([0, 0]);
        bytes.extend(self.has.map_or(any, |address| address.octets()));
        bytes.extend([any, any, any].concat());
        bytes.extend(who.mac);
        bytes.resize(FIXED.saturating_sub(MARK.len()), 0);
        bytes.extend(MARK);
        let kind = if self.kind == Kind::Discover { 1 } else { 3 };
        option(&mut bytes, KIND, &[kind]);
        option(&mut bytes, CLIENT, &who.client);
        if let Some(address) = self.wants {
            option(&mut bytes, ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            option(&mut bytes, SERVER, &server.octets());
        }
        option(&mut bytes, MAX_SIZE, &u16::try_from(LONGEST).unwrap_or(u16::MAX).to_be_bytes());
        if let Some(name) = &who.hostname {
            option(&mut bytes, HOST_NAME, name.as_bytes());
        }
        option(&mut bytes, WANTED, &ASKED);
        bytes.push(END);
        if bytes.len() < SHORTEST {
            bytes.resize(SHORTEST, PAD);
        }
        bytes
    }
}

impl Answer {
    /// Reads an answer; nothing if it is none, whatever the bytes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LONGEST {
            return None;
        }
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let [REPLY, ETHERNET, 6, ..] = *fixed else { return None };
        if !fixed.ends_with(&MARK) {
            return None;
        }
        let exchange = u32::from_be_bytes(*fixed.get(4..)?.first_chunk()?);
        let given = Ipv4Addr::from(*fixed.get(16..)?.first_chunk::<4>()?);
        let mac = *fixed.get(28..)?.first_chunk()?;
        let mut options = BTreeMap::new();
        read_options(rest, &mut options)?;
        // The fields of names may hold options too: the file's before the server's.
        let overload = options.get(&OVERLOAD).and_then(|value| value.first().copied()).unwrap_or_default();
        if overload & 1 != 0 {
            read_options(fixed.get(108..236)?, &mut options)?;
        }
        if overload & 2 != 0 {
            read_options(fixed.get(44..108)?, &mut options)?;
        }
        let kind = match options.get(&KIND)?.as_slice() {
            [2] => Kind::Offer,
            [5] => Kind::Ack,
            [6] => Kind::Nak,
            _ => return None,
        };
        let server = options.get(&SERVER).and_then(|value| address(value)).filter(|server| is_host(*server));
        Some(Self { kind, exchange, mac, given, server, options })
    }

    /// A number of 32 bits.
    pub(super) fn number(&self, code: u8) -> Option<u32> {
        self.options.get(&code)?.as_slice().try_into().ok().map(u32::from_be_bytes)
    }

    /// A list of hosts' addresses, without those that cannot be any.
    pub(super) fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let value = self.options.get(&code).map(Vec::as_slice).unwrap_or_default();
        value.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from(*octets)).filter(|ip| is_host(*ip)).collect()
    }
}

/// Whether a host can have the address.
pub(super) fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    (1..224).contains(&first) && !address.is_loopback()
}

/// An address, when the value is one.
pub(super) fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn option(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    let value = value.get(..usize::from(u8::MAX)).unwrap_or(value);
    bytes.push(code);
    bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    bytes.extend(value);
}

/// Reads a field of options up to its end mark, which some servers leave out. A cut option makes all of it worthless.
fn read_options(mut field: &[u8], options: &mut BTreeMap<u8, Vec<u8>>) -> Option<()> {
    while let Some((code, rest)) = field.split_first() {
        match *code {
            END => break,
            PAD => field = rest,
            code => {
                let (length, rest) = rest.split_first()?;
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                options.entry(code).or_default().extend(value);
                field = rest;
            }
        }
    }
    Some(())
}
