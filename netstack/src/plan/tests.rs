use super::*;

fn network() -> NodeNetwork {
    NodeNetwork {
        pod_cidrs: vec!["10.42.0.0/24".parse().unwrap(), "fd42::/64".parse().unwrap()],
        cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap()],
        bridge: "cni0".to_owned(),
        mtu: 1450,
    }
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ips() -> Vec<IpAddr> {
    vec!["10.42.0.2".parse().unwrap(), "fd42::2".parse().unwrap()]
}

fn good_bridge() -> Link {
    Link {
        index: 5,
        name: "cni0".to_owned(),
        kind: "bridge".to_owned(),
        mac: [0x0a, 0x58, 10, 42, 0, 1],
        mtu: 1450,
        up: true,
        addresses: vec![cidr("10.42.0.1/24"), cidr("fd42::1/64"), cidr("fe80::1/64")],
        ..Link::default()
    }
}

fn good_port() -> Link {
    Link {
        index: 6,
        name: port_name("uid-1", &[]).unwrap(),
        kind: "veth".to_owned(),
        alias: "coracle uid-1 10.42.0.2 fd42::2".to_owned(),
        mtu: 1450,
        up: true,
        master: Some(5),
        peer: Some(2),
        hairpin: true,
        ..Link::default()
    }
}

fn good_inside() -> Inside {
    let lo = Link { index: 1, name: "lo".to_owned(), up: true, ..Link::default() };
    let eth0 = Link {
        index: 2,
        name: "eth0".to_owned(),
        kind: "veth".to_owned(),
        mac: [0x0a, 0x58, 10, 42, 0, 2],
        mtu: 1450,
        up: true,
        peer: Some(6),
        addresses: vec![cidr("10.42.0.2/24"), cidr("fd42::2/64"), cidr("fe80::2/64")],
        ..Link::default()
    };
    let route = |v4, gateway: &str| Route { v4, gateway: gateway.parse().ok(), link: 2, metric: 0 };
    Inside { links: vec![lo, eth0], routes: vec![route(true, "10.42.0.1"), route(false, "fd42::1")] }
}

#[test]
fn a_new_bridge() {
    let actions = bridge(&network(), &[]).unwrap();
    let name = "cni0".to_owned();
    assert_eq!(
        actions,
        [
            Action::AddBridge { name: name.clone(), mac: [0x0a, 0x58, 10, 42, 0, 1] },
            Action::SetLink { name: name.clone(), change: Change { mtu: Some(1450), up: true, ..Change::default() } },
            Action::AddAddress { link: name.clone(), address: cidr("10.42.0.1/24") },
            Action::AddAddress { link: name, address: cidr("fd42::1/64") },
        ]
    );
}

#[test]
fn a_bridge_that_is_there() {
    assert_eq!(bridge(&network(), &[good_bridge()]).unwrap(), []);
    let mut other = good_bridge();
    other.addresses[0] = cidr("10.43.0.1/24");
    other.up = false;
    assert_eq!(
        bridge(&network(), &[other]).unwrap(),
        [
            Action::SetLink { name: "cni0".to_owned(), change: Change { up: true, ..Change::default() } },
            Action::DeleteAddress { link: "cni0".to_owned(), address: cidr("10.43.0.1/24") },
            Action::AddAddress { link: "cni0".to_owned(), address: cidr("10.42.0.1/24") },
        ]
    );
    let foreign = Link { kind: "dummy".to_owned(), ..good_bridge() };
    assert!(bridge(&network(), &[foreign]).is_err());
}

#[test]
fn settings_change_only_what_differs() {
    let uplink = Link { name: "eth0".to_owned(), ..Link::default() };
    let loopback = Link { name: "lo".to_owned(), loopback: true, ..Link::default() };
    let links = [uplink, loopback, good_bridge(), good_port()];
    let keys = setting_keys(&network(), &links);
    let others: Vec<&String> = keys.iter().filter(|key| key.ends_with("accept_ra") && !key.contains("cni0")).collect();
    assert_eq!(others, ["net/ipv6/conf/eth0/accept_ra"]);
    let mut seen: BTreeMap<String, String> = keys.into_iter().map(|key| (key, "0".to_owned())).collect();
    seen.insert("net/ipv6/conf/eth0/accept_ra".to_owned(), "1".to_owned());
    let actions = settings(&network(), &links, &seen);
    let set = |key: &str, value: &str| Action::SetSysctl { key: key.to_owned(), value: value.to_owned() };
    assert_eq!(
        actions,
        [
            set("net/ipv6/conf/eth0/accept_ra", "2"),
            set("net/ipv6/conf/all/forwarding", "1"),
            set("net/ipv4/conf/cni0/route_localnet", "1"),
            set("net/ipv4/ip_forward", "1"),
        ]
    );
    for action in actions {
        if let Action::SetSysctl { key, value } = action {
            seen.insert(key, value);
        }
    }
    assert_eq!(settings(&network(), &links, &seen), []);
}

