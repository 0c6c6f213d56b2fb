//! Store keys. Their text is final: it is the same on disk, in memory and as an etcd key.
//!
//! ```text
//! group/resource/namespace/name      exactly three slashes
//! core/pods/default/web-0            the API group "" is spelled core
//! apps/deployments/default/web
//! core/nodes//edge-7                 a cluster-scoped object has an empty namespace
//! ```
//!
//! The API version is no part of a key, so a kind that moves from v1beta1 to v1 keeps its keys. Every scope is a
//! prefix that ends with a slash: `core/pods/` is the kind, `core/pods/default/` one namespace. Order is byte order,
//! as in etcd; a prefix's end is the prefix with its last byte (`/`) raised to `0`. An etcd that is shared with other
//! users is partitioned by the etcd client's own key prefix, never by a change of these keys.
//!
//! No API group is called `core`: groups other than the core group and the built-in one-word ones contain a dot.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// How the empty API group is spelled.
const CORE_GROUP: &str = "core";
/// Longest group or resource, in bytes (a DNS subdomain).
const MAX_SEGMENT_BYTES: usize = 253;
/// Longest namespace, in bytes (a DNS label).
const MAX_NAMESPACE_BYTES: usize = 63;
/// Longest object name, in bytes. Most kinds allow 253; role names have no limit upstream.
const MAX_NAME_BYTES: usize = 512;
// A batch record gives a key's length 16 bits.
const _: () = assert!(2 * MAX_SEGMENT_BYTES + MAX_NAMESPACE_BYTES + MAX_NAME_BYTES + 3 <= u16::MAX as usize);

/// A group and resource, such as `apps/deployments`: what lists and watches select by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Arc<str>);

/// The key of one object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// What a list or a watch covers: a kind, one namespace of it, or one object of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    kind: Kind,
    prefix: Arc<str>,
    exact: bool,
}

impl Kind {
    /// The kind of a group (empty or `core` for the core group) and a plural resource name.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] when a part is empty, too long or holds characters that no group or resource has.
    pub fn new(group: &str, resource: &str) -> Result<Self, Error> {
        let group = if group.is_empty() { CORE_GROUP } else { group };
        let text = format!("{group}/{resource}");
        match check_dns(group, MAX_SEGMENT_BYTES).or_else(|| check_dns(resource, MAX_SEGMENT_BYTES)) {
            Some(reason) => Err(Error::InvalidKey { text, reason }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text `group/resource`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key of this kind; the namespace is empty for a cluster-scoped object.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] when the namespace or name cannot be part of a key.
    pub fn key(&self, namespace: &str, name: &str) -> Result<Key, Error> {
        let text = format!("{}/{namespace}/{name}", self.0);
        match check_namespace(namespace).or_else(|| check_name(name)) {
            Some(reason) => Err(Error::InvalidKey { text, reason }),
            None => Ok(Key(text.into())),
        }
    }

    /// All objects of this kind.
    #[must_use]
    pub fn all(&self) -> Scope {
        Scope { kind: self.clone(), prefix: format!("{}/", self.0).into(), exact: false }
    }

    /// The objects of this kind in one namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Scope {
        Scope { kind: self.clone(), prefix: format!("{}/{namespace}/", self.0).into(), exact: false }
    }
}

impl Key {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] when the text is not `group/resource/namespace/name`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = text.splitn(4, '/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(group), Some(resource), Some(namespace), Some(name)) if !group.is_empty() => {
                Kind::new(group, resource)?.key(namespace, name)
            }
            _ => Err(Error::InvalidKey { text: text.to_owned(), reason: "it is not group/resource/namespace/name" }),
        }
    }

    /// The text `group/resource/namespace/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of the object.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind(self.kind_str().into())
    }

    /// The text of the kind, without copying it.
    pub(crate) fn kind_str(&self) -> &str {
        let end = self.0.match_indices('/').nth(1).map_or(self.0.len(), |(at, _)| at);
        self.0.get(..end).unwrap_or_default()
    }

    /// The namespace, empty for a cluster-scoped object.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.splitn(4, '/').nth(3).unwrap_or_default()
    }

    /// The scope that holds this object only.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { kind: self.kind(), prefix: Arc::clone(&self.0), exact: true }
    }

    /// Sorts before every key: the lower bound of an index range.
    pub(crate) fn lowest() -> Self {
        Self("".into())
    }
}

