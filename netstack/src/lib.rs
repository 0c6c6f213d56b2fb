//! Links, addresses, service programs, DNS and ingress, from plain structs that are handed in.
//!
//! It must never know Kubernetes objects or the store: callers translate. What is here is the pod network of one node:
//! a bridge, one veth pair a pod, host ports and masquerade. [`PodNetworks`] is what the node agent uses;
//! [`plan`], [`Addresses`] and [`Ruleset`] decide and touch nothing, `wire`, `nft` and `namespace` act. [`uplink`] is the device's own way to the world.

mod addresses;
mod cidr;
mod connections;
mod error;
mod links;
mod namespace;
mod network;
mod nft;
pub mod plan;
mod pods;
mod ruleset;
mod sysctl;
pub mod uplink;
mod wire;

pub use addresses::{Addresses, AddressesError};
pub use cidr::{Cidr, CidrError};
pub use error::Error;
pub use links::{DefaultRoute, HostLink, Links};
pub use namespace::Namespace;
pub use network::{Attached, HostPort, NodeNetwork, PodNetwork, Protocol};
pub use pods::PodNetworks;
pub use ruleset::{Ruleset, Target};
