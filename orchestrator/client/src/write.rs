//! Writes.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::Value;

use crate::resource::Resource;

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// What is written.
    pub resource: Cow<'static, Resource>,
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name; empty for an object whose name is to be generated.
    pub name: String,
    /// Subresource; may be empty.
    pub subresource: &'static str,
    /// What is done.
    pub operation: Operation,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Makes an object.
    Create(Value),
    /// Replaces an object. Made from the tree of a view, so it loses no field, and carries the `resourceVersion` of
    /// that tree, so it fails with `Conflict` when the object has changed since.
    Update(Value),
    /// Changes some fields; a `metadata.resourceVersion` or `metadata.uid` in the patch is a condition.
    Patch(PatchKind, Value),
    /// Deletes.
    Delete {
        /// Seconds to give; the kind's own default when absent.
        grace_seconds: Option<i64>,
        /// What becomes of dependents; the kind's own default when absent.
        propagation: Option<Propagation>,
        /// The uid that the object must have; empty for any.
        uid: String,
        /// The `resourceVersion` that the object must have; empty for any.
        resource_version: String,
    },
}

/// How a patch is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386.
    Merge,
    /// Lists are merged by their keys.
    Strategic,
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
}

impl Write {
    /// Makes an object; namespace and name are those of the tree.
    #[must_use]
    pub fn create(resource: &'static Resource, object: Value) -> Self {
        let write = Self::of(Cow::Borrowed(resource), &object, "", Operation::Create(Value::Null));
        Self { operation: Operation::Create(object), ..write }
    }

    /// Replaces the object that `object` was made from.
    #[must_use]
    pub fn update(resource: &'static Resource, object: Value) -> Self {
        let write = Self::of(Cow::Borrowed(resource), &object, "", Operation::Update(Value::Null));
        Self { operation: Operation::Update(object), ..write }
    }

    /// Replaces the status of the object that `object` was made from.
    #[must_use]
    pub fn status(resource: &'static Resource, object: Value) -> Self {
        Self::update(resource, object).at("status")
    }

    /// Changes some fields of an object.
    #[must_use]
    pub fn patch(resource: &'static Resource, object: &Value, kind: PatchKind, patch: Value) -> Self {
        Self::of(Cow::Borrowed(resource), object, "", Operation::Patch(kind, patch))
    }

    /// Deletes an object, if it still is the one of this uid.
    #[must_use]
    pub fn delete(resource: &'static Resource, object: &Value) -> Self {
        Self::delete_of(Cow::Borrowed(resource), object)
    }

    /// As [`Write::delete`], for a resource that is known at run time only.
    #[must_use]
    pub fn delete_any(resource: &Arc<Resource>, object: &Value) -> Self {
        Self::delete_of(Cow::Owned(Resource::clone(resource)), object)
    }

    fn delete_of(resource: Cow<'static, Resource>, object: &Value) -> Self {
        let uid = object.text_at(&["metadata", "uid"]).to_owned();
        let resource_version = String::new();
        let operation = Operation::Delete { grace_seconds: None, propagation: None, uid, resource_version };
        Self::of(resource, object, "", operation)
    }

    /// A write of `object` by its namespace and name.
    #[must_use]
    pub fn of(
        resource: Cow<'static, Resource>,
        object: &Value,
        subresource: &'static str,
        operation: Operation,
    ) -> Self {
        let text = |name| object.text_at(&["metadata", name]).to_owned();
        Self { resource, namespace: text("namespace"), name: text("name"), subresource, operation }
    }

    /// The same write of a subresource.
    #[must_use]
    pub fn at(mut self, subresource: &'static str) -> Self {
        self.subresource = subresource;
        self
    }

    /// The same deletion with a time to give.
    #[must_use]
    pub fn within(mut self, seconds: i64) -> Self {
        if let Operation::Delete { grace_seconds, .. } = &mut self.operation {
            *grace_seconds = Some(seconds);
        }
        self
    }

    /// The same deletion with another fate of the dependents.
    #[must_use]
    pub fn with(mut self, fate: Propagation) -> Self {
        if let Operation::Delete { propagation, .. } = &mut self.operation {
            *propagation = Some(fate);
        }
        self
    }
}
