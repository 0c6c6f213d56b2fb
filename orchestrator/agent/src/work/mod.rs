//! The loop of a node.

pub(crate) mod patch;
