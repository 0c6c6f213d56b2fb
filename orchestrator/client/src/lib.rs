//! How controllers, the scheduler and the node agent see the API: consistent views, changes, writes.
//!
//! A component is written against [`Client`] and knows nothing of the process it runs in. On the server the views are
//! the store's replica itself and writes go through the API's verbs; on a remote node a mirror fills the same types.
//! A view taken after a write was acknowledged holds that write.
//!
//! This crate must never depend on the store, the API server or a network crate.

pub mod event;
pub mod first_contact;
pub mod memory;
pub mod object;
pub mod recorder;
mod resource;
mod view;
mod write;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;

pub use resource::{Resource, resources};
pub use view::{Read, Term, View};
pub use write::{Operation, PatchKind, Propagation, Write};

/// What a call comes to later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The API as a component sees it, with the rights of that component.
pub trait Client: Send + Sync + fmt::Debug {
    /// The state now.
    fn view(&self) -> View;

    /// Follows resources, or all there are, also those that are defined later.
    fn subscribe(&self, to: Interest<'_>) -> Box<dyn Changes>;

    /// Writes. The answer is the object after the write; for a deletion the object as it was last.
    ///
    /// # Errors
    /// The failure as the API answers it.
    fn write(&self, write: Write) -> Pending<'_, Result<Arc<Value>, Status>>;
}

/// What a subscription is for.
#[derive(Debug, Clone, Copy)]
pub enum Interest<'a> {
    /// These resources.
    Only(&'a [&'static Resource]),
    /// Every resource that can be listed and deleted, in one version each.
    Everything,
}

/// The changes of the resources that somebody follows.
pub trait Changes: Send + fmt::Debug {
    /// The next changes; `None` once the API has closed. The first batch holds everything that is there as new.
    fn next(&mut self) -> Pending<'_, Option<Batch>>;
}

/// Some changes, and a state that holds them.
#[derive(Debug)]
pub struct Batch {
    /// The changes in order.
    pub changes: Vec<Change>,
    /// A state at or after the last change.
    pub view: View,
}

/// One change of one object. After a gap in the history, `old` can be missing for an object that was there before, and
/// deletions in the gap are not told.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it is.
    pub resource: Arc<Resource>,
    /// The object before; `None` for a new one.
    pub old: Option<Arc<Value>>,
    /// The object after; `None` for a deletion.
    pub new: Option<Arc<Value>>,
}

impl Change {
    /// The object, as it is or as it was last.
    #[must_use]
    pub fn object(&self) -> &Value {
        const NOTHING: &Value = &Value::Null;
        self.new.as_deref().or(self.old.as_deref()).unwrap_or(NOTHING)
    }

    /// Both sides that are there.
    pub fn sides(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(self.new.iter()).map(|side| &**side)
    }

    /// Namespace of the object; empty where there is none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.object().text_at(&["metadata", "namespace"])
    }

    /// Name of the object.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object().text_at(&["metadata", "name"])
    }
}
