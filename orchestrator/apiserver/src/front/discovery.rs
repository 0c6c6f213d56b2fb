//! Discovery and OpenAPI documents of the present registry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use coracle_discovery::{self as documents, Document, GroupVersion};
use http::header::{
    ACCEPT, ACCEPT_RANGES, CACHE_CONTROL, ETAG, EXPIRES, HOST, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, Request, Response, StatusCode};

use super::{Body, Front, full, render};
use crate::http::accept::{self, Offers};
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
        Page::OpenApiV2 => {
            let mut response = served_as_file(request, documents::openapi_v2(&all), "application/json");
            response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
            return response;
        }
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
    let known = render::header(request.headers(), &IF_NONE_MATCH);
    let mut response = if known.split(',').any(|known| known.trim() == etag) {
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
