//! One HTTP connection over TLS as a client has it: for the check of the own listener and for verbs that ask a device.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Longest answer that is read as a whole, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// An open connection; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

/// An answer that was read as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No TCP connection, or it ended during the handshake.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The certificate of the server is that of an authority that is trusted, but for another name.
    #[error("the server's certificate is for another name")]
    Name(#[source] rustls::Error),
    /// The handshake failed for another reason.
    #[error("no TLS connection")]
    Tls(#[source] rustls::Error),
    /// The request or the connection failed.
    #[error("the connection failed")]
    Http(#[source] hyper::Error),
    /// The answer broke off or is too long.
    #[error("cannot read the answer")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Trusts whatever certificate a server shows; only the possession of its key is proved.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// Settings that trust servers of these authorities.
///
/// # Errors
/// A certificate cannot end a chain.
pub(crate) fn trusting(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Settings that trust every server: for what carries a signature of its own.
///
/// # Errors
/// Never, with the algorithms that this program has.
pub(crate) fn trusting_anybody() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Anybody(provider()));
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Connection {
    /// Connects; the server's certificate must be for `name`.
    ///
    /// # Errors
    /// There is no connection.
    pub(crate) async fn open(
        to: impl ToSocketAddrs,
        name: ServerName<'static>,
        tls: ClientConfig,
    ) -> Result<Self, Error> {
        let tcp = TcpStream::connect(to).await.map_err(Error::Connect)?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.map_err(Error::of_handshake)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
        Ok(Self { sender, driver: tokio::spawn(connection) })
    }

    /// Sends a request and gives the answer with its body still to come.
    ///
    /// # Errors
    /// The connection failed.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.sender.ready().await.map_err(Error::Http)?;
        self.sender.send_request(request).await.map_err(Error::Http)
    }

    /// Sends a request and reads the answer, at most 1 MiB.
    ///
    /// # Errors
    /// The connection failed, or the answer is longer.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        Self::read(self.send(request).await?).await
    }

    /// Reads the rest of an answer, at most 1 MiB.
    ///
    /// # Errors
    /// The connection failed, or the answer is longer.
    pub(crate) async fn read(response: Response<Incoming>) -> Result<Answer, Error> {
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(Error::Answer)?.to_bytes();
        Ok(Answer { status, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Error {
    /// What rustls says is wrapped in an I/O error.
    fn of_handshake(error: io::Error) -> Self {
        let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
        match of_tls {
            Some(
                error @ rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ),
            ) => Self::Name(error),
            Some(error) => Self::Tls(error),
            None => Self::Connect(error),
        }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
