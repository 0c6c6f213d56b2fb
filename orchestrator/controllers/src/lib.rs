//! Controllers and the scheduler: pure planners, and one loop that runs them all.
//!
//! A controller decides in `plan`, from a consistent view, what is to be done for one key; the loop of `runner` does it
//! and calls again when something has changed, when the plan asked for a later time, or after a failure. This crate must
//! never depend on the store, the API server or the network.

pub mod bootstrap_signer;
pub mod certificates;
mod claims;
mod compose;
pub mod controller;
mod deadline;
pub mod deployment;
pub mod endpoints;
mod execute;
pub mod garbage;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
pub mod pod_garbage;
mod queue;
pub mod replica_set;
pub mod root_ca;
pub mod runner;
pub mod scheduler;
pub mod service_account;
pub mod taint_eviction;
mod trees;
