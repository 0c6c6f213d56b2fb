//! Discovery as it was before aggregation: one document per group and one per group-version.

use crate::group::{GroupVersion, groups};
use crate::json::Json;
use coracle_apimachinery::schema::Resource;

/// `/api`, with the address under which clients reach this server.
pub fn legacy_core_versions(all: &[GroupVersion], server_address: &str) -> Vec<u8> {
    let core = all.iter().filter(|group_version| group_version.group.is_empty());
    Json::document(|json| {
        json.member("kind", "APIVersions");
        json.key("versions").texts(core.map(|group_version| group_version.version.as_ref()));
        json.key("serverAddressByClientCIDRs").array(|json| {
            json.object(|json| {
                json.member("clientCIDR", "0.0.0.0/0");
                json.member("serverAddress", server_address);
            });
        });
    })
}

/// `/apis`.
pub fn legacy_groups(all: &[GroupVersion]) -> Vec<u8> {
    Json::document(|json| {
        json.member("kind", "APIGroupList");
        json.member("apiVersion", "v1");
        json.key("groups").array(|json| {
            for (name, versions) in groups(all) {
                json.object(|json| group_members(json, name, &versions));
            }
        });
    })
}

/// `/apis/GROUP`; `None` if there is no such group.
pub fn legacy_group(all: &[GroupVersion], group: &str) -> Option<Vec<u8>> {
    let (name, versions) = groups(all).into_iter().find(|(name, _)| *name == group)?;
    Some(Json::document(|json| {
        json.member("kind", "APIGroup");
        json.member("apiVersion", "v1");
        group_members(json, name, &versions);
    }))
}

/// `/api/v1` or `/apis/GROUP/VERSION`.
pub fn legacy_resources(group_version: &GroupVersion) -> Vec<u8> {
    Json::document(|json| {
        json.member("kind", "APIResourceList");
        // The core group keeps the form it had before lists of resources had a version of their own.
        if !group_version.group.is_empty() {
            json.member("apiVersion", "v1");
        }
        json.member("groupVersion", &group_version.api_version());
        json.key("resources").array(|json| group_version.resources.iter().for_each(|found| resource(json, found)));
    })
}

fn group_members(json: &mut Json, name: &str, versions: &[&GroupVersion]) {
    let version = |json: &mut Json, of: &GroupVersion| {
        json.object(|json| {
            json.member("groupVersion", &of.api_version());
            json.member("version", &of.version);
        });
    };
    json.member("name", name);
    json.key("versions").array(|json| versions.iter().for_each(|of| version(json, of)));
    if let Some(preferred) = versions.first() {
        json.key("preferredVersion");
        version(json, preferred);
    }
}

fn resource(json: &mut Json, of: &Resource) {
    json.object(|json| {
        json.member("name", &of.name);
        json.member("singularName", of.singular.as_deref().unwrap_or_default());
        json.key("namespaced").raw(if of.namespaced { "true" } else { "false" });
        for (key, value) in [("group", &of.group), ("version", &of.version)] {
            if let Some(value) = value {
                json.member(key, value);
            }
        }
        json.member("kind", &of.kind);
        json.key("verbs").texts(of.verbs.iter().map(AsRef::as_ref));
        for (key, values) in [("shortNames", &of.short_names), ("categories", &of.categories)] {
            if !values.is_empty() {
                json.key(key).texts(values.iter().map(AsRef::as_ref));
            }
        }
        if let Some(hash) = &of.storage_hash {
            json.member("storageVersionHash", hash);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{CustomKind, Resources, Types, built_in};
    use crate::recordings::{assert_same, recorded};

    fn of(name: &str) -> Vec<u8> {
        legacy_resources(built_in().iter().find(|group_version| group_version.api_version() == name).unwrap())
    }

    #[test]
    fn recordings() {
        let all = built_in();
        for (name, document) in [
            ("discovery-legacy-core-versions", legacy_core_versions(&all, "<address>")),
            ("discovery-legacy-groups", legacy_groups(&all)),
            ("discovery-legacy-core", of("v1")),
            ("discovery-legacy-apps", of("apps/v1")),
            ("discovery-legacy-autoscaling-v2", of("autoscaling/v2")),
            ("discovery-legacy-batch", of("batch/v1")),
            ("discovery-group-apps", legacy_group(&all, "apps").unwrap()),
            ("discovery-group-autoscaling", legacy_group(&all, "autoscaling").unwrap()),
        ] {
            assert_same(name, &document, &recorded(name));
        }
        assert_eq!(legacy_group(&all, "none"), None);
        assert_eq!(legacy_group(&all, ""), None);
    }

    #[test]
    fn custom_resources() {
        let kind = CustomKind {
            kind: "Widget".to_owned(),
            list_kind: "WidgetList".to_owned(),
            plural: "widgets".to_owned(),
            namespaced: true,
            schema: serde_json::Value::Null,
            status: true,
            scale: true,
            selectable_fields: Vec::new(),
        };
        let hash = crate::storage_version_hash("oracle.example.com", "v1", "Widget");
        let resources = kind.resources("widget", &["wd".to_owned()], &["all".to_owned()], &hash);
        let group_version = GroupVersion {
            group: "oracle.example.com".into(),
            version: "v1".into(),
            resources: Resources::Made(resources.into()),
            types: Types::Custom(vec![kind]),
        };
        assert_same("custom-discovery", &legacy_resources(&group_version), &recorded("custom-discovery"));
    }
}
