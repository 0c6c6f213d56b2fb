//! `NamespaceLifecycle`: nothing is made in a namespace that is missing or ending, and some namespaces stay.

use coracle_apimachinery::status::Status;
use coracle_store::Expect;

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;
use crate::stored::Object;

/// Namespaces that nobody may delete.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

#[derive(Debug)]
pub(super) struct Lifecycle;

impl Plugin for Lifecycle {
    fn admit(&self, api: &Api, _context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if review.operation != Operation::Create || !review.row.namespaced {
            return Ok(());
        }
        // Access reviews ask about namespaces that need not exist.
        if review.row.group == "authorization.k8s.io" {
            return Ok(());
        }
        let registry = api.registry();
        let Some(namespaces) = registry.row("", "v1", "namespaces") else { return Ok(()) };
        let key = Api::key(namespaces, "", review.namespace)?;
        let entry = api.store().get(&key).ok_or_else(|| namespaces.not_found(review.namespace))?;
        let namespace = api.tree(namespaces, &Object::of_entry(&entry))?;
        if !namespace.text_at(&["metadata", "deletionTimestamp"]).is_empty() {
            let name = review.namespace;
            let why = format!("unable to create new content in namespace {name} because it is being terminated");
            let cause = format!("namespace {name} is being terminated");
            return Err(review.forbidden(why).because("NamespaceTerminating", cause, "metadata.namespace"));
        }
        review.conditions.push((key, Expect::At(entry.revision())));
        Ok(())
    }

    fn validate(&self, _api: &Api, _context: &Context, review: &Review<'_>) -> Result<(), Status> {
        if review.operation == Operation::Delete && review.is("", "namespaces") && IMMORTAL.contains(&&*review.name) {
            return Err(review.forbidden("this namespace may not be deleted"));
        }
        Ok(())
    }
}
