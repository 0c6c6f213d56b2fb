//! The network of pods, which can be opened only when the control plane has given this node its range of addresses.

use std::fmt;

use coracle_containers::runtime::parts::{Attachment, Later, Network};
use coracle_containers::runtime::system::PodNetwork;
use netstack::{Cidr, NodeNetwork, PodNetworks};
use tokio::sync::{OnceCell, watch};

/// Name of the bridge, where k3s' users look for it.
const BRIDGE: &str = "cni0";

/// Largest packet, as on Ethernet.
const MTU: u32 = 1500;

/// The network of pods as soon as there is a range for it; until then who needs it waits.
pub(super) struct WaitingNetwork {
    ranges: watch::Receiver<Vec<String>>,
    cluster: Vec<Cidr>,
    opened: OnceCell<PodNetwork>,
}

impl WaitingNetwork {
    /// A network of the newest of `ranges` in a cluster of these networks.
    pub(super) fn new(ranges: watch::Receiver<Vec<String>>, cluster: Vec<Cidr>) -> Self {
        Self { ranges, cluster, opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<&PodNetwork, String> {
        self.opened
            .get_or_try_init(|| async {
                let mut ranges = self.ranges.clone();
                let ranges = ranges.wait_for(|ranges| !ranges.is_empty()).await;
                let ranges = ranges.map_err(|_| "the node is ending".to_owned())?.clone();
                let pod_cidrs = ranges.iter().map(|range| range.parse::<Cidr>());
                let pod_cidrs = pod_cidrs.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
                let cluster_cidrs = self.cluster.clone();
                let network = NodeNetwork { pod_cidrs, cluster_cidrs, bridge: BRIDGE.to_owned(), mtu: MTU };
                let opened = PodNetworks::open(network).await;
                opened.map(PodNetwork::new).map_err(|error| format!("the network of pods: {error}"))
            })
            .await
    }
}

impl Network for WaitingNetwork {
    fn attach(&self, pod: Attachment) -> Later<'_, Vec<String>> {
        Box::pin(async move { self.opened().await?.attach(pod).await })
    }

    fn detach<'a>(&'a self, uid: &'a str) -> Later<'a, ()> {
        Box::pin(async move { self.opened().await?.detach(uid).await })
    }

    fn restore(&self, pods: Vec<Attachment>) -> Later<'_, ()> {
        Box::pin(async move {
            // A node that never had a range has no pods either, and must not wait for the range before it registers.
            if pods.is_empty() && self.ranges.borrow().is_empty() {
                return Ok(());
            }
            self.opened().await?.restore(pods).await
        })
    }
}

impl fmt::Debug for WaitingNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingNetwork").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}