#[test]
fn a_new_pod() {
    let links = [good_bridge()];
    let name = port_name("uid-1", &links).unwrap();
    assert!(name.len() == 12 && name.starts_with("veth"));
    assert!(!is_paired("uid-1", &links, &Inside::default()));
    let change = Change { master: Some("cni0".to_owned()), up: true, ..Change::default() };
    let alias = Change { alias: Some("coracle uid-1 10.42.0.2 fd42::2".to_owned()), ..Change::default() };
    assert_eq!(
        sign("uid-1", &ips(), &name, &links, false),
        Some(Action::SetLink { name: name.clone(), change: alias })
    );
    assert_eq!(
        attach(&network(), "uid-1", &ips(), &name, &links, false),
        [
            Action::AddVeth { name: name.clone(), mtu: 1450, mac: [0x0a, 0x58, 10, 42, 0, 2] },
            Action::SetLink { name: name.clone(), change },
            Action::SetHairpin { name },
        ]
    );
}

#[test]
fn a_pod_that_is_there() {
    let links = [good_bridge(), good_port()];
    let name = port_name("uid-1", &links).unwrap();
    assert_eq!(name, good_port().name);
    assert!(is_paired("uid-1", &links, &good_inside()));
    assert_eq!(attach(&network(), "uid-1", &ips(), &name, &links, true), []);
    assert_eq!(sign("uid-1", &ips(), &name, &links, true), None);
    assert!(sign("uid-1", &ips()[..1], &name, &links, true).is_some(), "it has other addresses now");
    assert_eq!(inside(&network(), &ips(), &good_inside()), []);
}

#[test]
fn a_pod_in_a_new_namespace_gets_a_new_pair() {
    let links = [good_bridge(), good_port()];
    let mut other = good_inside();
    other.links[1].peer = Some(99);
    assert!(!is_paired("uid-1", &links, &other));
    assert_eq!(clear(&other), [Action::DeleteLink { name: "eth0".to_owned() }]);
    let actions = attach(&network(), "uid-1", &ips(), &good_port().name, &links, false);
    assert_eq!(actions[0], Action::DeleteLink { name: good_port().name });
    assert!(matches!(&actions[1], Action::AddVeth { .. }));
    assert_eq!(actions.len(), 4);
}

#[test]
fn inside_changes_only_what_differs() {
    let mut seen = good_inside();
    seen.links[0].up = false;
    seen.links[1].addresses = vec![cidr("10.42.0.9/24"), cidr("fd42::2/64")];
    seen.routes.remove(0);
    let eth0 = || "eth0".to_owned();
    assert_eq!(
        inside(&network(), &ips(), &seen),
        [
            Action::SetLink { name: "lo".to_owned(), change: Change { up: true, ..Change::default() } },
            Action::DeleteAddress { link: eth0(), address: cidr("10.42.0.9/24") },
            Action::AddAddress { link: eth0(), address: cidr("10.42.0.2/24") },
            Action::SetDefaultRoute { link: eth0(), gateway: "10.42.0.1".parse().unwrap() },
        ]
    );
}

#[test]
fn only_own_links_are_leftovers() {
    let foreign = Link { alias: String::new(), name: "veth12345678".to_owned(), ..good_port() };
    let pretender = Link { kind: "dummy".to_owned(), name: "dummy0".to_owned(), ..good_port() };
    let links = [good_bridge(), good_port(), foreign, pretender];
    assert_eq!(leftovers(&links, &BTreeSet::from(["uid-1"])), []);
    assert_eq!(leftovers(&links, &BTreeSet::new()), [Action::DeleteLink { name: good_port().name }]);
    assert_eq!(owner(&links[1]), Some(("uid-1".to_owned(), ips())));
}

#[test]
fn a_name_that_a_stranger_has_is_left_to_him() {
    let stranger = Link { alias: String::new(), ..good_port() };
    let name = port_name("uid-1", &[stranger]).unwrap();
    assert_ne!(name, good_port().name);
}
