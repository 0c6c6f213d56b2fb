//! Paths that are no resources: health, version, discovery, OpenAPI.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_auth::Identity;
use coracle_auth::authorise::{Attributes, Target, authorise, forbidden_message};
use coracle_auth::token::{DISCOVERY_PATH, JWKS_PATH};
use http::{Method, Request, Response, StatusCode};

use super::{Body, Front, full, render};
use crate::facts::StoredFacts;
use crate::http::headers;
use crate::http::path::{self, Page};
use crate::version::Version;

/// Answers a request for a path.
pub(super) fn answer<B>(
    front: &Front,
    identity: &Arc<Identity>,
    path: &str,
    page: &Page,
    request: &Request<B>,
) -> Response<Body> {
    let verb = path::path_verb(request.method().as_str());
    let attributes = Attributes { identity, verb: &verb, target: Target::Path(path) };
    let decision = authorise(&attributes, &StoredFacts(&front.api));
    if !decision.is_allowed() {
        return render::refused(&forbidden_message(&attributes, &decision));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return render::failed(&Status::method_not_allowed());
    }
    match page {
        Page::Version => version(request),
        Page::Other if matches!(path, "/healthz" | "/livez" | "/readyz") => health(front, path, request),
        Page::Other if path == JWKS_PATH => {
            render::response(200, "application/jwk-set+json", front.tokens.issuer().jwks().into_bytes())
        }
        Page::Other if path == DISCOVERY_PATH => {
            let host = render::header(request.headers(), &http::header::HOST);
            render::response(200, "application/json", front.tokens.issuer().discovery(host).into_bytes())
        }
        Page::Other => text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
        page => super::discovery::answer(front, page, request),
    }
}

fn version<B>(request: &Request<B>) -> Response<Body> {
    let accept = render::header(request.headers(), &http::header::ACCEPT);
    match crate::http::accept::negotiate(accept, &crate::http::accept::Offers::VERSION, false) {
        Ok(_) => render::response(200, "application/json", serde_json::to_vec(&Version::current()).unwrap_or_default()),
        Err(status) => render::failed(&status),
    }
}

fn health<B>(front: &Front, path: &str, request: &Request<B>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let verbose = query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose="));
    let report = front.checks.report(path.trim_start_matches('/'), verbose);
    text(if report.passed { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, report.text)
}

/// A plain text answer.
pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    headers::set_content_type(response.headers_mut(), headers::PLAIN_TEXT);
    headers::set_no_sniff(response.headers_mut());
    response
}
