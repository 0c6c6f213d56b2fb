//! One document for each question: versions, groups, one group, resources of a group-version.

use coracle_apimachinery::schema::Resource;
use serde_json::{Map, Value, json};

use crate::GroupVersion;

/// `/api`.
#[must_use]
pub fn core_versions(server_address: &str) -> Vec<u8> {
    let address = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]);
    bytes(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address}))
}

/// `/apis`.
#[must_use]
pub fn groups(all: &[GroupVersion<'_>]) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    for group_version in all.iter().filter(|group_version| !group_version.group.is_empty()) {
        if !names.contains(&&*group_version.group) {
            names.push(&group_version.group);
        }
    }
    let groups: Vec<Value> = names.iter().filter_map(|name| group_value(all, name)).collect();
    bytes(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/GROUP`; `None` when the group is not served.
#[must_use]
pub fn group(all: &[GroupVersion<'_>], name: &str) -> Option<Vec<u8>> {
    let mut value = group_value(all, name)?;
    if let Some(members) = value.as_object_mut() {
        members.insert("kind".to_owned(), json!("APIGroup"));
        members.insert("apiVersion".to_owned(), json!("v1"));
    }
    Some(bytes(&value))
}

fn group_value(all: &[GroupVersion<'_>], name: &str) -> Option<Value> {
    let of_group = all.iter().filter(|group_version| group_version.group == name);
    let versions: Vec<Value> = of_group
        .map(|group_version| json!({"groupVersion": group_version.api_version(), "version": group_version.version}))
        .collect();
    let preferred = versions.first()?.clone();
    Some(json!({"name": name, "versions": versions, "preferredVersion": preferred}))
}

/// `/api/VERSION` and `/apis/GROUP/VERSION`; `None` when it is not served.
#[must_use]
pub fn resources(all: &[GroupVersion<'_>], group: &str, version: &str) -> Option<Vec<u8>> {
    let found = all.iter().find(|group_version| group_version.group == group && group_version.version == version)?;
    let resources: Vec<Value> = found.resources.iter().map(|resource| resource_value(resource)).collect();
    let mut list = Map::new();
    list.insert("kind".to_owned(), json!("APIResourceList"));
    // The core list has no apiVersion: its handler is older than the field.
    if !group.is_empty() {
        list.insert("apiVersion".to_owned(), json!("v1"));
    }
    list.insert("groupVersion".to_owned(), json!(found.api_version()));
    list.insert("resources".to_owned(), Value::Array(resources));
    Some(bytes(&Value::Object(list)))
}

fn resource_value(resource: &Resource) -> Value {
    let mut value = json!({
        "name": resource.name,
        "singularName": resource.singular.as_deref().unwrap_or_default(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": resource.verbs,
    });
    if let Some(members) = value.as_object_mut() {
        let texts = [
            ("group", resource.group.as_deref()),
            ("version", resource.version.as_deref()),
            ("storageVersionHash", resource.storage_hash.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                members.insert(name.to_owned(), json!(text));
            }
        }
        for (name, list) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
            if !list.is_empty() {
                members.insert(name.to_owned(), json!(list));
            }
        }
    }
    value
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}
