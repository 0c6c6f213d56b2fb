//! Label and field selectors: reading their text, matching, printing.

pub mod field;
pub mod label;
