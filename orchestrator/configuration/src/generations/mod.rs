//! Generations of the configuration on STATE: what was applied, newest first, and what becomes of a new source.
//!
//! Only documents that are right become generations; what is wrong with a source is found anew at each boot for as long
//! as the source is there. `docs/formats.md` ("Files of STATE") has the format.

pub mod files;
mod plan;

use std::fmt;

pub use plan::{Actions, Active, Document, New, plan};

/// How many generations are kept, beside the newest one of each source and the active one.
pub const KEPT: usize = 4;

/// The greatest number that a file's name has room for.
pub const LAST: u64 = 9_999_999_999;

/// A file of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number, by the name of the file.
    pub number: u64,
    /// What it holds.
    pub content: Result<Generation, Unusable>,
}

/// A generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Name of its source.
    pub source: String,
    /// SHA-256 of the source.
    pub digest: [u8; 32],
    /// The document.
    pub document: Vec<u8>,
}

/// Why a file is no generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is cut, damaged or something else, or could not be read.
    #[error("is damaged")]
    Damaged,
    /// It is of a later release: kept, not read.
    #[error("has the format {0}, which is newer than this release")]
    Newer(u32),
}

/// Something about the configuration that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which kind of thing.
    pub reason: Reason,
    /// A sentence without secrets.
    pub message: String,
}

/// Kinds of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A source or a generation is not used, because of what it says.
    Invalid,
    /// A source is there and cannot be read.
    Unreadable,
    /// The configuration is used, and could not be kept for the next boot.
    NotStored,
}

impl Reason {
    /// The word in conditions and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "ConfigInvalid",
            Self::Unreadable => "ConfigUnreadable",
            Self::NotStored => "ConfigNotStored",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
