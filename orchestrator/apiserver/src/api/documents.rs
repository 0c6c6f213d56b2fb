//! Requests that are answered from what the server knows and store nothing: reviews and tokens.

use std::sync::Arc;

use coracle_apimachinery::schema::Type;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value};
use coracle_auth::Identity;
use coracle_auth::authorise::{Attributes, Resource, Target, authorise};

use super::Api;
use super::request::{Answer, Body, Content, Context, Request};
use crate::facts::StoredFacts;
use crate::registry::{Row, decode_as};

/// Longest life of a requested token, in seconds, and the shortest.
const TOKEN_SECONDS: std::ops::RangeInclusive<i64> = 600..=1 << 32;
const DEFAULT_TOKEN_SECONDS: i64 = 3_600;

/// The body of a request as a document of this type.
pub(super) fn body(
    context: &Context,
    of: Type<'static>,
    api_version: &str,
    kind: &str,
    request: &Request,
) -> Result<Value, Status> {
    match &request.body {
        Body::None | Body::Stream(_) => Err(Status::bad_request("the request has no body")),
        Body::Bytes(media, bytes) => {
            decode_as(of, api_version, kind, context, *media, bytes, request.options.field_validation)
        }
        Body::Tree(value) => Ok(value.clone()),
    }
}

/// Answers a review, if the row is one.
pub(super) fn review(
    api: &Api,
    context: &Context,
    row: &Arc<Row>,
    request: &Request,
) -> Option<Result<Answer, Status>> {
    let decide: fn(&Api, &Context, &Value) -> Result<Value, Status> = match (&*row.group, &*row.resource) {
        ("authorization.k8s.io", "selfsubjectaccessreviews") => self_access,
        ("authorization.k8s.io", "subjectaccessreviews" | "localsubjectaccessreviews") => subject_access,
        ("authorization.k8s.io", "selfsubjectrulesreviews") => self_rules,
        ("authentication.k8s.io", "selfsubjectreviews") => self_review,
        ("authentication.k8s.io", "tokenreviews") => token_review,
        _ => return None,
    };
    let answer = || {
        let of = row.built_in().ok_or_else(Status::unknown_resource)?;
        let mut review = request.object(context, row)?;
        let status = decide(api, context, &review)?;
        if let Some(object) = review.as_object_mut() {
            object.insert("status".into(), status);
            if request.resource == "selfsubjectreviews" {
                object.object_mut("metadata").insert("creationTimestamp".into(), Value::text(crate::now()));
            }
        }
        Ok(Answer::new(context, 201, Content::Document(of, review)))
    };
    Some(answer())
}

fn self_access(api: &Api, context: &Context, review: &Value) -> Result<Value, Status> {
    access(api, &context.identity, review)
}

