//! Who asks and what they may do: authorities and certificates, ServiceAccount and bootstrap tokens, authentication of a
//! request and the fixed rule table that authorises it.
//!
//! This crate must never know HTTP servers, verbs or the store: what it needs of stored objects comes through a trait.

pub mod authenticator;
pub mod authorise;
pub mod bootstrap;
mod certificate;
pub mod identity;
pub mod objects;
pub mod pki;
pub mod tls;
pub mod token;

pub use authenticator::{Authenticator, Unauthenticated};
pub use authorise::{Attributes, Decision, Facts, authorise, forbidden_message};
pub use identity::Identity;
pub use objects::Objects;
