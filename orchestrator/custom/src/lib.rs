//! What a CustomResourceDefinition brings at run time: structural schemas, pruning, defaults, validation, columns, scale.
//!
//! Pure functions over the canonical tree. This crate must never know HTTP, the store or async.
