//! Containers on a node: the runtime that the agent drives.
//!
//! [`spec`] says what a container is made from and touches nothing; [`volumes`] sets up what it mounts; [`runtime`]
//! makes sandboxes and containers of it; [`node`] shows them to the API server. `docs/containers.md` is the contract of all parts.

pub mod node;
mod places;
pub mod runtime;
pub mod spec;
pub mod volumes;

pub use node::ContainerNode;
pub use places::Places;
pub use runtime::{Containers, Settings};
