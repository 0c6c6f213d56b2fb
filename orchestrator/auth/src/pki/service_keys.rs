//! The keys of ServiceAccount tokens (ES256).
//!
//! `service.key` is a list of PEM blocks, the newest key first: `PRIVATE KEY` (PKCS #8) signs and verifies, `PUBLIC KEY`
//! (SubjectPublicKeyInfo) only verifies. The first private key signs, which is also the one that upstream takes from
//! such a file; tokens of all of them stay valid. Text outside the blocks is ignored.
//!
//! The id of a key is upstream's: the base64url form of SHA-256 over its SubjectPublicKeyInfo.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::{PemObject as _, SectionKind};

use super::Error;

/// A SubjectPublicKeyInfo of P-256 up to its point.
const PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point: a marker and two coordinates.
const MARKER: u8 = 4;
const COORDINATE: usize = 32;

/// The keys, the newest first.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    point: Vec<u8>,
    signer: Option<EcdsaKeyPair>,
}

impl KeySet {
    /// Reads the keys of a file.
    ///
    /// # Errors
    /// A block is no P-256 key, or none of them is private; the text says which.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            let (kind, der) = block.map_err(|error| format!("is no list of PEM blocks: {error}"))?;
            let position = keys.len() + 1;
            let key = match kind {
                SectionKind::PrivateKey => Key::private(&der),
                SectionKind::PublicKey => Key::public(&der),
                _ => return Err(format!("has something else than a key as block {position}")),
            };
            keys.push(key.ok_or_else(|| format!("has a key as block {position} that is not of P-256"))?);
        }
        if keys.iter().all(|key| key.signer.is_none()) {
            return Err("has no private key".into());
        }
        Ok(Self { keys })
    }

    /// A new key as the block of a file.
    ///
    /// # Errors
    /// No key could be made.
    pub fn generate_pem() -> Result<String, Error> {
        Ok(rcgen::KeyPair::generate()?.serialize_pem())
    }

    /// Signs with the newest key; answers the signature in the form of JWS.
    ///
    /// # Errors
    /// The random number generator failed.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signer = self.keys.iter().find_map(|key| key.signer.as_ref()).ok_or(Error::Crypto("find a signing key"))?;
        let signature = signer.sign(&SystemRandom::new(), message).map_err(|_| Error::Crypto("sign a token"))?;
        Ok(signature.as_ref().to_vec())
    }

    /// Id of the key that signs.
    #[must_use]
    pub fn signing_id(&self) -> &str {
        self.keys.iter().find(|key| key.signer.is_some()).map_or("", |key| key.id.as_str())
    }

    /// Whether a key of this id may have signed at all. Without an id every key may have.
    pub(crate) fn knows(&self, id: Option<&str>) -> bool {
        self.candidates(id).next().is_some()
    }

    /// Whether `signature` is one of `message` by the key `id`, or by any without an id.
    pub(crate) fn verify(&self, id: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        self.candidates(id)
            .any(|key| UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point).verify(message, signature).is_ok())
    }

    /// Ids and coordinates, for the published set.
    pub(crate) fn published(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.keys.iter().map(|key| {
            let (x, y) = key.point.get(1..).unwrap_or_default().split_at(COORDINATE);
            (key.id.as_str(), URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
        })
    }

    fn candidates<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| id.is_none_or(|id| key.id == id))
    }
}

impl Key {
    fn private(der: &[u8]) -> Option<Self> {
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        let point = signer.public_key().as_ref().to_vec();
        Some(Self { id: id(&point), point, signer: Some(signer) })
    }

    fn public(der: &[u8]) -> Option<Self> {
        let point = der.strip_prefix(&PREFIX)?;
        let whole = point.len() == 2 * COORDINATE + 1 && point.first() == Some(&MARKER);
        whole.then(|| Self { id: id(point), point: point.to_vec(), signer: None })
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

fn id(point: &[u8]) -> String {
    let info = [&PREFIX, point].concat();
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &info))
}
