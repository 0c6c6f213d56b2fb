//! A state of the store as components read it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_client::{Read, Resource, Term};
use coracle_store::{Entry, Snapshot};

use crate::api::Api;
use crate::api::list::scope;
use crate::registry::{Registry, Row};
use crate::stored::Object;
use crate::terms;

/// A state of the store, with the rows of the same moment.
pub(super) struct LocalView {
    api: Api,
    registry: Arc<Registry>,
    snapshot: Snapshot,
}

impl LocalView {
    /// The state now.
    pub(super) fn new(api: &Api) -> Self {
        Self { api: api.clone(), registry: api.registry(), snapshot: api.store().snapshot() }
    }

    fn row(&self, of: &Resource) -> Option<&Arc<Row>> {
        self.registry.row(&of.group, &of.version, &of.plural)
    }

    fn entry(&self, of: &Resource, namespace: &str, name: &str) -> Option<(&Arc<Row>, &Arc<Entry>)> {
        let row = self.row(of)?;
        let key = Api::key(row, namespace, name).ok()?;
        Some((row, self.snapshot.get(&key)?))
    }
}

/// The tree of an entry. One that cannot be read is reported and left out.
pub(super) fn tree(api: &Api, row: &Row, entry: &Entry) -> Option<Arc<Value>> {
    match api.tree(row, &Object::of_entry(entry)) {
        Ok(tree) => Some(tree),
        Err(status) => {
            tracing::error!(key = entry.key().as_str(), error = status.message, "a stored object cannot be read");
            None
        }
    }
}

impl Read for LocalView {
    fn revision(&self) -> u64 {
        self.snapshot.revision().as_u64()
    }

    fn resources(&self) -> Vec<Arc<Resource>> {
        self.registry.resources().to_vec()
    }

    fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let (row, entry) = self.entry(of, namespace, name)?;
        tree(&self.api, row, entry)
    }

    fn list(&self, of: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let Some(row) = self.row(of) else { return Vec::new() };
        let entries = self.snapshot.range(&scope(row, namespace), None);
        entries.filter_map(|entry| tree(&self.api, row, entry)).collect()
    }

    fn find(&self, of: &Resource, term: Term<'_>) -> Vec<Arc<Value>> {
        let Some(row) = self.row(of) else { return Vec::new() };
        let entries = self.snapshot.by_term(&row.storage, &terms::term(term));
        entries.filter_map(|entry| tree(&self.api, row, entry)).collect()
    }

    fn age(&self, of: &Resource, namespace: &str, name: &str) -> Option<Duration> {
        let (_, entry) = self.entry(of, namespace, name)?;
        Some(self.api.store().now().since(entry.observed()))
    }
}

impl fmt::Debug for LocalView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalView").field("revision", &self.revision()).finish_non_exhaustive()
    }
}
