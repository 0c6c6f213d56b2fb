//! What a server gave: read from its answer, and the text that keeps it over a restart.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{
    message::{self, Answer, is_host},
    names,
};
use crate::Cidr;

/// No more of each list is kept.
const MOST: usize = 16;
/// How many interfaces' leases a saved text may hold.
const MOST_SAVED: usize = 64;
/// The time that means for ever.
const FOR_EVER: u32 = u32::MAX;
/// Below that no host can be reached (RFC 791, as servers are told in RFC 2132).
const LEAST_MTU: u16 = 576;

/// What a server gave to one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    /// The address.
    pub(super) address: Ipv4Addr,
    /// Length of the network's prefix.
    pub(super) prefix: u8,
    /// Who gave it.
    pub(super) server: Ipv4Addr,
    /// Networks and the routers to them; without a router they are on the link.
    pub(super) routes: Vec<(Cidr, Option<Ipv4Addr>)>,
    /// Name servers.
    pub(super) resolvers: Vec<Ipv4Addr>,
    /// The host's domain.
    pub(super) domain: Option<String>,
    /// Domains to search in.
    pub(super) search: Vec<String>,
    /// Time servers.
    pub(super) ntp: Vec<Ipv4Addr>,
    /// Largest packet.
    pub(super) mtu: Option<u16>,
    /// Times after which to renew, to rebind and to end, in milliseconds; none when it is for ever.
    pub(super) times: Option<Times>,
}

/// Times of a lease, in milliseconds from its start; each is later than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// When to ask its server for more.
    pub(super) renew: u64,
    /// When to ask any server.
    pub(super) rebind: u64,
    /// When it is over.
    pub(super) end: u64,
}

/// A lease of a former run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    /// Which start of the machine that was; its clock says nothing about another.
    pub(super) boot: String,
    /// When the lease started, in milliseconds of that clock.
    pub(super) start: u64,
    /// The server's answer.
    pub(super) answer: Vec<u8>,
}

impl Lease {
    /// The lease in an answer, if there is one that can be used.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let address = Some(answer.given).filter(|address| is_host(*address))?;
        let prefix =
            answer.options.get(&message::MASK).and_then(|mask| prefix(mask)).unwrap_or_else(|| classful(address));
        let network = Cidr::new(address.into(), prefix)?;
        let last = network.last();
        if prefix < 31 && [0, last].contains(&network.number(address.into())) {
            return None;
        }
        let mut resolvers = answer.addresses(message::RESOLVERS);
        resolvers.truncate(MOST);
        let mut ntp = answer.addresses(message::NTP);
        ntp.truncate(MOST);
        let domains = answer.options.get(&message::DOMAIN).map(|value| names::domains(value)).unwrap_or_default();
        let search = answer.options.get(&message::SEARCH).map(|value| names::search(value)).unwrap_or_default();
        let mtu = answer.options.get(&message::MTU).and_then(|value| value.as_slice().try_into().ok());
        Some(Self {
            address,
            prefix,
            server: answer.server?,
            routes: routes(answer, address),
            resolvers,
            domain: domains.first().cloned(),
            search: if search.is_empty() { domains } else { search },
            ntp,
            mtu: mtu.map(u16::from_be_bytes).filter(|mtu| *mtu >= LEAST_MTU),
            times: Times::of(answer)?,
        })
    }
}

impl Times {
    /// The times in an answer: nothing without any, and nothing inside when the lease is for ever.
    #[expect(clippy::option_option, reason = "an answer without a time is no lease, one without an end is")]
    fn of(answer: &Answer) -> Option<Option<Self>> {
        let seconds = answer.number(message::LEASE_TIME).filter(|seconds| *seconds > 0)?;
        if seconds == FOR_EVER {
            return Some(None);
        }
        let end = u64::from(seconds).saturating_mul(1000);
        let told = |code| answer.number(code).map(|seconds| u64::from(seconds).saturating_mul(1000));
        let usual = Self { renew: end / 2, rebind: end.saturating_mul(7) / 8, end };
        let told = Self {
            renew: told(message::RENEWAL).unwrap_or(usual.renew),
            rebind: told(message::REBINDING).unwrap_or(usual.rebind),
            end,
        };
        let sound = told.renew > 0 && told.renew < told.rebind && told.rebind < end;
        Some(Some(if sound { told } else { usual }))
    }
}

/// Writes leases, by hardware address: one line for each.
pub(super) fn write(all: &BTreeMap<[u8; 6], Saved>) -> String {
    let line = |(mac, saved): (&[u8; 6], &Saved)| {
        format!("{} {} {} {}\n", hex::encode(mac), saved.boot, saved.start, hex::encode(&saved.answer))
    };
    all.iter().take(MOST_SAVED).map(line).collect()
}

/// Reads what [`write`] wrote. Lines that it did not write are left out.
pub(super) fn read(text: &str) -> BTreeMap<[u8; 6], Saved> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut mac = [0; 6];
        hex::decode_to_slice(words.next()?, &mut mac).ok()?;
        let (boot, start) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        let answer = words.next().filter(|word| word.len() <= message::LONGEST.saturating_mul(2))?;
        Some((mac, Saved { boot, start, answer: hex::decode(answer).ok()? }))
    };
    text.lines().filter_map(line).take(MOST_SAVED).collect()
}

/// Classless routes if there are any (RFC 3442: then routers do not count), or the first router.
fn routes(answer: &Answer, own: Ipv4Addr) -> Vec<(Cidr, Option<Ipv4Addr>)> {
    let classless = answer.options.get(&message::CLASSLESS).map(|value| classless(value)).unwrap_or_default();
    let mut routes: Vec<(Cidr, Option<Ipv4Addr>)> = Vec::new();
    for (to, router) in classless {
        let sound = router.is_none_or(|router| is_host(router) && router != own);
        if sound && routes.len() < MOST && !routes.iter().any(|(known, _)| *known == to) {
            routes.push((to, router));
        }
    }
    if routes.is_empty() {
        let router = answer.addresses(message::ROUTERS).into_iter().find(|router| *router != own);
        let everywhere = Cidr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        routes.extend(everywhere.zip(router.map(Some)));
    }
    routes
}

/// The routes of option 121: length of the prefix, its bytes that matter, the router. Nothing if it is cut.
fn classless(mut value: &[u8]) -> Vec<(Cidr, Option<Ipv4Addr>)> {
    let mut routes = Vec::new();
    while let Some((prefix, rest)) = value.split_first() {
        let parse = || {
            let (to, rest) = rest.split_at_checked(usize::from(prefix.div_ceil(8)))?;
            let (router, rest) = rest.split_first_chunk::<4>()?;
            let mut octets = [0; 4];
            octets.get_mut(..to.len())?.copy_from_slice(to);
            let to = Cidr::new(Ipv4Addr::from(octets).into(), *prefix)?.network();
            let router = Ipv4Addr::from(*router);
            Some(((to, (!router.is_unspecified()).then_some(router)), rest))
        };
        let Some((route, rest)) = parse() else { return Vec::new() };
        routes.push(route);
        value = rest;
    }
    routes
}

fn prefix(mask: &[u8]) -> Option<u8> {
    let bits = message::address(mask)?.to_bits();
    let prefix = u8::try_from(bits.leading_ones()).ok()?;
    (prefix > 0 && bits.count_ones() == bits.leading_ones()).then_some(prefix)
}

/// The prefix that an address had before there were masks.
fn classful(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..128, ..] => 8,
        [128..192, ..] => 16,
        _ => 24,
    }
}
