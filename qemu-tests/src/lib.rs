//! Owns QEMU: machine kinds, disks, forwarded ports, console and event record, faults, and the end of every guest.
//!
//! A test is a [`lab::scenario`]: it prepares disks, starts a [`guest::Guest`] and waits for what the guest says, always
//! for an event and always with a bound. No guest outlives its test. This crate knows the device only through
//! `coracle-contract` (markers) and `coracle-slots` (disk formats); it must never depend on PID 1, the orchestrator or
//! the image builder, because it judges them from outside.

pub mod acceleration;
pub mod bare;
pub mod client;
pub mod command_line;
pub mod device;
pub mod disk;
pub mod error;
pub mod guest;
pub mod healthy;
pub mod image;
pub mod kubeconfig;
pub mod kubectl;
pub mod lab;
pub mod ledger;
pub mod lock;
pub mod machine;
pub mod measure;
pub mod node;
pub mod pattern;
pub mod ports;
pub mod private;
mod probe;
mod process;
pub mod progress;
mod qmp;
pub mod record;
pub mod seed;
mod slot_edit;
pub mod smoke;
mod sys;
pub mod tail;
pub mod version;
pub mod vm;

pub use error::{Error, Result};
pub use guest::Guest;
pub use lab::{Lab, scenario};
