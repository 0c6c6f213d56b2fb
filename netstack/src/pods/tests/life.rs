use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    path::PathBuf,
};

use super::rig::*;
use crate::{
    Error, Namespace, Protocol,
    plan::Link,
    wire::{Wire, route},
};

/// All that the host has: links, addresses and routes as the kernel's text files and our own dump tell, rules, sockets.
fn everything(space: &Space) -> (Vec<Link>, Vec<String>, Vec<Vec<u8>>) {
    let mut texts: Vec<String> = Vec::new();
    for file in ["route", "if_inet6", "fib_trie", "ipv6_route"] {
        // Link-local and multicast ones come and go by themselves.
        let ours = |line: &&str| !line.starts_with("fe80") && !line.starts_with("ff");
        let text = space.proc(file);
        let mut lines: Vec<&str> = text.lines().filter(ours).collect();
        lines.sort_unstable();
        // Behind destination and source stand use counts.
        texts.extend(lines.iter().map(|line| if file == "ipv6_route" { &line[..70] } else { line }.to_owned()));
    }
    texts.push(format!("{} netlink sockets", space.proc("netlink").lines().count()));
    space.run(|| {
        let links = route::links(&mut Wire::route().unwrap()).unwrap();
        (links, texts, rules())
    })
}

/// All tables, chains, rules and sets of the calling thread's namespace, without what counts.
fn rules() -> Vec<Vec<u8>> {
    const NFTABLES: u16 = 10 << 8;
    /// The header tells how often rules were changed.
    const GENERATION: usize = 4;
    let mut wire = Wire::netfilter().unwrap();
    [1, 4, 10]
        .iter()
        .flat_map(|get| wire.dump("rules", NFTABLES | get, &[0; 4]).unwrap())
        .map(|reply| reply.payload[GENERATION..].to_vec())
        .collect()
}

fn strip(mut links: Vec<Link>) -> Vec<Link> {
    for link in &mut links {
        link.running = false;
        link.addresses.retain(|address| !address.to_string().starts_with("fe80"));
    }
    links
}

#[test]
fn a_hundred_pods_leave_nothing() {
    let rig = Rig::new();
    let networks = rig.open();
    let first = Space::new();
    attach(&networks, pod("uid-first", &first));
    wait(networks.detach("uid-first".to_owned())).unwrap();
    drop(first);
    let before = everything(&rig.host);
    let spaces: Vec<Space> = (0..100).map(|_| Space::new()).collect();
    let inodes: BTreeSet<String> =
        spaces.iter().map(|space| format!("net:[{}]", rustix::fs::fstat(space.fd()).unwrap().st_ino)).collect();
    let mut seen: BTreeSet<IpAddr> = BTreeSet::new();
    for (number, space) in (0_u16..).zip(&spaces) {
        let mut pod = pod(&format!("uid-{number}"), space);
        if number % 10 == 0 {
            pod.host_ports = vec![host_port(Protocol::Tcp, None, 9000 + number, 80)];
        }
        seen.extend(attach(&networks, pod).ips);
    }
    assert_eq!(seen.len(), 200);
    assert_eq!(rig.host.interfaces().len(), 103);
    assert!(spaces[3].ping("10.42.0.77"));
    for number in 0..100 {
        wait(networks.detach(format!("uid-{number}"))).unwrap();
    }
    let after = everything(&rig.host);
    assert_eq!(strip(before.0), strip(after.0));
    assert_eq!(before.1, after.1);
    assert_eq!(before.2.len(), after.2.len());
    for space in &spaces {
        assert_eq!(space.interfaces(), ["lo"]);
    }
    drop(spaces);
    // The descriptors that a defect would have kept open would show the namespaces.
    let held: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .filter(|target| inodes.contains(target))
        .collect();
    assert!(held.is_empty(), "{held:?}");
}

#[test]
fn a_restart_changes_nothing_of_what_is_right() {
    let rig = Rig::new();
    let (a, b, c) = (Space::new(), Space::new(), Space::new());
    let with_port = |ips| {
        let mut pod = pod("uid-a", &a);
        pod.host_ports = vec![host_port(Protocol::Tcp, None, 8080, 80)];
        pod.ips = ips;
        pod
    };
    let networks = rig.open();
    let first = attach(&networks, with_port(Vec::new()));
    let second = attach(&networks, pod("uid-b", &b));
    let gone = Space::new();
    attach(&networks, pod("uid-gone", &gone));
    // A connection through the host port, which has to live on.
    let listener = a.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let mut client =
        rig.outside.run(|| TcpStream::connect_timeout(&"192.168.7.1:8080".parse().unwrap(), PATIENCE).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    drop(networks);

    let before = everything(&rig.host);
    let networks = rig.open();
    let opened = everything(&rig.host);
    let remembered = wait(networks.pods()).unwrap();
    assert_eq!(remembered.keys().collect::<Vec<_>>(), ["uid-a", "uid-b", "uid-gone"]);
    assert_eq!(remembered.get("uid-a"), Some(&first.ips));
    assert_eq!(before.0, opened.0);
    assert_eq!(before.2, opened.2, "the same rules with the same handles");
    let results = wait(networks.reconcile(vec![with_port(first.ips.clone()), pod("uid-b", &b)])).unwrap();
    let result = |uid: &str| results.get(uid).unwrap().as_ref().unwrap().clone();
    assert_eq!((result("uid-a"), result("uid-b")), (first, second));
    let after = everything(&rig.host);
    let kept: Vec<Link> = before.0.into_iter().filter(|link| !link.alias.contains("uid-gone")).collect();
    assert_eq!(kept, after.0, "only the pod that is gone went");
    assert_eq!(before.2, after.2);
    assert_eq!(gone.interfaces(), ["lo"]);

    client.write_all(b"still").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 5];
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"still");
    let third = attach(&networks, pod("uid-c", &c));
    assert_eq!(third.ips[0].to_string(), "10.42.0.5", "no address of before is given at once");
}

