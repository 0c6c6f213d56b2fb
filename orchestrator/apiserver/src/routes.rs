//! Which answer belongs to which request. Synchronous and free of I/O.

use http::{Method, Request, Response, StatusCode};

use crate::health::Checks;
use crate::responses::{Body, failure, json, text};
use crate::version::Version;

/// Answers one request. Everything here is what Kubernetes lets an anonymous client read.
pub(crate) fn answer<B>(request: &Request<B>, checks: &Checks) -> Response<Body> {
    let path = request.uri().path();
    let endpoint = match path {
        "/healthz" | "/livez" | "/readyz" => path.trim_start_matches('/'),
        "/version" | "/version/" => "version",
        _ => return unknown(request),
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return failure(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
    }
    if endpoint == "version" {
        return json(StatusCode::OK, &Version::current());
    }
    let verbose = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose=")));
    let report = checks.report(endpoint, verbose);
    let status = if report.passed { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    text(status, report.text)
}

/// The refusal of an anonymous client on any other path, in upstream's words.
fn unknown<B>(request: &Request<B>) -> Response<Body> {
    let message = format!(
        "forbidden: User \"system:anonymous\" cannot {} path \"{}\": this version serves /healthz, /livez, /readyz and /version only",
        verb(request.method()),
        request.uri().path()
    );
    failure(StatusCode::FORBIDDEN, "Forbidden", &message)
}

/// The authorisation verb of a method on a non-resource path.
fn verb(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, uri: &str) -> Response<Body> {
        let mut checks = Checks::default();
        checks.add("ping", true);
        answer(&Request::builder().method(method).uri(uri).body(()).unwrap(), &checks)
    }

    #[test]
    fn each_path_has_its_status_and_type() {
        let table = [
            ("GET", "/readyz", 200, "text/plain; charset=utf-8"),
            ("HEAD", "/livez?verbose", 200, "text/plain; charset=utf-8"),
            ("GET", "/version", 200, "application/json"),
            ("POST", "/version", 405, "application/json"),
            ("GET", "/api/v1/pods", 403, "application/json"),
            ("GET", "/readyz/", 403, "application/json"),
        ];
        for (method, uri, status, content_type) in table {
            let response = ask(method, uri);
            assert_eq!(response.status(), status, "{method} {uri}");
            assert_eq!(response.headers()["content-type"], content_type, "{method} {uri}");
        }
    }
}
