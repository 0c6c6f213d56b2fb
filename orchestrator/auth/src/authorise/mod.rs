//! Whether a request is allowed: a fixed table of rules until RBAC objects decide.
//!
//! The order is upstream's `--authorization-mode=Node,RBAC`: `system:masters` may do everything, then the Node authorizer
//! looks at kubelets, then the roles of the bootstrap policy are searched. Who is not allowed is denied; nothing here
//! ever allows by default.

mod bootstrapper;
mod forbidden;
mod node;
mod references;
mod table;

use std::fmt;

use crate::Identity;
use crate::identity::MASTERS;

pub use forbidden::forbidden_message;
pub use references::{Related, pod_uses};
use table::{Role, Subject};

/// Who wants to do what.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the method in lower case for a
    /// path.
    pub verb: &'a str,
    /// To what.
    pub target: Target<'a>,
}

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// An API resource.
    Resource(Resource<'a>),
    /// Any other path.
    Path(&'a str),
}

/// An API resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resource<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Version.
    pub version: &'a str,
    /// Resource.
    pub resource: &'a str,
    /// Subresource, or empty.
    pub subresource: &'a str,
    /// Namespace, or empty at the scope of the cluster.
    pub namespace: &'a str,
    /// Name, or empty. For list, watch and deletecollection it is the value of the field selector `metadata.name=` if
    /// there is one, as upstream fills it.
    pub name: &'a str,
    /// The field selector's requirements of equality.
    pub fields: &'a [(&'a str, &'a str)],
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allowed(Grant),
    /// Refuse; the text follows the message and is often empty.
    Denied(String),
}

/// What allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// A rule that upstream gives no reason for.
    Plain,
    /// A role of the bootstrap policy.
    Role {
        /// Namespace of role and binding; empty for cluster-wide ones.
        namespace: &'static str,
        /// Prefix of the name; empty for most.
        prefix: &'static str,
        /// The rest of the name, which role and binding share.
        name: &'static str,
        /// To whom it is bound.
        subject: Subject,
    },
}

/// Relations between stored objects that decisions depend on.
pub trait Facts {
    /// Whether `node` has to do with an object: for pods, claims of the DRA, slices, attachments and certificate
    /// requests that name it themselves, and for what the pods bound to it use (see [`pod_uses`]).
    fn node_uses(&self, node: &str, related: Related, namespace: &str, name: &str) -> bool;

    /// User name of who created a CertificateSigningRequest.
    fn certificate_request_owner(&self, name: &str) -> Option<String>;
}

impl Decision {
    /// Whether it is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The `status.reason` of an access review.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Allowed(grant) => grant.to_string(),
            Self::Denied(reason) => reason.clone(),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Role { namespace, prefix, name, subject } = self else { return Ok(()) };
        if namespace.is_empty() {
            write!(
                f,
                "RBAC: allowed by ClusterRoleBinding \"{prefix}{name}\" of ClusterRole \"{prefix}{name}\" to {subject}"
            )
        } else {
            write!(
                f,
                "RBAC: allowed by RoleBinding \"{prefix}{name}/{namespace}\" of Role \"{prefix}{name}\" to {subject}"
            )
        }
    }
}

/// Decides about a request.
#[must_use]
pub fn authorise(attributes: &Attributes<'_>, facts: &dyn Facts) -> Decision {
    let identity = attributes.identity;
    if identity.is_in(MASTERS) {
        return Decision::Allowed(Grant::Plain);
    }
    let mut reason = String::new();
    if let Some(name) = identity.node_name() {
        match node::authorise(name, attributes, facts) {
            Ok(()) => return Decision::Allowed(Grant::Plain),
            Err(text) if text.is_empty() => {}
            Err(text) => reason = format!("node: {text}"),
        }
    }
    match role_of(attributes).or_else(|| bootstrapper::authorise(attributes, facts)) {
        Some(grant) => Decision::Allowed(grant),
        None => Decision::Denied(reason),
    }
}

/// The role that allows it.
fn role_of(attributes: &Attributes<'_>) -> Option<Grant> {
    controller_of(attributes).or_else(|| {
        table::ROLES.iter().filter(|role| in_scope(role, &attributes.target)).find_map(|role| {
            let subject = role.subjects.iter().find(|subject| subject.is(attributes.identity))?;
            let grant = Grant::Role { namespace: role.namespace, prefix: "", name: role.name, subject: *subject };
            table::allow(role.rules, attributes).then_some(grant)
        })
    })
}

fn controller_of(attributes: &Attributes<'_>) -> Option<Grant> {
    let controller = attributes.identity.controller_name()?;
    let (name, rules) = table::CONTROLLERS.iter().find(|(name, _)| *name == controller)?;
    let subject = Subject::ServiceAccount("kube-system", name);
    let grant = Grant::Role { namespace: "", prefix: "system:controller:", name, subject };
    table::allow(rules, attributes).then_some(grant)
}

fn in_scope(role: &Role, target: &Target<'_>) -> bool {
    role.namespace.is_empty() || matches!(target, Target::Resource(resource) if resource.namespace == role.namespace)
}

#[cfg(test)]
mod tests;
