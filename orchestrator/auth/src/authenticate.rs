//! Who asks, by what they show: a client certificate, a ServiceAccount token or a bootstrap token.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::identity::{AUTHENTICATED, Identity};
use crate::token::{self, Keys, Objects};

/// What was shown proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// A certificate cannot be read or names nobody.
    #[error("client certificate: {0}")]
    Certificate(String),
    /// A token is not valid.
    #[error("token: {0}")]
    Token(#[from] token::Invalid),
}

/// Checks what requests show.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    audience: String,
}

impl Authenticator {
    /// Checks tokens by these keys; those of requests must be made for `audience`.
    #[must_use]
    pub fn new(keys: Keys, audience: &str) -> Self {
        Self { keys, audience: audience.to_owned() }
    }

    /// The keys of tokens.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who asks. `peer` are the certificates that TLS has already verified against the client authority.
    ///
    /// # Errors
    /// Something was shown and is not valid.
    pub fn authenticate(
        &self,
        peer: &[CertificateDer<'_>],
        authorization: Option<&str>,
        objects: &dyn Objects,
        now: i64,
    ) -> Result<Identity, Unauthenticated> {
        if let Some(certificate) = peer.first() {
            return by_certificate(certificate);
        }
        let Some(text) = authorization else { return Ok(Identity::anonymous()) };
        // Another scheme than Bearer shows nothing that this server knows.
        let Some((scheme, token)) = text.trim().split_once(' ') else { return Ok(Identity::anonymous()) };
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Ok(Identity::anonymous());
        }
        Ok(self.by_token(token.trim(), std::slice::from_ref(&self.audience), objects, now)?.0)
    }

    /// Whose a token is, and for which of the audiences it is good.
    ///
    /// # Errors
    /// The token is not valid, or good for none of them.
    pub fn review(
        &self,
        token: &str,
        audiences: &[String],
        objects: &dyn Objects,
        now: i64,
    ) -> Result<(Identity, Vec<String>), token::Invalid> {
        self.by_token(token, audiences, objects, now)
    }

    fn by_token(
        &self,
        token: &str,
        audiences: &[String],
        objects: &dyn Objects,
        now: i64,
    ) -> Result<(Identity, Vec<String>), token::Invalid> {
        let (mut identity, audiences) = if token.contains('.') && token.matches('.').count() == 1 {
            (token::bootstrap(token, objects, now)?, audiences.to_vec())
        } else {
            self.keys.verify(token, audiences, objects, now)?
        };
        identity.groups.push(AUTHENTICATED.to_owned());
        Ok((identity, audiences))
    }
}

/// The user of a verified client certificate: common name and organisations.
fn by_certificate(der: &CertificateDer<'_>) -> Result<Identity, Unauthenticated> {
    let unusable = |problem: String| Unauthenticated::Certificate(problem);
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| unusable(error.to_string()))?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return Err(unusable("its subject has no common name".to_owned()));
    }
    let mut groups: Vec<String> =
        subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned)).collect();
    groups.push(AUTHENTICATED.to_owned());
    let credential = format!("X509SHA256={}", hex::encode(Sha256::digest(der.as_ref())));
    let extra = vec![("authentication.kubernetes.io/credential-id".to_owned(), vec![credential])];
    Ok(Identity { name: name.to_owned(), uid: String::new(), groups, extra })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Authorities, der};

    struct Nothing;

    impl Objects for Nothing {
        fn uid(&self, _: &str, _: &str, _: &str) -> Option<String> {
            None
        }

        fn bootstrap_secret(&self, _: &str) -> Option<Vec<(String, Vec<u8>)>> {
            None
        }
    }

    #[test]
    fn certificates_and_headers_name_their_user() {
        let directory = tempfile::tempdir().unwrap();
        let authorities = Authorities::open(directory.path()).unwrap();
        let authenticator = Authenticator::new(Keys::open(directory.path()).unwrap(), "aud");
        let pair = authorities.client.client("someone", Some("one")).unwrap();
        let peer = [der(&pair.certificate).unwrap()];
        let identity = authenticator.authenticate(&peer, None, &Nothing, 0).unwrap();
        assert_eq!(identity.name, "someone");
        assert_eq!(identity.groups, ["one", AUTHENTICATED]);
        let of = |header: Option<&str>| authenticator.authenticate(&[], header, &Nothing, 0);
        for header in [None, Some(""), Some("Basic x"), Some("Bearer"), Some("Bearer  ")] {
            assert_eq!(of(header), Ok(Identity::anonymous()), "{header:?}");
        }
        for header in ["Bearer x", "bearer a.b", "Bearer a.b.c", "Bearer ....", "Bearer \u{7f}"] {
            assert!(of(Some(header)).is_err(), "{header}");
        }
    }
}
