//! What a node does for the API server.

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Error, ExecRequest, ExecSession, LogQuery};

/// An answer that takes time. Dropping it gives the request up.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Bytes that a node sends. Dropping it tells the node that nobody reads any more.
pub type Bytes = Box<dyn AsyncRead + Send + Unpin>;

/// Where bytes for a node go.
pub type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// Bytes in both directions, each with an end of its own.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a port.
pub type Connection = Box<dyn Duplex>;

/// A pod as its node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid; a node that has another pod of this name answers that it is not found.
    pub uid: String,
}

/// A node that is connected. Every call is one request; all may run at once.
pub trait Node: Send + Sync {
    /// The log of a container.
    fn logs(&self, query: LogQuery) -> Answer<'_, Bytes>;

    /// Runs a command in a container.
    fn exec(&self, request: ExecRequest) -> Answer<'_, ExecSession>;

    /// Connects to a port on a pod's loopback address.
    fn port_forward(&self, pod: Pod, port: u16) -> Answer<'_, Connection>;
}
