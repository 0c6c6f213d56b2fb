//! What a bootstrap token is good for: to ask for a certificate and to wait for it.
//!
//! Upstream binds `system:bootstrappers` to nothing; kubeadm binds it to `system:node-bootstrapper`, which may read every
//! request. Here whoever holds a token reads only what the same token asked for.

use super::{Attributes, Facts, Grant, Target};
use crate::bootstrap::BOOTSTRAPPERS;

pub(super) fn authorise(attributes: &Attributes<'_>, facts: &dyn Facts) -> Option<Grant> {
    let Target::Resource(resource) = &attributes.target else { return None };
    let requests = resource.group == "certificates.k8s.io"
        && resource.resource == "certificatesigningrequests"
        && resource.subresource.is_empty();
    if !requests || !attributes.identity.is_in(BOOTSTRAPPERS) {
        return None;
    }
    let allowed = match attributes.verb {
        "create" => true,
        "get" | "list" | "watch" if !resource.name.is_empty() => {
            facts.certificate_request_owner(resource.name).is_some_and(|owner| owner == attributes.identity.name)
        }
        _ => false,
    };
    allowed.then_some(Grant::Plain)
}
