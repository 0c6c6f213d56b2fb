//! The network of pods by the netstack.

use std::net::IpAddr;

use netstack::{HostPort, Namespace, PodNetwork as Pod, PodNetworks, Protocol};

use crate::runtime::parts::{Attachment, Later, Network};

/// The network of pods.
#[derive(Debug, Clone)]
pub struct PodNetwork(PodNetworks);

impl PodNetwork {
    /// On networks that were opened.
    #[must_use]
    pub fn new(networks: PodNetworks) -> Self {
        Self(networks)
    }
}

fn pod(attachment: Attachment) -> Result<Pod, String> {
    let ip = |text: &String| text.parse::<IpAddr>().map_err(|error| format!("{text:?}: {error}"));
    let ips = attachment.ips.iter().map(ip).collect::<Result<_, _>>()?;
    let port = |port: crate::runtime::parts::HostPort| -> Result<HostPort, String> {
        let protocol = match port.protocol.as_str() {
            "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            other => return Err(format!("unknown protocol {other:?}")),
        };
        let host_ip = if port.host_ip.is_empty() { None } else { Some(ip(&port.host_ip)?) };
        Ok(HostPort { protocol, host_ip, host_port: port.host_port, container_port: port.container_port })
    };
    let host_ports = attachment.host_ports.into_iter().map(port).collect::<Result<_, _>>()?;
    let namespace = Namespace::Path(attachment.namespace);
    // The shim made the pod's settings.
    Ok(Pod { uid: attachment.uid, namespace, ips, host_ports, sysctls: Vec::new() })
}

impl Network for PodNetwork {
    fn attach(&self, attachment: Attachment) -> Later<'_, Vec<String>> {
        Box::pin(async move {
            let attached = self.0.attach(pod(attachment)?).await;
            let attached = attached.map_err(|error| format!("failed to setup network for sandbox: {error}"))?;
            Ok(attached.ips.iter().map(IpAddr::to_string).collect())
        })
    }

    fn detach<'a>(&'a self, uid: &'a str) -> Later<'a, ()> {
        Box::pin(async move { self.0.detach(uid.to_owned()).await.map_err(|error| error.to_string()) })
    }

    fn restore(&self, pods: Vec<Attachment>) -> Later<'_, ()> {
        Box::pin(async move {
            let pods = pods.into_iter().map(pod).collect::<Result<Vec<_>, _>>()?;
            for (uid, result) in self.0.reconcile(pods).await.map_err(|error| error.to_string())? {
                if let Err(error) = result {
                    tracing::warn!(pod = uid, %error, "a pod is not in the network any more");
                }
            }
            Ok(())
        })
    }
}
