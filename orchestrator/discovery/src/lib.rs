//! Discovery documents, legacy and aggregated, made from what a server serves.
//!
//! Pure: documents go out as JSON bytes. This crate must never know HTTP, the store or async.

mod aggregated;
mod legacy;
mod order;

pub use aggregated::{aggregated, etag};
pub use legacy::{core_versions, group, groups, resources};
pub use order::built_in;

use std::borrow::Cow;

use coracle_apimachinery::schema::Resource;

/// One served group-version. Those of one group stand together, the preferred version first.
#[derive(Debug)]
pub struct GroupVersion<'a> {
    /// API group, empty for the core group.
    pub group: Cow<'a, str>,
    /// API version.
    pub version: Cow<'a, str>,
    /// Resources and subresources, sorted by name.
    pub resources: Vec<&'a Resource>,
}

impl GroupVersion<'_> {
    /// `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }
}
