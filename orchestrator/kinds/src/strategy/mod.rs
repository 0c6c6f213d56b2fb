//! Strategies: what a kind does to an object that is created, changed or deleted, and which of these it allows.
//!
//! A kind is a row of [`rows`]; most rows are made of the common pieces of [`common`]. Callers fill in the name, uid and
//! creation time before `prepare_create`, as upstream does: some kinds copy them.

mod apparmor;
mod batch;
mod cluster;
mod common;
mod pod;
mod qos;
mod resources;
mod rows;
mod service;
mod stamp;
#[cfg(test)]
mod tests;

pub use cluster::{approve_request, finalize_namespace};
pub use pod::{prepare_ephemeral_containers, prepare_resize};
pub use stamp::stamp;

use coracle_apimachinery::Value;

/// What a kind does and allows.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Sets and clears what clients may not decide on when they create it.
    pub prepare_create: fn(&mut Value),
    /// Keeps from the old object what clients may not change, and counts the generation.
    pub prepare_update: fn(&mut Value, &Value),
    /// The same for changes of the status.
    pub prepare_status: fn(&mut Value, &Value),
    /// Whether PUT makes an object that does not exist.
    pub create_on_update: bool,
    /// Whether PUT without a resource version replaces whatever is there.
    pub unconditional_update: bool,
    /// How many seconds the deletion of this object takes, given what the client asks for. `None` and `Some(0)` remove it
    /// at once.
    pub delete_grace: fn(&Value, Option<i64>) -> Option<i64>,
    /// What becomes of its dependents when the client does not say.
    pub default_finalizing: Dependents,
    /// Whether the status is a subresource of its own.
    pub has_status: bool,
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependents {
    /// They stay and lose their owner.
    Orphan,
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// The kind never has any.
    Unsupported,
}

/// The strategy of a resource; one that keeps spec and status apart for resources without a row.
#[must_use]
pub fn of(group: &str, resource: &str) -> &'static Strategy {
    let found = rows::ROWS.iter().find(|row| row.group == group && row.resource == resource);
    found.map_or(&rows::ANY, |row| &row.strategy)
}
