//! OpenAPI documents. They hold no sentences but the users' own, and are otherwise those of the real server.

mod custom;
#[cfg(test)]
mod custom_tests;
mod definitions;
mod discovery;
mod facts;
mod gnostic;
mod model;
mod names;
mod operation;
mod parameters;
mod resources;
#[cfg(test)]
mod tests;
mod v2;
mod v3;

use crate::document::{Document, hash};
use crate::group::{GroupVersion, groups};
use crate::json::Json;
pub use gnostic::{Error as ProtobufError, openapi_v2_to_protobuf};
use model::{Models, close};
use operation::Items;

/// Title and version of the documents.
const INFO: (&str, &str) = ("Kubernetes", "1.37");
/// How clients prove who they are.
const SECURITY: &str = r#"{"BearerToken":{"type":"apiKey","name":"authorization","in":"header"}}"#;

/// Where the index of v3 sends clients for a document with this entity tag or hash.
pub fn openapi_v3_url(path: &str, etag: &str) -> String {
    format!("/openapi/v3/{path}?hash={}", etag.trim_matches('"'))
}

/// The paths below `/openapi/v3/` that have documents, sorted.
pub fn openapi_v3_paths(all: &[GroupVersion]) -> Vec<String> {
    let mut paths: Vec<String> = discovery::ALWAYS.map(str::to_owned).into();
    paths.extend(all.iter().map(|group_version| group_version.path().trim_start_matches('/').to_owned()));
    // Custom groups have documents for their versions only.
    let built_in = groups(all).into_iter().filter(|(_, versions)| versions.iter().any(|of| !of.is_custom()));
    paths.extend(built_in.map(|(name, _)| format!("apis/{name}")));
    paths.sort_unstable();
    paths
}

/// `/openapi/v3`: every path with the address of its document. It makes each document once to know its hash.
pub fn openapi_v3_index(all: &[GroupVersion]) -> Document {
    Document::new(Json::document(|json| {
        json.key("paths").object(|json| {
            for path in openapi_v3_paths(all) {
                let Some(document) = body(all, &path) else { continue };
                let url = openapi_v3_url(&path, &hash(&document));
                json.key(&path).object(|json| json.member("serverRelativeURL", &url));
            }
        });
    }))
}

/// `/openapi/v3/PATH` for any path of [`openapi_v3_paths`].
pub fn openapi_v3_document(all: &[GroupVersion], path: &str) -> Option<Document> {
    body(all, path).map(Document::new)
}

/// The v3 document of a group-version.
pub fn openapi_v3(group_version: &GroupVersion) -> Document {
    Document::new(of_group_version(group_version))
}

/// `/openapi/v2`.
pub fn openapi_v2(all: &[GroupVersion]) -> Document {
    let mut items = Items::new();
    for path in discovery::ALWAYS {
        discovery::always(path, &mut items);
    }
    for (name, versions) in groups(all) {
        if versions.iter().any(|of| !of.is_custom()) {
            discovery::group(name, &mut items);
        }
    }
    for group_version in all {
        collect(group_version, &mut items);
    }
    let mut models = arrange(&mut items);
    if all.iter().any(GroupVersion::is_custom) {
        custom::close_over(&mut models);
    }
    Document::new(v2::document(&items, &models, all))
}

fn body(all: &[GroupVersion], path: &str) -> Option<Vec<u8>> {
    if let Some(found) = all.iter().find(|group_version| group_version.path().strip_prefix('/') == Some(path)) {
        return Some(of_group_version(found));
    }
    let mut items = Items::new();
    match path.strip_prefix("apis/") {
        Some(group) => {
            let found = groups(all).into_iter().find(|(name, _)| *name == group);
            if found.is_some_and(|(_, versions)| versions.iter().any(|of| !of.is_custom())) {
                discovery::group(group, &mut items);
            }
        }
        None => discovery::always(path, &mut items),
    }
    if items.is_empty() {
        return None;
    }
    let models = arrange(&mut items);
    Some(v3::document(&items, &models, None))
}

fn of_group_version(group_version: &GroupVersion) -> Vec<u8> {
    let mut items = Items::new();
    collect(group_version, &mut items);
    let mut models = arrange(&mut items);
    if group_version.is_custom() {
        custom::close_over(&mut models);
    }
    v3::document(&items, &models, Some(group_version))
}

fn collect(group_version: &GroupVersion, items: &mut Items) {
    if !group_version.is_custom() {
        discovery::resources(group_version, items);
    }
    resources::collect(group_version, items);
}

/// Brings all items into their order, and finds every model that they need.
fn arrange(items: &mut Items) -> Models {
    let mut models = Models::new();
    for item in items.values_mut() {
        item.arrange();
        for operation in &item.operations {
            let body = operation.body.as_ref().map(|body| &body.model);
            for model in body.into_iter().chain(&operation.answer) {
                if !models.contains_key(&model.name()) {
                    close(&mut models, model.clone());
                }
            }
        }
    }
    models
}
