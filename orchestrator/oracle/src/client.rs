//! Asks a server over HTTPS: one connection a request, nothing added to what the script says but `Host` and `User-Agent`.

use crate::error::{Error, Result};
use crate::recording::{Body, FRAMING, HttpAnswer, lines};
use crate::script::HttpRequest;
use crate::target::{Credentials, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The bound of one answer. Watches in scripts end by their number of events or by `timeoutSeconds`, long before.
const ANSWER: Duration = Duration::from_secs(60);

/// Stands in managedFields as the manager's name.
const USER_AGENT: &str = "oracle";

/// Everything of an answer, body as bytes.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: Vec<u8>,
}

/// Connections to one target.
pub(crate) struct Client {
    address: String,
    identities: BTreeMap<String, (Arc<ClientConfig>, Option<String>)>,
}

impl Client {
    pub(crate) fn new(target: &Target) -> Result<Self> {
        let address = target.url.strip_prefix("https://").ok_or_else(|| Error::format(&target.url, "no https URL"))?;
        let mut identities = BTreeMap::new();
        for (name, credentials) in &target.identities {
            let token = match credentials {
                Credentials::Token(token) => Some(format!("Bearer {token}")),
                Credentials::Anonymous | Credentials::Certificate { .. } => None,
            };
            identities.insert(name.clone(), (Arc::new(configuration(name, &target.authority, credentials)?), token));
        }
        Ok(Self { address: address.to_owned(), identities })
    }

    /// Asks, and waits for the whole answer, or for the number of watch events that the request names.
    pub(crate) async fn ask(&self, identity: &str, request: &HttpRequest) -> Result<Raw> {
        match timeout(ANSWER, self.exchange(identity, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(failed(request, format!("no whole answer within {} s", ANSWER.as_secs()))),
        }
    }

    async fn exchange(&self, identity: &str, request: &HttpRequest) -> Result<Raw> {
        let wrong = |problem: &dyn std::fmt::Display| failed(request, problem.to_string());
        let (tls, token) =
            self.identities.get(identity).ok_or_else(|| wrong(&format!("the target has no identity {identity:?}")))?;
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let host = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
        let stream = TcpStream::connect(&self.address).await.map_err(|error| wrong(&error))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(host, stream).await.map_err(|error| wrong(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| wrong(&error))?;
        let (method, path) = request.line.split_once(' ').unwrap_or_default();
        let mut message = Request::builder().method(method).uri(path);
        message = message.header("host", &self.address).header("user-agent", USER_AGENT);
        if let Some(token) = token {
            message = message.header("authorization", token);
        }
        for (name, value) in &request.headers {
            message = message.header(name, value);
        }
        let message = message.body(Full::new(Bytes::from(request.body.clone()))).map_err(|error| wrong(&error))?;
        let work = async {
            let answer = sender.send_request(message).await.map_err(|error| wrong(&error))?;
            let status = answer.status().as_u16();
            let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in answer.headers().iter().filter(|(name, _)| !FRAMING.contains(&name.as_str())) {
                headers
                    .entry(name.to_string())
                    .or_default()
                    .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
            }
            let body = read(answer.into_body(), request.events).await.map_err(|error| wrong(&error))?;
            Ok(Raw { status, headers, body })
        };
        // The connection makes progress only while it is polled; it ends with the exchange.
        tokio::pin!(connection);
        tokio::pin!(work);
        tokio::select! {
            answer = &mut work => answer,
            ended = &mut connection => match ended {
                Ok(()) => work.await,
                Err(error) => Err(wrong(&error)),
            },
        }
    }
}

/// Reads to the end, or until `events` lines are there.
async fn read(mut body: Incoming, events: Option<usize>) -> hyper::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if let Some(events) = events {
            let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
            if let Some(end) = ends.take(events).nth(events.saturating_sub(1)) {
                bytes.truncate(end);
                break;
            }
        }
    }
    Ok(bytes)
}

fn failed(request: &HttpRequest, problem: String) -> Error {
    Error::Request { request: request.line.clone(), problem }
}

/// What TLS needs to know to ask as `name`.
pub(crate) fn configuration(name: &str, authority: &str, credentials: &Credentials) -> Result<ClientConfig> {
    let wrong = |problem: &dyn std::fmt::Display| Error::Credentials {
        identity: name.to_owned(),
        problem: problem.to_string(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| wrong(&error))?;
    let builder = builder.with_root_certificates(roots);
    match credentials {
        Credentials::Anonymous | Credentials::Token(_) => Ok(builder.with_no_client_auth()),
        Credentials::Certificate { chain, key } => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<std::result::Result<Vec<_>, _>>();
            let chain = chain.map_err(|error| wrong(&error))?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong(&error))
        }
    }
}

impl Raw {
    /// The answer with its body taken apart by content type.
    pub(crate) fn parsed(self, request: &HttpRequest) -> Result<HttpAnswer> {
        let kind = self.headers.get("content-type").and_then(|values| values.first()).cloned().unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default();
        let json = |error: serde_json::Error| failed(request, format!("the answer is no JSON: {error}"));
        let body = if self.body.is_empty() {
            Body::Empty
        } else if media == "application/json" && is_watch(&request.line) && self.status == 200 {
            let events = serde_json::Deserializer::from_slice(&self.body).into_iter::<Value>();
            Body::Events(events.collect::<std::result::Result<_, _>>().map_err(json)?)
        } else if media == "application/json" {
            Body::Json(serde_json::from_slice(&self.body).map_err(json)?)
        } else if let (true, Ok(text)) =
            (media != "application/vnd.kubernetes.protobuf", std::str::from_utf8(&self.body))
        {
            Body::Text(lines(text))
        } else {
            Body::Bytes(STANDARD.encode(&self.body))
        };
        Ok(HttpAnswer { status: self.status, headers: self.headers, body })
    }
}

fn is_watch(line: &str) -> bool {
    let old_path = line.split(['?', ' ']).nth(1).is_some_and(|path| path.contains("/watch/"));
    old_path || line.split(['?', '&']).skip(1).any(|parameter| matches!(parameter, "watch=true" | "watch=1"))
}
