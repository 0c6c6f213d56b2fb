//! Connections to registries, kept for the next request: a handshake of TLS costs more than a manifest.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{Address, Origin};
use super::error::{Failure, go_method};
use super::trust::Trust;

/// Idle connections that are kept for one origin.
const KEPT: usize = 4;
/// Most header bytes of an answer.
const HEADER_BYTES: usize = 64 * 1024;

type Sender = SendRequest<Full<Bytes>>;

/// How long a registry may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection, handshake included.
    pub connect: Duration,
    /// For the head of an answer.
    pub answer: Duration,
    /// For the next bytes of a body.
    pub progress: Duration,
}

/// Connections to registries.
#[derive(Debug)]
pub(crate) struct Connections {
    trust: Trust,
    timeouts: Timeouts,
    idle: Mutex<HashMap<Origin, Vec<Sender>>>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    sender: Option<Sender>,
    connections: Arc<Connections>,
    address: Address,
    method: &'static str,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(30), answer: seconds(30), progress: seconds(60) }
    }
}

impl Connections {
    pub(crate) fn new(trust: Trust, timeouts: Timeouts) -> Self {
        Self { trust, timeouts, idle: Mutex::new(HashMap::new()) }
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn send(self: &Arc<Self>, address: &Address, ask: &Ask) -> Result<Answer, Failure> {
        let method = go_method(ask.method.as_str());
        let failed = |text: &str| format!("{method} \"{address}\": {text}");
        let mut request = Request::builder().method(&ask.method).uri(&address.path);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&ask.headers);
            let host = address.origin.authority().parse().map_err(|_| Failure::Dial(failed("invalid host")))?;
            headers.insert(http::header::HOST, host);
            headers.insert(http::header::USER_AGENT, http::HeaderValue::from_static("coracle"));
        }
        let request =
            request.body(Full::new(ask.body.clone())).map_err(|_| Failure::Dial(failed("invalid request")))?;
        let mut sender = match self.take(&address.origin) {
            Some(sender) => sender,
            None => self.connect(&address.origin).await.map_err(|error| Failure::Dial(failed(&error)))?,
        };
        let answer = timeout(self.timeouts.answer, async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        let answer =
            answer.await.map_err(|_| Failure::Broken(failed("net/http: timeout awaiting response headers")))?;
        let (head, body) = answer.map_err(|error| Failure::Broken(failed(&told(&error))))?.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            sender: Some(sender),
            connections: Arc::clone(self),
            address: address.clone(),
            method,
        })
    }

    async fn connect(&self, origin: &Origin) -> Result<Sender, String> {
        let connecting = async {
            let stream = dial(origin).await?;
            let mut builder = http1::Builder::new();
            builder.max_buf_size(HEADER_BYTES * 4);
            if !origin.tls {
                let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
                tokio::spawn(connection);
                return Ok(sender);
            }
            let name = ServerName::try_from(origin.bare_host().to_owned()).map_err(|error| error.to_string())?;
            let connector = tokio_rustls::TlsConnector::from(self.trust.for_host(origin));
            let stream = connector.connect(name, stream).await.map_err(|error| tls_text(&error))?;
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            Ok(sender)
        };
        timeout(self.timeouts.connect, connecting).await.unwrap_or_else(|_| Err("dial tcp: i/o timeout".to_owned()))
    }

    fn take(&self, origin: &Origin) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = idle.get_mut(origin)?;
        senders.retain(|sender| !sender.is_closed());
        senders.pop()
    }

    fn keep(&self, origin: &Origin, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        let senders = idle.entry(origin.clone()).or_default();
        if senders.len() < KEPT && !sender.is_closed() {
            senders.push(sender);
        }
    }
}

impl Answer {
    /// The next bytes of the body, or none at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let failed = |text: &str| Failure::Broken(format!("{} \"{}\": {text}", self.method, self.address));
        loop {
            let frame = timeout(self.connections.timeouts.progress, self.body.frame()).await;
            match frame.map_err(|_| failed("net/http: timeout while reading body"))? {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(failed(&told(&error))),
                None => {
                    if let Some(sender) = self.sender.take() {
                        self.connections.keep(&self.address.origin, sender);
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// The whole body, if it is not longer than `limit`.
    pub(crate) async fn collect(mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                return Err(Failure::Protocol(format!("answer of {} is longer than {limit} bytes", self.address)));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Reads over a short body, so that the connection serves again.
    pub(crate) async fn discard(self) {
        // Whatever goes wrong here only costs a new connection.
        let _ = self.collect(HEADER_BYTES).await;
    }
}

/// Connects to the first address that answers.
async fn dial(origin: &Origin) -> Result<TcpStream, String> {
    let host = origin.bare_host();
    let found = tokio::net::lookup_host((host, origin.port)).await;
    let addresses = found.map_err(|_| format!("dial tcp: lookup {host}: no such host"))?;
    let mut last = format!("dial tcp: lookup {host}: no such host");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Err(error) => last = format!("dial tcp {address}: connect: {}", io_text(&error)),
        }
    }
    Err(last)
}

/// As the kernel's errors read in Go: lower case, without the number.
fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn tls_text(error: &io::Error) -> String {
    use rustls::{CertificateError, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let x509 = |text: &str| format!("tls: failed to verify certificate: x509: {text}");
    match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            x509("certificate signed by unknown authority")
        }
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            x509("certificate has expired or is not yet valid")
        }
        Some(Error::InvalidCertificate(error)) => x509(&error.to_string()),
        Some(error) => format!("remote error: tls: {error}"),
        None => io_text(error),
    }
}

/// An error of HTTP with its cause.
fn told(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "unexpected EOF".to_owned();
    }
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
