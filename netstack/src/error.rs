//! What can go wrong.

use std::{io, net::IpAddr};

use crate::AddressesError;

/// Why the network of a pod or node is not as wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused; `detail` is its own text, if it gave one.
    #[error("{what}: {source}{}{detail}", if detail.is_empty() { "" } else { ": " })]
    Kernel {
        /// What was tried.
        what: String,
        /// The kernel's error.
        source: io::Error,
        /// The kernel's words.
        detail: String,
    },
    /// A file or socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The error.
        source: io::Error,
    },
    /// The description of the node's network is wrong.
    #[error("pod network: {0}")]
    Network(String),
    /// The description of a pod is wrong.
    #[error("network of pod {uid}: {problem}")]
    Pod {
        /// The pod's UID.
        uid: String,
        /// What is wrong.
        problem: String,
    },
    /// The settings of the uplink are wrong.
    #[error("uplink: {0}")]
    Uplink(String),
    /// No address for the pod.
    #[error(transparent)]
    Addresses(#[from] AddressesError),
    /// The pod has addresses that the node's network does not have.
    #[error("{0} is not in the node's pod networks")]
    Outside(IpAddr),
    /// An answer of the kernel makes no sense.
    #[error("{0}: the kernel's answer cannot be read")]
    Answer(&'static str),
    /// The thread that does the work is gone.
    #[error("the pod network has ended")]
    Ended,
}

impl Error {
    /// For `map_err` on anything that gives an [`io::Error`].
    pub(crate) fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { what: what.into(), source: source.into() }
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Kernel { source, .. } | Self::Io { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// Whether the kernel said that the thing is not there.
    pub(crate) fn is_absent(&self) -> bool {
        use rustix::io::Errno;
        [Errno::NODEV, Errno::NOENT, Errno::ADDRNOTAVAIL, Errno::SRCH, Errno::NXIO]
            .iter()
            .any(|errno| self.errno() == Some(errno.raw_os_error()))
    }
}
