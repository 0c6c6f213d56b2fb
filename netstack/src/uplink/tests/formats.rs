use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcproto::{
    Name,
    v4::{DhcpOption, Flags, MessageType, OptionCode},
};
use proptest::prelude::*;

use super::dhcp::{self, SERVER};
use crate::uplink::{
    lease::{self, Lease, Saved, Times},
    message::{Answer, Identity, Kind, LONGEST, Query},
    names::is_name,
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 50);

fn who() -> Identity {
    Identity::new(MAC, [7; 16], Some("device-1".to_owned()))
}

fn discover() -> Vec<u8> {
    let query = Query { kind: Kind::Discover, exchange: 0x0102_0304, seconds: 3, has: None, wants: None, server: None };
    query.encode(&who())
}

fn ack(options: Vec<DhcpOption>) -> Vec<u8> {
    dhcp::bytes(&dhcp::answer(&dhcp::query(&discover()), MessageType::Ack, OWN, options))
}

fn leased(options: Vec<DhcpOption>) -> Option<Lease> {
    Lease::of(&Answer::decode(&ack(options)).unwrap())
}

/// A plain lease with more options.
fn with(options: Vec<DhcpOption>) -> Lease {
    leased(dhcp::plain(3600).into_iter().chain(options).collect()).unwrap()
}

#[test]
fn queries_are_read_by_others() {
    let bytes = discover();
    let message = dhcp::query(&bytes);
    assert_eq!(dhcp::kind(&message), MessageType::Discover);
    assert_eq!((message.xid(), message.secs(), message.chaddr()), (0x0102_0304, 3, &MAC[..]));
    assert_eq!(message.flags(), Flags::default());
    assert_eq!(message.ciaddr(), Ipv4Addr::UNSPECIFIED);
    assert!((300..=LONGEST).contains(&bytes.len()));
    let option = |code| message.opts().get(code).cloned();
    let client = [&[255, 0, 0, 0, 9, 0, 4][..], &[7; 16]].concat();
    assert_eq!(option(OptionCode::ClientIdentifier), Some(DhcpOption::ClientIdentifier(client)));
    assert_eq!(option(OptionCode::Hostname), Some(DhcpOption::Hostname("device-1".to_owned())));
    let Some(DhcpOption::ParameterRequestList(asked)) = option(OptionCode::ParameterRequestList) else { panic!() };
    let place = |code| asked.iter().position(|asked| *asked == code);
    assert!(place(OptionCode::ClasslessStaticRoute) < place(OptionCode::Router));
    for code in
        [OptionCode::DomainNameServer, OptionCode::DomainSearch, OptionCode::NtpServers, OptionCode::InterfaceMtu]
    {
        assert!(asked.contains(&code));
    }
    let query = Query {
        kind: Kind::Request,
        exchange: 1,
        seconds: 0,
        has: Some(OWN),
        wants: Some(Ipv4Addr::new(1, 2, 3, 4)),
        server: Some(SERVER),
    };
    let message = dhcp::query(&query.encode(&Identity::new(MAC, [7; 16], None)));
    assert_eq!(dhcp::kind(&message), MessageType::Request);
    assert_eq!((message.ciaddr(), dhcp::wants(&message), dhcp::asks(&message)), (OWN, query.wants, query.server));
    assert_eq!(message.opts().get(OptionCode::Hostname), None);
}

#[test]
fn all_options_are_read() {
    let names = ["example.com.", "eng.example.com.", "lan."];
    let lease = with(vec![
        DhcpOption::DomainNameServer(vec![[10, 0, 0, 1].into(), [127, 0, 0, 1].into(), [10, 0, 0, 2].into()]),
        DhcpOption::DomainName("example.com".to_owned()),
        DhcpOption::DomainSearch(names.iter().map(|name| Name::from_ascii(name).unwrap()).collect()),
        DhcpOption::NtpServers(vec![[10, 0, 0, 3].into()]),
        DhcpOption::InterfaceMtu(1400),
        DhcpOption::Renewal(100),
        DhcpOption::Rebinding(200),
    ]);
    let wanted = Lease {
        address: OWN,
        prefix: 24,
        server: SERVER,
        routes: vec![("0.0.0.0/0".parse().unwrap(), Some(SERVER))],
        resolvers: vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()],
        domain: Some("example.com".to_owned()),
        search: vec!["example.com".to_owned(), "eng.example.com".to_owned(), "lan".to_owned()],
        ntp: vec![[10, 0, 0, 3].into()],
        mtu: Some(1400),
        times: Some(Times { renew: 100_000, rebind: 200_000, end: 3_600_000 }),
    };
    assert_eq!(lease, wanted);
}

#[test]
fn classless_routes_take_the_place_of_routers() {
    let router = Ipv4Addr::new(192, 168, 7, 2);
    let route = |to: &str, router: Ipv4Addr| (to.parse().unwrap(), router);
    let lease = with(vec![DhcpOption::ClasslessStaticRoute(vec![
        route("10.0.0.0/8", router),
        route("192.168.9.128/25", Ipv4Addr::UNSPECIFIED),
        route("10.0.0.0/8", SERVER),
        route("10.9.0.0/16", OWN),
        route("10.8.0.0/16", Ipv4Addr::BROADCAST),
        route("0.0.0.0/0", router),
    ])]);
    let wanted = [("10.0.0.0/8", Some(router)), ("192.168.9.128/25", None), ("0.0.0.0/0", Some(router))];
    assert_eq!(lease.routes, wanted.map(|(to, router)| (to.parse().unwrap(), router)));
}

