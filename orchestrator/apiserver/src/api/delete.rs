//! Deleting: preconditions, grace, finalizers, collections.

use std::sync::Arc;

use coracle_apimachinery::status::{Details, Status};
use coracle_apimachinery::{Object as Members, Value};
use coracle_store::{Error, Expect, Txn, Write};

use super::list::{List, list};
use super::request::{Answer, Content, Context, DeleteOptions, Propagation, Request};
use super::update::is_done;
use super::{Api, commit};
use crate::admission::{Operation, Review};
use crate::now_after;
use crate::registry::{Row, document};
use crate::stored::{Object, to_store};

/// How often a delete that others overtook is tried again.
const ATTEMPTS: usize = 16;

/// Resources whose deleted object is the answer, where others answer a Status (`ReturnDeletedObject` upstream).
const RETURNED: [&str; 8] = [
    "core/pods",
    "core/services",
    "core/serviceaccounts",
    "core/persistentvolumes",
    "core/persistentvolumeclaims",
    "core/podtemplates",
    "core/resourcequotas",
    "storage.k8s.io/storageclasses",
];

/// What one deletion came to.
enum Outcome {
    /// The object is gone.
    Gone(Object, Value),
    /// The object is ending.
    Ending(Object),
}

impl Api {
    pub(super) async fn delete(&self, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
        let options = request.options.delete.clone();
        let outcome = self.delete_one(context, row, &request, &request.namespace, &request.name, &options).await?;
        match outcome {
            Outcome::Ending(object) => Ok(Answer::new(context, 200, Content::Object(Arc::clone(row), object))),
            Outcome::Gone(object, _) if RETURNED.contains(&row.storage.as_str()) => {
                Ok(Answer::new(context, 200, Content::Object(Arc::clone(row), object)))
            }
            Outcome::Gone(_, tree) => {
                let status = success(row, &tree);
                Ok(Answer::new(context, 200, Content::Document(document("v1", "Status")?, status)))
            }
        }
    }

    pub(super) async fn delete_collection(
        &self,
        context: &Context,
        row: &Arc<Row>,
        request: Request,
    ) -> Result<Answer, Status> {
        let options = request.options.delete.clone();
        let found = list(self, row, &request.namespace, &request.options)?;
        let mut items = Vec::new();
        for object in found.items {
            let tree = self.tree(row, &object)?;
            let (namespace, name) = (tree.text_at(&["metadata", "namespace"]), tree.text_at(&["metadata", "name"]));
            match self.delete_one(context, row, &request, namespace, name, &options).await {
                Ok(Outcome::Gone(..) | Outcome::Ending(_)) => items.push(object),
                // Somebody else was faster.
                Err(status) if status.code == 404 => {}
                Err(status) => return Err(status),
            }
        }
        let list =
            List { items, revision: found.revision, continue_token: found.continue_token, remaining: found.remaining };
        Ok(Answer::new(context, 200, Content::List(Arc::clone(row), list)))
    }

