//! Who sends a request.
//!
//! As upstream: the certificate of the connection counts first, then the bearer token. A credential that is presented
//! but wrong refuses the request unless the other one is right; whoever presents nothing is anonymous.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

use crate::identity::CREDENTIAL_ID;
use crate::pki::Authorities;
use crate::token::{Refused, Tokens};
use crate::{Identity, Objects, bootstrap, certificate, tls};

/// Finds out who asks.
pub struct Authenticator {
    chains: Arc<dyn ClientCertVerifier>,
    tokens: Tokens,
    objects: Arc<dyn Objects>,
}

/// A credential was presented that is not valid: the answer is 401. The text is for the log, not for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The certificate of the connection.
    #[error("client certificate: {0}")]
    Certificate(String),
    /// The bearer token.
    #[error(transparent)]
    Token(#[from] Refused),
}

impl Authenticator {
    /// An authenticator for certificates of the client authorities, for `tokens` and for bootstrap tokens.
    ///
    /// # Errors
    /// The certificate of a client authority is not one that chains can end in.
    pub fn new(authorities: &Authorities, tokens: Tokens, objects: Arc<dyn Objects>) -> Result<Self, tls::Error> {
        Ok(Self { chains: tls::chain_verifier(authorities)?, tokens, objects })
    }

    /// Who presents these credentials at `now` (seconds since the epoch).
    ///
    /// # Errors
    /// What is presented is not valid.
    pub fn authenticate(
        &self,
        peer_certificates: &[CertificateDer<'_>],
        authorization_header: Option<&str>,
        now: i64,
    ) -> Result<Identity, Unauthenticated> {
        let by_certificate = self.certificate(peer_certificates, now);
        if let Ok(Some(identity)) = by_certificate {
            return Ok(identity.authenticated());
        }
        if let Some(token) = authorization_header.and_then(bearer) {
            let (identity, _) = self.token(token, &[], now)?;
            return Ok(identity);
        }
        by_certificate.map(|_| Identity::anonymous())
    }

    /// Whose token it is, for one of `audiences` (the API server's if empty), and for which of them it is good. This is
    /// what a TokenReview asks.
    ///
    /// # Errors
    /// The token is not valid.
    pub fn token(&self, token: &str, audiences: &[String], now: i64) -> Result<(Identity, Vec<String>), Refused> {
        let wanted = if audiences.is_empty() { self.tokens.audiences() } else { audiences };
        match self.tokens.verify(token, wanted, now) {
            Ok(mut claims) => {
                let identity = self.tokens.check(&claims, self.objects.as_ref(), now)?;
                claims.aud.retain(|audience| wanted.contains(audience));
                Ok((identity.authenticated(), claims.aud))
            }
            // Bootstrap tokens name no audience: they are good for the API server only.
            Err(Refused::Unknown) => {
                let for_us: Vec<String> =
                    self.tokens.audiences().iter().filter(|audience| wanted.contains(audience)).cloned().collect();
                if for_us.is_empty() {
                    return Err(Refused::Unknown);
                }
                let identity = bootstrap::authenticate(token, self.objects.as_ref(), now).ok_or(Refused::Unknown)?;
                Ok((identity.authenticated(), for_us))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Whose certificate it is; nothing if none is presented or it names nobody.
    fn certificate(&self, chain: &[CertificateDer<'_>], now: i64) -> Result<Option<Identity>, Unauthenticated> {
        let Some((certificate, intermediates)) = chain.split_first() else { return Ok(None) };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        self.chains
            .verify_client_cert(certificate, intermediates, now)
            .map_err(|error| Unauthenticated::Certificate(error.to_string()))?;
        let subject = certificate::subject(certificate).map_err(Unauthenticated::Certificate)?;
        if !subject.for_clients {
            // Upstream takes a certificate without any usage for one of every usage. The authority here never signs
            // such a certificate for a client, so it is not meant for one.
            return Err(Unauthenticated::Certificate("is not for clients".into()));
        }
        if subject.common_name.is_empty() {
            return Ok(None);
        }
        let mut identity = Identity { name: subject.common_name, groups: subject.organisations, ..Identity::default() };
        match <[String; 1]>::try_from(subject.uids) {
            Ok([uid]) if uid.is_empty() => return Err(Unauthenticated::Certificate("has an empty uid".into())),
            Ok([uid]) => identity.uid = uid,
            Err(uids) if uids.is_empty() => {}
            Err(_) => return Err(Unauthenticated::Certificate("has several uids".into())),
        }
        let hash = digest::digest(&digest::SHA256, certificate);
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        identity.extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={hash}")]);
        Ok(Some(identity))
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

/// The token of an `Authorization` header; nothing if the header is of another scheme or holds none.
fn bearer(header: &str) -> Option<&str> {
    let mut parts = header.trim().split(' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
