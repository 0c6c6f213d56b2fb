//! Discovery and OpenAPI documents of the present registry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use coracle_discovery::{self as documents, Document, GroupVersion};
use http::header::{
    ACCEPT, ACCEPT_RANGES, CACHE_CONTROL, ETAG, EXPIRES, HOST, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, Request, Response, StatusCode};

use super::{Body, Front, full, render};
use crate::http::accept::{self, Offers, OpenApi};
use crate::http::headers;
use crate::http::path::Page;
use crate::registry::Registry;

/// How long a document with its hash in the address stays good.
const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

/// The index of OpenAPI v3 documents, which costs as much as all of them, with the registry that it was made for.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<Option<(Arc<Registry>, Arc<Document>)>>);

impl Index {
    fn get(&self, registry: &Arc<Registry>) -> Arc<Document> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, document)) = &*kept
            && Arc::ptr_eq(of, registry)
        {
            return Arc::clone(document);
        }
        let document = Arc::new(documents::openapi_v3_index(&served(registry)));
        *kept = Some((Arc::clone(registry), Arc::clone(&document)));
        document
    }
}

/// Answers a request for a document.
pub(super) fn answer<B>(front: &Front, page: &Page, request: &Request<B>) -> Response<Body> {
    let accepted = render::header(request.headers(), &ACCEPT);
    let registry = front.api.registry();
    let all = served(&registry);
    match page {
        Page::CoreVersions | Page::Groups if accept::negotiate(accepted, &Offers::AGGREGATED, false).is_ok() => {
            let document = documents::aggregated(&all, *page == Page::CoreVersions);
            let mut response = tagged(request, document, documents::MEDIA_TYPE);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
            response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
            return response;
        }
        Page::OpenApiV2 => return openapi_v2(request, OpenApi::negotiate(accepted), || documents::openapi_v2(&all)),
        Page::OpenApiV3 => {
            let document = Document::clone(&front.index.get(&registry));
            let mut response = served_as_file(request, document, headers::PLAIN_TEXT);
            for name in [ETAG, VARY] {
                response.headers_mut().remove(name);
            }
            return response;
        }
        Page::OpenApiV3Schema { name } => {
            let Some(document) = documents::openapi_v3_document(&all, name) else { return not_found() };
            return schema(request, document);
        }
        _ => {}
    }
    let offers = match page {
        Page::Groups | Page::Group { .. } => &Offers::GROUPS,
        _ => &Offers::DISCOVERY,
    };
    if let Err(status) = accept::negotiate(accepted, offers, false) {
        return render::failed(&status);
    }
    let of = |group: &str, version: &str| {
        let found = all.iter().find(|of| of.group == group && of.version == version);
        found.map(documents::legacy_resources)
    };
    let document = match page {
        Page::CoreVersions => Some(documents::legacy_core_versions(&all, render::header(request.headers(), &HOST))),
        Page::CoreResources { version } => of("", version),
        Page::Groups => Some(documents::legacy_groups(&all)),
        Page::Group { group } => documents::legacy_group(&all, group),
        Page::GroupResources { group, version } => of(group, version),
        _ => None,
    };
    match document {
        Some(document) => render::response(200, "application/json", document),
        None => not_found(),
    }
}

/// Built-in group-versions, then those of run-time kinds.
fn served(registry: &Registry) -> Vec<GroupVersion> {
    let mut all = documents::built_in();
    all.extend(crate::custom::served(registry));
    all
}

fn not_found() -> Response<Body> {
    super::system::text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
}

