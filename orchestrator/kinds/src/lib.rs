//! What the built-in kinds do beyond their schema: defaults, strategies, validation, field labels, conversion, columns.
//!
//! Pure functions over the canonical tree, chosen by rows of data. This crate must never know HTTP, the store, async or
//! who asks.

pub mod convert;
pub mod defaults;
pub mod deprecated;
pub mod fields;
pub mod inert;
pub mod scale;
pub mod strategy;
pub mod table;
pub mod validate;
