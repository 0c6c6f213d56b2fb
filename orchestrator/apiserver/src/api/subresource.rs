//! Subresources: a second door to an object, each with its own rule of what may change.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value, json};
use coracle_kinds::scale;

use super::patch::Sent;
use super::request::{Answer, Body, Content, Context, Request, Verb};
use super::update::{Change, check_name};
use super::{Api, documents};
use crate::registry::{Row, Source, document};
use crate::stored::Object;

/// Does a request for a subresource.
pub(super) async fn execute(api: &Api, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
    let subresource = row.subresource(&request.subresource).ok_or_else(Status::unknown_resource)?;
    if !subresource.verbs.iter().any(|verb| verb == request.verb.as_str()) {
        return Err(Status::method_not_allowed());
    }
    match (request.subresource.as_str(), request.verb) {
        ("scale", _) => scale_of(api, context, row, request).await,
        ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", Verb::Get) => {
            let object = api.get(row, &request.namespace, &request.name)?;
            Ok(Answer::new(context, 200, Content::Object(Arc::clone(row), object)))
        }
        ("status" | "finalize" | "approval", Verb::Update) => api.replace(context, row, request).await,
        ("status" | "finalize" | "approval", Verb::Patch) => api.patch(context, row, request).await,
        ("binding", Verb::Create) => bind(api, context, row, request).await,
        ("eviction", Verb::Create) => evict(api, context, row, request).await,
        ("token", Verb::Create) => documents::token_request(api, context, row, &request),
        ("log" | "exec" | "attach" | "portforward", Verb::Get | Verb::Create)
            if row.group.is_empty() && &*row.resource == "pods" =>
        {
            stream(api, context, row, request).await
        }
        (name, _) => {
            // The object must exist before anything else is said.
            api.get(row, &request.namespace, &request.name)?;
            let message = format!("the subresource {name} of {} is not part of this version", row.resource);
            Err(Status::new(501, "NotImplemented", message))
        }
    }
}

/// Opens a stream to the node of a pod.
async fn stream(api: &Api, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
    let Body::Stream(ask) = &request.body else {
        return Err(Status::bad_request("the request does not say which stream it wants"));
    };
    ask.check(&request.name)?;
    if ask.creates() && request.verb != Verb::Create {
        api.authorise(context, Verb::Create, &request.target(), &request.options.fields)?;
    }
    let object = api.get(row, &request.namespace, &request.name)?;
    let pod = api.tree(row, &object)?;
    let registry = api.registry();
    let node_exists = |name: &str| match registry.row("", "v1", "nodes") {
        Some(nodes) => api.get(nodes, "", name).map(drop),
        None => Err(Status::unknown_resource()),
    };
    let ready = crate::streams::prepare(&api.parts().streams, &pod, ask, node_exists).await?;
    Ok(Answer::new(context, ready.code(), Content::Stream(ready)))
}

/// Reads or writes the number of replicas through a Scale document.
async fn scale_of(api: &Api, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
    let of = document("autoscaling/v1", "Scale")?;
    let answer = |object: &Object| -> Result<Answer, Status> {
        let tree = api.tree(row, object)?;
        Ok(Answer::new(context, 200, Content::Document(of, scale_document(row, &tree)?)))
    };
    let (namespace, name) = (request.namespace.clone(), request.name.clone());
    if request.verb == Verb::Get {
        return answer(&api.get(row, &namespace, &name)?);
    }
    let sent = match (&request.verb, &request.body) {
        (Verb::Patch, _) => None,
        (_, Body::Bytes(media, bytes)) => {
            let validation = request.options.field_validation;
            Some(crate::registry::decode_as(of, "autoscaling/v1", "Scale", context, *media, bytes, validation)?)
        }
        (_, Body::Tree(value)) => Some(value.clone()),
        (_, Body::None | Body::Stream(_)) => return Err(Status::bad_request("the request has no body")),
    };
    let patch = match request.verb {
        Verb::Patch => Some(Sent::read(context, &request)?),
        _ => None,
    };
    let change = Change { row, namespace: &namespace, name: &name, subresource: "scale", options: &request.options };
    let object = api
        .update(context, change, |old| {
            let scale = match (&sent, &patch) {
                (Some(sent), _) => sent.clone(),
                (None, Some(patch)) => {
                    let present =
                        json::decode_any(&json::encode(of, &scale_document(row, old)?)).map_err(Status::internal)?;
                    let patched = patch.apply(Some(of), present)?;
                    let bytes = json::encode_any(&patched);
                    let validation = request.options.field_validation;
                    let media = super::request::Media::Json;
                    crate::registry::decode_as(of, "autoscaling/v1", "Scale", context, media, &bytes, validation)?
                }
                (None, None) => return Err(Status::bad_request("the request has no body")),
            };
            let mut scale = scale;
            check_name(&mut scale, &name)?;
            rescaled(row, old, &scale)
        })
        .await?;
    answer(&object)
}

