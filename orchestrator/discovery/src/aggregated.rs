//! Everything in one document: `APIGroupDiscoveryList` of apidiscovery.k8s.io/v2.

use coracle_apimachinery::schema::Resource;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use crate::GroupVersion;

/// The document of the core group (`/api`) or of all others (`/apis`).
#[must_use]
pub fn aggregated(all: &[GroupVersion<'_>], core: bool) -> Vec<u8> {
    let mut items: Vec<(&str, Vec<Value>)> = Vec::new();
    for group_version in all.iter().filter(|group_version| group_version.group.is_empty() == core) {
        let version = json!({
            "version": group_version.version,
            "resources": resources(&group_version.resources),
            "freshness": "Current",
        });
        match items.iter_mut().find(|(group, _)| *group == group_version.group) {
            Some((_, versions)) => versions.push(version),
            None => items.push((&group_version.group, vec![version])),
        }
    }
    let item = |(group, versions): (&str, Vec<Value>)| {
        let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
        json!({"metadata": metadata, "versions": versions})
    };
    let items: Vec<Value> = items.into_iter().map(item).collect();
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    let mut bytes = list.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// The tag of a document, in quotes.
#[must_use]
pub fn etag(document: &[u8]) -> String {
    format!("\"{}\"", hex::encode_upper(Sha512::digest(document)))
}

fn resources(all: &[&Resource]) -> Vec<Value> {
    let is_main = |resource: &&&Resource| !resource.name.contains('/');
    all.iter().filter(is_main).map(|resource| one(resource, all)).collect()
}

fn one(resource: &Resource, all: &[&Resource]) -> Value {
    let prefix = format!("{}/", resource.name);
    let subresources: Vec<Value> = all
        .iter()
        .filter_map(|candidate| {
            let name = candidate.name.strip_prefix(&prefix)?;
            Some(json!({"subresource": name, "responseKind": response_kind(candidate), "verbs": candidate.verbs}))
        })
        .collect();
    let mut members = Map::new();
    members.insert("resource".to_owned(), json!(resource.name));
    members.insert("responseKind".to_owned(), response_kind(resource));
    members.insert("scope".to_owned(), json!(if resource.namespaced { "Namespaced" } else { "Cluster" }));
    members.insert("singularResource".to_owned(), json!(resource.singular.as_deref().unwrap_or_default()));
    members.insert("verbs".to_owned(), json!(resource.verbs));
    for (name, list) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !list.is_empty() {
            members.insert(name.to_owned(), json!(list));
        }
    }
    if !subresources.is_empty() {
        members.insert("subresources".to_owned(), Value::Array(subresources));
    }
    Value::Object(members)
}

/// Group and version are only said where they differ from where the resource stands.
fn response_kind(resource: &Resource) -> Value {
    let text = |text: &Option<std::borrow::Cow<'static, str>>| text.as_deref().unwrap_or_default().to_owned();
    json!({"group": text(&resource.group), "version": text(&resource.version), "kind": resource.kind})
}
