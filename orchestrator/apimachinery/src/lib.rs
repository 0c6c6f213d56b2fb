//! Schema tables and the codecs driven by them.
//!
//! One [`schema::Node`] type describes every value of the API: decoding, encoding and (later) pruning, defaulting,
//! merging, field ownership, CEL and OpenAPI all read the same tables. The built-in ones are the text files under
//! `schema/`; a CustomResourceDefinition builds the same types at run time.
//!
//! The codecs turn JSON, YAML and Kubernetes protobuf into one canonical [`Value`] tree and back, byte for byte as the Go
//! implementation prints, and into the [`at_rest`] form that the store keeps.
//!
//! This crate must never depend on the store, HTTP, async or on a kind: what a kind needs beyond data belongs to the API
//! server's rows. It does no input or output.

pub mod at_rest;
pub mod base64;
pub mod duration;
pub mod field;
mod float;
pub mod fuzz;
pub mod json;
pub mod patch;
pub mod protobuf;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod status;
pub mod time;
mod value;
pub mod yaml;

pub use value::{Key, Object, Value};

/// Deepest nesting of objects and lists that a decoder follows. The Go decoders stop at 10,000, which a request can only
/// use to exhaust the stack; the deepest built-in type, a CRD schema, needs three levels for each level of its own.
pub const MAX_DEPTH: usize = 256;

/// Largest document that a decoder takes, in bytes: the request body limit of the real API server.
pub const MAX_BYTES: usize = 3 << 20;
