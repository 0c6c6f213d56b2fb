//! The load: HTTP/2 over TLS on connections that stay, as client-go keeps them. Its own processor time is in no figure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use oracle::script::ADMIN;
use oracle::server::Etcd;
use oracle::{Target, target};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result};
use crate::statistics::Series;

/// The bound of one answer.
const ANSWER: Duration = Duration::from_secs(60);

/// The body of a request.
pub(crate) type Body = Full<Bytes>;

/// A server to load.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    name: Arc<str>,
    address: Arc<str>,
    tls: Arc<ClientConfig>,
}

/// A connection that carries any number of requests at once.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    endpoint: Endpoint,
    sender: http2::SendRequest<Body>,
}

/// What a load has come to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Answers.
    pub(crate) count: u64,
    /// From the first request to the last answer, in seconds.
    pub(crate) seconds: f64,
    /// How long each answer took, in microseconds.
    pub(crate) latencies: Series,
}

impl Endpoint {
    /// An API server, asked as an administrator.
    ///
    /// # Errors
    /// The target has no such identity.
    pub(crate) fn of(name: &str, target: &Target) -> Result<Self> {
        Self::new(name, &target.url, target.tls(ADMIN)?)
    }

    /// An etcd.
    ///
    /// # Errors
    /// Its credentials cannot be used.
    pub(crate) fn etcd(etcd: &Etcd) -> Result<Self> {
        Self::new("etcd", &etcd.url, target::tls("etcd", &etcd.authority, &etcd.credentials)?)
    }

    fn new(name: &str, url: &str, mut tls: ClientConfig) -> Result<Self> {
        let address = url.strip_prefix("https://").ok_or_else(|| Error::format(url, "no https URL"))?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { name: name.into(), address: address.into(), tls: Arc::new(tls) })
    }

    fn failed(&self, request: &str, problem: impl std::fmt::Display) -> Error {
        Error::Request { server: self.name.to_string(), request: request.to_owned(), problem: problem.to_string() }
    }

    /// A request of this server.
    ///
    /// # Errors
    /// The path cannot stand in a request.
    pub(crate) fn request(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<Request<Body>> {
        let request = Request::builder().method(method).uri(format!("https://{}{path}", self.address));
        let request = match kind {
            "application/grpc" => request.header("content-type", kind).header("te", "trailers"),
            _ if body.is_empty() => request.header("accept", kind),
            _ => request.header("accept", kind).header("content-type", "application/json"),
        };
        request.body(Full::new(body)).map_err(|error| self.failed(path, error))
    }

    /// A GET that asks for JSON.
    ///
    /// # Errors
    /// As [`Endpoint::request`].
    pub(crate) fn get(&self, path: &str) -> Result<Request<Body>> {
        self.request(Method::GET, path, "application/json", Bytes::new())
    }

    /// A POST of JSON.
    ///
    /// # Errors
    /// As [`Endpoint::request`].
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Request<Body>> {
        self.request(Method::POST, path, "application/json", body.to_string().into())
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there, or it speaks neither TLS nor HTTP/2.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let wrong = |error: &dyn std::fmt::Display| self.failed("a connection", error);
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        let host = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
        let stream = TcpStream::connect(&*self.address).await.map_err(|error| wrong(&error))?;
        stream.set_nodelay(true).map_err(|error| wrong(&error))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(host, stream);
        let stream = TokioIo::new(stream.await.map_err(|error| wrong(&error))?);
        let handshake = http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = handshake.map_err(|error| wrong(&error))?;
        // Ends when the last sender is dropped; requests report its errors.
        drop(tokio::spawn(connection));
        Ok(Connection { endpoint: self.clone(), sender })
    }

    /// Connects several times.
    ///
    /// # Errors
    /// As [`Endpoint::connect`].
    pub(crate) async fn connections(&self, count: usize) -> Result<Vec<Connection>> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(self.connect().await?);
        }
        Ok(connections)
    }
}

