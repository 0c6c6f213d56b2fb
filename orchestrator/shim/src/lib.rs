//! The parts of `coracle-init` that run containers: the shim of a pod and its runtime helper. `docs/containers.md` is the contract.
//!
//! Synchronous and small: a shim lives as long as its pod, so its memory is paid once a pod.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unreachable, clippy::string_slice))]

pub mod runtime;
pub mod shim;
