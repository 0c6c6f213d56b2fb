//! The attributes behind a field or struct: list and map kinds, patch keys, unions, required, defaults. The published
//! OpenAPI schema is taken where it has the type; the markers and tags of the Go source cover the types it leaves out.

use crate::gosource::{Declared, Field, has_marker, marker};
use crate::openapi::{real_default, text, texts};
use crate::packages::Type;
use serde_json::Value;

/// Attributes of a struct, each with a leading blank.
pub(super) fn of_struct(declared: &Declared, component: Option<&Value>) -> String {
    let mut out = String::new();
    let kind = match component {
        Some(schema) => text(schema, "x-kubernetes-map-type"),
        None => marker(&declared.markers, "structType"),
    };
    if let Some(kind) = kind {
        out.push_str(&format!(" map={kind}"));
    }
    let unions = component.and_then(|schema| schema.get("x-kubernetes-unions")).and_then(Value::as_array);
    for union in unions.map(Vec::as_slice).unwrap_or_default() {
        let fields = union.get("fields-to-discriminateBy").and_then(Value::as_object);
        let members = fields
            .into_iter()
            .flatten()
            .map(|(field, value)| format!("{field}:{}", value.as_str().unwrap_or_default()));
        let members = members.collect::<Vec<_>>().join(",");
        out.push_str(&format!(" union={}({members})", text(union, "discriminator").unwrap_or_default()));
    }
    out
}

/// Attributes of a field except its default, each with a leading blank.
pub(super) fn of_field(resolved: &Type, field: &Field, component: Option<(&Value, &str)>) -> String {
    let mut out = String::new();
    let property = component.and_then(|(schema, name)| schema.get("properties")?.get(name));
    let required = match component {
        Some((schema, name)) => texts(schema, "required").contains(&name),
        None => {
            let optional = ["optional", "k8s:optional"].iter().any(|name| has_marker(&field.markers, name));
            !optional && !field.tag.option("omitempty") && !field.tag.option("omitzero")
        }
    };
    if required {
        out.push_str(" required");
    }
    match property {
        Some(property) => {
            if let Some(kind) = text(property, "x-kubernetes-list-type") {
                out.push_str(&list(kind, &texts(property, "x-kubernetes-list-map-keys")));
            }
            if let Some(kind) = text(property, "x-kubernetes-map-type") {
                out.push_str(&format!(" map={kind}"));
            }
            let patch = text(property, "x-kubernetes-patch-strategy");
            out.push_str(&patch_attributes(patch, text(property, "x-kubernetes-patch-merge-key")));
        }
        None => {
            if let Some(kind) = marker(&field.markers, "listType") {
                let keys: Vec<&str> = field.markers.iter().filter_map(|m| m.strip_prefix("listMapKey=")).collect();
                out.push_str(&list(kind, &keys));
            }
            if let Some(kind) = marker(&field.markers, "mapType").or_else(|| marker(&field.markers, "structType")) {
                out.push_str(&format!(" map={kind}"));
            }
            let tag = &field.tag;
            out.push_str(&patch_attributes(tag.patch_strategy.as_deref(), tag.patch_merge_key.as_deref()));
        }
    }
    if has_marker(&field.markers, "nullable") && matches!(resolved, Type::List(_) | Type::Map(_) | Type::Pointer(_)) {
        out.push_str(" nullable");
    }
    out
}

/// The default that the API sets, as compact JSON.
///
/// A `+default` marker counts as it stands unless it repeats the zero value of a field that cannot be told from absent.
pub(super) fn default(resolved: &Type, field: &Field, component: Option<(&Value, &str)>) -> Option<String> {
    let written = marker(&field.markers, "default").and_then(|value| serde_json::from_str::<Value>(value).ok());
    let published = component.and_then(|(schema, name)| real_default(schema.get("properties")?.get(name)?));
    match written {
        Some(value) if matches!(resolved, Type::Pointer(_)) => Some(value.to_string()),
        Some(value) => real_default(&serde_json::json!({ "default": value })),
        None => published,
    }
}

/// The declarative validation markers, without remarks behind them.
pub(super) fn validations(markers: &[String]) -> Vec<&str> {
    // `deprecated` tells of a field that is gone, not of the one below it.
    const ABOUT_CODE: [&str; 8] = [
        "k8s:deprecated",
        "k8s:deepcopy-gen",
        "k8s:prerelease-lifecycle-gen",
        "k8s:openapi",
        "k8s:conversion-gen",
        "k8s:protobuf-gen",
        "k8s:validation-gen",
        "k8s:defaulter-gen",
    ];
    let facts = markers.iter().filter(|marker| marker.starts_with("k8s:"));
    let facts = facts.filter(|marker| !ABOUT_CODE.iter().any(|about| marker.starts_with(about)));
    facts
        .map(|marker| marker.split(" # ").next().unwrap_or(marker).split(" // ").next().unwrap_or(marker).trim())
        .collect()
}

fn list(kind: &str, keys: &[&str]) -> String {
    if keys.is_empty() { format!(" list={kind}") } else { format!(" list={kind}({})", keys.join(",")) }
}

fn patch_attributes(strategy: Option<&str>, key: Option<&str>) -> String {
    let strategy = strategy.map(|strategy| format!(" patch={strategy}"));
    let key = key.map(|key| format!(" key={key}"));
    format!("{}{}", strategy.unwrap_or_default(), key.unwrap_or_default())
}
