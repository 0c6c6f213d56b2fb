//! The rules of the node's pod network, as a whole: what they mean, not how the kernel is told.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{Cidr, HostPort, NodeNetwork, Protocol};

/// All rules that this crate wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Name of the bridge.
    pub(crate) bridge: String,
    /// The node's pod networks.
    pub(crate) pods: Vec<Cidr>,
    /// The pod networks of all nodes.
    pub(crate) cluster: Vec<Cidr>,
    /// Ports of the host by address, protocol and port; the unspecified address means each one of its version.
    pub(crate) ports: BTreeMap<(IpAddr, Protocol, u16), Target>,
}

/// Where a port of the host leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The pod's address.
    pub address: IpAddr,
    /// The pod's port.
    pub port: u16,
    /// The pod's UID, which stands beside the entry as a comment.
    pub uid: String,
}

impl Ruleset {
    /// The rules for a node without host ports.
    #[must_use]
    pub fn new(network: &NodeNetwork) -> Self {
        Self {
            bridge: network.bridge.clone(),
            pods: network.pod_cidrs.iter().map(Cidr::network).collect(),
            cluster: network.cluster_cidrs.iter().map(Cidr::network).collect(),
            ports: BTreeMap::new(),
        }
    }

    /// Adds the host ports of a pod. A port that another pod has already stays with that one, and is told.
    pub fn add(&mut self, uid: &str, ips: &[IpAddr], ports: &[HostPort]) -> Vec<HostPort> {
        let mut refused = Vec::new();
        for port in ports {
            for (address, target) in ips.iter().filter_map(|ip| Some((host_address(port, *ip)?, *ip))) {
                let key = (address, port.protocol, port.host_port);
                let target = Target { address: target, port: port.container_port, uid: uid.to_owned() };
                if self.ports.get(&key).is_some_and(|other| other.uid != uid) {
                    refused.push(port.clone());
                } else {
                    // The first one of a pod counts, as the first of several equal rules would.
                    self.ports.entry(key).or_insert(target);
                }
            }
        }
        refused.dedup();
        refused
    }

    /// Where UDP ports lead.
    pub(crate) fn datagrams(&self) -> BTreeMap<(IpAddr, u16), Target> {
        let udp = self.ports.iter().filter(|((_, protocol, _), _)| *protocol == Protocol::Udp);
        udp.map(|((address, _, port), target)| ((*address, *port), target.clone())).collect()
    }
}

/// The host's address that leads to a pod's address, if the port is for that version.
fn host_address(port: &HostPort, pod: IpAddr) -> Option<IpAddr> {
    match (port.host_ip, pod) {
        (Some(address), _) if address.is_ipv4() == pod.is_ipv4() => Some(address),
        (Some(_), _) => None,
        (None, IpAddr::V4(_)) => Some(Ipv4Addr::UNSPECIFIED.into()),
        (None, IpAddr::V6(_)) => Some(Ipv6Addr::UNSPECIFIED.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_ports_by_address_and_version() {
        let network = NodeNetwork {
            pod_cidrs: vec!["10.42.0.1/24".parse().unwrap()],
            cluster_cidrs: vec![],
            bridge: "cni0".to_owned(),
            mtu: 1500,
        };
        let mut rules = Ruleset::new(&network);
        assert_eq!(rules.pods[0].to_string(), "10.42.0.0/24");
        let ips: Vec<IpAddr> = vec!["10.42.0.2".parse().unwrap(), "fd42::2".parse().unwrap()];
        let port = |host_ip: Option<&str>, host_port| HostPort {
            protocol: Protocol::Tcp,
            host_ip: host_ip.map(|ip| ip.parse().unwrap()),
            host_port,
            container_port: 80,
        };
        let refused = rules.add("a", &ips, &[port(None, 80), port(Some("10.0.0.5"), 81), port(Some("::"), 82)]);
        assert!(refused.is_empty());
        let keys: Vec<_> = rules.ports.keys().map(|(ip, _, port)| format!("{ip} {port}")).collect();
        assert_eq!(keys, ["0.0.0.0 80", "10.0.0.5 81", ":: 80", ":: 82"]);
        assert_eq!(rules.add("b", &ips[..1], &[port(None, 80), port(Some("10.0.0.5"), 80)]), [port(None, 80)]);
        assert_eq!(rules.ports.len(), 5);
    }
}
