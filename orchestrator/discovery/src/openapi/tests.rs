//! The documents against recordings, against the published ones in the locked module, and for custom kinds.

use super::*;
use crate::group::{CustomKind, Resources, Types, built_in};
use crate::recordings::{assert_same, recorded, remove_descriptions};
use coracle_apimachinery::schema::Resource;
use schema_generator::modules::{Modules, default_cache};
use serde_json::Value;

const MODULE: &str = "k8s.io/kubernetes";

#[test]
fn recorded_v3_of_apps() {
    let document = openapi_v3_document(&built_in(), "apis/apps/v1").unwrap();
    assert_same("apps", &document.body, &recorded("discovery-openapi-v3-apps"));
}

#[test]
fn recorded_v2() {
    assert_same("v2", &openapi_v2(&built_in()).body, &recorded("discovery-openapi-v2"));
}

#[test]
fn recorded_index() {
    let all = built_in();
    let index = openapi_v3_index(&all);
    let mut value: Value = serde_json::from_slice(&index.body).unwrap();
    for (path, entry) in value["paths"].as_object_mut().unwrap() {
        let url = entry["serverRelativeURL"].as_str().unwrap().to_owned();
        let document = openapi_v3_document(&all, path).unwrap();
        assert_eq!(url, openapi_v3_url(path, &document.etag));
        let hash = url.rsplit('=').next().unwrap();
        assert!(hash.len() == 128 && hash.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        entry["serverRelativeURL"] = url.replace(hash, "<hash>").into();
    }
    assert_same("index", value.to_string().as_bytes(), &recorded("discovery-openapi-v3"));
    assert_eq!(openapi_v3_document(&all, "apis/none/v1"), None);
    assert_eq!(openapi_v3_document(&all, "apis/none"), None);
    assert_eq!(openapi_v3_document(&all, "apis/"), None);
    assert_eq!(openapi_v3_document(&all, ""), None);
}

/// The published documents are made with other switches than the real server's default: with one more content type, and
/// without closed sets of values (which the recorded v2 document holds for every type).
fn as_published(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, value| !key.contains("cbor") && !(key == "enum" && value.is_array()));
            members.values_mut().for_each(as_published);
        }
        Value::Array(items) => items.iter_mut().for_each(as_published),
        _ => {}
    }
}

/// Every document but the recorded ones, as the locked module publishes it.
#[test]
fn published_v3() {
    let modules = Modules::open(&default_cache().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let all = built_in();
    let paths = openapi_v3_paths(&all);
    assert_eq!(paths.len(), 49);
    for path in paths {
        let file = format!("api/openapi-spec/v3/{}_openapi.json", path.replace('/', "__"));
        let bytes = modules.bytes(MODULE, &file).unwrap_or_else(|error| panic!("{error}"));
        let mut published: Value = serde_json::from_slice(&bytes).unwrap();
        remove_descriptions(&mut published);
        as_published(&mut published);
        published["info"]["version"] = super::INFO.1.into();
        let mut ours: Value = serde_json::from_slice(&openapi_v3_document(&all, &path).unwrap().body).unwrap();
        as_published(&mut ours);
        assert_same(&path, ours.to_string().as_bytes(), &published);
    }
}

/// CustomResourceDefinitions with what the real server made of them (sentences taken out): `samples/custom.json`.
fn custom_sample() -> (Vec<GroupVersion>, Value) {
    let sample: Value = serde_json::from_str(include_str!("samples/custom.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut group_versions = Vec::new();
    for version in ["v1", "v1beta1"] {
        let mut kinds = Vec::new();
        let mut resources = Vec::new();
        for definition in sample["definitions"].as_array().unwrap() {
            let spec = &definition["spec"];
            let names = &spec["names"];
            let Some(found) = spec["versions"].as_array().unwrap().iter().find(|found| found["name"] == version) else {
                continue;
            };
            let has = |subresource: &str| found["subresources"].get(subresource).is_some();
            let kind = text(&names["kind"]);
            let namespaced = spec["scope"] == "Namespaced";
            let texts = |value: &Value| value.as_array().into_iter().flatten().map(|of| text(of).into()).collect();
            let resource = |name: String, verbs: &str| Resource {
                name: name.into(),
                kind: kind.clone().into(),
                namespaced,
                verbs: verbs.split(' ').map(|verb| verb.to_owned().into()).collect(),
                ..Resource::default()
            };
            let plural = text(&names["plural"]);
            resources.push(Resource {
                singular: Some(text(&names["singular"]).into()),
                short_names: texts(&names["shortNames"]),
                categories: texts(&names["categories"]),
                ..resource(plural.clone(), "delete deletecollection get list patch create update watch")
            });
            if has("status") {
                resources.push(resource(format!("{plural}/status"), "get patch update"));
            }
            if has("scale") {
                resources.push(Resource {
                    kind: "Scale".into(),
                    group: Some("autoscaling".into()),
                    version: Some("v1".into()),
                    ..resource(format!("{plural}/scale"), "get patch update")
                });
            }
            kinds.push(CustomKind {
                list_kind: names.get("listKind").map_or_else(|| format!("{kind}List"), text),
                kind,
                plural,
                namespaced,
                schema: found["schema"]["openAPIV3Schema"].clone(),
                status: has("status"),
                scale: has("scale"),
                selectable_fields: Vec::new(),
            });
        }
        // Discovery takes them in any order.
        resources.rotate_left(1);
        group_versions.push(GroupVersion {
            group: "disc.example.com".into(),
            version: version.into(),
            resources: Resources::Made(resources.into()),
            types: Types::Custom(kinds),
        });
    }
    (group_versions, sample)
}

#[test]
fn custom_v3() {
    let (group_versions, sample) = custom_sample();
    for group_version in &group_versions {
        let version = group_version.version.as_ref();
        assert_same(version, &openapi_v3(group_version).body, &sample["v3"][version]);
    }
    let mut all = built_in();
    all.extend(group_versions);
    let paths = openapi_v3_paths(&all);
    assert_eq!(paths.len(), 51);
    assert!(paths.contains(&"apis/disc.example.com/v1".to_owned()));
    assert_eq!(openapi_v3_document(&all, "apis/disc.example.com"), None);
}

#[test]
fn custom_v2_beside_the_recorded_one() {
    let (group_versions, sample) = custom_sample();
    let mut all = built_in();
    all.extend(group_versions);
    let mut expected = recorded("discovery-openapi-v2");
    for part in ["definitions", "paths"] {
        for (key, value) in sample["v2"][part].as_object().unwrap() {
            expected[part][key] = value.clone();
        }
    }
    assert_same("v2", &openapi_v2(&all).body, &expected);
}

#[test]
fn custom_aggregated() {
    let (group_versions, sample) = custom_sample();
    let body: Value = serde_json::from_slice(&crate::aggregated(&group_versions, false).body).unwrap();
    assert_same("aggregated", body["items"][0].to_string().as_bytes(), &sample["aggregated"]);
}

#[test]
fn selectable_fields_are_told() {
    let (mut group_versions, _) = custom_sample();
    if let Types::Custom(kinds) = &mut group_versions[0].types {
        kinds[0].selectable_fields = vec![".spec.colour".to_owned()];
    }
    let document: Value = serde_json::from_slice(&openapi_v3(&group_versions[0]).body).unwrap();
    let schemas = &document["components"]["schemas"];
    for kind in ["com.example.disc.v1.Gear", "com.example.disc.v1.GearList"] {
        let told = serde_json::json!([{"fieldPath": "spec.colour"}]);
        assert_eq!(schemas[kind]["x-kubernetes-selectable-fields"], told, "{kind}");
    }
}
