//! Signatures that stand apart from what they sign: RFC 7515, appendix F. Whoever holds a token makes and verifies them.

use coracle_apimachinery::base64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The signature of `content` with a token, without the content. An id consists of letters and digits, so it needs no
/// escape in the header.
pub(super) fn detached(content: &str, id: &str, secret: &[u8]) -> String {
    let header = header(id);
    format!("{header}..{}", encode(&code(&header, content, secret).finalize().into_bytes()))
}

/// Whether a signature is the one of `content` with a token. The time it takes does not tell how much of it is right.
#[must_use]
pub fn verify(signature: &str, content: &str, id: &str, secret: &[u8]) -> bool {
    let header = header(id);
    let Some(bytes) = signature.strip_prefix(&*header).and_then(|rest| rest.strip_prefix("..")) else { return false };
    decode(bytes).is_some_and(|bytes| code(&header, content, secret).verify_slice(&bytes).is_ok())
}

fn header(id: &str) -> String {
    encode(format!(r#"{{"alg":"HS256","kid":"{id}"}}"#).as_bytes())
}

fn code(header: &str, content: &str, secret: &[u8]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { unreachable!("a key of HMAC may have any length") };
    mac.update(header.as_bytes());
    mac.update(b".");
    mac.update(encode(content.as_bytes()).as_bytes());
    mac
}

/// Base64 as JWS wants it: for URLs, without padding.
fn encode(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/', '=']) {
        return None;
    }
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    base64::decode(&(text.replace('-', "+").replace('_', "/") + &padding)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signatures are those of k8s.io/cluster-bootstrap v0.37.2, `jws.ComputeDetachedSignature`.
    #[test]
    fn signatures_are_upstreams() {
        let table = [
            (
                "",
                "abcdef",
                "0123456789abcdef",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..MO2tlCpY1xB334qWeOe_XEv9c6DIMRNmKJZImOzY17k",
            ),
            (
                "some content: ä\n",
                "000000",
                "s",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAwMDAwMCJ9..XDf_ln8Shulvb4IFocrhckSoCMKbg14SqR1RjIbn_7c",
            ),
        ];
        for (content, id, secret, signature) in table {
            assert_eq!(detached(content, id, secret.as_bytes()), signature, "{content:?}");
            assert!(verify(signature, content, id, secret.as_bytes()), "{content:?}");
        }
    }

    #[test]
    fn signatures_of_others_are_refused() {
        let (content, id, secret) = ("content", "abcdef", b"0123456789abcdef");
        let good = detached(content, id, secret);
        assert!(verify(&good, content, id, secret));
        assert!(!verify(&good, "contents", id, secret));
        assert!(!verify(&good, content, "abcdeg", secret));
        assert!(!verify(&good, content, id, b"0123456789abcdee"));
        let none = encode(br#"{"alg":"none","kid":"abcdef"}"#);
        for wrong in ["", "..", "a..b", &format!("{good}="), &good[..good.len() - 2], &format!("{none}..")] {
            assert!(!verify(wrong, content, id, secret), "{wrong}");
        }
    }
}
