//! Asks the own HTTPS listener for `/readyz`, as a client would: TCP, TLS with the authority verified, HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bound of one check.
const LIMIT: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// What the listener answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// The check did not get as far as an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No TCP connection, or the TLS handshake failed.
    #[error("cannot connect to {0}")]
    Connect(SocketAddr, #[source] io::Error),
    /// The authority cannot be used as a trust anchor.
    #[error("cannot trust the own authority")]
    Trust(#[source] rustls::Error),
    /// The request failed.
    #[error("cannot ask for /readyz")]
    Http(#[source] hyper::Error),
    /// The answer broke off or is longer than 64 KiB.
    #[error("cannot read the answer of /readyz")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer within the bound.
    #[error("no answer of /readyz within {} s", LIMIT.as_secs())]
    Late,
}

/// Fetches `https://ADDRESS/readyz`, trusting `authority` alone.
///
/// # Errors
/// No answer came back within 30 s; an answer with a bad status is not an error.
pub(crate) async fn ready(address: SocketAddr, authority: CertificateDer<'static>) -> Result<Answer, Error> {
    tokio::time::timeout(LIMIT, fetch(address, authority)).await.map_err(|_| Error::Late)?
}

async fn fetch(address: SocketAddr, authority: CertificateDer<'static>) -> Result<Answer, Error> {
    let connect = |error| Error::Connect(address, error);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority).map_err(Error::Trust)?;
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Trust)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.map_err(connect)?;
    let name = ServerName::IpAddress(address.ip().into());
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.map_err(connect)?;

    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
    let driver = tokio::spawn(connection);
    let request = Request::get("/readyz").header("host", address.to_string()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Error::Answer(error.into()))?;
    let response = sender.send_request(request).await.map_err(Error::Http)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(Error::Answer)?.to_bytes();
    driver.abort();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}
