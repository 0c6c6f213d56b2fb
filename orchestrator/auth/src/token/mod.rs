//! ServiceAccount tokens: JSON Web Tokens, signed with ES256.
//!
//! Source: kubernetes v1.37.2, pkg/serviceaccount; go-jose v2.6 for the leeway of a minute.

mod binding;
mod claims;
mod discovery;
mod jws;

use std::sync::Arc;

use aws_lc_rs::rand;
use coracle_apimachinery::field::quote;

use crate::pki::{self, KeySet};

pub use claims::{Claims, Private, Reference};
pub use discovery::{DISCOVERY_PATH, JWKS_PATH};

/// Issuer of this cluster's tokens, and the audience of the API server.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Lifetime that kubelets ask for where a token must only warn at first, in seconds.
const WARN_AFTER: i64 = 60 * 60 + 7;
/// Lifetime that such a token gets.
const EXTENDED: i64 = 365 * 24 * 60 * 60;
/// How far clocks may disagree, in seconds.
pub(crate) const LEEWAY: i64 = 60;

/// Issues and verifies the tokens of one cluster.
#[derive(Debug, Clone)]
pub struct Tokens {
    keys: Arc<KeySet>,
    issuer: String,
    audiences: Vec<String>,
}

/// What a token is to say.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Namespace of the ServiceAccount.
    pub namespace: String,
    /// The ServiceAccount.
    pub service_account: Reference,
    /// The pod whose end is the end of the token.
    pub pod: Option<Reference>,
    /// The node of the pod, or without a pod the node whose end is the end of the token.
    pub node: Option<Reference>,
    /// The Secret whose end is the end of the token.
    pub secret: Option<Reference>,
    /// For whom the token is; empty for the API server.
    pub audiences: Vec<String>,
    /// Lifetime.
    pub expiration_seconds: i64,
}

/// A token.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token itself.
    pub token: String,
    /// What it says.
    pub claims: Claims,
    /// The time to tell the client, seconds since the epoch. It lies before the claim's where the lifetime is extended.
    pub expiration: i64,
}

/// A token is refused. The text goes to logs and TokenReviews, never into the answer to the bearer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no token of this issuer.
    #[error("invalid bearer token")]
    Unknown,
    /// No key has the id.
    #[error("invalid signature, no keys found")]
    NoKey,
    /// The signature does not fit. The words are those of the library that upstream uses.
    #[error("go-jose/go-jose: error in cryptographic primitive")]
    Signature,
    /// It is for somebody else.
    #[error("token audiences {} is invalid for the target audiences {}", quoted(given), quoted(wanted))]
    Audience {
        /// The token's audiences.
        given: Vec<String>,
        /// The ones asked for.
        wanted: Vec<String>,
    },
    /// It is too old.
    #[error("service account token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("service account token is not valid yet")]
    NotYet,
    /// It was issued later than now.
    #[error("service account token is issued in the future")]
    Future,
    /// What it is bound to is gone.
    #[error("service account token has been invalidated")]
    Invalidated,
    /// Any other reason.
    #[error("{0}")]
    Bound(String),
}

impl Refused {
    /// The `status.error` of a TokenReview: upstream also names the authenticators that did not know the token.
    #[must_use]
    pub fn review_error(&self) -> String {
        match self {
            Self::Unknown => self.to_string(),
            reason => format!("[{}, {reason}]", Self::Unknown),
        }
    }
}

impl Tokens {
    /// Tokens of `issuer` for the API server's `audiences`; see [`ISSUER`].
    #[must_use]
    pub fn new(keys: Arc<KeySet>, issuer: &str, audiences: &[&str]) -> Self {
        let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        Self { keys, issuer: issuer.to_owned(), audiences }
    }

    /// The audiences of the API server.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Issues a token at `now` (seconds since the epoch).
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn issue(&self, request: Request, now: i64) -> Result<Issued, pki::Error> {
        let audiences = if request.audiences.is_empty() { self.audiences.clone() } else { request.audiences };
        let extend = request.expiration_seconds == WARN_AFTER
            && request.pod.is_some()
            && audiences.iter().all(|audience| self.audiences.contains(audience));
        let lifetime = if extend { EXTENDED } else { request.expiration_seconds };
        let expiration = now.saturating_add(request.expiration_seconds);
        let claims = Claims {
            sub: crate::identity::service_account_name(&request.namespace, &request.service_account.name),
            aud: audiences,
            exp: now.saturating_add(lifetime),
            iat: now,
            nbf: now,
            iss: self.issuer.clone(),
            jti: uuid()?,
            kubernetes: Private {
                namespace: request.namespace,
                serviceaccount: request.service_account,
                pod: request.pod,
                node: request.node,
                secret: request.secret,
                warnafter: extend.then_some(expiration),
            },
        };
        Ok(Issued { token: jws::sign(&self.keys, &claims)?, claims, expiration })
    }

    /// What a token says, if it is one of this issuer for one of `audiences` (the API server's if empty) and valid at
    /// `now`. Whether the objects it is bound to still exist is left to [`Tokens::check`].
    ///
    /// # Errors
    /// The token is refused.
    pub fn verify(&self, token: &str, audiences: &[String], now: i64) -> Result<Claims, Refused> {
        let claims = jws::verify(&self.keys, &self.issuer, token)?;
        let wanted = if audiences.is_empty() { &self.audiences } else { audiences };
        if !claims.aud.iter().any(|audience| wanted.contains(audience)) {
            return Err(Refused::Audience { given: claims.aud, wanted: wanted.to_vec() });
        }
        if now.saturating_sub(LEEWAY) > claims.exp {
            return Err(Refused::Expired);
        }
        if now.saturating_add(LEEWAY) < claims.nbf {
            return Err(Refused::NotYet);
        }
        if now.saturating_add(LEEWAY) < claims.iat {
            return Err(Refused::Future);
        }
        Ok(claims)
    }
}

/// A list of texts as Go prints it.
fn quoted(list: &[String]) -> String {
    let words: Vec<String> = list.iter().map(|text| quote(text)).collect();
    format!("[{}]", words.join(" "))
}

/// A random UUID (version 4).
fn uuid() -> Result<String, pki::Error> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| pki::Error::Crypto("make a token's id"))?;
    let number = u128::from_be_bytes(bytes) & !(0xf000 << 64 | 0xc000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let text = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| text.get(range).unwrap_or_default());
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests;
