//! Run-time kinds: the registry follows the CustomResourceDefinitions in the store.

use std::sync::Arc;

use crate::api::Api;
use crate::custom;
use crate::registry::Row;
use crate::stored::Object;

/// Reads all definitions and replaces the rows of run-time kinds.
pub(crate) fn refresh(api: &Api) {
    let registry = api.registry();
    let Some(definitions) = registry.row("apiextensions.k8s.io", "v1", "customresourcedefinitions") else { return };
    let mut rows: Vec<Row> = Vec::new();
    let snapshot = api.store().snapshot();
    for entry in snapshot.range(&definitions.storage.all(), None) {
        let tree = match api.tree(definitions, &Object::of_entry(entry)) {
            Ok(tree) => tree,
            Err(error) => {
                tracing::error!(key = %entry.key(), %error, "a CustomResourceDefinition cannot be read; its API is not served");
                continue;
            }
        };
        rows.extend(custom::rows(&tree));
    }
    api.parts().registry.send_replace(Arc::new(registry.with_custom(rows)));
}
