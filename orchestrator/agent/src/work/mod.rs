//! The loop of a node.

pub mod clock;
pub(crate) mod patch;

pub use clock::Clock;
