//! What callers say about the node's pod network and its pods, and what they are told.

use std::{fmt, net::IpAddr};

use crate::{Cidr, Namespace};

/// The pod network of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNetwork {
    /// The node's pod networks: at most one of each version. The first address of each is the bridge's.
    pub pod_cidrs: Vec<Cidr>,
    /// The pod networks of all nodes. Traffic to them keeps the pod's address.
    pub cluster_cidrs: Vec<Cidr>,
    /// Name of the bridge, `cni0` where users expect flannel's.
    pub bridge: String,
    /// Largest packet on the bridge and in pods.
    pub mtu: u32,
}

/// One pod's place in the network.
#[derive(Debug, Clone)]
pub struct PodNetwork {
    /// The pod's UID.
    pub uid: String,
    /// Its network namespace, which must not be the host's.
    pub namespace: Namespace,
    /// Its addresses, when they are known; empty to be given some, or the ones it already has.
    pub ips: Vec<IpAddr>,
    /// Ports of the host that lead to the pod.
    pub host_ports: Vec<HostPort>,
    /// Settings below `net.` for the pod's namespace, such as `net.ipv4.ip_unprivileged_port_start`.
    pub sysctls: Vec<(String, String)>,
}

/// A port of the host that leads to a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Protocol of both ports.
    pub protocol: Protocol,
    /// The host's address, or any of them; `0.0.0.0` and `::` mean any of one version.
    pub host_ip: Option<IpAddr>,
    /// Port of the host.
    pub host_port: u16,
    /// Port of the pod.
    pub container_port: u16,
}

/// Transport protocols that host ports know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// What a pod got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its addresses, in the order of the node's pod networks.
    pub ips: Vec<IpAddr>,
    /// The default gateway of each version.
    pub gateways: Vec<IpAddr>,
    /// Hardware address of its `eth0`.
    pub mac: [u8; 6],
    /// Name of the host's end.
    pub interface: String,
}

impl NodeNetwork {
    /// The bridge's addresses: the first of each pod network.
    #[must_use]
    pub fn gateways(&self) -> Vec<Cidr> {
        self.pod_cidrs.iter().filter_map(|cidr| Cidr::new(cidr.nth(1), cidr.prefix())).collect()
    }

    /// Whether pods have addresses of that version.
    #[must_use]
    pub fn has(&self, v4: bool) -> bool {
        self.pod_cidrs.iter().any(|cidr| cidr.is_v4() == v4)
    }

    /// What is wrong with the description, if anything.
    ///
    /// # Errors
    /// A sentence for whoever configured it.
    pub fn check(&self) -> Result<(), String> {
        if !interface_name(&self.bridge) {
            return Err(format!("{:?} is no name of a bridge", self.bridge));
        }
        if !(1280..=65535).contains(&self.mtu) {
            return Err(format!("an MTU of {} is not between 1280 and 65535", self.mtu));
        }
        if self.pod_cidrs.is_empty() {
            return Err("the node has no pod network".to_owned());
        }
        for v4 in [true, false] {
            if self.pod_cidrs.iter().filter(|cidr| cidr.is_v4() == v4).count() > 1 {
                return Err("the node has two pod networks of one version".to_owned());
            }
        }
        match self.pod_cidrs.iter().find(|cidr| cidr.last() < 3 || cidr.prefix() < 8) {
            Some(cidr) => Err(format!("{cidr} cannot be the pod network of a node")),
            None => Ok(()),
        }
    }
}

impl Protocol {
    /// Its number in the IP header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// Whether the kernel would take it as the name of an interface, and a path below `/proc/sys` stays where it should.
fn interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name != "all"
        && name != "default"
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_networks_are_refused() {
        let good = NodeNetwork {
            pod_cidrs: vec!["10.42.0.0/24".parse().unwrap(), "fd42::/64".parse().unwrap()],
            cluster_cidrs: vec![],
            bridge: "cni0".to_owned(),
            mtu: 1450,
        };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(good.gateways()[1].to_string(), "fd42::1/64");
        for change in [
            |network: &mut NodeNetwork| network.bridge = "../x".to_owned(),
            |network: &mut NodeNetwork| network.bridge = "sixteen-letters-x".to_owned(),
            |network: &mut NodeNetwork| network.mtu = 100,
            |network: &mut NodeNetwork| network.pod_cidrs.clear(),
            |network: &mut NodeNetwork| network.pod_cidrs.push("10.43.0.0/24".parse().unwrap()),
            |network: &mut NodeNetwork| network.pod_cidrs = vec!["10.42.0.0/31".parse().unwrap()],
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