fn subject_access(api: &Api, _context: &Context, review: &Value) -> Result<Value, Status> {
    let texts = |value: Option<&Value>| -> Vec<String> {
        value.into_iter().flat_map(|list| list.items()).filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let identity = Identity {
        name: review.text_at(&["spec", "user"]).to_owned(),
        uid: review.text_at(&["spec", "uid"]).to_owned(),
        groups: texts(review.at(&["spec", "groups"])),
        extra: extra(review),
    };
    access(api, &identity, review)
}

/// The `extra` of a SubjectAccessReview.
fn extra(review: &Value) -> std::collections::BTreeMap<String, Vec<String>> {
    let given = review.at(&["spec", "extra"]).and_then(Value::as_object);
    let texts = |list: &Value| list.items().iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    given.into_iter().flat_map(Members::iter).map(|(key, list)| (key.to_owned(), texts(list))).collect()
}

fn access(api: &Api, identity: &Identity, review: &Value) -> Result<Value, Status> {
    let spec = |names: &[&str]| review.at(&["spec"]).map(|spec| spec.text_at(names).to_owned()).unwrap_or_default();
    let resource = |name: &str| spec(&["resourceAttributes", name]);
    let facts = StoredFacts(api);
    let decision = if review.at(&["spec", "nonResourceAttributes"]).is_some() {
        let (path, verb) = (spec(&["nonResourceAttributes", "path"]), spec(&["nonResourceAttributes", "verb"]));
        authorise(&Attributes { identity, verb: &verb, target: Target::Path(&path) }, &facts)
    } else {
        let [verb, group, version, of, subresource, namespace, name] =
            ["verb", "group", "version", "resource", "subresource", "namespace", "name"].map(resource);
        let target = Target::Resource(Resource {
            group: &group,
            version: &version,
            resource: &of,
            subresource: &subresource,
            namespace: &namespace,
            name: &name,
            fields: &[],
        });
        authorise(&Attributes { identity, verb: &verb, target }, &facts)
    };
    let mut status = Members::new();
    status.insert("allowed".into(), Value::Bool(decision.is_allowed()));
    let reason = decision.reason();
    if !reason.is_empty() {
        status.insert("reason".into(), Value::text(reason));
    }
    Ok(Value::Object(status))
}

/// What an identity may do, as far as the fixed table says it; complete is false, as it is for authorisers that cannot
/// list their rules.
fn self_rules(_api: &Api, context: &Context, _review: &Value) -> Result<Value, Status> {
    let mut status = Members::new();
    status.insert("resourceRules".into(), Value::List(Vec::new()));
    status.insert("nonResourceRules".into(), Value::List(Vec::new()));
    status.insert("incomplete".into(), Value::Bool(true));
    let text = "this version has a fixed rule table that cannot be listed; ask with a SelfSubjectAccessReview";
    status.insert("evaluationError".into(), Value::text(text));
    context.warn(text);
    Ok(Value::Object(status))
}

fn self_review(_api: &Api, context: &Context, _review: &Value) -> Result<Value, Status> {
    let mut status = Members::new();
    status.insert("userInfo".into(), context.identity.user_info());
    Ok(Value::Object(status))
}

fn token_review(api: &Api, _context: &Context, review: &Value) -> Result<Value, Status> {
    let mut status = Members::new();
    let audiences: Vec<String> = review
        .at(&["spec", "audiences"])
        .into_iter()
        .flat_map(|list| list.items())
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect();
    match api.parts().tokens.review(review.text_at(&["spec", "token"]), &audiences) {
        Ok((identity, audiences)) => {
            status.insert("authenticated".into(), Value::Bool(true));
            status.insert("user".into(), identity.user_info());
            status.insert("audiences".into(), Value::List(audiences.into_iter().map(Value::text).collect()));
        }
        Err(error) => {
            status.insert("user".into(), Value::Object(Members::new()));
            status.insert("error".into(), Value::text(error));
        }
    }
    Ok(Value::Object(status))
}

/// Issues a token for a ServiceAccount.
pub(super) fn token_request(api: &Api, context: &Context, row: &Arc<Row>, request: &Request) -> Result<Answer, Status> {
    let of = crate::registry::document("authentication.k8s.io/v1", "TokenRequest")?;
    let mut document = body(context, of, "authentication.k8s.io/v1", "TokenRequest", request)?;
    let account = api.get(row, &request.namespace, &request.name)?;
    let account = api.tree(row, &account)?;
    let seconds = document.at(&["spec", "expirationSeconds"]).and_then(Value::as_int).unwrap_or(DEFAULT_TOKEN_SECONDS);
    if !TOKEN_SECONDS.contains(&seconds) {
        use coracle_apimachinery::field::{Error, Path};
        let path = Path::new("spec").child("expirationSeconds");
        let detail = if seconds < *TOKEN_SECONDS.start() {
            "may not specify a duration less than 10 minutes"
        } else {
            "may not specify a duration larger than 2^32 seconds"
        };
        let error = Error::invalid_value(&path, seconds, detail);
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", &[error]));
    }
    let issued = api.parts().tokens.issue(api, &account, &document, seconds)?;
    if let Some(object) = document.as_object_mut() {
        let metadata = object.object_mut("metadata");
        metadata.insert("name".into(), Value::text(request.name.as_str()));
        metadata.insert("namespace".into(), Value::text(request.namespace.as_str()));
        metadata.insert("creationTimestamp".into(), Value::text(crate::now()));
        let spec = object.object_mut("spec");
        spec.insert("expirationSeconds".into(), Value::Int(seconds));
        spec.insert(
            "audiences".into(),
            Value::List(issued.audiences.iter().map(|one| Value::text(one.as_str())).collect()),
        );
        let status = object.object_mut("status");
        status.insert("token".into(), Value::text(issued.token));
        status.insert("expirationTimestamp".into(), Value::text(issued.expires));
    }
    Ok(Answer::new(context, 201, Content::Document(of, document)))
}
