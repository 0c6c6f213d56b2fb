//! JSON: a decoder that follows the schema and Go's rules, and the canonical encoder.

mod decode;
mod encode;
mod lexer;
mod mismatch;
mod text;

pub use decode::{Decoded, FieldValidation, decode, decode_any, decode_any_reporting};
pub(crate) use encode::{Encoder, zero};
pub use encode::{encode, encode_any};
pub use lexer::{Syntax, check};

/// Why a JSON document was refused. The texts are those of Go's decoder, which clients see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no JSON.
    #[error(transparent)]
    Syntax(#[from] Syntax),
    /// A value does not have the type that its field wants, or a leaf cannot be read.
    #[error("{0}")]
    Value(String),
    /// It is larger than a decoder takes.
    #[error("document of {0} bytes is larger than the limit of {limit} bytes", limit = crate::MAX_BYTES)]
    TooLarge(usize),
}

/// The text of a strict refusal made of the findings of a decode.
pub fn strict_error(findings: &[String]) -> String {
    format!("strict decoding error: {}", findings.join(", "))
}
