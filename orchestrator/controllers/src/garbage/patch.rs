//! The writes of the collector. All of them hold only for the version of the object that the plan saw: a reference that
//! somebody adds meanwhile is never lost. Merge patches serve custom resources too, which know no strategic ones.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::{Object, Value};
use coracle_client::object::{items, uid};
use coracle_client::{Operation, PatchKind, Propagation, Resource, Write};

use super::graph::{blocks, references};

/// Deletes an object.
pub(super) fn delete(resource: &Arc<Resource>, object: &Value, propagation: Propagation) -> Write {
    let mut write = Write::delete_any(resource, object).with(propagation);
    if let Operation::Delete { resource_version, .. } = &mut write.operation {
        object.text_at(&["metadata", "resourceVersion"]).clone_into(resource_version);
    }
    write
}

/// Removes the references to some owners.
pub(super) fn disown(resource: &Arc<Resource>, object: &Value, owners: &[&str]) -> Write {
    let kept = references(object).iter().filter(|reference| !owners.contains(&reference.text_at(&["uid"])));
    replace(resource, object, "ownerReferences", kept.cloned().collect())
}

/// Lets the owners go before the object.
pub(super) fn unblock(resource: &Arc<Resource>, object: &Value) -> Write {
    let unblocked = references(object).iter().map(|reference| {
        let mut reference = reference.clone();
        if let Some(members) = reference.as_object_mut().filter(|members| members.get("blockOwnerDeletion").is_some()) {
            members.insert("blockOwnerDeletion".into(), Value::Bool(false));
        }
        reference
    });
    replace(resource, object, "ownerReferences", unblocked.collect())
}

/// Whether [`unblock`] would change an object.
pub(super) fn is_blocking(object: &Value) -> bool {
    references(object).iter().any(blocks)
}

/// Removes a finalizer.
pub(super) fn finalize(resource: &Arc<Resource>, object: &Value, finalizer: &str) -> Write {
    let kept = items(object, &["metadata", "finalizers"]).iter().filter(|item| item.as_str() != Some(finalizer));
    replace(resource, object, "finalizers", kept.cloned().collect())
}

fn replace(resource: &Arc<Resource>, object: &Value, member: &'static str, items: Vec<Value>) -> Write {
    let mut metadata = Object::new();
    metadata.insert(member.into(), if items.is_empty() { Value::Null } else { Value::List(items) });
    metadata.insert("resourceVersion".into(), Value::text(object.text_at(&["metadata", "resourceVersion"])));
    metadata.insert("uid".into(), Value::text(uid(object)));
    let mut patch = Object::new();
    patch.insert("metadata".into(), Value::Object(metadata));
    let operation = Operation::Patch(PatchKind::Merge, Value::Object(patch));
    Write::of(Cow::Owned(Resource::clone(resource)), object, "", operation)
}
