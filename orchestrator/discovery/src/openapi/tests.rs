//! The documents against recordings and against the published ones in the locked module.

use super::*;
use crate::group::built_in;
use crate::recordings::{assert_same, bare, recorded, remove_descriptions};
use schema_generator::modules::{Modules, default_cache};
use serde_json::Value;

const MODULE: &str = "k8s.io/kubernetes";

#[test]
fn recorded_v3_of_apps() {
    let document = openapi_v3_document(&built_in(), "apis/apps/v1").unwrap();
    assert_same("apps", &bare(&document.body), &recorded("discovery-openapi-v3-apps"));
}

#[test]
fn recorded_v2() {
    assert_same("v2", &bare(&openapi_v2(&built_in()).body), &recorded("discovery-openapi-v2"));
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
            members.retain(|key, value| !(key.contains("cbor") || key == "enum" && value.is_array()));
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
        let mut ours: Value = serde_json::from_slice(&bare(&openapi_v3_document(&all, &path).unwrap().body)).unwrap();
        as_published(&mut ours);
        assert_same(&path, ours.to_string().as_bytes(), &published);
    }
}
