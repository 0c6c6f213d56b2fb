//! The part of SPDY/3.1 that port-forward uses, as the side that answers.
//!
//! `frames` reads and writes bytes and knows nothing else; `session` is one connection with its streams. The crate
//! `spdystream-rs` 0.1.2 was looked at and left: it drops data of a stream that is read slowly, and takes frames and
//! header blocks of any size.

mod frames;
mod header_block;
mod session;

pub(super) use session::{Received, Session, Stream};

#[cfg(test)]
pub(super) mod client;

/// Why a stream ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    /// There are too many.
    Refused = 3,
    /// It is not wanted.
    Cancelled = 5,
}
