//! Connections that the kernel remembers: datagrams of one pair of ports go where the first one went, as long as they
//! keep coming. When a host port leads somewhere else, that has to be forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    Error, Target,
    nft::attributes,
    wire::{Frame, Wire},
};

const CONNTRACK: u16 = 1 << 8;
const GET: u16 = CONNTRACK | 1;
const DELETE: u16 = CONNTRACK | 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ZONE: u16 = 18;
const ID: u16 = 12;
const UDP: u8 = 17;
const HEADER: usize = 4;

/// Forgets flows of datagrams to these ports of the host's own addresses that do not go where they lead now.
pub(crate) fn forget(
    ports: &BTreeSet<u16>,
    own: &BTreeSet<IpAddr>,
    targets: &BTreeMap<(IpAddr, u16), Target>,
) -> Result<(), Error> {
    let mut wire = Wire::netfilter()?;
    for family in [2, 10] {
        let stale = |payload: &[u8]| is_stale(payload, ports, own, targets);
        for flow in wire.dump_some("listing connections", GET, &[family, 0, 0, 0], stale)? {
            let delete = Frame { kind: DELETE, flags: 0, payload: same(family, &flow.payload) };
            match wire.act("forgetting a connection", &delete) {
                Err(error) if !error.is_absent() => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_stale(
    payload: &[u8],
    ports: &BTreeSet<u16>,
    own: &BTreeSet<IpAddr>,
    targets: &BTreeMap<(IpAddr, u16), Target>,
) -> bool {
    let flow = payload.get(HEADER..).unwrap_or_default();
    let (Some(there), Some(back)) = (tuple(flow, ORIGINAL), tuple(flow, REPLY)) else { return false };
    if there.protocol != UDP || !ports.contains(&there.to.1) || !own.contains(&there.to.0) && !there.to.0.is_loopback()
    {
        return false;
    }
    let any = if there.to.0.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let target = targets.get(&there.to).or_else(|| targets.get(&(any, there.to.1)));
    // Without a target it belongs to the host itself, unless it was sent elsewhere.
    let wanted = target.map_or(there.to, |target| (target.address, target.port));
    back.from != wanted
}

/// One direction of a flow.
struct Tuple {
    protocol: u8,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
}

fn tuple(flow: &[u8], kind: u16) -> Option<Tuple> {
    let find = |attributes_of: &'static [u16], bytes: &[u8]| {
        attributes(bytes).find(|(kind, _)| attributes_of.contains(kind)).map(|(_, value)| value.to_vec())
    };
    let (_, tuple) = attributes(flow).find(|(found, _)| *found == kind)?;
    let (addresses, ports) = (find(&[1], tuple)?, find(&[2], tuple)?);
    let address = |kinds: &'static [u16]| {
        let bytes = find(kinds, &addresses)?;
        let four = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from).ok();
        four.or_else(|| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from).ok())
    };
    let port = |kinds: &'static [u16]| Some(u16::from_be_bytes(find(kinds, &ports)?.try_into().ok()?));
    Some(Tuple {
        protocol: *find(&[1], &ports)?.first()?,
        from: (address(&[1, 3])?, port(&[2])?),
        to: (address(&[2, 4])?, port(&[3])?),
    })
}

/// A message that names exactly the flow of another message.
fn same(family: u8, payload: &[u8]) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    let mut message = vec![family, 0, 0, 0];
    for (kind, value) in attributes(payload.get(HEADER..).unwrap_or_default()) {
        if [ORIGINAL, ZONE, ID].contains(&kind) {
            let length = u16::try_from(value.len().saturating_add(HEADER)).unwrap_or(u16::MAX);
            let nested = if kind == ORIGINAL { NESTED } else { 0 };
            message.extend(length.to_ne_bytes());
            message.extend((kind | nested).to_ne_bytes());
            message.extend(value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn direction(kind: u16, protocol: u8, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
        let addresses = [attribute(1, &from.0), attribute(2, &to.0)].concat();
        let ports = [attribute(1, &[protocol]), attribute(2, &from.1.to_be_bytes()), attribute(3, &to.1.to_be_bytes())]
            .concat();
        attribute(kind, &[attribute(1, &addresses), attribute(2, &ports)].concat())
    }

    #[test]
    fn stale_flows() {
        let target = Target { address: "10.42.0.2".parse().unwrap(), port: 53, uid: "a".to_owned() };
        let targets = BTreeMap::from([(("0.0.0.0".parse().unwrap(), 5353), target)]);
        let own = BTreeSet::from(["192.168.7.1".parse().unwrap()]);
        let ports = BTreeSet::from([5353, 5354]);
        let (client, host, pod, old) =
            (([9, 9, 9, 9], 4000), [192, 168, 7, 1], ([10, 42, 0, 2], 53), ([10, 42, 0, 9], 53));
        for (name, protocol, to, back, stale) in [
            ("goes where it should", UDP, (host, 5353), pod, false),
            ("goes to a former pod", UDP, (host, 5353), old, true),
            ("came before the rule", UDP, (host, 5353), (host, 5353), true),
            ("port of no pod any more", UDP, (host, 5354), old, true),
            ("port of the host again", UDP, (host, 5354), (host, 5354), false),
            ("port that did not change", UDP, (host, 30053), old, false),
            ("not the host's", UDP, ([8, 8, 8, 8], 5353), ([8, 8, 8, 8], 5353), false),
            ("loopback", UDP, ([127, 0, 0, 1], 5353), old, true),
            ("a stream", 6, (host, 5353), old, false),
        ] {
            let flow = [direction(ORIGINAL, protocol, client, to), direction(REPLY, protocol, back, client)].concat();
            let payload = [vec![2, 0, 0, 0], flow].concat();
            assert_eq!(is_stale(&payload, &ports, &own, &targets), stale, "{name}");
            for cut in 0..payload.len() {
                let _ = is_stale(&payload[..cut], &ports, &own, &targets);
            }
        }
    }
}
