//! Kubernetes protobuf: the same bytes as the generated Go marshallers write, led by the same schema as JSON.

mod decode;
mod encode;
pub mod envelope;
mod wire;

pub use decode::decode;
pub use encode::{encode, encode_item};

/// Why a protobuf message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends within a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A number takes more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A group ends that has not begun.
    #[error("proto: unexpected end of group")]
    UnexpectedEndOfGroup,
    /// Field number 0 or an unknown wire kind.
    #[error("proto: illegal tag {0}")]
    IllegalTag(u64),
    /// A field has another wire kind than its type wants.
    #[error("proto: wrong wireType = {wire_type} for field {field}")]
    WrongWireType {
        /// The kind that was found.
        wire_type: u8,
        /// JSON name of the field.
        field: String,
    },
    /// Messages are nested too deeply.
    #[error("proto: messages nested deeper than {limit} levels", limit = crate::MAX_DEPTH)]
    TooDeep,
    /// It is larger than a decoder takes.
    #[error("message of {0} bytes is larger than the limit of {limit} bytes", limit = crate::MAX_BYTES)]
    TooLarge(usize),
    /// A leaf cannot be read.
    #[error("{field}: {problem}")]
    Value {
        /// JSON name of the field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// The body does not begin with the prefix of Kubernetes protobuf.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    NoPrefix,
}
