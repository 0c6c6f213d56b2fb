//! Discovery and OpenAPI documents of the present registry.

use http::{Request, Response};

use super::{Body, Front};
use crate::http::path::Page;

/// Answers a request for a document.
pub(super) fn answer<B>(_front: &Front, _page: &Page, _request: &Request<B>) -> Response<Body> {
    super::system::text(http::StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
}
