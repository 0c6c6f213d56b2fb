//! Creating objects.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value, json};
use coracle_store::{Class, Error, Expect, Txn, Write};

use super::request::{Answer, Content, Context, Request};
use super::{Api, commit};
use crate::admission::{Operation, Review};
use crate::registry::Row;
use crate::stored::{Object, to_store};
use crate::{names, now};

/// How often a taken generated name, or a namespace that changed meanwhile, is tried again.
const ATTEMPTS: usize = 16;

/// Longest prefix that a generated name keeps.
const MAX_PREFIX: usize = 58;

impl Api {
    pub(super) async fn create(&self, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
        let value = request.object(context, row)?;
        let object = self.create_object(context, row, &request, value).await?;
        Ok(Answer::new(context, 201, Content::Object(Arc::clone(row), object)))
    }

    /// Creates an object from its tree.
    pub(crate) async fn create_object(
        &self,
        context: &Context,
        row: &Arc<Row>,
        request: &Request,
        value: Value,
    ) -> Result<Object, Status> {
        for attempt in 1.. {
            match self.try_create(context, row, request, value.clone()).await {
                Err(Failed::Again(status)) if attempt >= ATTEMPTS => return Err(status),
                Err(Failed::Again(_)) => {}
                Err(Failed::For(status)) => return Err(status),
                Ok(object) => return Ok(object),
            }
        }
        Err(Status::internal("no attempt was made"))
    }

    async fn try_create(
        &self,
        context: &Context,
        row: &Arc<Row>,
        request: &Request,
        mut value: Value,
    ) -> Result<Object, Failed> {
        check_namespace(row, &mut value, &request.namespace)?;
        row.default(&mut value);
        let generated = value.text_at(&["metadata", "name"]).is_empty();
        let mut review = Review {
            operation: Operation::Create,
            row,
            namespace: &request.namespace,
            name: value.text_at(&["metadata", "name"]).to_owned(),
            prefix: value.text_at(&["metadata", "generateName"]).to_owned(),
            subresource: "",
            object: Some(value),
            old: None,
            conditions: Vec::new(),
        };
        self.admit(context, &mut review)?;
        let conditions = std::mem::take(&mut review.conditions);
        let mut value = review.object.take().unwrap_or(Value::Null);
        row.default(&mut value);
        fill_metadata(row, &mut value)?;
        row.prepare_create(&mut value);
        name_requester(context, row, &mut value);
        crate::allocate::normalise(row, &mut value);
        let name = value.text_at(&["metadata", "name"]).to_owned();
        let errors = row.validate_create(&value);
        if !errors.is_empty() {
            return Err(Status::invalid(&row.group, &row.kind, &name, &errors).into());
        }
        row.warnings(&value).into_iter().for_each(|warning| context.warn(warning));
        let mut txn = Txn::new();
        for (key, expect) in conditions {
            txn = txn.when(key, expect);
        }
        let txn = self.parts().networks.allocate(self, row, &mut value, None, txn)?;
        review.object = Some(value);
        review.name.clone_from(&name);
        self.validate(context, &review)?;
        let value = review.object.take().unwrap_or(Value::Null);
        let at_rest = row.at_rest(&value)?;
        if request.options.dry_run {
            let key = Self::key(row, &request.namespace, &name)?;
            if self.store().get(&key).is_some() {
                return Err(Status::already_exists(&row.group, &row.resource, &name).into());
            }
            return Object::unstored(&at_rest).map_err(|error| commit::failure(row, &name, &error).into());
        }
        let key = Self::key(row, &request.namespace, &name)?;
        let stored = to_store(&at_rest).map_err(|error| commit::failure(row, &name, &error))?;
        let write = Write::put(key.clone(), stored).with_class(row.create_class());
        let txn = txn.when(key.clone(), Expect::Absent).write(write);
        match self.store().commit(txn).await {
            Ok(committed) => {
                let entry = committed.entries.iter().flatten().find(|entry| *entry.key() == key);
                let object = entry.map(|entry| Object::of_entry(entry));
                let object = object.ok_or_else(|| Status::internal("the store lost a new object"))?;
                self.after_commit(row).await;
                Ok(object)
            }
            Err(Error::Conflict { key: found, .. }) if found == key && !generated => {
                Err(Status::already_exists(&row.group, &row.resource, &name).into())
            }
            Err(error @ Error::Conflict { .. }) => Err(Failed::Again(commit::failure(row, &name, &error))),
            Err(error) => Err(commit::failure(row, &name, &error).into()),
        }
    }

    /// What must follow a write of a row.
    pub(crate) async fn after_commit(&self, row: &Row) {
        if crate::definitions::is_definitions(row) {
            crate::definitions::settle(self).await;
        }
    }
}

/// Why an attempt failed.
enum Failed {
    /// It may succeed when it is tried again.
    Again(Status),
    /// It will not.
    For(Status),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::For(status)
    }
}

impl Row {
    /// How durable a new or changed object must be.
    pub(crate) fn create_class(&self) -> Class {
        match self.storage.as_str() {
            "core/events" => Class::Volatile,
            _ => Class::Durable,
        }
    }
}

/// A CertificateSigningRequest says who made it, whatever the client wrote there.
fn name_requester(context: &Context, row: &Row, value: &mut Value) {
    if row.storage.as_str() != "certificates.k8s.io/certificatesigningrequests" {
        return;
    }
    let info = context.identity.user_info();
    let (Some(object), Some(info)) = (value.as_object_mut(), info.as_object()) else { return };
    for (name, value) in info.iter() {
        object.object_mut("spec").insert(name.to_owned().into(), value.clone());
    }
}

/// Puts the namespace of the request into the object, or refuses another one.
pub(crate) fn check_namespace(row: &Row, value: &mut Value, namespace: &str) -> Result<(), Status> {
    let metadata = metadata(value)?;
    let found = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !row.namespaced {
        return Ok(());
    }
    if found.is_empty() {
        metadata.insert("namespace".into(), Value::text(namespace));
    } else if found != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(message));
    }
    Ok(())
}

/// The object's metadata, made when there is none.
pub(crate) fn metadata(value: &mut Value) -> Result<&mut Members, Status> {
    value
        .as_object_mut()
        .map(|object| object.object_mut("metadata"))
        .ok_or_else(|| Status::bad_request("the body is no object"))
}

/// What the server decides about a new object's metadata.
fn fill_metadata(row: &Row, value: &mut Value) -> Result<(), Status> {
    let metadata = metadata(value)?;
    if metadata.get("resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty()) {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    for name in ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"] {
        metadata.remove(name);
    }
    metadata.insert("uid".into(), Value::text(names::uid()));
    metadata.insert("creationTimestamp".into(), Value::text(now()));
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, prefix) = (text("name"), text("generateName"));
    if name.is_empty() && !prefix.is_empty() {
        let mut end = prefix.len().min(MAX_PREFIX);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let name = format!("{}{}", prefix.get(..end).unwrap_or_default(), names::suffix());
        metadata.insert("name".into(), Value::text(name));
    }
    if !row.namespaced {
        // Validation refuses a namespace that a client sent for a cluster-scoped object.
        tracing::trace!(kind = %row.kind, "cluster-scoped");
    }
    Ok(())
}

/// A tree as schema-less JSON, which patches work on.
pub(crate) fn plain(row: &Row, value: &Value) -> Result<Value, Status> {
    match row.built_in() {
        Some(of) => json::decode_any(&json::encode(of, value)).map_err(Status::internal),
        None => Ok(value.clone()),
    }
}
