//! The rules as data, and how a rule is read.
//!
//! Source: kubernetes v1.37.2, pkg/apis/rbac/v1/evaluation_helpers.go. Lists are words with spaces between them; the
//! core group is written `core`.

mod controllers;
mod node;
mod roles;

use std::fmt;

use super::{Attributes, Target};
use crate::Identity;
use crate::identity::service_account_name;

pub(super) use controllers::RULES as CONTROLLERS;
pub(super) use node::RULES as NODES;
pub(super) use roles::ROLES;

/// What somebody may do: verbs on resources, or on paths.
#[derive(Debug)]
pub(super) struct Rule {
    verbs: &'static str,
    groups: &'static str,
    resources: &'static str,
    names: &'static str,
    paths: &'static str,
}

/// Rules with whom they are for.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: &'static str,
    /// Where the rules hold; empty for everywhere.
    pub(super) namespace: &'static str,
    pub(super) subjects: &'static [Subject],
    pub(super) rules: &'static [Rule],
}

/// Whom a role is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(&'static str),
    /// A group.
    Group(&'static str),
    /// A ServiceAccount by namespace and name.
    ServiceAccount(&'static str, &'static str),
}

impl Subject {
    pub(super) fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::User(name) => identity.name == *name,
            Self::Group(name) => identity.is_in(name),
            Self::ServiceAccount(namespace, name) => identity.name == service_account_name(namespace, name),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "User \"{name}\""),
            Self::Group(name) => write!(f, "Group \"{name}\""),
            Self::ServiceAccount(namespace, name) => write!(f, "ServiceAccount \"{name}/{namespace}\""),
        }
    }
}

/// Verbs on all objects of resources.
const fn on(verbs: &'static str, groups: &'static str, resources: &'static str) -> Rule {
    named(verbs, groups, resources, "")
}

/// Verbs on objects of some names.
const fn named(verbs: &'static str, groups: &'static str, resources: &'static str, names: &'static str) -> Rule {
    Rule { verbs, groups, resources, names, paths: "" }
}

/// Verbs on paths.
const fn path(verbs: &'static str, paths: &'static str) -> Rule {
    Rule { verbs, groups: "", resources: "", names: "", paths }
}

/// Whether one of the rules allows it.
pub(super) fn allow(rules: &[Rule], attributes: &Attributes<'_>) -> bool {
    rules.iter().any(|rule| rule.allows(attributes))
}

impl Rule {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(self.verbs, attributes.verb) {
            return false;
        }
        match &attributes.target {
            Target::Path(path) => self.paths.split_ascii_whitespace().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => path.starts_with(start),
                None => *path == pattern,
            }),
            Target::Resource(resource) => {
                let group = match resource.group {
                    "" => "core",
                    // A group that is really called so is not the core group; only rules for any group cover it.
                    "core" => "*",
                    group => group,
                };
                has(self.groups, group)
                    && self
                        .resources
                        .split_ascii_whitespace()
                        .any(|pattern| covers(pattern, resource.resource, resource.subresource))
                    && (self.names.is_empty() || self.names.split_ascii_whitespace().any(|name| name == resource.name))
            }
        }
    }
}

/// Whether a list has `word` or the star for any.
fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|item| item == "*" || item == word)
}

/// Whether a pattern such as `pods`, `pods/status`, `*/scale` or `*` covers a resource.
fn covers(pattern: &str, resource: &str, subresource: &str) -> bool {
    match pattern.split_once('/') {
        None => pattern == "*" || (pattern == resource && subresource.is_empty()),
        Some((first, second)) => (first == "*" || first == resource) && second == subresource,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn patterns_cover_as_upstream_says() {
        let table = [
            ("*", "pods", "", true),
            ("*", "pods", "status", true),
            ("pods", "pods", "", true),
            ("pods", "pods", "status", false),
            ("pods/status", "pods", "status", true),
            ("pods/status", "pods", "", false),
            ("*/scale", "deployments", "scale", true),
            ("*/scale", "deployments", "", false),
            ("*/scale", "deployments", "status", false),
        ];
        for (pattern, resource, subresource, covered) in table {
            assert_eq!(covers(pattern, resource, subresource), covered, "{pattern} {resource}/{subresource}");
        }
    }
}
