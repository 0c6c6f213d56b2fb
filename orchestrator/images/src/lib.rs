//! Container images on a node: their names, the registries they come from, their content, and their unpacked layers.
//!
//! `image::Store` is the whole; the other modules are its parts. Folders: `docs/containers.md`.

pub mod content;
mod disk;
mod fault;
mod flight;
pub mod image;
pub mod layers;
pub mod reference;
pub mod registries;
pub mod registry;
#[cfg(test)]
mod testing;

pub use coracle_image_layout::{Digest, Image, ImageConfig, Platform};

/// Runs what blocks on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}
