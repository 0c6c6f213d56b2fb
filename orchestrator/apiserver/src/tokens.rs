//! Who asks: certificates and tokens, checked against what is stored.

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_auth::token::{self, Reference, Request as TokenRequest};
use coracle_auth::{Authenticator, Identity};
use rustls::pki_types::CertificateDer;

use crate::api::Api;
use crate::now_seconds;

/// Checks and makes credentials.
#[derive(Debug)]
pub struct Tokens {
    authenticator: Authenticator,
    issuer: token::Tokens,
}

/// A token that was made.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires: String,
    pub(crate) audiences: Vec<String>,
}

impl Tokens {
    /// Checks by an authenticator; new tokens come from an issuer.
    #[must_use]
    pub fn new(authenticator: Authenticator, issuer: token::Tokens) -> Self {
        Self { authenticator, issuer }
    }

    /// What signs and announces tokens.
    #[must_use]
    pub fn issuer(&self) -> &token::Tokens {
        &self.issuer
    }

    /// Who asks, by the certificates of the connection and the headers of the request.
    ///
    /// # Errors
    /// What was shown is not valid.
    pub(crate) fn authenticate(
        &self,
        peer: &[CertificateDer<'static>],
        headers: &http::HeaderMap,
    ) -> Result<Identity, Status> {
        let authorization = match headers.get(http::header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| Status::unauthorized())?),
        };
        if headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
            // Ignoring them would do more than the caller asked for.
            let message = "impersonation is not part of this version: it joins with RBAC";
            return Err(Status::new(403, "Forbidden", message).about("", "", ""));
        }
        self.authenticator.authenticate(peer, authorization, now_seconds()).map_err(|error| {
            tracing::debug!(%error, "request not authenticated");
            Status::unauthorized()
        })
    }

    /// What a TokenReview says of a token: whose it is and for which of the audiences it is good.
    pub(crate) fn review(&self, token: &str, audiences: &[String]) -> Result<(Identity, Vec<String>), String> {
        self.authenticator.token(token, audiences, now_seconds()).map_err(|refused| refused.review_error())
    }

    /// Makes a token for a ServiceAccount, bound to what the request names.
    pub(crate) fn issue(&self, api: &Api, account: &Value, request: &Value, seconds: i64) -> Result<Issued, Status> {
        let texts = request.at(&["spec", "audiences"]).map(Value::items).unwrap_or_default();
        let audiences = texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        let namespace = account.text_at(&["metadata", "namespace"]);
        let mut wanted = TokenRequest {
            namespace: namespace.to_owned(),
            service_account: reference(account),
            audiences,
            expiration_seconds: seconds,
            ..TokenRequest::default()
        };
        bind(api, namespace, account, request, &mut wanted)?;
        let issued = self.issuer.issue(wanted, now_seconds()).map_err(Status::internal)?;
        Ok(Issued { token: issued.token, expires: crate::print_time(issued.expiration), audiences: issued.claims.aud })
    }
}

fn reference(object: &Value) -> Reference {
    Reference {
        name: object.text_at(&["metadata", "name"]).to_owned(),
        uid: object.text_at(&["metadata", "uid"]).to_owned(),
    }
}

/// Binds a token to the object that the request names, which must exist and belong to the account.
fn bind(api: &Api, namespace: &str, account: &Value, request: &Value, wanted: &mut TokenRequest) -> Result<(), Status> {
    let Some(named) = request.at(&["spec", "boundObjectRef"]) else { return Ok(()) };
    let (kind, name) = (named.text_at(&["kind"]), named.text_at(&["name"]));
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
    let (uid, given) = (tree.text_at(&["metadata", "uid"]), named.text_at(&["uid"]));
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
    match kind {
        "Pod" => {
            wanted.node = node_of(api, &tree);
            wanted.pod = Some(reference(&tree));
        }
        "Secret" => wanted.secret = Some(reference(&tree)),
        _ => wanted.node = Some(reference(&tree)),
    }
    Ok(())
}

/// The node that a pod runs on.
fn node_of(api: &Api, pod: &Value) -> Option<Reference> {
    let name = pod.text_at(&["spec", "nodeName"]);
    if name.is_empty() {
        return None;
    }
    let registry = api.registry();
    let row = registry.row("", "v1", "nodes")?;
    let found = api.get(row, "", name).ok().and_then(|object| api.tree(row, &object).ok());
    Some(found.map_or_else(|| Reference { name: name.to_owned(), uid: String::new() }, |node| reference(&node)))
}
