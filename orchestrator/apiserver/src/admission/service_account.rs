//! `ServiceAccount`: a pod runs as an account that exists, and finds its token mounted.

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object, Value};

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;
use crate::names;

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PREFIX: &str = "kube-api-access-";
const MIRROR: &str = "kubernetes.io/config.mirror";
/// One hour and a little, so that it can be told from a token that somebody asked for.
const TOKEN_SECONDS: i64 = 3_607;

#[derive(Debug)]
pub(super) struct ServiceAccount;

impl Plugin for ServiceAccount {
    fn admit(&self, api: &Api, _context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.is("", "pods") || review.operation != Operation::Create {
            return Ok(());
        }
        let Some(mut pod) = review.object.take() else { return Ok(()) };
        let result = admit_pod(api, review, &mut pod);
        review.object = Some(pod);
        result
    }
}

fn admit_pod(api: &Api, review: &Review<'_>, pod: &mut Value) -> Result<(), Status> {
    if pod.at(&["metadata", "annotations", MIRROR]).is_some() {
        let named = !pod.text_at(&["spec", "serviceAccountName"]).is_empty();
        return if named { Err(review.forbidden("a mirror pod may not reference service accounts")) } else { Ok(()) };
    }
    let Some(members) = pod.as_object_mut() else { return Ok(()) };
    let spec = members.object_mut("spec");
    let named = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or_default();
    let name = if named.is_empty() { "default" } else { named }.to_owned();
    spec.insert("serviceAccountName".into(), Value::text(name.as_str()));
    spec.insert("serviceAccount".into(), Value::text(name.as_str()));
    let registry = api.registry();
    let accounts = registry.row("", "v1", "serviceaccounts").ok_or_else(Status::unknown_resource)?;
    let account = api.get(accounts, review.namespace, &name).map_err(|_| {
        let namespace = review.namespace;
        let quoted = coracle_apimachinery::field::quote(&name);
        review.forbidden(format!(
            "error looking up service account {namespace}/{name}: serviceaccount {quoted} not found"
        ))
    })?;
    let account = api.tree(accounts, &account)?;
    if wants_token(spec, &account) {
        mount_token(spec);
    }
    if spec.get("imagePullSecrets").is_none_or(|secrets| secrets.items().is_empty())
        && let Some(secrets) = account.at(&["imagePullSecrets"]).filter(|secrets| !secrets.items().is_empty())
    {
        spec.insert("imagePullSecrets".into(), secrets.clone());
    }
    Ok(())
}

/// The pod decides; if it says nothing, the account does.
fn wants_token(spec: &Object, account: &Value) -> bool {
    let of_pod = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
    let of_account = account.at(&["automountServiceAccountToken"]).and_then(Value::as_bool);
    of_pod.or(of_account).unwrap_or(true)
}

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Mounts the token where no volume of the pod is mounted already.
fn mount_token(spec: &mut Object) {
    let present = spec.get("volumes").map(|list| list.items().to_vec()).unwrap_or_default();
    let existing = present.iter().map(|volume| volume.text_at(&["name"])).find(|name| name.starts_with(PREFIX));
    let (name, is_new) = match existing {
        Some(name) => (name.to_owned(), false),
        None => (format!("{PREFIX}{}", names::suffix()), true),
    };
    let mut used = false;
    for list in ["initContainers", "containers"] {
        let Some(containers) = spec.get_mut(list).and_then(Value::items_mut) else { continue };
        for container in containers.iter_mut().filter_map(Value::as_object_mut) {
            let mut mounts = container.get("volumeMounts").map(|list| list.items().to_vec()).unwrap_or_default();
            if mounts.iter().any(|mount| mount.text_at(&["mountPath"]) == MOUNT) {
                continue;
            }
            let mount = object([
                ("name", Value::text(name.as_str())),
                ("mountPath", Value::text(MOUNT)),
                ("readOnly", Value::Bool(true)),
            ]);
            mounts.push(mount);
            container.insert("volumeMounts".into(), Value::List(mounts));
            used = true;
        }
    }
    if used && is_new {
        let mut volumes = present;
        volumes.push(token_volume(&name));
        spec.insert("volumes".into(), Value::List(volumes));
    }
}

fn token_volume(name: &str) -> Value {
    let token = object([("expirationSeconds", Value::Int(TOKEN_SECONDS)), ("path", Value::text("token"))]);
    let item = object([("key", Value::text("ca.crt")), ("path", Value::text("ca.crt"))]);
    let root = object([("name", Value::text("kube-root-ca.crt")), ("items", Value::List(vec![item]))]);
    let field = object([("apiVersion", Value::text("v1")), ("fieldPath", Value::text("metadata.namespace"))]);
    let item = object([("path", Value::text("namespace")), ("fieldRef", field)]);
    let downward = object([("items", Value::List(vec![item]))]);
    let sources = vec![
        object([("serviceAccountToken", token)]),
        object([("configMap", root)]),
        object([("downwardAPI", downward)]),
    ];
    let projected = object([("defaultMode", Value::Int(0o644)), ("sources", Value::List(sources))]);
    object([("name", Value::text(name)), ("projected", projected)])
}
