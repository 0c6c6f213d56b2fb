//! A document with its entity tag, and the hash that tells storage versions apart.

use coracle_apimachinery::base64;
use sha2::{Digest, Sha256, Sha512};

/// The body of an answer and its entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// JSON, where nobody has converted it.
    pub body: Vec<u8>,
    /// The entity tag with its quotes, as the header has it.
    pub etag: String,
}

impl Document {
    pub(crate) fn new(body: Vec<u8>) -> Self {
        let etag = etag(&body);
        Self { body, etag }
    }
}

/// The hash of a document in upper-case digits, without quotes.
pub(crate) fn hash(body: &[u8]) -> String {
    hex::encode_upper(Sha512::digest(body))
}

/// The entity tag of a document, in quotes.
pub fn etag(body: &[u8]) -> String {
    format!("\"{}\"", hash(body))
}

/// What discovery announces as `storageVersionHash` for the kind in which a resource is stored.
pub fn storage_version_hash(group: &str, version: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{group}/{version}/{kind}"));
    base64::encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::storage_version_hash;

    #[test]
    fn storage_version_hashes() {
        for (group, version, kind, hash) in [
            ("oracle.example.com", "v1", "Widget", "YnNPPLY+sPQ="),
            ("disc.example.com", "v1", "Gear", "6dCuoicmYfc="),
            ("apps", "v1", "Deployment", "8aSe+NMegvE="),
        ] {
            assert_eq!(storage_version_hash(group, version, kind), hash, "{kind}");
        }
    }
}
