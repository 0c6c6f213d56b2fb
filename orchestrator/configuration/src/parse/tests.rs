use netstack::uplink::{Addressing, NicSettings};

use super::*;

const GOOD: &str = include_str!("../../tests/good.yaml");

fn problems(text: &str, origin: Origin) -> Vec<String> {
    parse(text.as_bytes(), origin)
        .err()
        .map_or_else(Vec::new, |problems| problems.all().iter().map(ToString::to_string).collect())
}

#[test]
fn all_keys_are_read() {
    let read = parse(GOOD.as_bytes(), Origin::NoCloud).unwrap();
    assert_eq!(read.node_name.as_deref(), Some("porch"));
    assert_eq!(read.hostname.as_deref(), Some("porch"));
    assert_eq!(read.node_labels.len(), 2);
    assert_eq!(read.node_labels[0], ("example.com/place".to_owned(), "porch".to_owned()));
    let taint = Taint { key: "example.com/wet".into(), value: "true".into(), effect: "NoSchedule".into() };
    assert_eq!(read.node_taints, [taint]);
    assert_eq!(read.tls_sans, ["porch.example", "192.168.0.7"]);
    assert_eq!(read.cluster_cidr.as_deref(), Some("10.42.0.0/16,fd00:42::/56"));
    assert_eq!(read.service_cidr.as_deref(), Some("10.43.0.0/16"));
    assert_eq!(read.https_listen_port, Some(6443));
    assert_eq!(read.disable, ["traefik", "metrics-server"]);
    assert_eq!(read.bootstrap_token.unwrap().id, "abcdef");
    assert_eq!(read.registries.unwrap().endpoints("docker.io").len(), 2);
}

#[test]
fn interfaces_become_settings_of_the_uplink() {
    let read = parse(GOOD.as_bytes(), Origin::Esp).unwrap();
    let settings = read.uplink([7; 16]);
    assert_eq!((settings.machine, settings.hostname.as_deref()), ([7; 16], Some("porch")));
    assert_eq!(settings.check(), Ok(()));
    let fixed = Addressing::Static {
        addresses: vec!["192.168.0.7/24".parse().unwrap(), "fd00::7/64".parse().unwrap()],
        gateways: vec!["192.168.0.1".parse().unwrap()],
    };
    let eth0 = NicSettings {
        addressing: fixed,
        metric: Some(10),
        resolvers: vec!["192.168.0.1".parse().unwrap()],
        search: vec!["example".to_owned()],
        mtu: Some(1400),
        router_advertisements: false,
    };
    assert_eq!(settings.nics["eth0"], eth0);
    assert_eq!(settings.nics["eth1"].addressing, Addressing::Off);
    assert_eq!(settings.nics["eth2"], NicSettings { metric: Some(200), ..NicSettings::default() });
    for (text, want) in [
        ("{}", Addressing::Dhcp),
        ("{accept-ra: true, dhcp4: false}", Addressing::Static { addresses: vec![], gateways: vec![] }),
        (
            "{dhcp4: false, gateway6: 'fe80::1'}",
            Addressing::Static { addresses: vec![], gateways: vec!["fe80::1".parse().unwrap()] },
        ),
    ] {
        let read = parse(format!("network: {{interfaces: {{e: {text}}}}}").as_bytes(), Origin::Esp).unwrap();
        assert_eq!(read.interfaces["e"].addressing, want, "{text}");
    }
}

#[test]
fn an_empty_document_is_all_defaults() {
    for (text, origin) in [
        ("", Origin::Esp),
        ("# nothing\n", Origin::Esp),
        ("#coracle-config\n", Origin::NoCloud),
        ("node-label:\nnetwork:\n", Origin::Esp),
    ] {
        assert_eq!(parse(text.as_bytes(), origin), Ok(MachineConfiguration::default()), "{text:?}");
    }
}

