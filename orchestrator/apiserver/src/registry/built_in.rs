//! The rows of the built-in kinds, made from the schema tables.

use coracle_apimachinery::schema::{self, Resource, Served};
use coracle_kinds::{convert, strategy};

use crate::definitions;

use super::row::{Row, Source, Subresource};

/// One row for each resource of the group-versions that are served by default.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for table in schema::all().iter().filter(|table| table.served() == Served::Default) {
        // A test of the schema crate holds that every committed table parses.
        let Ok(schema) = table.schema() else { continue };
        let Some((group, version)) = table.name.split_once('/') else { continue };
        let group = if group == "core" { "" } else { group };
        for resource in schema.resources.iter().filter(|resource| !resource.name.contains('/')) {
            rows.extend(row(group, version, resource, &schema.resources));
        }
    }
    rows
}

fn row(group: &'static str, version: &'static str, resource: &Resource, all: &[Resource]) -> Option<Row> {
    let group_version = group_version(group, version);
    let of = schema::kind(&group_version, &resource.kind)?;
    let stored = convert::storage_of(group, &resource.name);
    let (storage_group, storage_resource) = match &stored {
        Some(stored) => (stored.group, stored.resource),
        None => (group, resource.name.as_ref()),
    };
    let storage = coracle_store::Kind::new(storage_group, storage_resource).ok()?;
    let stored_type = match &stored {
        Some(stored) => schema::kind(stored.group_version, stored.kind)?,
        None => of,
    };
    let prefix = format!("{}/", resource.name);
    let subresources = all.iter().filter_map(|candidate| {
        let name = candidate.name.strip_prefix(&prefix)?;
        let body_group = candidate.group.as_deref().unwrap_or(group);
        let body_version = candidate.version.as_deref().unwrap_or(version);
        Some(Subresource {
            name: name.to_owned(),
            kind: candidate.kind.to_string(),
            api_version: self::group_version(body_group, body_version),
            verbs: candidate.verbs.iter().map(ToString::to_string).collect(),
        })
    });
    Some(Row {
        group: group.into(),
        version: version.into(),
        resource: resource.name.clone(),
        kind: resource.kind.clone(),
        list_kind: format!("{}List", resource.kind),
        namespaced: resource.namespaced,
        verbs: resource.verbs.iter().map(ToString::to_string).collect(),
        subresources: subresources.collect(),
        storage,
        api_version: group_version,
        stored_api_version: stored.map(|stored| stored.group_version.to_owned()),
        source: match definitions::of(group, &resource.name) {
            Some((strategy, rules)) => Source::BuiltIn { of, stored: stored_type, strategy, rules: Some(rules) },
            None => {
                let strategy = strategy::of(group, &resource.name);
                Source::BuiltIn { of, stored: stored_type, strategy, rules: None }
            }
        },
    })
}

/// `apiVersion` of a group and version.
fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