impl Connection {
    /// Who is asked.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks and gives the answer as soon as its head is there. Everything but success is an error.
    ///
    /// # Errors
    /// There is no answer, or it says no.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Result<Response<Incoming>> {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.sender.ready().await.map_err(|error| self.endpoint.failed(&line, error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| self.endpoint.failed(&line, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(self.endpoint.failed(&line, format!("{status}: {}", String::from_utf8_lossy(&body))))
    }

    /// Asks, reads the whole answer and forgets it. Gives its bytes.
    ///
    /// # Errors
    /// As [`Connection::ask`], or the answer breaks off, or it is an error of gRPC.
    pub(crate) async fn drain(&mut self, request: Request<Body>) -> Result<u64> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let work = async {
            let mut body = self.ask(request).await?.into_body();
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| self.endpoint.failed(&line, error))?;
                bytes += frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                let status = frame.trailers_ref().and_then(|trailers| trailers.get("grpc-status"));
                if status.is_some_and(|status| status != "0") {
                    return Err(self.endpoint.failed(&line, format!("grpc-status {status:?}")));
                }
            }
            Ok(bytes)
        };
        timeout(ANSWER, work).await.unwrap_or_else(|_| Err(self.endpoint.failed(&line, "no whole answer in a minute")))
    }

    /// Asks and reads the whole answer as JSON.
    ///
    /// # Errors
    /// As [`Connection::drain`], or the answer is no JSON.
    pub(crate) async fn json(&mut self, request: Request<Body>) -> Result<Value> {
        let line = request.uri().path().to_owned();
        let body = self.ask(request).await?.into_body().collect().await;
        let body = body.map_err(|error| self.endpoint.failed(&line, error))?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| self.endpoint.failed(&line, error))
    }

    /// Follows a watch until an event's object satisfies `wanted`.
    ///
    /// # Errors
    /// The watch cannot be opened or ends before, or the bound of an answer passes.
    pub(crate) async fn watch(&mut self, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        let request = self.endpoint.get(path)?;
        let answer = self.ask(request).await?;
        self.follow(path, answer, wanted).await
    }

    /// Follows a watch that has been opened; see [`Connection::watch`].
    ///
    /// # Errors
    /// As [`Connection::watch`].
    pub(crate) async fn follow(
        &self,
        path: &str,
        answer: Response<Incoming>,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let work = async {
            let (mut body, mut rest) = (answer.into_body(), Vec::new());
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|error| self.endpoint.failed(path, error))?.into_data() else { continue };
                rest.extend_from_slice(&data);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let event: Value =
                        serde_json::from_slice(&line).map_err(|error| self.endpoint.failed(path, error))?;
                    if wanted(&event["object"]) {
                        return Ok(());
                    }
                }
            }
            Err(self.endpoint.failed(path, "the watch ended"))
        };
        timeout(ANSWER, work).await.unwrap_or_else(|_| Err(self.endpoint.failed(path, "no such event in a minute")))
    }
}

/// When clients stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this span.
    Passed(Duration),
    /// After so many requests of each client.
    Sent(u64),
}

/// Lets each connection ask one request after the other. `request` gets the client's number and how many it has asked.
///
/// # Errors
/// A request fails, or not a single one was answered.
pub(crate) async fn load<F>(connections: Vec<Connection>, until: Until, request: F) -> Result<Outcome>
where
    F: Fn(&Endpoint, usize, u64) -> Result<Request<Body>> + Send + Sync + 'static,
{
    let (request, started) = (Arc::new(request), Instant::now());
    let mut clients = JoinSet::new();
    for (client, mut connection) in connections.into_iter().enumerate() {
        let request = Arc::clone(&request);
        clients.spawn(async move {
            let mut latencies = Vec::new();
            let mut sent = 0;
            loop {
                let goes_on = match until {
                    Until::Passed(span) => started.elapsed() < span,
                    Until::Sent(count) => sent < count,
                };
                if !goes_on {
                    return Ok::<_, Error>(latencies);
                }
                let request = request(connection.endpoint(), client, sent)?;
                let asked = Instant::now();
                connection.drain(request).await?;
                latencies.push(asked.elapsed().as_secs_f64() * 1e6);
                sent += 1;
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(client) = clients.join_next().await {
        latencies.extend(client.map_err(|error| Error::format("a client", error))??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let count = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
    let latencies = Series::new(latencies).ok_or_else(|| Error::format("a load", "nothing was answered"))?;
    Ok(Outcome { count, seconds, latencies })
}
