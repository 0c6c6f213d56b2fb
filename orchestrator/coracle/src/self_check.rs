//! Asks the own HTTPS listener for `/readyz`, as a client would: TCP, TLS with the authority verified, HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use rustls::pki_types::{CertificateDer, ServerName};

use crate::connection::{self, Connection};

/// Bound of one check.
const LIMIT: Duration = Duration::from_secs(30);

/// What the listener answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// The check did not get as far as an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The authority cannot be used as a trust anchor.
    #[error("cannot trust the own authority")]
    Trust(#[source] rustls::Error),
    /// There is no connection, or no answer on it.
    #[error("cannot ask {0} for /readyz")]
    Connection(SocketAddr, #[source] connection::Error),
    /// The address makes no request.
    #[error("cannot ask for /readyz")]
    Request(#[source] http::Error),
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
    let failed = |error| Error::Connection(address, error);
    let tls = connection::trusting(&[authority]).map_err(Error::Trust)?;
    let name = ServerName::IpAddress(address.ip().into());
    let mut connection = Connection::open(address, name, tls).await.map_err(failed)?;
    let request = Request::get("/readyz").header("host", address.to_string()).body(<_>::default());
    let answer = connection.ask(request.map_err(Error::Request)?).await.map_err(failed)?;
    Ok(Answer { status: answer.status, body: String::from_utf8_lossy(&answer.body).into_owned() })
}
