//! Who asks: certificates and tokens, checked against what is stored.

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_auth::Identity;
use coracle_auth::authenticate::Authenticator;
use coracle_auth::token::{Bound, Keys, Objects, Request as TokenRequest};
use rustls::pki_types::CertificateDer;

use crate::api::Api;
use crate::now_seconds;
use crate::registry::Row;

/// The audience of this server, and of tokens that name none.
pub const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// Keys and authorities of the server.
#[derive(Debug)]
pub struct Tokens {
    authenticator: Authenticator,
}

/// A token that was made.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires: String,
    pub(crate) audiences: Vec<String>,
}

/// Objects of the store, as checks of tokens ask for them.
struct Stored<'a>(&'a Api);

impl Tokens {
    /// Checks by an authenticator.
    #[must_use]
    pub fn new(authenticator: Authenticator) -> Self {
        Self { authenticator }
    }

    /// The keys that sign tokens.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.authenticator.keys()
    }

    /// Who asks, by the certificates of the connection and the headers of the request.
    ///
    /// # Errors
    /// What was shown is not valid.
    pub(crate) fn authenticate(
        &self,
        api: &Api,
        peer: &[CertificateDer<'static>],
        headers: &http::HeaderMap,
    ) -> Result<Identity, Status> {
        let authorization = match headers.get(http::header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| Status::unauthorized())?),
        };
        if headers.contains_key("impersonate-user") || headers.contains_key("impersonate-group") {
            // Ignoring them would do more than the caller asked for.
            let message = "impersonation is not part of this version: it joins with RBAC";
            return Err(Status::new(403, "Forbidden", message).about("", "", ""));
        }
        let result = self.authenticator.authenticate(peer, authorization, &Stored(api), now_seconds());
        result.map_err(|error| {
            tracing::debug!(%error, "request not authenticated");
            Status::unauthorized()
        })
    }

    /// What a TokenReview says of a token: whose it is and for which of the audiences it is good.
    pub(crate) fn review(
        &self,
        api: &Api,
        token: &str,
        audiences: &[String],
    ) -> Result<(Identity, Vec<String>), String> {
        let wanted: Vec<String> = if audiences.is_empty() { vec![AUDIENCE.to_owned()] } else { audiences.to_vec() };
        let found = self.authenticator.review(token, &wanted, &Stored(api), now_seconds());
        found.map_err(|error| error.to_string())
    }

    /// Makes a token for a ServiceAccount, bound to what the request names.
    pub(crate) fn issue(&self, api: &Api, account: &Value, request: &Value, seconds: i64) -> Result<Issued, Status> {
        let texts = request.at(&["spec", "audiences"]).map(Value::items).unwrap_or_default();
        let mut audiences: Vec<String> = texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        if audiences.is_empty() {
            audiences.push(AUDIENCE.to_owned());
        }
        let namespace = account.text_at(&["metadata", "namespace"]);
        let bound = bound(api, namespace, account, request)?;
        let now = now_seconds();
        let expires = now.saturating_add(seconds);
        let made = self.keys().issue(&TokenRequest {
            namespace: namespace.to_owned(),
            service_account: account.text_at(&["metadata", "name"]).to_owned(),
            service_account_uid: account.text_at(&["metadata", "uid"]).to_owned(),
            bound,
            audiences: audiences.clone(),
            issued: now,
            expires,
        });
        let token = made.map_err(Status::internal)?;
        Ok(Issued { token, expires: crate::print_time(expires), audiences })
    }
}

/// The object that a token is bound to, checked to exist and to belong to the account.
fn bound(api: &Api, namespace: &str, account: &Value, request: &Value) -> Result<Option<Bound>, Status> {
    let Some(reference) = request.at(&["spec", "boundObjectRef"]) else { return Ok(None) };
    let (kind, name) = (reference.text_at(&["kind"]), reference.text_at(&["name"]));
    let (resource, of) = match kind {
        "Pod" => ("pods", namespace),
        "Secret" => ("secrets", namespace),
        "Node" => ("nodes", ""),
        other => {
            let message = format!("cannot bind token to object of type {other}");
            return Err(Status::bad_request(message));
        }
    };
    let registry = api.registry();
    let row = registry.row("", "v1", resource).ok_or_else(Status::unknown_resource)?;
    let object = api.get(row, of, name)?;
    let tree = api.tree(row, &object)?;
    let (uid, given) = (tree.text_at(&["metadata", "uid"]), reference.text_at(&["uid"]));
    if !given.is_empty() && given != uid {
        let why = format!(
            "the UID in the bound object reference ({given}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", resource, name, why));
    }
    let account_name = account.text_at(&["metadata", "name"]);
    if kind == "Pod" && tree.text_at(&["spec", "serviceAccountName"]) != account_name {
        let runs_as = tree.text_at(&["spec", "serviceAccountName"]);
        let message = format!(
            "cannot bind token for serviceaccount {account_name:?} to pod running with different serviceaccount name {runs_as:?}."
        );
        return Err(Status::bad_request(message));
    }
    let node = if kind == "Pod" { node_of(api, &tree) } else { None };
    Ok(Some(Bound { kind: kind.to_owned(), name: name.to_owned(), uid: uid.to_owned(), node }))
}

/// Name and uid of the node that a pod runs on.
fn node_of(api: &Api, pod: &Value) -> Option<(String, String)> {
    let name = pod.text_at(&["spec", "nodeName"]);
    if name.is_empty() {
        return None;
    }
    let uid = Stored(api).uid("nodes", "", name).unwrap_or_default();
    Some((name.to_owned(), uid))
}

impl Stored<'_> {
    fn tree(&self, resource: &str, namespace: &str, name: &str) -> Option<std::sync::Arc<Value>> {
        let registry = self.0.registry();
        let row: &Row = registry.row("", "v1", resource)?;
        let object = self.0.get(row, namespace, name).ok()?;
        self.0.tree(row, &object).ok()
    }
}

impl Objects for Stored<'_> {
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String> {
        Some(self.tree(resource, namespace, name)?.text_at(&["metadata", "uid"]).to_owned())
    }

    fn bootstrap_secret(&self, name: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let tree = self.tree("secrets", "kube-system", name)?;
        if tree.text_at(&["type"]) != "bootstrap.kubernetes.io/token" {
            return None;
        }
        let data = tree.at(&["data"])?.as_object()?;
        let decode = |value: &Value| coracle_apimachinery::base64::decode(value.as_str()?).ok();
        Some(data.iter().filter_map(|(key, value)| Some((key.to_owned(), decode(value)?))).collect())
    }
}
