//! What can go wrong on the way to a kubeconfig, and whether it may pass.

use std::path::PathBuf;

use coracle_auth::pki;

use super::host::Host;
use crate::connection;

/// There is no kubeconfig.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there.
    #[error("{0} exists; --force replaces it, --output FILE writes elsewhere")]
    Exists(PathBuf),
    /// The file cannot be written, or no key could be made.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// The device does not answer.
    #[error("{0} cannot be reached")]
    Unreachable(Host, #[source] connection::Error),
    /// The device takes too long.
    #[error("{0} takes longer than {1} s to answer")]
    Late(Host, u64),
    /// The device cannot answer now.
    #[error("{0} is not ready: {1}")]
    NotReady(Host, String),
    /// What publishes the authority is not there.
    #[error("{0} publishes no kube-public/cluster-info; it has not finished its first start, or is no Coracle device")]
    NoClusterInfo(Host),
    /// What is published is not signed with the token.
    #[error(
        "{0} does not know the token {1}: it was used, has expired, or the device has not finished its first start"
    )]
    Unsigned(Host, String),
    /// What is published is signed with something else under the token's id.
    #[error(
        "REFUSED: what {0} says about itself is not signed with the token {1}. Either the token is mistyped, or somebody stands between this machine and the device. Nothing was sent"
    )]
    Forged(Host, String),
    /// Another server than the device answers.
    #[error(
        "REFUSED: the server that answers at {0} is not the device that knows the token: somebody stands in between. The token was not sent"
    )]
    Stranger(Host, #[source] connection::Error),
    /// An answer makes no sense.
    #[error("the answer of {0} is not understood: {1}")]
    Nonsense(Host, String),
    /// The device refuses the request.
    #[error("{0} refuses the request: {1}")]
    Refused(Host, String),
    /// The request was denied.
    #[error("{0} denied the request: {1}")]
    Denied(Host, String),
    /// The request went.
    #[error("{0} removed the request before it was answered")]
    Removed(Host),
}

impl Error {
    /// Whether asking again later may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(..) | Self::Late(..) | Self::NotReady(..) | Self::NoClusterInfo(..) | Self::Unsigned(..)
        )
    }
}
