//! What the orchestrator, a pod's shim and the runtime helper say to each other. `docs/containers.md` is the contract.
//!
//! Types (serde), frames, passing of descriptors, sealed executables, and the start of a shim. No runtime, no event loop: the orchestrator
//! reads and writes frames in its own way, the shim in another.

pub mod executable;
pub mod files;
pub mod frame;
pub mod helper;
pub mod message;
pub mod process;
pub mod socket;

/// The only version of the protocol so far.
pub const VERSION: u32 = 1;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
pub type Nanoseconds = u64;
