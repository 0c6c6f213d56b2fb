//! The HTTP front: who asks, what is asked, and the answer in the form that the client takes.

mod discovery;
mod render;
mod resource;
mod stream;
mod system;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use coracle_apimachinery::status::Status;
use coracle_auth::Identity;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use rustls::pki_types::CertificateDer;

use crate::api::Api;
use crate::health::Checks;
use crate::http as wire;
use crate::tokens::Tokens;

/// The body type of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Largest request body, as upstream's limit.
const MAX_BODY: usize = 3 << 20;

/// Everything that answers requests.
#[derive(Debug, Clone)]
pub struct Front {
    pub(crate) api: Api,
    pub(crate) checks: Checks,
    pub(crate) tokens: Arc<Tokens>,
    index: Arc<discovery::Index>,
}

impl Front {
    /// A front of an API.
    #[must_use]
    pub fn new(api: Api, checks: Checks, tokens: Arc<Tokens>) -> Self {
        Self { api, checks, tokens, index: Arc::default() }
    }

    /// Answers one request of a connection whose client showed these certificates.
    pub(crate) async fn answer(
        &self,
        peer: Option<Arc<[CertificateDer<'static>]>>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let audit_id = wire::headers::audit_id(request.headers());
        let identity = self.tokens.authenticate(peer.as_deref().unwrap_or_default(), request.headers());
        let (mut response, flow) = match identity {
            Ok(identity) => {
                let identity = Arc::new(identity);
                let response = self.dispatch(&identity, request).await;
                (response, render::flow(self, &identity))
            }
            Err(status) => (render::failed(&status), None),
        };
        wire::headers::set_common(response.headers_mut(), audit_id, flow.as_ref());
        response
    }

    async fn dispatch(&self, identity: &Arc<Identity>, request: Request<Incoming>) -> Response<Body> {
        let target = wire::path::parse(request.uri().path());
        match target {
            wire::path::Target::Resource(target) => resource::answer(self, identity, target, request).await,
            wire::path::Target::Path { path, page } => system::answer(self, identity, &path, &page, &request),
            wire::path::Target::NotFound => {
                system::text(http::StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
            }
        }
    }
}

/// The whole body of a request, within the limit.
pub(crate) async fn read_body(body: Incoming) -> Result<Bytes, Status> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {MAX_BODY}");
            Err(Status::new(413, "RequestEntityTooLarge", message))
        }
        Err(error) => Err(Status::bad_request(format!("the body cannot be read: {error}"))),
    }
}

/// A body of these bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}
