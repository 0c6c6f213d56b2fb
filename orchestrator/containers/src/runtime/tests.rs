//! The runtime with doubles for all that touches the machine.

pub(crate) mod doubles;
pub(crate) mod life;
