//! Netlink: sockets, and the messages about links, addresses and routes.

pub(crate) mod route;
mod socket;

pub(crate) use socket::{Frame, Reply, Wire};
