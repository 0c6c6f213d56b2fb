//! Discovery (legacy and aggregated) and OpenAPI (v2 and v3) documents, made from schema tables.
//!
//! Pure: documents go out as JSON bytes (v2 also as protobuf), made anew at each call and the same for the same input. This crate must never
//! know HTTP, the store or async, and it keeps nothing.

mod aggregated;
mod document;
mod group;
mod json;
mod legacy;
mod openapi;
#[cfg(test)]
mod recordings;

pub use aggregated::{MEDIA_TYPE, aggregated};
pub use document::{Document, etag, storage_version_hash};
pub use group::{CustomKind, GroupVersion, Resources, Types, built_in};
pub use legacy::{legacy_core_versions, legacy_group, legacy_groups, legacy_resources};
pub use openapi::{
    ProtobufError, openapi_v2, openapi_v2_to_protobuf, openapi_v3, openapi_v3_document, openapi_v3_index,
    openapi_v3_paths, openapi_v3_url,
};
