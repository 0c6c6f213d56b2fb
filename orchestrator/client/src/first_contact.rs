//! First contact: how the first administrator gets a certificate with a bootstrap token that is good for one.
//!
//! A token of this sort gives the group [`GROUP`]. Its holder asks the signer [`SIGNER`] for a certificate; the approver
//! marks the token's Secret with the request that it approves ([`CLAIMED_BY`]), before it approves it, and from then on
//! no other request of the same token is taken.

use coracle_apimachinery::Value;

/// Group of whoever comes with a token of first contact.
pub const GROUP: &str = "system:bootstrappers:coracle:administrators";

/// Signer of administrators' certificates.
pub const SIGNER: &str = "first-contact.coracle/administrator";

/// Annotation of a token's Secret: uid of the one request that the token was used for.
pub const CLAIMED_BY: &str = "first-contact.coracle/claimed-by";

/// What the common name of an administrator's certificate begins with; something random follows.
pub const NAME_PREFIX: &str = "coracle-administrator-";

/// Uid of the request that a token's Secret was used for, if it was.
#[must_use]
pub fn claimant(secret: &Value) -> Option<&str> {
    secret.at(&["metadata", "annotations", CLAIMED_BY]).and_then(Value::as_str)
}

/// Why no other request of a token is taken.
#[must_use]
pub fn used(token_id: &str) -> String {
    format!("the bootstrap token {token_id} was used: it is good for one certificate")
}
