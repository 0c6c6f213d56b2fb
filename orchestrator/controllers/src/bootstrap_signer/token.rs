//! Secrets that hold bootstrap tokens.

use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, base64};
use coracle_client::object::{name, namespace};

use crate::deadline::until;

/// Namespace of the Secrets.
pub(crate) const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const NAME_PREFIX: &str = "bootstrap-token-";
const ID_LENGTH: usize = 6;

/// A token that may sign.
pub(super) struct Token {
    pub(super) id: String,
    pub(super) secret: Vec<u8>,
    /// How long it is good; without an end if absent.
    pub(super) left: Option<Duration>,
}

/// How long a token is good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    Passed,
    After(Duration),
}

/// Name of the Secret of a token.
pub(crate) fn secret_name(id: &str) -> String {
    format!("{NAME_PREFIX}{id}")
}

/// Whether a Secret is one of a token.
pub(crate) fn is_token(secret: &Value) -> bool {
    secret.text_at(&["type"]) == TYPE && namespace(secret) == NAMESPACE
}

/// The token of a Secret, if it is well-formed, still good, and meant for signing.
pub(super) fn for_signing(secret: &Value, now: Instant) -> Option<Token> {
    let id = name(secret).strip_prefix(NAME_PREFIX).filter(|id| is_id(id)).filter(|_| is_token(secret))?;
    let key = data(secret, "token-secret");
    let usable = data(secret, "token-id") == id.as_bytes()
        && !key.is_empty()
        && data(secret, "usage-bootstrap-signing") == b"true";
    let left = match expiry(secret, now) {
        Expiry::Passed => return None,
        Expiry::Never => None,
        Expiry::After(left) => Some(left),
    };
    usable.then(|| Token { id: id.to_owned(), secret: key, left })
}

/// When a token ends. One whose end cannot be read is not trusted.
pub(crate) fn expiry(secret: &Value, now: Instant) -> Expiry {
    let end = data(secret, "expiration");
    if end.is_empty() {
        return Expiry::Never;
    }
    let end = String::from_utf8(end).unwrap_or_default();
    let left = Instant::parse(&end, Precision::Seconds).map_or(Duration::ZERO, |end| until(end.seconds, now));
    if left.is_zero() { Expiry::Passed } else { Expiry::After(left) }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A member of the Secret; empty when there is none.
fn data(secret: &Value, key: &str) -> Vec<u8> {
    base64::decode(secret.text_at(&["data", key])).unwrap_or_default()
}
