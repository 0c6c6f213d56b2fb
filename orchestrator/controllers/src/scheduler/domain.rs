//! Counts for each value of the labels that divide the nodes into domains.

use std::collections::BTreeMap;

use coracle_apimachinery::Value;

use super::node_affinity::label;

/// Counts by label and value.
#[derive(Debug, Clone, Default)]
pub(super) struct Domains(BTreeMap<String, BTreeMap<String, i64>>);

impl Domains {
    /// Adds to the domain of a node; a node without the label is in none.
    pub(super) fn add(&mut self, node: &Value, key: &str, count: i64) {
        if let Some(value) = label(node, key) {
            *self.0.entry(key.to_owned()).or_default().entry(value.to_owned()).or_default() += count;
        }
    }

    /// The count of the domain that a node is in; zero if it is in none.
    pub(super) fn at(&self, node: &Value, key: &str) -> i64 {
        let value = label(node, key);
        value.and_then(|value| self.0.get(key)?.get(value)).copied().unwrap_or(0)
    }

    /// The counts of all domains that a label makes.
    pub(super) fn counts(&self, key: &str) -> Vec<i64> {
        self.0.get(key).into_iter().flat_map(|domains| domains.values().copied()).collect()
    }

    /// Whether nothing was ever counted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels that something was counted for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