/// The document of OpenAPI v2, without a body where the client accepts no form of it. Both forms have one tag, as upstream's.
fn openapi_v2<B>(request: &Request<B>, form: Option<OpenApi>, made: impl FnOnce() -> Document) -> Response<Body> {
    let mut response = match form.map(|form| (form, made())) {
        Some((OpenApi::Protobuf, Document { etag, .. })) if is_known(request, &etag) => {
            served_as_file(request, Document { body: Vec::new(), etag }, OpenApi::Protobuf.as_str())
        }
        Some((OpenApi::Protobuf, Document { body, etag })) => match documents::openapi_v2_to_protobuf(&body) {
            Ok(body) => served_as_file(request, Document { body, etag }, OpenApi::Protobuf.as_str()),
            Err(error) => {
                tracing::error!(%error, "the OpenAPI v2 document has no protobuf form");
                bodiless(StatusCode::SERVICE_UNAVAILABLE)
            }
        },
        Some((OpenApi::Json, document)) => served_as_file(request, document, OpenApi::Json.as_str()),
        None => bodiless(StatusCode::NOT_ACCEPTABLE),
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    response
}

fn bodiless(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// A schema document: one that is asked for by its hash never changes.
fn schema<B>(request: &Request<B>, document: Document) -> Response<Body> {
    let hash = document.etag.trim_matches('"').to_owned();
    let query = request.uri().query().unwrap_or_default();
    let by_hash = query.split('&').any(|pair| pair.strip_prefix("hash=").is_some_and(|asked| asked == hash));
    let mut response = served_as_file(request, document, "application/json");
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if by_hash {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        if let Ok(ends) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now() + YEAR)) {
            headers.insert(EXPIRES, ends);
        }
    }
    response
}

/// A document as upstream's file handler sends it.
fn served_as_file<B>(request: &Request<B>, document: Document, content_type: &str) -> Response<Body> {
    let mut response = tagged(request, document, content_type);
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
    if let Ok(made) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(LAST_MODIFIED, made);
    }
    response
}

/// A document with its tag, or the word that the client has it already.
fn tagged<B>(request: &Request<B>, document: Document, content_type: &str) -> Response<Body> {
    let Document { body, etag } = document;
    let mut response = if is_known(request, &etag) {
        let mut response = Response::new(full(""));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut coded = HeaderMap::new();
        let body = headers::compressed(request.headers(), &mut coded, body);
        let mut response = render::response(200, content_type, body);
        response.headers_mut().extend(coded);
        response
    };
    if let Ok(tag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Whether the client has a document with this tag.
fn is_known<B>(request: &Request<B>, etag: &str) -> bool {
    render::header(request.headers(), &IF_NONE_MATCH).split(',').any(|known| known.trim() == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;
    use http_body_util::BodyExt as _;

    const OLD: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const NEW: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

    fn ask(accept: &str, known: &str, json: &str) -> Response<Body> {
        let request = Request::get("/openapi/v2").header(IF_NONE_MATCH, known).body(()).unwrap();
        let made = || Document { body: json.to_owned().into_bytes(), etag: "\"tag\"".to_owned() };
        openapi_v2(&request, OpenApi::negotiate(accept), made)
    }

    fn header<'a>(response: &'a Response<Body>, name: &http::HeaderName) -> Vec<&'a str> {
        response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn openapi_v2_in_every_form() {
        let json = r#"{"swagger":"2.0"}"#;
        for (accept, known, status, content_type, body) in [
            ("", "", 200, Some("application/json"), json),
            ("application/json", "\"other\"", 200, Some("application/json"), json),
            (OLD, "", 200, Some(NEW), "\n\u{3}2.0"),
            (NEW, "", 200, Some(NEW), "\n\u{3}2.0"),
            (NEW, "\"a\", \"tag\"", 304, None, ""),
            ("application/json", "\"tag\"", 304, None, ""),
            ("application/yaml", "", 406, None, ""),
        ] {
            let response = ask(accept, known, json);
            assert_eq!(response.status(), status, "{accept}");
            assert_eq!(header(&response, &CONTENT_TYPE), content_type.into_iter().collect::<Vec<_>>(), "{accept}");
            assert_eq!(header(&response, &VARY), ["Accept-Encoding", "Accept"], "{accept}");
            let tags: &[&str] = if status == 406 { &[] } else { &["\"tag\""] };
            assert_eq!(header(&response, &ETAG), tags, "{accept}");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body, "{accept}");
        }
    }

    #[test]
    fn what_has_no_protobuf_is_served_as_json_only() {
        let unknown = r#"{"swager":"2.0"}"#;
        assert_eq!(ask(NEW, "", unknown).status(), 503);
        assert_eq!(ask("", "", unknown).status(), 200);
    }
}
