//! TLS of the API server's port.
//!
//! As upstream, the handshake asks for a client certificate and proves that the client has its key, but does not judge
//! it: a wrong certificate is answered with 401 by [`crate::Authenticator`], which checks the chain for each request.
//! Nothing else may read the peer's certificates.

mod serving;

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::pki::Authorities;
pub use serving::Serving;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// rustls refuses a certificate or key.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// The client authorities cannot end a chain.
    #[error("cannot use the client authorities")]
    Authority(#[from] VerifierBuilderError),
}

/// Asks for certificates and lets every one pass whose key the client has.
#[derive(Debug)]
struct Possession(Arc<dyn ClientCertVerifier>);

/// The settings of a port that serves `serving` and asks for certificates of the client authorities, whose names it
/// sends along: clients with several certificates choose by them.
///
/// # Errors
/// rustls refuses a certificate or key.
pub fn server_config(serving: Arc<Serving>, authorities: &Authorities) -> Result<ServerConfig, Error> {
    let verifier = Arc::new(Possession(chain_verifier(authorities)?));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Verifies chains that end in one of the client authorities.
pub(crate) fn chain_verifier(authorities: &Authorities) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities.client_roots() {
        roots.add(certificate.clone())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    Ok(builder.allow_unauthenticated().build()?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
