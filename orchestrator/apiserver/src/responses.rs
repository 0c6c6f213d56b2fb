//! HTTP answers: JSON documents, plain text and the Kubernetes Status of an error.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// The body type of every answer.
pub(crate) type Body = Full<Bytes>;

/// Kubernetes' error document, metav1.Status.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    status: &'static str,
    message: &'a str,
    reason: &'static str,
    details: Empty,
    code: u16,
}

/// `{}`.
#[derive(Serialize)]
struct Empty {}

/// A plain text answer as the health endpoints give it.
pub(crate) fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = with_type(status, "text/plain; charset=utf-8", body.into_bytes());
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A JSON answer; a value that cannot be printed becomes a 500.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/json", body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot print the answer: {error}\n")),
    }
}

/// A Status failure.
pub(crate) fn failure(code: StatusCode, reason: &'static str, message: &str) -> Response<Body> {
    let (metadata, details) = (Empty {}, Empty {});
    let status = Status {
        kind: "Status",
        api_version: "v1",
        metadata,
        status: "Failure",
        message,
        reason,
        details,
        code: code.as_u16(),
    };
    json(code, &status)
}

fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
