//! The operations that are not about resources: discovery itself, the version, and the keys of service accounts.

use super::model::{Leaf, Model};
use super::names::{identifier, operation, short_group, tag};
use super::operation::{ALL, Items, JSON, Operation, add};
use crate::group::GroupVersion;

const JSON_ONLY: &[&str] = &[JSON];
const KEY_SET: &[&str] = &["application/jwk-set+json"];

fn reading(id: String, tag: String, answer: Option<Model>, types: &'static [&'static str]) -> Operation {
    Operation {
        method: "get",
        id,
        tag,
        action: None,
        parameters: Vec::new(),
        body: None,
        consumes: types,
        produces: types,
        answer,
        statuses: &["200"],
    }
}

/// The list of the resources of a group-version.
pub(super) fn resources(group_version: &GroupVersion, items: &mut Items) {
    let (group, version) = (&group_version.group, &group_version.version);
    let id = operation("get", group, version, "APIResources");
    let answer = Model::meta("APIResourceList");
    add(items, format!("{}/", group_version.path()), reading(id, tag(group, version), answer, ALL));
}

/// The versions of a group.
pub(super) fn group(group: &str, items: &mut Items) {
    let short = short_group(group);
    let id = format!("get{}APIGroup", identifier(short, true));
    add(items, format!("/apis/{group}/"), reading(id, identifier(short, false), Model::meta("APIGroup"), ALL));
}

/// Documents that every server has: their keys in the index of v3.
pub(super) const ALWAYS: [&str; 5] = [".well-known/openid-configuration", "api", "apis", "openid/v1/jwks", "version"];

/// The operation of one of [`ALWAYS`].
pub(super) fn always(key: &str, items: &mut Items) {
    let (id, tag, answer, types) = match key {
        ".well-known/openid-configuration" => {
            let mut found = reading(
                "getServiceAccountIssuerOpenIDConfiguration".to_owned(),
                "WellKnown".to_owned(),
                None,
                JSON_ONLY,
            );
            found.consumes = &[];
            return add(items, format!("/{key}/"), found);
        }
        "openid/v1/jwks" => {
            let mut found =
                reading("getServiceAccountIssuerOpenIDKeyset".to_owned(), "openid".to_owned(), None, KEY_SET);
            found.consumes = &[];
            return add(items, format!("/{key}/"), found);
        }
        "api" => ("getCoreAPIVersions", "core", Model::meta("APIVersions"), ALL),
        "apis" => ("getAPIVersions", "apis", Model::meta("APIGroupList"), ALL),
        "version" => ("getCodeVersion", "version", Some(Model::Leaf(Leaf::VersionInfo)), JSON_ONLY),
        _ => return,
    };
    add(items, format!("/{key}/"), reading(id.to_owned(), tag.to_owned(), answer, types));
}
