//! Replacing objects: the one loop behind PUT, PATCH and writes to subresources.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error as FieldError, Path};
use coracle_apimachinery::status::Status;
use coracle_store::{Class, Error, Expect, Txn, Write};

use super::create::{check_namespace, metadata};
use super::request::{Answer, Content, Context, Options, Request};
use super::{Api, commit};
use crate::admission::{Operation, Review};
use crate::registry::Row;
use crate::stored::{Object, to_store};

/// How often a write that others overtook is tried again.
const ATTEMPTS: usize = 16;

/// One update: where, and with which parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) row: &'a Arc<Row>,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) options: &'a Options,
}

impl Api {
    pub(super) async fn replace(&self, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
        let mut body = request.object(context, row)?;
        check_name(&mut body, &request.name)?;
        check_namespace(row, &mut body, &request.namespace)?;
        let (namespace, name, options) = (&*request.namespace, &*request.name, &request.options);
        let change = Change { row, namespace, name, subresource: &request.subresource, options };
        let missing = Self::key(row, namespace, name).map(|key| self.store().get(&key).is_none())?;
        if missing && row.creates_on_update() && request.subresource.is_empty() {
            let object = self.create_object(context, row, &request, body).await?;
            return Ok(Answer::new(context, 201, Content::Object(Arc::clone(row), object)));
        }
        let object = self.update(context, change, |_| Ok(body.clone())).await?;
        Ok(Answer::new(context, 200, Content::Object(Arc::clone(row), object)))
    }

    /// Changes an object by a function of its present tree, as often as others are faster.
    ///
    /// # Errors
    /// The object does not exist, the function or a rule refuses, or the store does.
    pub(crate) async fn update(
        &self,
        context: &Context,
        change: Change<'_>,
        make: impl Fn(&Value) -> Result<Value, Status>,
    ) -> Result<Object, Status> {
        let mut last = Status::internal("no attempt was made");
        for _ in 0..ATTEMPTS {
            match self.try_update(context, change, &make).await {
                Err(Failed::Overtaken(status)) => last = status,
                Err(Failed::For(status)) => return Err(status),
                Ok(object) => return Ok(object),
            }
        }
        Err(last)
    }

    async fn try_update(
        &self,
        context: &Context,
        change: Change<'_>,
        make: &impl Fn(&Value) -> Result<Value, Status>,
    ) -> Result<Object, Failed> {
        let Change { row, namespace, name, subresource, options } = change;
        let key = Self::key(row, namespace, name)?;
        let entry = self.store().get(&key).ok_or_else(|| row.not_found(name))?;
        let current = Object::of_entry(&entry);
        let old = self.tree(row, &current)?;
        let mut new = make(&old)?;
        check_version(row, &new, &old, name)?;
        row.default(&mut new);
        let mut review = Review {
            operation: Operation::Update,
            row,
            namespace,
            name: name.to_owned(),
            prefix: String::new(),
            subresource,
            object: Some(new),
            old: Some(Arc::clone(&old)),
            conditions: Vec::new(),
        };
        self.admit(context, &mut review)?;
        let mut new = review.object.take().unwrap_or(Value::Null);
        row.default(&mut new);
        crate::allocate::normalise(row, &mut new);
        keep_metadata(&mut new, &old)?;
        row.prepare_update(&mut new, &old, subresource);
        let errors = row.validate_update(&new, &old, subresource);
        if !errors.is_empty() {
            return Err(Status::invalid(&row.group, &row.kind, name, &errors).into());
        }
        row.warnings(&new).into_iter().for_each(|warning| context.warn(warning));
        let txn = self.parts().networks.allocate(self, row, &mut new, Some(&old), Txn::new())?;
        review.object = Some(new);
        self.validate(context, &review)?;
        let new = review.object.take().unwrap_or(Value::Null);
        let at_rest = row.at_rest(&new)?;
        let stored = to_store(&at_rest).map_err(|error| commit::failure(row, name, &error))?;
        if stored == *entry.value() {
            return Ok(current);
        }
        if options.dry_run {
            return Ok(current.with_value(stored));
        }
        let ends = is_done(row, &new);
        let class = row.update_class(&new, &old, subresource);
        let write = Write::put(key.clone(), stored.clone()).with_class(class);
        let write = if ends { Write::delete(key.clone()) } else { write };
        let txn = txn.when(key.clone(), Expect::At(entry.revision())).write(write);
        let txn = if metadata_is_ending(&new) { txn.reclaiming() } else { txn };
        match self.store().commit(txn).await {
            Ok(committed) => {
                self.after_commit(row).await;
                Ok(Object::made(stored, committed.revision.as_u64()))
            }
            // A client that named the version is refused when the body is looked at again.
            Err(error @ Error::Conflict { .. }) => Err(Failed::Overtaken(commit::failure(row, name, &error))),
            Err(error) => Err(commit::failure(row, name, &error).into()),
        }
    }
}

