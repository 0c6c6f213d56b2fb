//! Run-time kinds: what a CustomResourceDefinition may say, and the registry that follows the definitions in the store.
//!
//! Everything happens with the write that causes it: names are accepted, the registry is replaced, and the objects of a
//! definition that ends are removed before the answer goes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::field::{self, Problem};
use coracle_apimachinery::{Object as Members, Value};
use coracle_custom::definition::{self, CLEANUP_FINALIZER, NamesInUse};
use coracle_kinds::strategy::{Dependents, Strategy};
use coracle_store::{Expect, Txn, Write};

use crate::api::Api;
use crate::custom;
use crate::registry::{Row, Rules};
use crate::stored::{Object, to_store};

const GROUP: &str = "apiextensions.k8s.io";
const RESOURCE: &str = "customresourcedefinitions";

/// Objects removed by one transaction.
const BATCH: usize = 100;

static STRATEGY: Strategy = Strategy {
    prepare_create: definition::prepare_create,
    prepare_update: definition::prepare_update,
    prepare_status: definition::prepare_status_update,
    create_on_update: false,
    unconditional_update: false,
    delete_grace: |_, _| None,
    default_finalizing: Dependents::Background,
    has_status: true,
};

static RULES: Rules = Rules { default: definition::default, validate, prepare_delete: hold };

/// Strategy and rules of the definitions' own kind.
pub(crate) fn of(group: &str, resource: &str) -> Option<(&'static Strategy, &'static Rules)> {
    ((group, resource) == (GROUP, RESOURCE)).then_some((&STRATEGY, &RULES))
}

/// Whether a row is the definitions' own.
pub(crate) fn is_definitions(row: &Row) -> bool {
    row.group == GROUP && row.resource == RESOURCE
}

/// The problems of a definition. What this version cannot honour is refused, never dropped.
fn validate(new: &Value, old: Option<&Value>) -> Vec<field::Error> {
    let mut errors = definition::validate(new, old);
    let unsupported = definition::unsupported(new).into_iter();
    errors.extend(unsupported.map(|(path, why)| field::Error::new(Problem::Forbidden, &path, None, why)));
    errors
}

/// A definition that is to go stays until its objects are gone.
fn hold(tree: &mut Value) {
    let Some(object) = tree.as_object_mut() else { return };
    let metadata = object.object_mut("metadata");
    let mut finalizers = metadata.get("finalizers").map(|list| list.items().to_vec()).unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer.as_str() == Some(CLEANUP_FINALIZER)) {
        finalizers.push(Value::text(CLEANUP_FINALIZER));
        metadata.insert("finalizers".into(), Value::List(finalizers));
    }
}

/// Accepts names, removes what ends, and replaces the rows of run-time kinds.
pub(crate) async fn settle(api: &Api) {
    let registry = api.registry();
    let Some(row) = registry.row(GROUP, "v1", RESOURCE) else { return };
    for (object, tree) in all(api, row) {
        let next = if tree.text_at(&["metadata", "deletionTimestamp"]).is_empty() {
            accepted(api, row, &tree)
        } else {
            ended(api, &tree).await
        };
        if let Some(next) = next {
            store(api, row, &object, &tree, &next).await;
        }
    }
    refresh(api);
}

/// All definitions in the store.
fn all(api: &Api, row: &Row) -> Vec<(Object, Arc<Value>)> {
    let snapshot = api.store().snapshot();
    let read = |entry: &Arc<coracle_store::Entry>| {
        let object = Object::of_entry(entry);
        match api.tree(row, &object) {
            Ok(tree) => Some((object, tree)),
            Err(error) => {
                tracing::error!(key = %entry.key(), %error, "a CustomResourceDefinition cannot be read; its API is not served");
                None
            }
        }
    };
    snapshot.range(&row.storage.all(), None).filter_map(read).collect()
}

/// The definition with the names that it gets, if that changes it.
fn accepted(api: &Api, row: &Row, tree: &Value) -> Option<Value> {
    let mut used: BTreeMap<String, NamesInUse> = BTreeMap::new();
    let name = tree.text_at(&["metadata", "name"]);
    for (_, other) in all(api, row) {
        if other.text_at(&["metadata", "name"]) != name {
            used.entry(other.text_at(&["spec", "group"]).to_owned()).or_default().add(&other);
        }
    }
    let used = used.remove(tree.text_at(&["spec", "group"])).unwrap_or_default();
    let status = definition::conditions(tree, &used, &crate::now());
    let mut next = tree.clone();
    let members: &mut Members = next.as_object_mut()?;
    members.insert("status".into(), status);
    (next != *tree).then_some(next)
}

fn kind_of(tree: &Value) -> Option<coracle_store::Kind> {
    coracle_store::Kind::new(tree.text_at(&["spec", "group"]), tree.text_at(&["spec", "names", "plural"])).ok()
}

/// Removes the objects of a definition that ends; gives the definition without its finalizer.
async fn ended(api: &Api, tree: &Value) -> Option<Value> {
    let kind = kind_of(tree)?;
    loop {
        let snapshot = api.store().snapshot();
        let keys: Vec<_> = snapshot.range(&kind.all(), None).take(BATCH).map(|entry| entry.key().clone()).collect();
        if keys.is_empty() {
            break;
        }
        let txn = keys.into_iter().fold(Txn::new(), |txn, key| txn.write(Write::delete(key)));
        if let Err(error) = api.store().commit(txn).await {
            tracing::error!(%kind, %error, "objects of a definition that ends cannot be removed; its next write tries again");
            return None;
        }
    }
    let mut next = tree.clone();
    let metadata = next.as_object_mut()?.object_mut("metadata");
    let mut finalizers = metadata.get("finalizers").map(|list| list.items().to_vec()).unwrap_or_default();
    finalizers.retain(|finalizer| finalizer.as_str() != Some(CLEANUP_FINALIZER));
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), Value::List(finalizers));
    }
    Some(next)
}

/// Stores the next state of a definition, or removes it when nothing holds it any more. A write that came between
/// settles the definition itself.
async fn store(api: &Api, row: &Row, object: &Object, old: &Value, next: &Value) {
    let Ok(key) = Api::key(row, "", old.text_at(&["metadata", "name"])) else { return };
    let value = row.at_rest(next).map_err(|error| error.to_string());
    let value = value.and_then(|at_rest| to_store(&at_rest).map_err(|error| error.to_string()));
    let write = match value {
        Ok(_) if crate::api::is_done(row, next) => Write::delete(key.clone()),
        Ok(value) => Write::put(key.clone(), value),
        Err(error) => return tracing::error!(%key, error, "a CustomResourceDefinition cannot be stored"),
    };
    let at = Expect::At(coracle_store::Revision::from_u64(object.revision()));
    match api.store().commit(Txn::new().when(key.clone(), at).write(write)).await {
        Ok(_) | Err(coracle_store::Error::Conflict { .. }) => {}
        Err(error) => tracing::error!(%key, %error, "a CustomResourceDefinition cannot be settled"),
    }
}

/// Replaces the rows of run-time kinds by those of the definitions in the store.
pub(crate) fn refresh(api: &Api) {
    let registry = api.registry();
    let Some(row) = registry.row(GROUP, "v1", RESOURCE) else { return };
    let rows = all(api, row).iter().flat_map(|(_, tree)| custom::rows(tree)).collect();
    api.parts().registry.send_replace(Arc::new(registry.with_custom(rows)));
}
