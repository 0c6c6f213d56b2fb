//! Discovery documents of the present registry.

use std::borrow::Cow;

use coracle_apimachinery::schema::Resource;
use coracle_discovery::{self as documents, GroupVersion};
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HOST, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Request, Response, StatusCode};

use super::{Body, Front, full, render};
use crate::http::accept::{self, Offers};
use crate::http::headers;
use crate::http::path::Page;
use crate::registry::Registry;

/// Answers a request for a document.
pub(super) fn answer<B>(front: &Front, page: &Page, request: &Request<B>) -> Response<Body> {
    let accepted = render::header(request.headers(), &ACCEPT);
    let registry = front.api.registry();
    let all = served(&registry);
    if let Page::CoreVersions | Page::Groups = page
        && let Ok(output) = accept::negotiate(accepted, &Offers::AGGREGATED, false)
    {
        let document = documents::aggregated(&all, *page == Page::CoreVersions);
        return tagged(request, document, &output.content_type());
    }
    let offers = match page {
        Page::Groups | Page::Group { .. } => &Offers::GROUPS,
        _ => &Offers::DISCOVERY,
    };
    if let Err(status) = accept::negotiate(accepted, offers, false) {
        return render::failed(&status);
    }
    let document = match page {
        Page::CoreVersions => Some(documents::core_versions(render::header(request.headers(), &HOST))),
        Page::CoreResources { version } => documents::resources(&all, "", version),
        Page::Groups => Some(documents::groups(&all)),
        Page::Group { group } => documents::group(&all, group),
        Page::GroupResources { group, version } => documents::resources(&all, group, version),
        // OpenAPI joins with its own documents; clients that ask for it go on without when it is not found.
        Page::OpenApiV2 | Page::OpenApiV3 | Page::OpenApiV3Schema { .. } | Page::Version | Page::Other => None,
    };
    match document {
        Some(document) => render::response(200, "application/json", document),
        None => super::system::text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
    }
}

/// Built-in group-versions, then those of run-time kinds by name.
fn served(registry: &Registry) -> Vec<GroupVersion<'_>> {
    let mut all = documents::built_in();
    let mut custom: Vec<(&str, &str, Vec<&Resource>)> = Vec::new();
    for row in registry.rows().filter(|row| row.is_custom()) {
        match custom.iter_mut().find(|(group, version, _)| *group == row.group && *version == row.version) {
            Some((_, _, resources)) => resources.extend(row.announced()),
            None => custom.push((&row.group, &row.version, row.announced().collect())),
        }
    }
    all.extend(custom.into_iter().map(|(group, version, resources)| GroupVersion {
        group: Cow::Borrowed(group),
        version: Cow::Borrowed(version),
        resources,
    }));
    all
}

/// A document with its tag, or the word that the client has it already.
fn tagged<B>(request: &Request<B>, document: Vec<u8>, content_type: &str) -> Response<Body> {
    let tag = documents::etag(&document);
    let same = render::header(request.headers(), &IF_NONE_MATCH).split(',').any(|known| known.trim() == tag);
    let mut response = if same { Response::new(full("")) } else { render::response(200, content_type, document) };
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers::set_content_type(response.headers_mut(), content_type);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