#[test]
fn each_problem_has_its_line_and_key() {
    for (text, want) in [
        (
            "a: 1\nnode-nam: x\n",
            &[
                "line 1: a: there is no such key; there are bootstrap-token",
                "line 2: node-nam: there is no such key; did you mean node-name?",
            ][..],
        ),
        ("token: secret\n", &["line 1: token: this key joins with the second node"]),
        (
            "\ntime: {}\nupdate: x\ndisks: []\nserver: x\n",
            &[
                "line 2: time: this key joins with a later",
                "line 3: update:",
                "line 4: disks:",
                "line 5: server: this key joins with the second node",
            ],
        ),
        ("node-name: 7\n", &["line 1: node-name: must be a text, but is a number; put it in quotes"]),
        ("node-name: on\n", &["line 1: node-name: must be a text, but is true or false; put it in quotes"]),
        ("node-name: Porch\n", &["line 1: node-name: \"Porch\" is no name"]),
        ("https-listen-port: 0\n", &["line 1: https-listen-port: must be from 1 to 65535"]),
        ("https-listen-port: '6443'\n", &["line 1: https-listen-port: must be a whole number, but is a text"]),
        ("https-listen-port: 70000\n", &["must be from 1 to 65535"]),
        (
            "node-label:\n  - a=b\n  - c\n  - a=d\n",
            &["line 3: node-label[1]: \"c\" is no KEY=VALUE", "line 4: node-label[2]: a stands twice"],
        ),
        ("node-label: {a: b}\n", &["line 1: node-label: must be a list of texts, but is an object"]),
        ("node-taint: [a:NoExecute, 'a=x:NoExecute']\n", &["node-taint[1]: a:NoExecute stands twice"]),
        ("tls-san:\n- a\n- 1\n", &["line 3: tls-san[1]: must be a text, but is a number; put it in quotes"]),
        ("disable: [traefik, treafik]\n", &["disable[1]: \"treafik\" is no component; did you mean traefik?"]),
        ("disable: traefik, treafik\n", &["disable: \"treafik\" is no component"]),
        ("bootstrap-token: abcdef.0123\n", &["line 1: bootstrap-token: must be six of"]),
        ("client-ca: x\n", &["line 1: client-ca: holds no certificate"]),
        (
            "certificates:\n  Bad: x\n  good: text\n",
            &["line 2: certificates.Bad: \"Bad\" is no name", "line 3: certificates.good: holds no certificate"],
        ),
        (
            "registries:\n  mirrors:\n    docker.io:\n      rewrite: {}\n",
            &["line 4: registries.mirrors.docker.io.rewrite: is not supported; mirrors"],
        ),
        ("registries: x\n", &["line 1: registries: must be an object"]),
        (
            "registries:\n  configs:\n    a.b:\n      tls:\n        ca_file: /etc/x.pem\n",
            &["line 5: registries.configs.a.b.tls.ca_file: must be /run/coracle/certificates/NAME.pem"],
        ),
        ("network:\n  interface: {}\n", &["line 2: network.interface: there is no such key; did you mean interfaces?"]),
        (
            "network:\n  interfaces:\n    eth0:\n      adresses: []\n",
            &["line 4: network.interfaces.eth0.adresses: there is no such key; did you mean addresses?"],
        ),
        ("network: {interfaces: {'a b': {}}}\n", &["\"a b\" is no name of an interface"]),
        ("network: {interfaces: {e: {dhcp4: true, addresses: [10.0.0.1/8]}}}\n", &["exclude each other"]),
        ("network: {interfaces: {e: {dhcp4: false, mtu: 1400}}}\n", &["switches the interface off"]),
        ("network: {interfaces: {e: {gateway4: 10.0.0.1}}}\n", &["there is a gateway, but no address"]),
        (
            "network: {interfaces: {e: {addresses: [10.0.0.1]}}}\n",
            &["addresses[0]: \"10.0.0.1\" is no address with a prefix"],
        ),
        (
            "network: {interfaces: {e: {addresses: [10.0.0.1/8], gateway4: 'fe80::1'}}}\n",
            &["gateway4: \"fe80::1\" is no IP address of version 4"],
        ),
        (
            "network: {interfaces: {e: {mtu: 10}}}\n",
            &["line 1: network.interfaces.e: an MTU of 10 is not between 576 and 65535"],
        ),
        ("network: {interfaces: {e: {search: ['a b']}}}\n", &["network.interfaces.e: \"a b\" is no name of a domain"]),
        ("network: {interfaces: {e: {addresses: [127.0.0.1/8]}}}\n", &["127.0.0.1 is no address of a host"]),
        ("hostname: a\nnode-name: b\nhostname: c\n", &["line 3: hostname: stands twice"]),
        ("a: b: c\n", &["line 1: "]),
        ("node-name: a\n---\nnode-name: b\n", &["line 3: there is a second document"]),
        ("- a\n", &["line 1: must be an object, but is a list"]),
        ("certificates:\n  no: x\n", &["line 2: a name is no text; put it in quotes"]),
    ] {
        let found = problems(text, Origin::Esp);
        assert_eq!(found.len(), want.len(), "{text}: {found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.contains(want), "{text}: {found}");
        }
    }
}

