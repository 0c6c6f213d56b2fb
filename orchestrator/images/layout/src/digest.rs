//! Names of content by its hash. Only sha256: it is the one algorithm that every registry and builder writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sha256:";

/// A sha256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// A text is no digest that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDigest {
    /// Not `ALGORITHM:HEX`.
    #[error("invalid checksum digest format")]
    Format,
    /// The length does not fit the algorithm.
    #[error("invalid checksum digest length")]
    Length,
    /// Another algorithm.
    #[error("unsupported digest algorithm")]
    Algorithm,
}

/// Hashes content that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Digest {
    /// The digest of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The 64 hexadecimal digits: a file name.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads the 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// They are no such digits.
    pub fn from_hex(text: &str) -> Result<Self, BadDigest> {
        if text.len() != 64 {
            return Err(BadDigest::Length);
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(BadDigest::Format);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadDigest::Format)?;
        Ok(Self(bytes))
    }
}

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        match text.split_once(':') {
            Some(("sha256", hex)) => Self::from_hex(hex),
            Some(("sha384" | "sha512", _)) => Err(BadDigest::Algorithm),
            _ => Err(BadDigest::Format),
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read() {
        let hex = "a".repeat(64);
        for (text, want) in [
            (format!("sha256:{hex}"), None),
            (format!("sha256:{}", "A".repeat(64)), Some(BadDigest::Format)),
            (format!("sha256:{}", "g".repeat(64)), Some(BadDigest::Format)),
            ("sha256:aa".to_owned(), Some(BadDigest::Length)),
            (format!("sha512:{hex}{hex}"), Some(BadDigest::Algorithm)),
            (hex.clone(), Some(BadDigest::Format)),
            (String::new(), Some(BadDigest::Format)),
        ] {
            assert_eq!(text.parse::<Digest>().err(), want, "{text}");
        }
    }

    #[test]
    fn pieces_hash_as_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"ab");
        hasher.update(b"c");
        let digest = hasher.finish();
        assert_eq!(digest, Digest::of(b"abc"));
        assert_eq!(digest.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
