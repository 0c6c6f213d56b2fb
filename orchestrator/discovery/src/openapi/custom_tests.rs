//! Documents of custom kinds against those that the real server made of the same CustomResourceDefinitions.

use super::*;
use crate::group::{CustomKind, Resources, Types, built_in};
use crate::recordings::{assert_same, bare, recorded};
use coracle_apimachinery::schema::Resource;
use serde_json::{Value, json};

/// CustomResourceDefinitions with what the real server made of them, without sentences: the first for the paths, the
/// second for the rules by which schemas are published.
const SAMPLES: [(&str, &str); 2] = [
    ("disc.example.com", include_str!("samples/custom.json")),
    ("disc2.example.com", include_str!("samples/rules.json")),
];

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// One version of a CustomResourceDefinition, and its resources.
fn custom_kind(spec: &Value, version: &str) -> Option<(CustomKind, Vec<Resource>)> {
    let names = &spec["names"];
    let found = spec["versions"].as_array()?.iter().find(|found| found["name"] == version)?;
    let has = |subresource: &str| found["subresources"].get(subresource).is_some();
    let selectable = found["selectableFields"].as_array().into_iter().flatten();
    let kind = CustomKind {
        list_kind: names.get("listKind").map_or_else(|| format!("{}List", text(&names["kind"])), text),
        kind: text(&names["kind"]),
        plural: text(&names["plural"]),
        namespaced: spec["scope"] == "Namespaced",
        schema: found["schema"]["openAPIV3Schema"].clone(),
        status: has("status"),
        scale: has("scale"),
        selectable_fields: selectable.map(|field| text(&field["jsonPath"])).collect(),
    };
    let (singular, short, categories) =
        (text(&names["singular"]), texts(&names["shortNames"]), texts(&names["categories"]));
    let resources = kind.resources(&singular, &short, &categories, "hash");
    Some((kind, resources))
}

fn custom_group_versions(group: &str, sample: &Value) -> Vec<GroupVersion> {
    let versions: Vec<String> = sample["v3"].as_object().unwrap().keys().cloned().collect();
    let of_version = |version: String| {
        let definitions = sample["definitions"].as_array().unwrap().iter();
        let found = definitions.filter_map(|definition| custom_kind(&definition["spec"], &version));
        // Definitions come in any order.
        let (mut kinds, mut resources): (Vec<_>, Vec<_>) = found.unzip();
        kinds.reverse();
        resources.reverse();
        GroupVersion {
            group: group.to_owned().into(),
            version: version.into(),
            resources: Resources::Made(resources.into_iter().flatten().collect()),
            types: Types::Custom(kinds),
        }
    };
    versions.into_iter().map(of_version).collect()
}

pub(super) fn samples() -> Vec<(Vec<GroupVersion>, Value)> {
    let read = |(group, sample): (&str, &str)| {
        let sample: Value = serde_json::from_str(sample).unwrap();
        (custom_group_versions(group, &sample), sample)
    };
    SAMPLES.map(read).into()
}

#[test]
fn custom_v3() {
    for (group_versions, sample) in samples() {
        for group_version in &group_versions {
            let expected = &sample["v3"][group_version.version.as_ref()];
            assert_same(&group_version.api_version(), &bare(&openapi_v3(group_version).body), expected);
        }
    }
}

#[test]
fn custom_groups_have_documents_for_their_versions_only() {
    let mut all = built_in();
    all.extend(samples().into_iter().flat_map(|(group_versions, _)| group_versions));
    let paths = openapi_v3_paths(&all);
    assert_eq!(paths.len(), 52);
    assert!(paths.contains(&"apis/disc.example.com/v1".to_owned()));
    assert_eq!(openapi_v3_document(&all, "apis/disc.example.com"), None);
}

#[test]
fn custom_v2_beside_the_recorded_one() {
    let mut all = built_in();
    let mut expected = recorded("discovery-openapi-v2");
    for (group_versions, sample) in samples() {
        all.extend(group_versions);
        for part in ["definitions", "paths"] {
            for (key, value) in sample["v2"][part].as_object().unwrap() {
                expected[part][key] = value.clone();
            }
        }
    }
    assert_same("v2", &bare(&openapi_v2(&all).body), &expected);
}

#[test]
fn custom_aggregated() {
    for (group_versions, sample) in samples() {
        let body: Value = serde_json::from_slice(&crate::aggregated(&group_versions, false).body).unwrap();
        assert_same("aggregated", body["items"][0].to_string().as_bytes(), &sample["aggregated"]);
    }
}

#[test]
fn sentences_of_users_stay() {
    let (group_versions, _) = &samples()[1];
    for (document, place) in
        [(openapi_v3(&group_versions[0]), "/components/schemas"), (openapi_v2(group_versions), "/definitions")]
    {
        let value: Value = serde_json::from_slice(&document.body).unwrap();
        let schema = &value.pointer(place).unwrap()["com.example.disc2.v1.Spring"];
        assert_eq!(schema["description"], "my words");
        assert_eq!(schema["properties"]["spec"]["properties"]["a"]["description"], "words of a");
    }
}

/// Shapes that a schema may have beyond the samples.
#[test]
fn integers_or_strings() {
    let plain = json!([{"type": "integer"}, {"type": "string"}]);
    let other = json!([{"minLength": 1}]);
    for (schema, published) in [
        (
            json!({"x-kubernetes-int-or-string": true, "anyOf": other}),
            json!({"x-kubernetes-int-or-string": true, "anyOf": other, "allOf": [{"anyOf": plain}]}),
        ),
        (
            json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": plain}]}),
            json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": plain}]}),
        ),
        (json!({"x-kubernetes-int-or-string": false, "type": "string", "default": null}), json!({"type": "string"})),
    ] {
        let (group_versions, _) = samples().swap_remove(0);
        let mut group_version = group_versions[0].clone();
        if let Types::Custom(kinds) = &mut group_version.types {
            kinds.retain(|kind| kind.kind == "Gear");
            kinds[0].schema = json!({"type": "object", "properties": {"x": schema}});
        }
        let document: Value = serde_json::from_slice(&openapi_v3(&group_version).body).unwrap();
        let found = &document["components"]["schemas"]["com.example.disc.v1.Gear"]["properties"]["x"];
        assert_eq!(*found, published);
    }
}