#[test]
fn certificates_may_be_named_by_registries() {
    let pem = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.pem();
    let pem = pem.replace('\n', "\n    ");
    let text = format!(
        "certificates:\n  corp: |\n    {pem}\nclient-ca: |\n    {pem}\nregistries: {{configs: {{a: {{tls: {{ca_file: /run/coracle/certificates/corp.pem}}}}}}}}\n"
    );
    let read = parse(text.as_bytes(), Origin::Esp).unwrap();
    assert!(read.certificates["corp"].starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(read.client_ca.is_some());
    let file = read.registries.as_ref().and_then(|registries| registries.authority("a").cloned()).unwrap();
    assert_eq!(file, std::path::Path::new(paths::CERTIFICATES).join("corp.pem"));
}

#[test]
fn sources_have_their_rules() {
    for (text, origin, want) in [
        ("node-name: a\n", Origin::NoCloud, "line 1: the first line of user-data must be #coracle-config"),
        ("#cloud-config\nnode-name: a\n", Origin::NoCloud, "is a document for cloud-init"),
        ("#coracle-config  \r\nnode-name: a\r\n", Origin::NoCloud, ""),
        ("#coracle-configuration\n", Origin::NoCloud, "must be #coracle-config"),
        ("hostname: a\n", Origin::Host, "line 1: hostname: is for devices only; node-name"),
        ("node-name: a\nnetwork: {}\n", Origin::Host, "line 2: network: is for devices only"),
        ("certificates: {}\n", Origin::Host, "certificates: is for devices only"),
        ("registries: {configs: {a: {tls: {ca_file: /etc/x.pem}}}}\n", Origin::Host, ""),
    ] {
        let found = problems(text, origin);
        match want {
            "" => assert_eq!(found, [""; 0], "{text}"),
            want => assert!(found.len() == 1 && found[0].contains(want), "{text}: {found:?}"),
        }
    }
}

#[test]
fn any_bytes_get_an_answer_of_bounded_size() {
    let large = vec![b'#'; MOST_BYTES + 1];
    assert!(parse(&large, Origin::Esp).unwrap_err().to_string().contains("1048577 bytes are more than"));
    let found = parse(b"node-name: a\n\xff\n", Origin::Esp).unwrap_err();
    assert_eq!(found.to_string(), "line 2: is no UTF-8");
    let many: String = (0..9_000).map(|number| format!("key{number}: x\n")).collect();
    let found = parse(many.as_bytes(), Origin::Esp).unwrap_err();
    assert_eq!((found.all().len(), found.more()), (50, 8_950));
    assert!(found.to_string().ends_with("; and 8997 more"), "{found}");
    let long = format!("{}: x\n", "k".repeat(900_000));
    assert!(problems(&long, Origin::Esp).concat().len() < 1_000);
    let deep = "[".repeat(100_000);
    assert_eq!(problems(&deep, Origin::Esp).len(), 1);
    let labels: String = (0..60_000).map(|number| format!("- a{number}=\n")).collect();
    assert_eq!(problems(&format!("node-label:\n{labels}"), Origin::Esp), [""; 0]);
}
