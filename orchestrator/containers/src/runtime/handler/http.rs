//! Probes and hooks over HTTP.

use std::sync::Arc;
use std::time::Duration;

use coracle_agent::runtime::Handled;
use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::said;
use super::target::{Target, dial_error};
use super::tls;

const PROBE: &str = "kube-probe/1.37";
const HOOK: &str = "kube-lifecycle/1.37";
/// Bytes of an answer that are read.
const LONGEST: usize = 10 << 10;
const REDIRECTS: usize = 10;

struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

/// Asks; good is every answer from 200 to 399, for hooks every answer at all.
pub(super) async fn get(target: &Target, limit: Duration, is_hook: bool) -> Handled {
    let agent = if is_hook { HOOK } else { PROBE };
    match timeout(limit, follow(target.clone(), agent)).await {
        Err(_) => {
            let why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
            said(false, format!("Get {:?}: {why}", target.url()))
        }
        Ok(Err(why)) => said(false, format!("Get {:?}: {why}", target.url())),
        Ok(Ok(answer)) if is_hook || (200..400).contains(&answer.status) => said(true, answer.body),
        Ok(Ok(answer)) => said(false, format!("HTTP probe failed with statuscode: {}", answer.status)),
    }
}

/// Asks, and asks again where it is sent on to, as long as that is on the same host.
async fn follow(mut target: Target, agent: &str) -> Result<Answer, String> {
    for _ in 0..REDIRECTS {
        let answer = ask(&target, agent).await?;
        let Some(location) = answer.location.as_deref().filter(|_| (300..400).contains(&answer.status)) else {
            return Ok(answer);
        };
        match elsewhere(&target, location) {
            Some(next) => target = next,
            // The kubelet does not leave the host, and takes that for an answer.
            None => return Ok(answer),
        }
    }
    Err(format!("stopped after {REDIRECTS} redirects"))
}

/// The target of a location, if it is on the same host.
fn elsewhere(target: &Target, location: &str) -> Option<Target> {
    let uri: Uri = location.parse().ok()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let Some(host) = uri.host() else {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            let folder = target.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{path}")
        };
        return Some(Target { path, ..target.clone() });
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let tls = uri.scheme_str().map_or(target.tls, |scheme| scheme == "https");
    let usual = if tls { 443 } else { 80 };
    let next = Target {
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(usual),
        tls,
        path: path.to_owned(),
        headers: target.headers.clone(),
    };
    (next.host == target.host).then_some(next)
}

async fn ask(target: &Target, agent: &str) -> Result<Answer, String> {
    let connected = TcpStream::connect((target.host.as_str(), target.port)).await;
    let stream = connected.map_err(|error| dial_error(target, &error))?;
    let request = request(target, agent)?;
    if !target.tls {
        return exchange(stream, request).await;
    }
    let config = tls::config().map_err(|error| error.to_string())?;
    let name = rustls::pki_types::ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    exchange(stream.map_err(|error| error.to_string())?, request).await
}

fn request(target: &Target, agent: &str) -> Result<Request<Empty<Bytes>>, String> {
    let mut headers = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    headers.insert(HOST, text(&target.authority())?);
    let mut first = HeaderMap::new();
    for (name, value) in &target.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("net/http: invalid header field name {name:?}"))?;
        first.append(name, text(value)?);
    }
    // What stands there more than once is sent more than once; one of the usual ones gives way.
    for name in first.keys() {
        headers.remove(name);
    }
    headers.extend(first);
    headers.entry(USER_AGENT).or_insert(text(agent)?);
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // An empty value means that the header is not wanted.
    for name in [USER_AGENT, ACCEPT] {
        if headers.get(&name).is_some_and(HeaderValue::is_empty) {
            headers.remove(&name);
        }
    }
    let mut request = Request::builder().method(Method::GET).uri(&target.path).body(Empty::new());
    if let Ok(request) = &mut request {
        *request.headers_mut() = headers;
    }
    request.map_err(|error| error.to_string())
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => Ok(read(response).await),
        Err(error) if error.is_incomplete_message() => Err("EOF".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    connection.abort();
    answer
}

async fn read(response: http::Response<Incoming>) -> Answer {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A longer answer is as good, its text is only for people.
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
    Answer { status, location, body }
}