/// The Scale of an object.
fn scale_document(row: &Row, tree: &Value) -> Result<Value, Status> {
    match &row.source {
        Source::BuiltIn { .. } => Ok(scale::document(&row.group, &row.resource, tree)),
        Source::Custom(version) => version.scale(tree),
    }
}

/// The object with the replicas of a Scale, and the version that the Scale names.
fn rescaled(row: &Row, old: &Value, scale: &Value) -> Result<Value, Status> {
    let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_int).unwrap_or(0);
    if replicas < 0 {
        use coracle_apimachinery::field::{Error, Path};
        let path = Path::new("spec").child("replicas");
        let error = Error::invalid_value(&path, replicas, "must be greater than or equal to 0");
        let name = scale.text_at(&["metadata", "name"]);
        return Err(Status::invalid("autoscaling", "Scale", name, &[error]));
    }
    let mut new = old.clone();
    match &row.source {
        Source::BuiltIn { .. } => {
            if let Some(object) = new.as_object_mut() {
                object.object_mut("spec").insert("replicas".into(), Value::Int(replicas));
            }
        }
        Source::Custom(version) => version.set_scale(&mut new, scale)?,
    }
    let version = scale.text_at(&["metadata", "resourceVersion"]);
    let metadata = super::create::metadata(&mut new)?;
    if version.is_empty() {
        metadata.remove("resourceVersion");
    } else {
        metadata.insert("resourceVersion".into(), Value::text(version));
    }
    Ok(new)
}

