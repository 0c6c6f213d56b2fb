//! Nodes over an API in memory, with the fake runtime and paused time.

mod api;
mod cluster;
mod node;
mod pods;
