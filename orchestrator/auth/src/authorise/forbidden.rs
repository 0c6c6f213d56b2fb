//! The words of a refusal.
//!
//! Source: apiserver v0.37.2, pkg/endpoints/handlers/responsewriters/errors.go.

use coracle_apimachinery::field::quote;
use coracle_apimachinery::status::Status;

use super::{Attributes, Decision, Target};

/// The answer 403 to a request that was denied.
#[must_use]
pub fn forbidden_message(attributes: &Attributes<'_>, decision: &Decision) -> Status {
    let mut why = sanitised(&sentence(attributes));
    if let Decision::Denied(reason) = decision
        && !reason.is_empty()
    {
        why.push_str(": ");
        why.push_str(reason);
    }
    match &attributes.target {
        Target::Resource(resource) => Status::forbidden(resource.group, resource.resource, resource.name, why),
        Target::Path(_) => Status::forbidden("", "", "", why),
    }
}

fn sentence(attributes: &Attributes<'_>) -> String {
    let (user, verb) = (quote(&attributes.identity.name), attributes.verb);
    let resource = match &attributes.target {
        Target::Path(path) => return format!("User {user} cannot {verb} path {}", quote(path)),
        Target::Resource(resource) => resource,
    };
    let mut name = resource.resource.to_owned();
    if !resource.subresource.is_empty() {
        name.push('/');
        name.push_str(resource.subresource);
    }
    let place = match resource.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", quote(namespace)),
    };
    format!("User {user} cannot {verb} resource {} in API group {} {place}", quote(&name), quote(resource.group))
}

/// A browser must never take the text for a page.
fn sanitised(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
