//! What a CustomResourceDefinition brings at run time: structural schemas, pruning, defaults, validation, columns, scale.
//!
//! Pure functions over the canonical tree. This crate must never know HTTP, the store or async.

pub mod definition;

mod columns;
mod gotext;
mod jsonpath;
mod names;
mod object;
mod pattern;
mod prune;
mod scale;
mod structural;
mod update;
mod validate;
mod version;

pub use columns::Column;
pub use definition::Definition;
pub use object::DecodeError;
pub use pattern::Pattern;
pub use scale::Scale;
pub use structural::{Additional, Rules, Structural, Unreadable};
pub use version::{SelectableField, Version};