#[test]
fn strangers_stay() {
    let rig = Rig::new();
    let other = Space::new();
    rig.host.run(|| {
        let mut wire = Wire::route().unwrap();
        route::add_bridge(&mut wire, "docker0", [2, 0, 0, 0, 0, 9]).unwrap();
        route::add_veth(&mut wire, "veth00000001", other.fd().as_fd(), "eth0", 1500, [2, 0, 0, 0, 0, 8]).unwrap();
        foreign_table();
    });
    let before = everything(&rig.host);
    let networks = rig.open();
    let a = Space::new();
    let mut mine = pod("uid-a", &a);
    mine.host_ports = vec![host_port(Protocol::Tcp, None, 8080, 80)];
    attach(&networks, mine);
    let with = everything(&rig.host);
    for link in &before.0 {
        assert!(with.0.contains(link), "{link:?}");
    }
    wait(networks.reconcile(Vec::new())).unwrap();
    let after = everything(&rig.host);
    for link in &before.0 {
        assert!(after.0.contains(link), "{link:?}");
    }
    for rule in &before.2 {
        assert!(with.2.contains(rule) && after.2.contains(rule), "a rule of others");
    }
    assert_eq!(rig.host.interfaces(), ["cni0", "docker0", "lo", "up0", "veth00000001"]);
    assert_eq!(rig.host.sysctl("ipv6/conf/all/forwarding"), "1");
    assert_eq!(rig.host.sysctl("ipv6/conf/docker0/accept_ra"), "2", "it hears routers as before");
}

