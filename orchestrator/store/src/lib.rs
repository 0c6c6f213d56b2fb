//! The durable store of the orchestrator: append log, checkpoints, in-memory replica, transactions, revisions.
//!
//! A write is one frame in a preallocated log and one `fdatasync` that serves every writer waiting at that moment. All
//! reads and watches come from a [`Replica`] in memory: persistent ordered maps, and a bounded ring of past roots and
//! events. When a log segment is full its changes go into an [`engine::Engine`] (latest value only), and the segment is
//! used again only after the engine has proven them durable.
//!
//! This crate must never depend on the Kubernetes schema, on an async runtime or on a network crate. Objects are
//! opaque bytes under a [`Key`]; what can be searched for is named by an [`Indexer`] that the caller hands in.
//!
//! Where to start reading: [`Store`] (what callers see), then [`local::Core`] (how a commit works), then the `log` module.

pub mod clock;
mod completion;
pub mod disk;
pub mod engine;
mod error;
mod key;
pub mod local;
mod log;
mod replica;
mod store;
mod txn;
mod value;

pub use completion::Completion;
pub use error::Error;
pub use key::{Key, Kind, Scope};
pub use local::{LocalStore, Options};
pub use replica::{Change, Entry, Event, EventKind, Indexer, NoIndex, Replica, Snapshot, Watcher};
pub use store::{Revision, Store};
pub use txn::{Class, Committed, Condition, Expect, Txn, Write};
pub use value::{MAX_VALUE_BYTES, VALUE_FORMAT, Value};
