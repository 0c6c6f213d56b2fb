//! Who asks and what they may do: authorities and certificates, ServiceAccount and bootstrap tokens, authentication of a
//! request and the fixed rule table that authorises it.
//!
//! This crate must never know HTTP servers, verbs or the store: what it needs of stored objects comes through a trait.

pub mod authenticate;
pub mod authorise;
mod files;
mod identity;
pub mod pki;
pub mod token;

pub use identity::Identity;
