//! Discovery (legacy and aggregated) and OpenAPI (v2 and v3) documents, made from schema tables.
//!
//! Pure: documents go out as JSON bytes. This crate must never know HTTP, the store or async.
