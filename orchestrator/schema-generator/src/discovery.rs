//! The published discovery documents: group-versions, their resources and the verbs of each.

use crate::Error;
use crate::modules::Modules;
use serde_json::Value;

const MODULE: &str = "k8s.io/kubernetes";
const DIRECTORY: &str = "api/discovery/";

/// One group-version with its resource lines, ready for the table.
#[derive(Debug)]
pub struct GroupVersion {
    /// API group; empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// `resource …` lines in the order of the document.
    pub resources: Vec<String>,
}

/// Reads every group-version document.
pub fn load(modules: &Modules) -> Result<Vec<GroupVersion>, Error> {
    let mut found = Vec::new();
    for path in modules.list(MODULE, DIRECTORY)? {
        let document: Value = serde_json::from_slice(&modules.bytes(MODULE, &path)?)
            .map_err(|error| Error::source(&path, error.to_string()))?;
        if document.get("kind").and_then(Value::as_str) != Some("APIResourceList") {
            continue;
        }
        let group_version = text(&document, "groupVersion").ok_or_else(|| Error::source(&path, "no groupVersion"))?;
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        let resources = document.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let resources = resources.iter().map(|resource| line(&path, resource)).collect::<Result<_, _>>()?;
        found.push(GroupVersion { group: group.to_owned(), version: version.to_owned(), resources });
    }
    Ok(found)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn list(value: &Value, key: &str) -> Option<String> {
    let items = value.get(key)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
}

fn line(path: &str, resource: &Value) -> Result<String, Error> {
    let missing = |key: &str| Error::source(format!("{path}: resource {resource}"), format!("no {key}"));
    let name = text(resource, "name").ok_or_else(|| missing("name"))?;
    let kind = text(resource, "kind").ok_or_else(|| missing("kind"))?;
    let scope = if resource.get("namespaced") == Some(&Value::Bool(true)) { "namespaced" } else { "cluster" };
    let mut out = format!("resource {name} {kind} {scope}");
    let attributes = [
        ("singular", text(resource, "singularName").map(str::to_owned)),
        ("group", text(resource, "group").map(str::to_owned)),
        ("version", text(resource, "version").map(str::to_owned)),
        ("short", list(resource, "shortNames")),
        ("categories", list(resource, "categories")),
        ("verbs", list(resource, "verbs")),
        ("hash", text(resource, "storageVersionHash").map(str::to_owned)),
    ];
    for (key, value) in attributes {
        if let Some(value) = value {
            out.push_str(&format!(" {key}={value}"));
        }
    }
    Ok(out)
}
