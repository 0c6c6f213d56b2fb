//! What the API server asks of a node: logs, commands in containers, connections to ports.
//!
//! The server never dials a node. A node of the same process joins [`Nodes`] with the parts that do the work; one behind
//! a tunnel joins with a [`Node`] that speaks through the tunnel. Nobody else can tell them apart.

mod error;
mod exec;
mod logs;
mod node;
mod nodes;

pub use error::Error;
pub use exec::{ExecRequest, ExecSession, Exit, Size};
pub use logs::LogQuery;
pub use node::{Answer, Bytes, Connection, Duplex, Node, Pod, Sink};
pub use nodes::{Membership, Nodes};