    async fn delete_one(
        &self,
        context: &Context,
        row: &Arc<Row>,
        request: &Request,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Outcome, Status> {
        let mut last = Status::internal("no attempt was made");
        for _ in 0..ATTEMPTS {
            let key = Self::key(row, namespace, name)?;
            let entry = self.store().get(&key).ok_or_else(|| row.not_found(name))?;
            let current = Object::of_entry(&entry);
            let old = self.tree(row, &current)?;
            check_preconditions(row, &old, name, options)?;
            let review = Review {
                operation: Operation::Delete,
                row,
                namespace,
                name: name.to_owned(),
                prefix: String::new(),
                subresource: "",
                object: None,
                old: Some(Arc::clone(&old)),
                conditions: Vec::new(),
            };
            self.validate(context, &review)?;
            let plan = plan(row, &old, options);
            let (txn, result) = match plan {
                Plan::Nothing => return Ok(Outcome::Ending(current)),
                Plan::Remove => {
                    let txn = Txn::new().write(Write::delete(key.clone()));
                    (txn, None)
                }
                Plan::Change(new) => {
                    let at_rest = row.at_rest(&new)?;
                    let stored = to_store(&at_rest).map_err(|error| commit::failure(row, name, &error))?;
                    let txn = Txn::new().write(Write::put(key.clone(), stored.clone()).with_class(row.create_class()));
                    (txn.reclaiming(), Some(stored))
                }
            };
            if request.options.dry_run {
                return Ok(match result {
                    Some(stored) => Outcome::Ending(current.with_value(stored)),
                    None => Outcome::Gone(current, (*old).clone()),
                });
            }
            match self.store().commit(txn.when(key, Expect::At(entry.revision()))).await {
                Ok(committed) => {
                    self.after_commit(row).await;
                    let revision = committed.revision.as_u64();
                    return Ok(match result {
                        Some(stored) => Outcome::Ending(Object::made(stored, revision)),
                        None => Outcome::Gone(Object::at(&entry, revision), (*old).clone()),
                    });
                }
                Err(error @ Error::Conflict { .. }) => last = commit::failure(row, name, &error),
                Err(error) => return Err(commit::failure(row, name, &error)),
            }
        }
        Err(last)
    }
}

/// What to do with an object that is to be deleted.
#[derive(Debug, PartialEq)]
enum Plan {
    /// It is ending already.
    Nothing,
    /// Nothing holds it.
    Remove,
    /// Mark it as ending.
    Change(Value),
}

/// Decides a deletion, as k8s.io/apiserver v0.37.2, pkg/registry/rest/delete.go and generic/registry/store.go.
fn plan(row: &Row, old: &Value, options: &DeleteOptions) -> Plan {
    let mut new = old.clone();
    let ending = !old.text_at(&["metadata", "deletionTimestamp"]).is_empty();
    let present_grace = old.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_int);
    let namespace = row.storage.as_str() == "core/namespaces";
    let grace = if namespace { None } else { row.delete_grace(old, options.grace_seconds) };
    set_finalizers(&mut new, options.propagation.unwrap_or_else(|| row.default_propagation()));
    if !ending {
        row.prepare_delete(&mut new);
    }
    let held = new.at(&["metadata", "finalizers"]).is_some_and(|finalizers| !finalizers.items().is_empty())
        || (namespace && new.at(&["spec", "finalizers"]).is_some_and(|finalizers| !finalizers.items().is_empty()));
    let wanted = grace.unwrap_or(0);
    if !held && wanted == 0 {
        return Plan::Remove;
    }
    let Some(object) = new.as_object_mut() else { return Plan::Remove };
    if namespace {
        object.object_mut("status").insert("phase".into(), Value::text("Terminating"));
    }
    let metadata = object.object_mut("metadata");
    // A second delete can only shorten the grace.
    let shortens = ending && present_grace.is_some_and(|present| grace.is_some() && wanted < present);
    if !ending || shortens {
        metadata.insert("deletionTimestamp".into(), Value::text(now_after(wanted)));
        if !namespace {
            metadata.insert("deletionGracePeriodSeconds".into(), Value::Int(wanted));
        }
        if let Some(generation) =
            metadata.get("generation").and_then(Value::as_int).filter(|generation| *generation > 0)
        {
            metadata.insert("generation".into(), Value::Int(generation.saturating_add(1)));
        }
    }
    if is_done(row, &new) {
        return Plan::Remove;
    }
    if new == *old { Plan::Nothing } else { Plan::Change(new) }
}

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// The finalizers that say what becomes of dependents.
fn set_finalizers(value: &mut Value, propagation: Propagation) {
    let Some(object) = value.as_object_mut() else { return };
    let metadata = object.object_mut("metadata");
    let present: Vec<Value> = metadata.get("finalizers").map(|list| list.items().to_vec()).unwrap_or_default();
    let mut wanted: Vec<Value> =
        present.into_iter().filter(|item| !matches!(item.as_str(), Some(ORPHAN | FOREGROUND))).collect();
    match propagation {
        Propagation::Orphan => wanted.push(Value::text(ORPHAN)),
        Propagation::Foreground => wanted.push(Value::text(FOREGROUND)),
        Propagation::Background => {}
    }
    if wanted.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), Value::List(wanted));
    }
}

fn check_preconditions(row: &Row, old: &Value, name: &str, options: &DeleteOptions) -> Result<(), Status> {
    let uid = old.text_at(&["metadata", "uid"]);
    // The subject of these two is the Kind, not the resource.
    let conflict = |why: String| Err(Status::conflict(&row.group, &row.kind, name, why));
    if let Some(wanted) = options.uid.as_ref().filter(|wanted| *wanted != uid) {
        return conflict(format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        ));
    }
    let version = old.text_at(&["metadata", "resourceVersion"]);
    if let Some(wanted) = options.resource_version.as_ref().filter(|wanted| *wanted != version) {
        return conflict(format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        ));
    }
    Ok(())
}

impl DeleteOptions {
    /// Reads a `DeleteOptions` document.
    ///
    /// # Errors
    /// Its policy is none, or it names the old and the new way at once.
    pub fn read(value: &Value) -> Result<Self, Status> {
        let text = |names: &[&str]| Some(value.text_at(names).to_owned()).filter(|text| !text.is_empty());
        let orphan = value.at(&["orphanDependents"]).and_then(Value::as_bool);
        let propagation = match (value.text_at(&["propagationPolicy"]), orphan) {
            ("Orphan", None) | ("", Some(true)) => Some(Propagation::Orphan),
            ("Background", None) | ("", Some(false)) => Some(Propagation::Background),
            ("Foreground", None) => Some(Propagation::Foreground),
            ("", None) => None,
            (policy, orphan) => return Err(invalid_policy(policy, orphan.is_some())),
        };
        Ok(Self {
            grace_seconds: value.at(&["gracePeriodSeconds"]).and_then(Value::as_int),
            propagation,
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
        })
    }
}

fn invalid_policy(policy: &str, both: bool) -> Status {
    use coracle_apimachinery::field::{Error, Path};
    let path = Path::new("propagationPolicy");
    let error = if both {
        Error::invalid(&path, policy, "orphanDependents and deletionPropagation cannot be both set")
    } else {
        Error::not_supported(&path, policy, &["Foreground", "Background", "Orphan", "nil"])
    };
    Status::invalid("meta.k8s.io", "DeleteOptions", "", &[error])
}

/// The Status of a finished deletion.
fn success(row: &Row, tree: &Value) -> Value {
    let mut status = Members::new();
    status.insert("kind".into(), Value::text("Status"));
    status.insert("apiVersion".into(), Value::text("v1"));
    status.insert("status".into(), Value::text("Success"));
    let details = Details {
        name: tree.text_at(&["metadata", "name"]).to_owned(),
        group: row.group.to_string(),
        kind: row.resource.to_string(),
        uid: tree.text_at(&["metadata", "uid"]).to_owned(),
        ..Details::default()
    };
    status.insert("details".into(), details.to_value());
    Value::Object(status)
}