/// A table of somebody else, with a chain.
fn foreign_table() {
    const NFTABLES: u16 = 10 << 8;
    let text = |kind: u16, text: &str| {
        let length = u16::try_from(text.len() + 5).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let frame = |kind, flags, payload| crate::wire::Frame { kind, flags, payload };
    let begin = frame(0x10, 0, vec![0, 0, 0, 10]);
    let table = frame(NFTABLES, 0x400, [vec![1, 0, 0, 0], text(1, "theirs")].concat());
    let chain =
        frame(NFTABLES | 3, 0x400, [vec![1, 0, 0, 0], text(1, "theirs"), text(3, "a_chain")].concat()).acknowledged();
    let end = frame(0x11, 0, vec![0, 0, 0, 10]);
    Wire::netfilter().unwrap().transaction("their table", &[begin, table, chain, end]).unwrap();
}

#[test]
fn what_is_broken_is_mended() {
    let rig = Rig::new();
    let networks = rig.open();
    let (a, b) = (Space::new(), Space::new());
    let attached = attach(&networks, pod("uid-a", &a));
    let healthy = a.proc("route");
    // The pod's namespace is another one now, the bridge lost its address, the rules are gone.
    rig.host.run(|| {
        let mut wire = Wire::route().unwrap();
        let index = route::index(&mut wire, "cni0").unwrap();
        route::delete_address(&mut wire, "address", index, "10.42.0.1/24".parse().unwrap()).unwrap();
        without_rules();
    });
    let results = wait(networks.reconcile(vec![pod("uid-a", &b)])).unwrap();
    assert_eq!(results.get("uid-a").unwrap().as_ref().unwrap(), &attached);
    assert_eq!(b.proc("route"), healthy);
    assert_eq!(a.interfaces(), ["lo"]);
    assert!(b.ping("10.42.0.1"));
    rig.outside.serve_tcp("0.0.0.0:80");
    assert_eq!(b.ask_tcp("192.168.7.2:80"), "192.168.7.1".parse().ok());
}

#[test]
fn what_was_not_finished_is_made_anew() {
    let rig = Rig::new();
    let networks = rig.open();
    let a = Space::new();
    let attached = attach(&networks, pod("uid-a", &a));
    drop(networks);
    // As if the program had ended before the last step, and the bridge was removed meanwhile.
    rig.host.run(|| {
        let mut wire = Wire::route().unwrap();
        let index = route::index(&mut wire, &attached.interface).unwrap();
        let alias = netlink_packet_route::link::LinkAttribute::IfAlias(String::new());
        route::set_link(&mut wire, "alias", index, true, vec![alias]).unwrap();
    });
    let networks = rig.open();
    rig.host.run(|| {
        let mut wire = Wire::route().unwrap();
        let index = route::index(&mut wire, "cni0").unwrap();
        route::delete_link(&mut wire, "cni0", index).unwrap();
    });
    let again = attach(&networks, pod("uid-a", &a));
    assert_eq!(again.ips, attached.ips);
    assert_eq!(rig.host.interfaces(), ["cni0", "lo", "up0", again.interface.as_str()]);
    assert!(a.ping("10.42.0.1"));
    // The pod's own settings are made once.
    a.run(|| fs::write("/proc/sys/net/ipv4/ping_group_range", "7 7").unwrap());
    assert_eq!(attach(&networks, pod("uid-a", &a)), again);
    assert_eq!(a.sysctl("ipv4/ping_group_range"), "7\t7");
}

#[test]
fn what_fails_leaves_nothing() {
    let rig = Rig::new();
    let mut tiny = network();
    tiny.pod_cidrs = vec!["10.42.0.0/29".parse().unwrap()];
    let networks = rig.open_with(tiny).unwrap();
    let before = rig.host.interfaces();
    let a = Space::new();
    let refused = |change: &dyn Fn(&mut crate::PodNetwork)| {
        let mut bad = pod("uid-a", &a);
        change(&mut bad);
        let error = wait(networks.attach(bad)).unwrap_err();
        assert_eq!(rig.host.interfaces(), before, "{error}");
        assert_eq!(a.interfaces(), ["lo"], "{error}");
        error.to_string()
    };
    let host = rig.host.clone();
    for (says, change) in [
        (
            "is the host's",
            &(move |pod: &mut crate::PodNetwork| pod.namespace = Namespace::Descriptor(host.fd().clone()))
                as &dyn Fn(&mut crate::PodNetwork),
        ),
        ("No such file", &|pod| pod.namespace = Namespace::Path(PathBuf::from("/proc/self/fd/nothing"))),
        ("Invalid argument", &|pod| pod.namespace = Namespace::Path(PathBuf::from("/proc/self/ns/mnt"))),
        ("UID", &|pod| pod.uid = "a b".to_owned()),
        ("not in the node's", &|pod| pod.ips = vec!["10.43.0.2".parse().unwrap()]),
        ("not an address", &|pod| pod.ips = vec!["10.42.0.1".parse().unwrap()]),
        ("no setting", &|pod| pod.sysctls = vec![("kernel.shmmax".to_owned(), "1".to_owned())]),
        ("No such file", &|pod| pod.sysctls = vec![("net.ipv4.nothing".to_owned(), "1".to_owned())]),
    ] {
        let error = refused(change);
        assert!(error.contains(says), "{error}");
    }
    let spaces: Vec<Space> = (0..5).map(|_| Space::new()).collect();
    for (number, space) in spaces.iter().enumerate() {
        attach(&networks, pod(&format!("uid-{number}"), space));
    }
    let full = rig.host.interfaces();
    assert!(matches!(wait(networks.attach(pod("uid-more", &a))), Err(Error::Addresses(_))));
    assert_eq!(rig.host.interfaces(), full);
    wait(networks.detach("uid-unknown".to_owned())).unwrap();
    let again = attach(&networks, pod("uid-3", &spaces[3]));
    assert_eq!(again.ips[0].to_string(), format!("10.42.0.{}", again.mac[5]));
    assert!(spaces[1].ping("10.42.0.1"));
    // A namespace that ends takes its link along; the pod is detached all the same.
    drop(spaces);
    wait(networks.detach("uid-3".to_owned())).unwrap();
    assert!(wait(networks.reconcile(Vec::new())).unwrap().is_empty());
}

#[test]
fn a_name_that_is_taken() {
    let rig = Rig::new();
    rig.host.run(|| {
        let mut wire = Wire::route().unwrap();
        route::add_veth(&mut wire, "cni0", rig.outside.fd().as_fd(), "x0", 1500, [2, 0, 0, 0, 0, 8]).unwrap();
    });
    let error = rig.open_with(network()).unwrap_err();
    assert_eq!(error.to_string(), "pod network: cni0 exists and is not a bridge");
}

#[test]
fn the_host_is_observed() {
    let rig = Rig::new();
    let links = rig.host.run(|| crate::Links::observe().unwrap());
    assert_eq!(links.node_address(true), "192.168.7.1".parse().ok());
    let defaults: Vec<_> = links.defaults.iter().map(|route| (route.link.as_str(), route.gateway)).collect();
    assert_eq!(defaults, [("up0", "192.168.7.2".parse().ok())]);
    assert!(
        links.links.iter().any(|link| link.name == "up0" && link.kind == "veth" && link.running && link.mtu == 1500)
    );
}
