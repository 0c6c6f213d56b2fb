//! Signatures that stand apart from what they sign: RFC 7515, appendix F.

use coracle_apimachinery::base64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The signature of `content` with a token, without the content. An id consists of letters and digits, so it needs no
/// escape in the header.
pub(super) fn detached(content: &str, id: &str, secret: &[u8]) -> String {
    let header = encode(format!(r#"{{"alg":"HS256","kid":"{id}"}}"#).as_bytes());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { unreachable!("a key of HMAC may have any length") };
    mac.update(header.as_bytes());
    mac.update(b".");
    mac.update(encode(content.as_bytes()).as_bytes());
    format!("{header}..{}", encode(&mac.finalize().into_bytes()))
}

/// Base64 as JWS wants it: for URLs, without padding.
fn encode(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
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
        }
    }
}
