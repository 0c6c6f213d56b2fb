//! What an OCI image is made of: digests, the documents that name them, and a builder that writes an image layout.
//!
//! The builder lives here and not in `coracle-images`, because the image builder needs it and must not link TLS and
//! HTTP for it.

mod builder;
mod digest;
mod document;

pub use builder::{Builder, Entry, Kind};
pub use digest::{BadDigest, Digest, Hasher};
pub use document::{Descriptor, Image, ImageConfig, Index, Manifest, Platform, RootFs, annotation, media_type};
