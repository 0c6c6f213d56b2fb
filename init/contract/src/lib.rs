//! What the programs of one device agree on: kernel arguments, serial markers, heartbeat messages, paths, cgroup names.
//!
//! These are frozen or versioned interfaces between separately updated parts (GRUB, initrd, PID 1, orchestrator, tests).
//! This crate holds names, encoders and decoders only. It must never depend on another crate, touch a file or know
//! Kubernetes: everything that runs as PID 1 links it.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    clippy::string_slice,
    unsafe_code
)]

pub mod cgroups;
pub mod heartbeat;
pub mod ids;
pub mod kernel_arguments;
pub mod marker;
pub mod paths;
