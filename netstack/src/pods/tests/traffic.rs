use std::{
    net::{IpAddr, UdpSocket},
    os::fd::AsRawFd,
};

use nix::sys::socket::{setsockopt, sockopt};

use super::rig::*;
use crate::{Namespace, PodNetwork, Protocol};

#[test]
fn pods_reach_each_other_and_the_bridge() {
    let rig = Rig::new();
    let networks = rig.open();
    let (a, b) = (Space::new(), Space::new());
    let first = attach(&networks, pod("uid-a", &a));
    let by_path = Namespace::Path(format!("/proc/self/fd/{}", b.fd().as_raw_fd()).into());
    let second = attach(&networks, PodNetwork { namespace: by_path, ..pod("uid-b", &b) });
    assert_eq!(first.ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.42.0.2", "fd42::2"]);
    assert_eq!(second.ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.42.0.3", "fd42::3"]);
    assert_eq!(first.mac, [0x0a, 0x58, 10, 42, 0, 2]);
    for address in ["10.42.0.3", "10.42.0.1", "fd42::3", "fd42::1", "127.0.0.1"] {
        assert!(a.ping(address), "{address}");
    }
    b.serve_tcp("[::]:80");
    assert_eq!(a.ask_tcp("10.42.0.3:80"), "::ffff:10.42.0.2".parse().ok());
    assert_eq!(a.ask_tcp("[fd42::3]:80"), "fd42::2".parse().ok());
    assert_eq!(rig.host.ask_tcp("10.42.0.3:80"), "::ffff:10.42.0.1".parse().ok());
    rig.host.serve_tcp("0.0.0.0:8000");
    assert_eq!(b.ask_tcp("10.42.0.1:8000"), "10.42.0.3".parse().ok());
    assert_eq!(b.ask_tcp("192.168.7.1:8000"), "10.42.0.3".parse().ok(), "the node sees the pod's address");
    assert_eq!(a.interfaces(), ["eth0", "lo"]);
    assert_eq!(a.sysctl("ipv4/ping_group_range"), "0\t2147483647");
    // The address of the second pod as the kernel's own table has it: destination, mask and gateway in little-endian hex.
    let routes = b.proc("route");
    assert!(routes.lines().any(|line| line.starts_with("eth0\t00000000\t01002A0A")), "{routes}");
    assert!(routes.lines().any(|line| line.starts_with("eth0\t00002A0A\t00000000")), "{routes}");
    assert!(b.proc("if_inet6").lines().any(|line| line.starts_with("fd420000000000000000000000000003")));
}

#[test]
fn the_world_sees_the_node_and_the_cluster_sees_the_pod() {
    let rig = Rig::new();
    let mut network = network();
    network.cluster_cidrs.push("192.168.8.0/24".parse().unwrap());
    let networks = rig.open_with(network).unwrap();
    let a = Space::new();
    attach(&networks, pod("uid-a", &a));
    rig.outside.serve_tcp("[::]:80");
    rig.outside.serve_udp("0.0.0.0:53", "dns");
    assert_eq!(a.ask_tcp("192.168.7.2:80"), "::ffff:192.168.7.1".parse().ok());
    assert_eq!(a.ask_tcp("[fd07::2]:80"), "fd07::1".parse().ok());
    assert_eq!(a.ask_udp("0.0.0.0:0", "192.168.7.2:53", PATIENCE).as_deref(), Some("dns 192.168.7.1"));
    // The way back for what keeps its address.
    rig.outside.run(|| {
        let mut wire = crate::wire::Wire::route().unwrap();
        let index = crate::wire::route::index(&mut wire, "up0").unwrap();
        crate::wire::route::set_default_route(&mut wire, "route", index, "192.168.7.1".parse().unwrap()).unwrap();
    });
    assert_eq!(a.ask_tcp("192.168.8.2:80"), "::ffff:10.42.0.2".parse().ok());
    assert_eq!(a.ask_tcp("192.168.7.2:80"), "::ffff:192.168.7.1".parse().ok(), "still the node's");
}

#[test]
fn the_hosts_loopback_is_closed_to_pods() {
    let rig = Rig::new();
    let networks = rig.open();
    let a = Space::new();
    attach(&networks, pod("uid-a", &a));
    let heard = rig.host.run(|| UdpSocket::bind("127.0.0.1:9999").unwrap());
    heard.set_read_timeout(Some(BRIEF)).unwrap();
    // A socket that is bound to the interface sends out what would stay inside.
    let knock = || {
        a.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            setsockopt(&socket, sockopt::BindToDevice, &"eth0".into()).unwrap();
            socket.send_to(b"knock", "127.0.0.1:9999").unwrap();
        });
        heard.recv(&mut [0; 8]).is_ok()
    };
    assert!(!knock());
    rig.host.run(without_rules);
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(knock(), "the test can tell the difference");
}

#[test]
fn one_version_is_enough() {
    let rig = Rig::new();
    let mut network = network();
    network.pod_cidrs.remove(0);
    let networks = rig.open_with(network).unwrap();
    let (a, b) = (Space::new(), Space::new());
    let mut with_port = pod("uid-a", &a);
    with_port.host_ports = vec![host_port(Protocol::Tcp, None, 8080, 80)];
    let first = attach(&networks, with_port);
    let second = attach(&networks, pod("uid-b", &b));
    assert_eq!(first.ips, ["fd42::2".parse::<IpAddr>().unwrap()]);
    assert!(first.mac != second.mac && first.mac[..2] == [0x0a, 0x58]);
    rig.outside.serve_tcp("[::]:80");
    a.serve_tcp("[::]:80");
    assert_eq!(b.ask_tcp("[fd42::2]:80"), "fd42::3".parse().ok());
    assert_eq!(a.ask_tcp("[fd07::2]:80"), "fd07::1".parse().ok());
    assert_eq!(rig.outside.ask_tcp("[fd07::1]:8080"), "fd07::2".parse().ok());
    assert!(rig.outside.refused_tcp("192.168.7.1:8080"));
    assert_eq!(rig.host.sysctl("ipv4/ip_forward"), "0", "nothing is switched on that nobody needs");
}
