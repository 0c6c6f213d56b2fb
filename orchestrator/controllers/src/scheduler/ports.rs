//! Ports that pods take on their node.

use coracle_apimachinery::Value;
use coracle_client::object::{int, items};

use super::requests::is_sidecar;

const ALL_ADDRESSES: &str = "0.0.0.0";

/// A port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    address: String,
    protocol: String,
    port: i64,
}

impl HostPort {
    /// Whether both cannot be taken on the same node.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.address == other.address || self.address == ALL_ADDRESSES || other.address == ALL_ADDRESSES)
    }
}

/// The ports of the node that the containers of a pod take as long as it runs.
#[must_use]
pub fn host_ports(pod: &Value) -> Vec<HostPort> {
    let sidecars = items(pod, &["spec", "initContainers"]).iter().filter(|container| is_sidecar(container));
    let containers = sidecars.chain(items(pod, &["spec", "containers"]));
    let ports = containers.flat_map(|container| items(container, &["ports"]));
    ports.filter_map(host_port).collect()
}

fn host_port(port: &Value) -> Option<HostPort> {
    let or = |name, absent: &str| {
        let text = port.text_at(&[name]);
        if text.is_empty() { absent.to_owned() } else { text.to_owned() }
    };
    let number = int(port, &["hostPort"], 0);
    let port = HostPort { address: or("hostIP", ALL_ADDRESSES), protocol: or("protocol", "TCP"), port: number };
    (number > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    #[test]
    fn ports_collide() {
        let ports = |ports: &str| {
            let pod = format!(r#"{{"spec":{{"containers":[{{"ports":[{ports}]}}]}}}}"#);
            host_ports(&json::decode_any(pod.as_bytes()).unwrap())
        };
        let table = [
            (r#"{"hostPort":80}"#, r#"{"hostPort":80}"#, true),
            (r#"{"hostPort":80}"#, r#"{"hostPort":81}"#, false),
            (r#"{"hostPort":80,"protocol":"UDP"}"#, r#"{"hostPort":80}"#, false),
            (r#"{"hostPort":80,"hostIP":"10.0.0.1"}"#, r#"{"hostPort":80}"#, true),
            (r#"{"hostPort":80,"hostIP":"10.0.0.1"}"#, r#"{"hostPort":80,"hostIP":"10.0.0.2"}"#, false),
        ];
        for (left, right, expected) in table {
            assert_eq!(ports(left)[0].collides(&ports(right)[0]), expected, "{left} {right}");
        }
        assert!(ports(r#"{"containerPort":80}"#).is_empty());
    }

    #[test]
    fn only_lasting_containers_take_ports() {
        let pod = r#"{"spec":{"initContainers":[{"ports":[{"hostPort":1}]},{"restartPolicy":"Always","ports":[{"hostPort":2}]}],"containers":[{"ports":[{"hostPort":3}]}]}}"#;
        let ports = host_ports(&json::decode_any(pod.as_bytes()).unwrap());
        assert_eq!(ports.iter().map(|port| port.port).collect::<Vec<_>>(), [2, 3]);
    }
}