impl Scope {
    /// The kind that is listed or watched.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The text that every key of the scope begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the scope covers the key.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        if self.exact { key.0 == self.prefix } else { key.as_str().starts_with(&*self.prefix) }
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Kind {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.0)
    }
}

fn check_dns(segment: &str, limit: usize) -> Option<&'static str> {
    if segment.is_empty() {
        return Some("a group and a resource must not be empty");
    }
    if segment.len() > limit {
        return Some("a group or a resource is too long");
    }
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (!segment.bytes().all(allowed)).then_some("a group or a resource holds a character that a DNS name cannot have")
}

fn check_namespace(namespace: &str) -> Option<&'static str> {
    if namespace.len() > MAX_NAMESPACE_BYTES {
        return Some("the namespace is too long");
    }
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!namespace.bytes().all(allowed)).then_some("the namespace is not a DNS label")
}

fn check_name(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("the name must not be empty"),
        "." | ".." => Some("the name must not be a path step"),
        _ if name.len() > MAX_NAME_BYTES => Some("the name is too long"),
        _ if name.contains('/') => Some("the name must not hold a slash"),
        _ if name.chars().any(char::is_control) => Some("the name must not hold control characters"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_final() {
        for (group, resource, namespace, name, text) in [
            ("", "pods", "default", "web-0", "core/pods/default/web-0"),
            ("core", "pods", "default", "web-0", "core/pods/default/web-0"),
            ("apps", "deployments", "kube-system", "dns", "apps/deployments/kube-system/dns"),
            ("", "nodes", "", "edge-7", "core/nodes//edge-7"),
            (
                "rbac.authorization.k8s.io",
                "clusterroles",
                "",
                "system:node",
                "rbac.authorization.k8s.io/clusterroles//system:node",
            ),
        ] {
            let key = Kind::new(group, resource).unwrap().key(namespace, name).unwrap();
            assert_eq!(key.as_str(), text);
            let parsed = Key::parse(text).unwrap();
            assert_eq!((parsed.namespace(), parsed.name()), (namespace, name));
            assert_eq!(parsed.kind(), Kind::new(group, resource).unwrap());
        }
    }

    #[test]
    fn scopes_are_prefixes_that_end_with_a_slash() {
        let pods = Kind::new("", "pods").unwrap();
        assert_eq!(pods.all().prefix(), "core/pods/");
        assert_eq!(pods.in_namespace("a").prefix(), "core/pods/a/");
        let key = pods.key("a", "x").unwrap();
        assert!(pods.all().contains(&key));
        assert!(pods.in_namespace("a").contains(&key));
        assert!(!pods.in_namespace("b").contains(&key));
        assert!(key.scope().contains(&key));
        assert!(!key.scope().contains(&pods.key("a", "xy").unwrap()));
        let podtemplates = Kind::new("", "podtemplates").unwrap();
        assert!(!pods.all().contains(&podtemplates.key("a", "x").unwrap()));
    }

    #[test]
    fn bad_keys_are_refused() {
        let long = "x".repeat(513);
        for text in [
            "",
            "pods",
            "/pods/default/x",
            "core/pods/default",
            "core/pods/default/",
            "core/pods/default/a/b",
            "core/Pods/default/a",
            "core//default/a",
            "core/pods/De/a",
            "core/pods/default/..",
            "core/pods/default/a\n",
            &format!("core/pods/default/{long}"),
        ] {
            assert!(Key::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
