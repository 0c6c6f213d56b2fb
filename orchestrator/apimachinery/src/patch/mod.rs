//! JSON patch, merge patch and strategic merge patch over the canonical tree.
//!
//! All three take and give schema-less trees as [`crate::json::decode_any`] makes them: an object in the form in which it
//! prints. Decoding the result by its schema, defaulting and validating it are the caller's steps.
//!
//! A patch is read once ([`JsonPatch::read`], [`read_merge`], [`read_strategic`]) and may be applied as often as a write
//! has to be tried. Reading gives the findings of a strict look at the patch text too: the caller warns of them, or
//! refuses them together with those of the result.
//!
//! Sources of the facts: k8s.io/apiserver v0.37.2 pkg/endpoints/handlers/patch.go, evanphx/json-patch v4.13.0,
//! k8s.io/apimachinery v0.37.2 pkg/util/strategicpatch.

mod json_patch;
mod merge;
mod read;
mod strategic;
#[cfg(test)]
mod tests;

pub use json_patch::{JsonPatch, MAX_COPY_BYTES, MAX_OPERATIONS};
pub use merge::merge_patch;
pub use read::{read_merge, read_strategic};
pub use strategic::strategic_merge;

use crate::Value;
use crate::json::FieldValidation;
use crate::status::Status;

/// Reads a JSON patch and applies it, without looking for unknown and duplicate members of its operations.
pub fn json_patch(document: Value, patch: &[u8]) -> Result<Value, Status> {
    JsonPatch::read(patch, FieldValidation::Ignore)?.0.apply(document)
}

/// The patch is understood but cannot be applied. Upstream says no word about why.
pub(crate) fn unprocessable() -> Status {
    Status::new(422, "Invalid", "the server rejected our request due to an error in our request").about("", "", "")
}
