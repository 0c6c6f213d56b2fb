use std::net::{IpAddr, Ipv4Addr};

use dhcproto::{
    Name,
    v4::{DhcpOption, MessageType, OptionCode},
};

use super::{
    dhcp::{asks, kind, wants},
    rig::*,
    server::{Server, times},
};
use crate::{
    Cidr,
    uplink::{Addressing, NicSettings},
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

/// A device with one interface `up0`, its network and the server there.
fn one() -> (Device, Space, Server) {
    let (device, network) = (Device::new(), Space::new());
    device.connect("up0", &network, 7);
    let server = Server::start(&network, 7);
    (device, network, server)
}

#[test]
fn a_lease_becomes_address_routes_and_resolvers() {
    let (device, _network, server) = one();
    server.set(|manner| {
        manner.options.push(DhcpOption::DomainName("example.com".to_owned()));
        manner.options.push(DhcpOption::DomainSearch(vec![Name::from_ascii("eng.example.com.").unwrap()]));
        manner.options.push(DhcpOption::NtpServers(vec![[10, 0, 0, 123].into()]));
        manner.options.push(DhcpOption::InterfaceMtu(1400));
    });
    device.space.add_address("up0", "172.16.0.9/24");
    let (uplink, mut state) = device.start(&[("up0", dhcp())]);
    let state = until_primary(&mut state, "192.168.7.50");
    let link = device.space.link("up0");
    assert!(link.up && link.mtu == 1400);
    let addresses = device.space.addresses("up0");
    let find = |text: &str| addresses.iter().find(|address| address.cidr == cidr(text)).unwrap();
    assert!(find("192.168.7.50/24").ours && !find("172.16.0.9/24").ours);
    let [default] = &device.space.routes("up0")[..] else { panic!() };
    assert_eq!((default.to, default.gateway), (cidr("0.0.0.0/0"), Some(ip("192.168.7.1"))));
    assert_eq!((default.source, default.metric), (Some(ip("192.168.7.50")), 1000 + link.index));
    for (key, value) in [
        ("ipv4/conf/up0/promote_secondaries", "1"),
        ("ipv4/conf/up0/ignore_routes_with_linkdown", "1"),
        ("ipv6/conf/up0/accept_ra", "2"),
    ] {
        assert_eq!(device.space.setting(key), value, "{key}");
    }
    let nic = nic(&state, "up0");
    assert!(nic.carrier && nic.leased && nic.lease_until.is_some());
    assert_eq!(nic.gateways, [ip("192.168.7.1")]);
    assert_eq!((nic.ntp.as_slice(), nic.domain.as_deref()), (&[ip("10.0.0.123")][..], Some("example.com")));
    assert_eq!(state.resolv_conf(), "search eng.example.com\nnameserver 10.0.7.53\n");
    let (discover, _) = server.next();
    assert_eq!(kind(&discover), MessageType::Discover);
    let hostname = discover.opts().get(OptionCode::Hostname).cloned();
    assert_eq!(hostname, Some(DhcpOption::Hostname("device-1".to_owned())));
    assert_eq!(device.saved.lock().unwrap().lines().count(), 1);
    drop(uplink);
    assert_eq!(device.space.addresses("up0").len(), 2, "all of it stays");
    assert_eq!(device.space.routes("up0").len(), 1);
}

#[test]
fn renewal_goes_to_the_server_and_rebinding_to_all() {
    let (device, _network, server) = one();
    server.set(|manner| manner.options.extend(times(1, 3, 9)));
    let told = device.space.addresses_told();
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    let first = until_primary(&mut state, "192.168.7.50");
    let ends = nic(&first, "up0").lease_until.unwrap();
    until(&mut state, "renewed", |state| nic(state, "up0").lease_until.is_some_and(|end| end > ends));
    server.set(|manner| manner.silent = true);
    server.forget();
    // One more renewal, which nobody answers, then rebinding.
    for _ in 0..2 {
        let (request, from) = server.next();
        assert_eq!((kind(&request), asks(&request), wants(&request)), (MessageType::Request, None, None));
        assert_eq!((request.ciaddr(), from.ip()), (Ipv4Addr::new(192, 168, 7, 50), ip("192.168.7.50")));
    }
    server.set(|manner| manner.silent = false);
    assert!(nic(&state.borrow(), "up0").leased);
    assert!(!told_of_loss(&told), "the address was there all the time");
}

#[test]
fn another_address_at_renewal() {
    for corrects in [true, false] {
        let (device, _network, server) = one();
        server.set(|manner| manner.options.extend(times(1, 5, 9)));
        let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
        until_primary(&mut state, "192.168.7.50");
        server.set(|manner| {
            manner.address = [192, 168, 7, 60].into();
            manner.corrects = corrects;
        });
        until_primary(&mut state, "192.168.7.60");
        // The next look tells what the kernel made of it.
        let state = until(&mut state, "one address", |state| {
            nic(state, "up0").addresses.iter().filter(|cidr| cidr.is_v4()).count() == 1
        });
        assert!(nic(&state, "up0").addresses.contains(&cidr("192.168.7.60/24")));
        let routes = device.space.routes("up0");
        assert_eq!(routes.iter().map(|route| route.source).collect::<Vec<_>>(), [Some(ip("192.168.7.60"))]);
    }
}

#[test]
fn a_silent_server() {
    let (device, _network, server) = one();
    server.set(|manner| manner.silent = true);
    device.space.add_address("up0", "172.16.0.9/24");
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    for _ in 0..2 {
        assert_eq!(kind(&server.next().0), MessageType::Discover, "it keeps trying");
    }
    server.set(|manner| {
        manner.silent = false;
        manner.options.extend(times(1, 2, 3));
    });
    until_primary(&mut state, "192.168.7.50");
    server.set(|manner| manner.silent = true);
    let state_then = until(&mut state, "ended", |state| !nic(state, "up0").leased);
    assert_eq!(state_then.resolv_conf(), "# No resolver is known yet.\n");
    until_primary(&mut state, "172.16.0.9");
    assert_eq!(
        device.space.addresses("up0").iter().map(|address| address.cidr).collect::<Vec<_>>(),
        [cidr("172.16.0.9/24")]
    );
    assert!(device.space.routes("up0").is_empty());
    server.set(|manner| manner.silent = false);
    until_primary(&mut state, "192.168.7.50");
}

#[test]
fn carrier_lost_and_found() {
    let (device, network, server) = one();
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    until_primary(&mut state, "192.168.7.50");
    server.forget();
    network.switch("net0", false);
    let without = until(&mut state, "no carrier", |state| !nic(state, "up0").carrier);
    assert_eq!(without.primary_v4, Some(ip("192.168.7.50")), "the node's address does not flap");
    network.switch("net0", true);
    until(&mut state, "carrier", |state| nic(state, "up0").carrier);
    let (request, _) = server.next();
    assert_eq!(
        (kind(&request), asks(&request), wants(&request)),
        (MessageType::Request, None, Some([192, 168, 7, 50].into()))
    );
    // Another network: the server there refuses the address.
    network.switch("net0", false);
    until(&mut state, "no carrier", |state| !nic(state, "up0").carrier);
    server.set(|manner| manner.address = [192, 168, 7, 70].into());
    network.switch("net0", true);
    until_primary(&mut state, "192.168.7.70");
}

#[test]
fn two_interfaces() {
    let (device, network, _server) = one();
    let other = Space::new();
    device.connect("up1", &other, 8);
    let _other_server = Server::start(&other, 8);
    let (_uplink, mut state) = device.start(&[("up0", dhcp()), ("up1", dhcp())]);
    let both = until(&mut state, "both", |state| {
        state.nics.len() == 2 && state.nics.iter().all(|nic| !nic.gateways.is_empty())
    });
    assert_eq!(both.primary_v4, Some(ip("192.168.7.50")));
    assert_eq!(both.resolvers, [ip("10.0.7.53"), ip("10.0.8.53")]);
    let metric = |name| device.space.routes(name)[0].metric;
    assert!(metric("up0") < metric("up1"));
    network.switch("net0", false);
    let second = until_primary(&mut state, "192.168.8.50");
    assert_eq!(second.resolvers, [ip("10.0.8.53"), ip("10.0.7.53")]);
    network.switch("net0", true);
    until_primary(&mut state, "192.168.7.50");
}

#[test]
fn a_restart_adopts() {
    let (device, _network, server) = one();
    let (uplink, mut state) = device.start(&[("up0", dhcp())]);
    until_primary(&mut state, "192.168.7.50");
    drop(uplink);
    server.forget();
    let told = device.space.addresses_told();
    let before = (device.space.addresses("up0"), device.space.routes("up0"));
    let (uplink, mut state) = device.start(&[("up0", dhcp())]);
    let first = until(&mut state, "anything", |state| !state.nics.is_empty());
    assert_eq!(first.primary_v4, Some(ip("192.168.7.50")), "from the first moment");
    let (request, _) = server.next();
    assert_eq!(
        (kind(&request), asks(&request), wants(&request)),
        (MessageType::Request, None, Some([192, 168, 7, 50].into()))
    );
    let ends = nic(&first, "up0").lease_until.unwrap();
    until(&mut state, "confirmed", |state| nic(state, "up0").lease_until.is_some_and(|end| end > ends));
    assert!(!told_of_loss(&told));
    device.space.assert_quiet();
    assert_eq!(before, (device.space.addresses("up0"), device.space.routes("up0")));
    drop(uplink);
    // Without the saved text, what carries the mark goes, since nobody knows until when it may stay.
    device.saved.lock().unwrap().clear();
    server.set(|manner| manner.silent = true);
    device.space.add_address("up0", "172.16.0.9/24");
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    until_primary(&mut state, "172.16.0.9");
    assert_eq!(device.space.addresses("up0").len(), 1);
}

#[test]
fn addresses_by_hand_and_a_new_setting() {
    let (device, _network, server) = one();
    let mut nic_settings = fixed(&["192.168.7.9/24", "fd07::9/64"], &["192.168.7.1", "fd07::1"]);
    nic_settings.resolvers = vec![ip("9.9.9.9")];
    nic_settings.search = vec!["lan".to_owned()];
    nic_settings.metric = Some(50);
    nic_settings.router_advertisements = false;
    let (uplink, mut state) = device.start(&[("up0", nic_settings)]);
    let told = until(&mut state, "both versions", |state| state.primary_v6.is_some() && state.primary_v4.is_some());
    assert_eq!((told.primary_v4, told.primary_v6), (Some(ip("192.168.7.9")), Some(ip("fd07::9"))));
    assert_eq!(told.resolv_conf(), "search lan\nnameserver 9.9.9.9\n");
    assert_eq!(nic(&told, "up0").gateways, [ip("192.168.7.1"), ip("fd07::1")]);
    assert_eq!(device.space.routes("up0")[0].metric, 50);
    assert_eq!(device.space.setting("ipv6/conf/up0/accept_ra"), "0");
    device.space.assert_quiet();
    drop(uplink);
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    until_primary(&mut state, "192.168.7.50");
    let only =
        until(&mut state, "the old ones go", |state| !nic(state, "up0").addresses.contains(&cidr("192.168.7.9/24")));
    assert_eq!(only.primary_v6, None);
    assert_eq!(device.space.routes("up0").len(), 1);
    assert_eq!(kind(&server.next().0), MessageType::Discover);
}

#[test]
fn a_router_that_no_network_holds() {
    let (device, _network, server) = one();
    server.set(|manner| {
        manner.options.push(DhcpOption::SubnetMask([255; 4].into()));
        let far = ("0.0.0.0/0".parse().unwrap(), Ipv4Addr::new(10, 9, 9, 9));
        let near = ("10.5.0.0/16".parse().unwrap(), Ipv4Addr::UNSPECIFIED);
        manner.options.push(DhcpOption::ClasslessStaticRoute(vec![far, near]));
    });
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    let state = until(&mut state, "a router", |state| state.nics.iter().any(|nic| !nic.gateways.is_empty()));
    assert_eq!(nic(&state, "up0").gateways, [ip("10.9.9.9")]);
    device.space.assert_quiet();
    assert_eq!(device.space.addresses("up0")[0].cidr, cidr("192.168.7.50/32"));
    assert!(device.space.routes("up0").iter().any(|route| route.to == cidr("10.5.0.0/16") && route.gateway.is_none()));
}

#[test]
fn what_others_take_away_is_put_back() {
    let (device, _network, _server) = one();
    let (_uplink, mut state) = device.start(&[("up0", dhcp())]);
    until_primary(&mut state, "192.168.7.50");
    let whole = || device.space.addresses("up0").len() == 1 && device.space.routes("up0").len() == 1;
    // The kernel removes routes with that.
    device.space.switch("up0", false);
    device.space.until("switched on again", || device.space.link("up0").carrier && whole());
    device.space.remove_address("up0", "192.168.7.50/24");
    device.space.until("its address is back", whole);
    device.space.assert_quiet();
    assert_eq!(state.borrow().primary_v4, Some(ip("192.168.7.50")));
}

#[test]
fn interfaces_come_and_go_and_others_are_left_alone() {
    let (device, network) = (Device::new(), Space::new());
    let pod = Space::new();
    device.connect("veth1", &pod, 42);
    let off = NicSettings { addressing: Addressing::Off, ..NicSettings::default() };
    let (_uplink, mut state) = device.start(&[("up0", dhcp()), ("up1", off)]);
    device.connect("up0", &network, 7);
    let _server = Server::start(&network, 7);
    until_primary(&mut state, "192.168.7.50");
    assert!(!device.space.link("veth1").up);
    assert_eq!(state.borrow().nics.len(), 1);
    // The other end takes it along.
    network.run(|| {
        let mut wire = crate::wire::Wire::route().unwrap();
        let index = crate::wire::route::index(&mut wire, "net0").unwrap();
        crate::wire::route::delete_link(&mut wire, "net0", index).unwrap();
    });
    let none = until(&mut state, "gone", |state| state.nics.is_empty());
    assert_eq!((none.primary_v4, none.resolvers.len()), (None, 0));
    assert_eq!(device.saved.lock().unwrap().lines().count(), 1, "it may come back");
}
