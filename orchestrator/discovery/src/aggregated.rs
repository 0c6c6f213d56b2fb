//! Aggregated discovery: one document for everything, `apidiscovery.k8s.io/v2`.
//!
//! The real server of this release refuses the earlier `v2beta1` with 406, so there is no such form here either.

use crate::document::Document;
use crate::group::{GroupVersion, groups};
use crate::json::Json;
use coracle_apimachinery::schema::Resource;

/// The content type of the document.
pub const MEDIA_TYPE: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/api` (for the core group) or `/apis` (for all others) as an `APIGroupDiscoveryList`, with its entity tag.
pub fn aggregated(all: &[GroupVersion], core: bool) -> Document {
    Document::new(Json::document(|json| {
        json.member("kind", "APIGroupDiscoveryList");
        json.member("apiVersion", "apidiscovery.k8s.io/v2");
        json.key("metadata").object(|_| {});
        json.key("items").array(|json| {
            if core {
                let versions: Vec<_> = all.iter().filter(|group_version| group_version.group.is_empty()).collect();
                group(json, "", &versions);
            } else {
                groups(all).iter().for_each(|(name, versions)| group(json, name, versions));
            }
        });
    }))
}

fn group(json: &mut Json, name: &str, versions: &[&GroupVersion]) {
    json.object(|json| {
        json.key("metadata").object(|json| {
            if !name.is_empty() {
                json.member("name", name);
            }
        });
        json.key("versions").array(|json| {
            for group_version in versions {
                json.object(|json| {
                    json.member("version", &group_version.version);
                    json.key("resources").array(|json| resources(json, group_version));
                    json.member("freshness", "Current");
                });
            }
        });
    });
}

fn resources(json: &mut Json, group_version: &GroupVersion) {
    let mut tops: Vec<&Resource> = group_version.resources.iter().filter(|found| !found.name.contains('/')).collect();
    // CustomResourceDefinitions come in any order in the other documents, here by name.
    if group_version.is_custom() {
        tops.sort_by(|one, other| one.name.cmp(&other.name));
    }
    for top in tops {
        json.object(|json| {
            json.member("resource", &top.name);
            response_kind(json, group_version, top);
            json.member("scope", if top.namespaced { "Namespaced" } else { "Cluster" });
            json.member("singularResource", top.singular.as_deref().unwrap_or_default());
            json.key("verbs").texts(top.verbs.iter().map(AsRef::as_ref));
            for (key, values) in [("shortNames", &top.short_names), ("categories", &top.categories)] {
                if !values.is_empty() {
                    json.key(key).texts(values.iter().map(AsRef::as_ref));
                }
            }
            subresources(json, group_version, &top.name);
        });
    }
}

fn subresources(json: &mut Json, group_version: &GroupVersion, of: &str) {
    let mut found = group_version
        .resources
        .iter()
        .filter_map(|candidate| {
            candidate.name.split_once('/').filter(|(top, _)| *top == of).map(|(_, name)| (name, candidate))
        })
        .peekable();
    if found.peek().is_none() {
        return;
    }
    json.key("subresources").array(|json| {
        for (name, subresource) in found {
            json.object(|json| {
                json.member("subresource", name);
                response_kind(json, group_version, subresource);
                json.key("verbs").texts(subresource.verbs.iter().map(AsRef::as_ref));
            });
        }
    });
}

/// The group and version of a kind. Built-in resources leave their own out, custom ones spell it.
fn response_kind(json: &mut Json, group_version: &GroupVersion, resource: &Resource) {
    let own = match &resource.version {
        None if group_version.is_custom() => (group_version.group.as_ref(), group_version.version.as_ref()),
        version => (resource.group.as_deref().unwrap_or_default(), version.as_deref().unwrap_or_default()),
    };
    json.key("responseKind").object(|json| {
        json.member("group", own.0);
        json.member("version", own.1);
        json.member("kind", &resource.kind);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::built_in;
    use crate::recordings::{assert_same, header, recorded};

    #[test]
    fn recordings() {
        let all = built_in();
        for (name, core) in [("discovery-aggregated-core", true), ("discovery-aggregated-groups", false)] {
            let document = aggregated(&all, core);
            assert_same(name, &document.body, &recorded(name));
            assert_eq!(header(name, "content-type"), MEDIA_TYPE);
            assert_eq!(header(name, "etag").len(), "\"<hash>\"".len());
            assert_eq!(document.etag, crate::etag(&document.body));
            assert_eq!(document.etag.len(), 130);
            assert!(
                document.etag.bytes().all(|byte| byte == b'"' || byte.is_ascii_digit() || byte.is_ascii_uppercase())
            );
        }
    }

    #[test]
    fn the_same_each_time() {
        assert_eq!(aggregated(&built_in(), false), aggregated(&built_in(), false));
        assert_ne!(aggregated(&built_in(), false).etag, aggregated(&built_in()[..3], false).etag);
    }
}
