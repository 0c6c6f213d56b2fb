//! Descriptors that tokio watches. Its safe constructor is deprecated, since an object could change its descriptor while
//! it is watched; the one that replaces it wants a promise that it does not.
#![expect(unsafe_code, reason = "leaf module: one promise to tokio about a descriptor that cannot change here")]

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A descriptor that tokio watches. Nobody gets it back or a mutable reference to it.
#[derive(Debug)]
pub(super) struct Watched(AsyncFd<OwnedFd>);

type Guard<'a> = AsyncFdReadyGuard<'a, OwnedFd>;

impl Watched {
    /// Watches a descriptor that does not block.
    pub(super) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` is one open descriptor until it is dropped, and gives out the same number all the time.
        // The `AsyncFd` owns it, and `Watched` lends it by shared reference only, so nobody can replace or close it.
        let watched = unsafe { AsyncFd::register(descriptor) };
        Ok(Self(watched?))
    }

    /// Waits until it can be read.
    pub(super) async fn readable(&self) -> io::Result<Guard<'_>> {
        self.0.readable().await
    }

    /// Whether it can be read.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<Guard<'_>>> {
        self.0.poll_read_ready(context)
    }

    /// Whether it can be written.
    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<Guard<'_>>> {
        self.0.poll_write_ready(context)
    }
}
