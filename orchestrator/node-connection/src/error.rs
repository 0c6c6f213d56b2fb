//! Why a node does not do what was asked.

/// Why a node does not do what was asked. The texts are for users; who passes them on adds no more than upstream does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The node is not connected, or the connection broke before there was an answer.
    #[error("error dialing backend: node \"{0}\" is not connected")]
    Unavailable(String),
    /// The node does not have the pod or the container.
    #[error("{0}")]
    NotFound(String),
    /// The request does not fit the state of the pod.
    #[error("{0}")]
    Refused(String),
    /// The node tried and failed.
    #[error("{0}")]
    Failed(String),
}