/// Why an attempt failed.
enum Failed {
    /// Another write came first.
    Overtaken(Status),
    /// It will not succeed.
    For(Status),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::For(status)
    }
}

impl Row {
    /// How durable a change must be. A renewed Lease alone never causes a disk write.
    fn update_class(&self, new: &Value, old: &Value, subresource: &str) -> Class {
        match self.storage.as_str() {
            "core/events" => Class::Volatile,
            "coordination.k8s.io/leases" if is_renewal(new, old) => Class::Renewal,
            _ if subresource == "status" && self.coalesces_status() => Class::Coalesced,
            _ => Class::Durable,
        }
    }

    /// Status that this machine's own agent or controllers compute again.
    fn coalesces_status(&self) -> bool {
        matches!(self.storage.as_str(), "core/nodes" | "apps/replicasets" | "apps/deployments")
    }
}

/// Whether only `spec.renewTime` (and the revision) differ.
fn is_renewal(new: &Value, old: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            object.object_mut("spec").remove("renewTime");
            object.object_mut("metadata").remove("resourceVersion");
        }
        value
    };
    bare(new) == bare(old)
}

/// Refuses a body with another name than the URL's; fills in a name that was left out.
pub(crate) fn check_name(value: &mut Value, name: &str) -> Result<(), Status> {
    let metadata = metadata(value)?;
    let found = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    if found.is_empty() {
        metadata.insert("name".into(), Value::text(name));
    } else if found != name {
        let message = format!("the name of the object ({found}) does not match the name on the URL ({name})");
        return Err(Status::bad_request(message));
    }
    Ok(())
}

/// Compares uid and resourceVersion of the new state with the present one.
fn check_version(row: &Row, new: &Value, old: &Value, name: &str) -> Result<(), Status> {
    let (uid, present) = (new.text_at(&["metadata", "uid"]), old.text_at(&["metadata", "uid"]));
    if !uid.is_empty() && uid != present {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {present}");
        return Err(Status::conflict(&row.group, &row.resource, name, why));
    }
    let (version, present) =
        (new.text_at(&["metadata", "resourceVersion"]), old.text_at(&["metadata", "resourceVersion"]));
    if version.is_empty() || version == "0" {
        if !row.updates_unconditionally() {
            let path = Path::new("metadata").child("resourceVersion");
            let error = FieldError::invalid_value(&path, 0, "must be specified for an update");
            // Here the subject is the resource, not the kind.
            return Err(Status::invalid(&row.group, &row.resource, name, &[error]));
        }
        return Ok(());
    }
    if version != present {
        return Err(Status::modified(&row.group, &row.resource, name));
    }
    Ok(())
}

/// What an update cannot change, taken from the present state where the client left it out.
fn keep_metadata(new: &mut Value, old: &Value) -> Result<(), Status> {
    let metadata = metadata(new)?;
    metadata.remove("managedFields");
    metadata.remove("selfLink");
    // A client that names no version means the present one.
    for name in ["uid", "creationTimestamp", "resourceVersion"] {
        if metadata.get(name).is_none_or(Value::is_empty)
            && let Some(value) = old.at(&["metadata", name])
        {
            metadata.insert(name.into(), value.clone());
        }
    }
    for name in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
        match old.at(&["metadata", name]) {
            Some(value) => metadata.insert(name.into(), value.clone()),
            None => metadata.remove(name),
        };
    }
    Ok(())
}

fn metadata_is_ending(value: &Value) -> bool {
    !value.text_at(&["metadata", "deletionTimestamp"]).is_empty()
}

/// Whether a change was the last step of a deletion: it is ending, nothing holds it, and no grace is left.
pub(crate) fn is_done(row: &Row, value: &Value) -> bool {
    let held = value.at(&["metadata", "finalizers"]).is_some_and(|finalizers| !finalizers.items().is_empty())
        || (row.storage.as_str() == "core/namespaces"
            && value.at(&["spec", "finalizers"]).is_some_and(|finalizers| !finalizers.items().is_empty()));
    let grace = value.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_int).unwrap_or(0);
    metadata_is_ending(value) && !held && grace == 0
}
