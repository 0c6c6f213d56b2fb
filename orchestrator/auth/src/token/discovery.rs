//! The documents from which others learn how to verify tokens. Members stand in the order in which upstream prints them.

use serde::Serialize;

use super::Tokens;

/// Path of the OpenID discovery document.
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// Path of the key set.
pub const JWKS_PATH: &str = "/openid/v1/jwks";

#[derive(Serialize)]
struct Discovery<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

#[derive(Serialize)]
struct Set<'a> {
    keys: Vec<Key<'a>>,
}

#[derive(Serialize)]
struct Key<'a> {
    #[serde(rename = "use")]
    usage: &'static str,
    kty: &'static str,
    kid: &'a str,
    crv: &'static str,
    alg: &'static str,
    x: String,
    y: String,
}

impl Tokens {
    /// The OpenID discovery document; `address` is host and port under which the API server is known.
    #[must_use]
    pub fn discovery(&self, address: &str) -> String {
        print(&Discovery {
            issuer: &self.issuer,
            jwks_uri: &format!("https://{address}{JWKS_PATH}"),
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256"],
        })
    }

    /// The key set, served as `application/jwk-set+json`.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys = self.keys.published();
        let key = |(kid, x, y)| Key { usage: "sig", kty: "EC", kid, crv: "P-256", alg: "ES256", x, y };
        print(&Set { keys: keys.map(key).collect() })
    }
}

/// Structures of texts always print.
fn print(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
