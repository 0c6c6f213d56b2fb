//! The compact form `header.payload.signature` of a signed token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Claims, Refused};
use crate::pki::{self, KeySet};

/// The only algorithm. A token cannot choose another: neither `none` nor one that takes a public key for a secret.
const ALGORITHM: &str = "ES256";
/// Longest token that is looked at; real ones have about a kilobyte.
const MAX_BYTES: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    /// Extensions that a reader must understand. There are none that this one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// The issuer alone, read before anything of the token is trusted.
#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// Signs claims with the newest key.
pub(super) fn sign(keys: &KeySet, claims: &Claims) -> Result<String, pki::Error> {
    let header = Header { alg: ALGORITHM.to_owned(), kid: Some(keys.signing_id().to_owned()), crit: None };
    let unprintable = |_| pki::Error::Crypto("print a token");
    let header = serde_json::to_vec(&header).map_err(unprintable)?;
    let payload = serde_json::to_vec(claims).map_err(unprintable)?;
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = keys.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(token)
}

/// What a token of `issuer` says, once its signature is verified.
pub(super) fn verify(keys: &KeySet, issuer: &str, token: &str) -> Result<Claims, Refused> {
    if token.len() > MAX_BYTES {
        return Err(Refused::Unknown);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Unknown)?;
    let (header, payload) = signed.split_once('.').ok_or(Refused::Unknown)?;
    let payload = decode(payload)?;
    if read::<Issuer>(&payload)?.iss != issuer {
        return Err(Refused::Unknown);
    }
    let header: Header = read(&decode(header)?)?;
    if header.alg != ALGORITHM || header.crit.is_some() {
        return Err(Refused::Signature);
    }
    let id = header.kid.as_deref().filter(|id| !id.is_empty());
    if !keys.knows(id) {
        return Err(Refused::NoKey);
    }
    if !keys.verify(id, signed.as_bytes(), &decode(signature)?) {
        return Err(Refused::Signature);
    }
    read(&payload)
}

fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Unknown)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes).map_err(|_| Refused::Unknown)
}
