//! Why an image cannot be had, in the words of kubelet and containerd.

use std::io;

use crate::content;
use crate::layers;
use crate::reference::InvalidName;
use crate::registry::Failure;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its name is none.
    #[error("couldn't parse image name {0:?}: {1}")]
    InvalidName(String, InvalidName),
    /// It is not here and may not be pulled.
    #[error("Container image {0:?} is not present with pull policy of Never")]
    NeverPull(String),
    /// It is not here.
    #[error("image {0:?}: not found")]
    NotPresent(String),
    /// It came with the slot, which nobody can change.
    #[error("image {0:?} is part of the system and cannot be removed")]
    Pinned(String),
    /// Pulling went wrong.
    #[error("failed to pull and unpack image {image:?}: {step}{cause}")]
    Pull {
        /// The full name.
        image: String,
        /// What was being done.
        step: String,
        /// What went wrong.
        cause: Box<Cause>,
    },
    /// The id cannot be the name of a folder.
    #[error("invalid container id {0:?}")]
    ContainerId(String),
    /// A container with this id was prepared from another image.
    #[error("container {0:?} exists with another image")]
    ContainerExists(String),
    /// Content is missing or damaged.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Layer(#[from] layers::Error),
    /// A document of an image is broken.
    #[error("{0}")]
    Document(String),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What went wrong while pulling.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] Failure),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] layers::Error),
    /// A document.
    #[error("{0}")]
    Document(String),
    /// The store.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// The reason a container waits with, as kubelet calls it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidName(..) => "InvalidImageName",
            Self::NeverPull(_) => "ErrImageNeverPull",
            _ => "ErrImagePull",
        }
    }

    /// The gRPC code under which a container runtime would report it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pull { cause, .. } => match &**cause {
                Cause::Registry(failure) => failure.code(),
                _ => "Unknown",
            },
            Self::NotPresent(_) => "NotFound",
            Self::InvalidName(..) | Self::ContainerId(_) => "InvalidArgument",
            _ => "Unknown",
        }
    }

    /// The message of kubelet's event about the image that a pod asked for.
    #[must_use]
    pub fn event(&self, asked: &str) -> String {
        match self {
            Self::InvalidName(..) => format!("Failed to apply default image tag {asked:?}: {self}"),
            Self::NeverPull(_) => self.to_string(),
            _ => format!("Failed to pull image {asked:?}: {}", self.message()),
        }
    }

    /// The message a container waits with.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::InvalidName(..) | Self::NeverPull(_) => self.to_string(),
            _ => format!("rpc error: code = {} desc = {self}", self.code()),
        }
    }
}
