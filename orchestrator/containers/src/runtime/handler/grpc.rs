//! Probes by gRPC's protocol for health, `grpc.health.v1.Health/Check`.

use std::time::Duration;

use coracle_agent::runtime::Handled;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::Target;
use super::{duration, said};

const SERVING: u64 = 1;
const NAMES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const LONGEST: usize = 64 << 10;
const UNIMPLEMENTED: &str = "12";

/// Why there is no answer.
enum Trouble {
    /// Nobody is there.
    Connect,
    /// Somebody does not understand.
    Call { code: String, message: String },
}

/// Asks for the health of a service.
pub(super) async fn check(target: &Target, service: &str, limit: Duration) -> Handled {
    let (address, limit_text) = (target.authority(), duration(limit));
    let unreachable =
        || format!("timeout: failed to connect service {address:?} within {limit_text}: context deadline exceeded");
    match timeout(limit, ask(target, service)).await {
        Ok(Ok(SERVING)) => said(true, "service healthy".to_owned()),
        Ok(Ok(status)) => {
            let name = usize::try_from(status).ok().and_then(|status| NAMES.get(status)).copied().unwrap_or("UNKNOWN");
            said(false, format!("service unhealthy (responded with {name:?})"))
        }
        Ok(Err(Trouble::Call { code, .. })) if code == UNIMPLEMENTED => said(
            false,
            format!("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {code}"),
        ),
        Ok(Err(Trouble::Call { code, message })) => {
            said(false, format!("error: health rpc probe failed: rpc error: code = {code} desc = {message}"))
        }
        Ok(Err(Trouble::Connect)) => said(false, unreachable()),
        Err(_) => said(false, format!("timeout: health rpc did not complete within {limit_text}")),
    }
}

async fn ask(target: &Target, service: &str) -> Result<u64, Trouble> {
    let call = |message: String| Trouble::Call { code: "14".to_owned(), message };
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(|_| Trouble::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|_| Trouble::Connect)?;
    let connection = tokio::spawn(connection);
    let uri = format!("http://{}/grpc.health.v1.Health/Check", target.authority());
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, HeaderValue::from_static("kube-probe/1.37"))
        .body(Full::new(Bytes::from(frame(&question(service)))))
        .map_err(|error| call(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| call(error.to_string()))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(|error| call(error.to_string()))?;
    connection.abort();
    let text = |name: &str| {
        let value = body.trailers().and_then(|trailers| trailers.get(name)).or_else(|| head.headers.get(name));
        value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let code = text("grpc-status");
    if code != "0" {
        return Err(Trouble::Call { code, message: text("grpc-message") });
    }
    let bytes = body.to_bytes();
    answer(bytes.get(5..).unwrap_or_default()).ok_or_else(|| call("the answer is not understood".to_owned()))
}

/// One message, not compressed.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// `HealthCheckRequest`: the service is field 1, a text.
fn question(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return Vec::new();
    }
    let mut message = vec![0x0a];
    let mut length = service.len();
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or(0));
    message.extend_from_slice(service.as_bytes());
    message
}

/// `HealthCheckResponse`: the status is field 1, a number; absent it is 0.
fn answer(message: &[u8]) -> Option<u64> {
    let Some((tag, rest)) = message.split_first() else { return Some(0) };
    if *tag != 0x08 {
        return None;
    }
    let mut status = 0_u64;
    for (at, byte) in rest.iter().take(9).enumerate() {
        status |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(status);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(frame(&question("ab")), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert!(question("").is_empty());
        assert_eq!(question(&"x".repeat(200)).get(..3), Some(&[0x0a, 0xc8, 1][..]));
        assert_eq!(
            (answer(&[]), answer(&[8, 1]), answer(&[8, 0x82, 1]), answer(&[8]), answer(&[9, 1])),
            (Some(0), Some(1), Some(130), None, None)
        );
    }
}
