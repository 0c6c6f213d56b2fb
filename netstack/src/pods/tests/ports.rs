use super::rig::*;
use crate::Protocol::{Tcp, Udp};

#[test]
fn host_ports_from_everywhere() {
    let rig = Rig::new();
    let networks = rig.open();
    let (a, b) = (Space::new(), Space::new());
    let mut with_ports = pod("uid-a", &a);
    with_ports.host_ports = vec![
        host_port(Tcp, None, 8080, 80),
        host_port(Udp, None, 8080, 53),
        host_port(Tcp, Some("192.168.7.1"), 8081, 80),
        host_port(Tcp, Some("127.0.0.1"), 8082, 80),
    ];
    attach(&networks, with_ports);
    attach(&networks, pod("uid-b", &b));
    a.serve_tcp("[::]:80");
    a.serve_udp("0.0.0.0:53", "pod");

    assert_eq!(rig.outside.ask_tcp("192.168.7.1:8080"), "::ffff:192.168.7.2".parse().ok(), "the source is kept");
    assert_eq!(rig.outside.ask_tcp("[fd07::1]:8080"), "fd07::2".parse().ok());
    assert_eq!(rig.outside.ask_tcp("192.168.7.1:8081"), "::ffff:192.168.7.2".parse().ok());
    assert_eq!(rig.outside.ask_udp("0.0.0.0:0", "192.168.7.1:8080", PATIENCE).as_deref(), Some("pod 192.168.7.2"));
    assert!(rig.outside.refused_tcp("192.168.7.1:8082"), "that one is the host's own");

    for own in
        ["192.168.7.1:8080", "127.0.0.1:8080", "10.42.0.1:8080", "127.0.0.1:8082", "192.168.7.1:8081", "[fd07::1]:8080"]
    {
        assert!(rig.host.ask_tcp(own).is_some(), "the host to {own}");
    }
    assert!(rig.host.refused_tcp("127.0.0.1:8081"), "another address of the host");
    assert_eq!(rig.host.ask_udp("127.0.0.1:0", "127.0.0.1:8080", PATIENCE).as_deref(), Some("pod 10.42.0.1"));

    for space in [&a, &b] {
        assert_eq!(space.ask_tcp("192.168.7.1:8080"), "::ffff:10.42.0.1".parse().ok(), "itself and its neighbour");
        assert_eq!(space.ask_tcp("[fd07::1]:8080"), "fd42::1".parse().ok());
        assert_eq!(space.ask_udp("0.0.0.0:0", "192.168.7.1:8080", PATIENCE).as_deref(), Some("pod 10.42.0.1"));
    }

    wait(networks.detach("uid-a".to_owned())).unwrap();
    assert!(rig.outside.refused_tcp("192.168.7.1:8080"));
}

#[test]
fn thousands_of_host_ports() {
    let rig = Rig::new();
    let networks = rig.open();
    let a = Space::new();
    let mut many = pod("uid-a", &a);
    many.host_ports = (1..=2000).map(|port| host_port(Tcp, None, 10_000 + port, port)).collect();
    attach(&networks, many);
    a.serve_tcp("0.0.0.0:1777");
    assert!(rig.outside.ask_tcp("192.168.7.1:11777").is_some());
}

#[test]
fn the_first_keeps_a_host_port_and_leaves_it_to_the_second() {
    let rig = Rig::new();
    let networks = rig.open();
    let spaces = [Space::new(), Space::new()];
    for (uid, space) in ["uid-2", "uid-1"].iter().zip(&spaces) {
        let mut pod = pod(uid, space);
        pod.host_ports = vec![host_port(Udp, None, 5353, 53)];
        attach(&networks, pod);
    }
    spaces[0].serve_udp("0.0.0.0:53", "first");
    spaces[1].serve_udp("0.0.0.0:53", "second");
    let ask = || rig.outside.ask_udp("0.0.0.0:4000", "192.168.7.1:5353", PATIENCE).unwrap_or_default();
    assert!(ask().starts_with("first"));
    wait(networks.detach("uid-2".to_owned())).unwrap();
    assert!(ask().starts_with("second"), "the same socket reaches the new pod");
}
