//! The parts against another reader and writer of DHCP, and all of it in network namespaces.

pub(super) mod dhcp;
mod formats;
mod network;
mod rig;
mod server;
