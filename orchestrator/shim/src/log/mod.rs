//! The logs of containers in the CRI's format: `lines` makes entries, `file` writes and rotates, `pump` joins both to
//! the pipes.

mod file;
mod lines;
mod pump;

pub(super) use pump::{Progress, Pump, Stream};
