//! Label and field selectors: reading their text, matching, printing.

pub mod field;
pub mod label;

use crate::status::Status;

/// The refusal of a selector whose text cannot be read, or of a field that it may not name.
#[must_use]
pub fn refused(error: &str) -> Status {
    Status::bad_request(error)
}
