//! What the server serves: an immutable snapshot of rows, replaced as a whole when a run-time kind comes or goes.
//!
//! Built-in kinds and kinds of CustomResourceDefinitions have one row type; the verbs know no other source.

mod built_in;
mod row;

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_client::Resource;

pub use row::{Row, Rules, Source, Subresource};
pub(crate) use row::{check_type, decode_as, decode_document, document, reporting};

/// All rows at one moment.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    rows: BTreeMap<(String, String, String), Arc<Row>>,
    resources: Vec<Arc<Resource>>,
}

impl Registry {
    /// The built-in rows: exactly the group-versions that the real server serves by default.
    #[must_use]
    pub fn built_in() -> Self {
        let rows = built_in::rows().into_iter().map(|row| (address(&row), Arc::new(row))).collect();
        Self::of(rows)
    }

    fn of(rows: BTreeMap<(String, String, String), Arc<Row>>) -> Self {
        let resources = resources(&rows);
        Self { rows, resources }
    }

    /// Every resource that can be listed and deleted, in one version each: the stored one where it is served.
    #[must_use]
    pub fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// The row of a resource.
    #[must_use]
    pub fn row(&self, group: &str, version: &str, resource: &str) -> Option<&Arc<Row>> {
        self.rows.get(&(group.to_owned(), version.to_owned(), resource.to_owned()))
    }

    /// All rows, by group, version and resource.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// Whether a group-version is served.
    #[must_use]
    pub fn serves(&self, group: &str, version: &str) -> bool {
        self.rows.keys().any(|(of_group, of_version, _)| of_group == group && of_version == version)
    }

    /// The same registry with these rows of run-time kinds instead of the ones it has.
    #[must_use]
    pub fn with_custom(&self, custom: Vec<Row>) -> Self {
        let mut rows: BTreeMap<_, _> = self
            .rows
            .iter()
            .filter(|(_, row)| !row.is_custom())
            .map(|(key, row)| (key.clone(), Arc::clone(row)))
            .collect();
        for row in custom {
            rows.entry(address(&row)).or_insert_with(|| Arc::new(row));
        }
        Self::of(rows)
    }
}

fn resources(rows: &BTreeMap<(String, String, String), Arc<Row>>) -> Vec<Arc<Resource>> {
    let offers = |row: &Row, verb: &str| row.verbs.iter().any(|offered| offered == verb);
    let mut by_storage: BTreeMap<&str, &Arc<Row>> = BTreeMap::new();
    for row in rows.values().filter(|row| offers(row, "list") && offers(row, "delete")) {
        let chosen = by_storage.entry(row.storage.as_str()).or_insert(row);
        if chosen.stored_api_version.is_some() && row.stored_api_version.is_none() {
            *chosen = row;
        }
    }
    let resource = |row: &Row| Resource {
        group: row.group.clone(),
        version: row.version.clone(),
        plural: row.resource.clone(),
        kind: row.kind.clone(),
        namespaced: row.namespaced,
    };
    by_storage.into_values().map(|row| Arc::new(resource(row))).collect()
}

fn address(row: &Row) -> (String, String, String) {
    (row.group.to_string(), row.version.to_string(), row.resource.to_string())
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn the_default_group_versions_are_served() {
        let registry = Registry::built_in();
        let mut versions: Vec<(&str, &str)> =
            registry.rows().map(|row| (row.group.as_ref(), row.version.as_ref())).collect();
        versions.dedup();
        assert_eq!(versions.len(), 23, "{versions:?}");
        let pods = registry.row("", "v1", "pods").unwrap();
        assert!(pods.namespaced && pods.subresource("status").is_some());
        assert!(registry.row("", "v1", "pods/status").is_none());
        assert!(registry.row("resource.k8s.io", "v1beta1", "deviceclasses").is_none());
    }
}