/// Binds a pod to a node, as the scheduler does.
async fn bind(api: &Api, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
    let of = document("v1", "Binding")?;
    let binding = documents::body(context, of, "v1", "Binding", &request)?;
    let target = binding.text_at(&["target", "name"]).to_owned();
    let kind = binding.text_at(&["target", "kind"]);
    if !kind.is_empty() && kind != "Node" {
        use coracle_apimachinery::field::{Error, Path};
        let error = Error::not_supported(&Path::new("target").child("kind"), kind, &["Node", "<empty>"]);
        return Err(Status::invalid("", "Binding", &request.name, &[error]));
    }
    if target.is_empty() {
        use coracle_apimachinery::field::{Error, Path};
        let error = Error::required(&Path::new("target").child("name"), "");
        return Err(Status::invalid("", "Binding", &request.name, &[error]));
    }
    let uid = binding.text_at(&["metadata", "uid"]).to_owned();
    let change = Change {
        row,
        namespace: &request.namespace,
        name: &request.name,
        subresource: "binding",
        options: &request.options,
    };
    api.update(context, change, |old| {
        let conflict = |why: String| Err(Status::conflict("", "pods/binding", &request.name, why));
        let name = &request.name;
        if !uid.is_empty() && uid != old.text_at(&["metadata", "uid"]) {
            let present = old.text_at(&["metadata", "uid"]);
            return conflict(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {present}"));
        }
        if !old.text_at(&["metadata", "deletionTimestamp"]).is_empty() {
            return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let present = old.text_at(&["spec", "nodeName"]);
        if !present.is_empty() {
            return conflict(format!(
                "pod {name} is already assigned to node {}",
                coracle_apimachinery::field::quote(present)
            ));
        }
        if old.at(&["spec", "schedulingGates"]).is_some_and(|gates| !gates.items().is_empty()) {
            return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        let mut new = old.clone();
        let Some(object) = new.as_object_mut() else { return Ok(new) };
        object.object_mut("spec").insert("nodeName".into(), Value::text(target.as_str()));
        for list in ["annotations", "labels"] {
            if let Some(given) = binding.at(&["metadata", list]).and_then(Value::as_object) {
                let into = object.object_mut("metadata").object_mut(list);
                for (key, value) in given.iter() {
                    into.insert(key.to_owned().into(), value.clone());
                }
            }
        }
        set_condition(object.object_mut("status"), "PodScheduled");
        Ok(new)
    })
    .await?;
    created(context)
}

/// The answer to something that was done and is no object.
fn created(context: &Context) -> Result<Answer, Status> {
    let mut status = Members::new();
    status.insert("kind".into(), Value::text("Status"));
    status.insert("apiVersion".into(), Value::text("v1"));
    status.insert("status".into(), Value::text("Success"));
    status.insert("code".into(), Value::Int(201));
    Ok(Answer::new(context, 201, Content::Document(document("v1", "Status")?, Value::Object(status))))
}

/// Marks a condition of a status as true since now.
fn set_condition(status: &mut Members, kind: &str) {
    let mut condition = Members::new();
    condition.insert("type".into(), Value::text(kind));
    condition.insert("status".into(), Value::text("True"));
    condition.insert("lastTransitionTime".into(), Value::text(crate::now()));
    let mut conditions = status.get("conditions").map(|list| list.items().to_vec()).unwrap_or_default();
    conditions.retain(|present| present.text_at(&["type"]) != kind);
    conditions.push(Value::Object(condition));
    status.insert("conditions".into(), Value::List(conditions));
}

/// Evicts a pod. PodDisruptionBudgets are kept by their controller, which this version does not have: a budget that
/// covers the pod refuses the eviction, so that nothing is evicted against a promise.
async fn evict(api: &Api, context: &Context, row: &Arc<Row>, mut request: Request) -> Result<Answer, Status> {
    let of = document("policy/v1", "Eviction")?;
    let eviction = documents::body(context, of, "policy/v1", "Eviction", &request)?;
    let object = api.get(row, &request.namespace, &request.name)?;
    let pod = api.tree(row, &object)?;
    if let Some(budget) = covering_budget(api, &request.namespace, &pod)? {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let cause = format!("The disruption budget {budget} needs its controller, which is not part of this version");
        return Err(Status::new(429, "TooManyRequests", message).because("DisruptionBudget", cause, ""));
    }
    request.options.delete = match eviction.at(&["deleteOptions"]) {
        Some(options) => super::request::DeleteOptions::read(options)?,
        None => super::request::DeleteOptions::default(),
    };
    if let Some(dry_run) = eviction.at(&["deleteOptions", "dryRun"]) {
        request.options.dry_run |= dry_run.items().iter().any(|value| value.as_str() == Some("All"));
    }
    request.subresource.clear();
    request.body = Body::None;
    api.delete(context, row, request).await?;
    created(context)
}

/// The name of a budget whose selector covers a pod.
fn covering_budget(api: &Api, namespace: &str, pod: &Value) -> Result<Option<String>, Status> {
    let registry = api.registry();
    let Some(budgets) = registry.row("policy", "v1", "poddisruptionbudgets") else { return Ok(None) };
    let labels = pod.at(&["metadata", "labels"]).and_then(Value::as_object);
    let snapshot = api.store().snapshot();
    for entry in snapshot.range(&budgets.storage.in_namespace(namespace), None) {
        let budget = api.tree(budgets, &Object::of_entry(entry))?;
        let Some(selector) = budget.at(&["spec", "selector"]) else { continue };
        let selector = coracle_apimachinery::selector::label::Selector::from_label_selector(selector);
        if selector.is_ok_and(|selector| selector.matches(labels)) {
            return Ok(Some(budget.text_at(&["metadata", "name"]).to_owned()));
        }
    }
    Ok(None)
}