#[test]
fn what_is_wrong_does_no_harm() {
    let usual = Some(Times { renew: 1_800_000, rebind: 3_150_000, end: 3_600_000 });
    for (renew, rebind) in [(0, 200), (200, 200), (300, 200), (100, 3600), (4000, 5000)] {
        assert_eq!(with(vec![DhcpOption::Renewal(renew), DhcpOption::Rebinding(rebind)]).times, usual);
    }
    assert_eq!(with(vec![DhcpOption::AddressLeaseTime(u32::MAX)]).times, None);
    assert_eq!(with(vec![DhcpOption::SubnetMask([255, 0, 255, 0].into())]).prefix, 24, "of the class");
    assert_eq!(with(vec![DhcpOption::SubnetMask([0; 4].into())]).prefix, 24);
    assert_eq!(with(vec![DhcpOption::SubnetMask([255; 4].into())]).prefix, 32);
    assert_eq!(with(vec![DhcpOption::InterfaceMtu(68)]).mtu, None);
    assert_eq!(with(vec![DhcpOption::Router(vec![OWN])]).routes, []);
    let evil = with(vec![DhcpOption::DomainName("lan\nnameserver 6.6.6.6".to_owned())]);
    assert!(evil.domain.iter().chain(&evil.search).all(|name| is_name(name)));
    // No time, a time of nothing, the network's own address.
    assert_eq!(leased(vec![DhcpOption::SubnetMask([255, 255, 255, 0].into())]), None);
    assert_eq!(leased(dhcp::plain(0)), None);
    assert_eq!(
        leased([dhcp::plain(60), vec![DhcpOption::SubnetMask([255, 255, 255, 254].into())]].concat()).unwrap().prefix,
        31
    );
    for address in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.168.7.0", "192.168.7.255"] {
        let query = dhcp::query(&discover());
        let message = dhcp::answer(&query, MessageType::Ack, address.parse().unwrap(), dhcp::plain(60));
        assert_eq!(Lease::of(&Answer::decode(&dhcp::bytes(&message)).unwrap()), None, "{address}");
    }
}

#[test]
fn long_and_displaced_options() {
    // One option in two parts, and more in the field of the file's name.
    let mut bytes = ack(vec![]);
    let end = bytes.iter().rposition(|byte| *byte == 255).unwrap();
    bytes.truncate(end);
    bytes.extend([6, 4, 10, 0, 0, 1, 6, 4, 10, 0, 0, 2, 52, 1, 1, 255]);
    bytes[108..120].copy_from_slice(&[51, 4, 0, 0, 0, 60, 1, 4, 255, 255, 0, 0]);
    bytes[120] = 255;
    let lease = Lease::of(&Answer::decode(&bytes).unwrap()).unwrap();
    assert_eq!(lease.resolvers, [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]);
    assert_eq!((lease.prefix, lease.times.unwrap().end), (16, 60_000));
    for cut in 0..bytes.len() {
        let _ = Answer::decode(&bytes[..cut]);
    }
    bytes.resize(LONGEST + 1, 0);
    assert_eq!(Answer::decode(&bytes), None);
}

#[test]
fn saved_leases() {
    let saved = Saved { boot: "0a-b".to_owned(), start: 77, answer: ack(dhcp::plain(60)) };
    let all = BTreeMap::from([(MAC, saved.clone()), ([1; 6], saved)]);
    let text = lease::write(&all);
    assert_eq!(lease::read(&text), all);
    assert_eq!(lease::read(&format!("nonsense\n{text}\n0000 x 1\n")), all);
    assert_eq!(lease::read(""), BTreeMap::new());
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..1600)) {
        let _ = Answer::decode(&bytes);
    }

    #[test]
    fn any_options(
        options in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..20),
        names in proptest::collection::vec(any::<u8>(), 192),
        overload in 0_u8..4,
    ) {
        let mut bytes = ack(dhcp::plain(60));
        let end = bytes.iter().rposition(|byte| *byte == 255).unwrap();
        bytes.truncate(end);
        bytes.extend([52, 1, overload]);
        for (code, value) in &options {
            bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
            bytes.extend(value);
        }
        bytes[44..236].copy_from_slice(&names);
        if let Some(lease) = Answer::decode(&bytes).as_ref().and_then(Lease::of) {
            prop_assert!(lease.domain.iter().chain(&lease.search).all(|name| is_name(name)));
            prop_assert!(lease.routes.len() <= 16 && lease.resolvers.len() <= 16 && lease.ntp.len() <= 16);
            prop_assert!(lease.times.is_none_or(|times| 0 < times.renew && times.renew < times.rebind && times.rebind < times.end));
        }
    }

    #[test]
    fn any_change(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = ack(dhcp::plain(60));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Answer::decode(&bytes).as_ref().and_then(Lease::of);
    }

    #[test]
    fn any_saved_text(text in "\\PC{0,200}") {
        let _ = lease::read(&text);
    }
}
