//! Who asks.

use std::collections::BTreeMap;

use coracle_apimachinery::{Object, Value};

/// Group of everybody who is known.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Group of everybody who is not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Name of whoever presents nothing.
pub const ANONYMOUS: &str = "system:anonymous";
/// Group that may do everything.
pub const MASTERS: &str = "system:masters";
/// Group of kubelets.
pub const NODES: &str = "system:nodes";
/// Key of the extra that names the credential.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

const NODE_PREFIX: &str = "system:node:";
const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

/// A user as authentication found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User name.
    pub name: String,
    /// What tells users of the same name apart over time; may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// More about the credential.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// Whoever presents nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(ANONYMOUS, &[UNAUTHENTICATED])
    }

    /// The API server itself.
    #[must_use]
    pub fn apiserver() -> Self {
        Self::new("system:apiserver", &[MASTERS, AUTHENTICATED])
    }

    /// A component that is a user, such as `system:kube-scheduler`.
    #[must_use]
    pub fn component(name: &str) -> Self {
        Self::new(name, &[AUTHENTICATED])
    }

    /// A controller: the ServiceAccount of its name in kube-system.
    #[must_use]
    pub fn controller(name: &str) -> Self {
        let mut identity = Self::service_account("kube-system", name);
        identity.groups.push(AUTHENTICATED.to_owned());
        identity
    }

    /// The agent of a node.
    #[must_use]
    pub fn node(name: &str) -> Self {
        Self::new(&format!("{NODE_PREFIX}{name}"), &[NODES, AUTHENTICATED])
    }

    /// A ServiceAccount with its groups, but not yet among the authenticated.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let group = format!("{SERVICE_ACCOUNTS}:{namespace}");
        Self::new(&service_account_name(namespace, name), &[SERVICE_ACCOUNTS, &group])
    }

    /// A user with groups and nothing more.
    #[must_use]
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            uid: String::new(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            extra: BTreeMap::new(),
        }
    }

    /// Whether the user belongs to `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|of| of == group)
    }

    /// Name of the node if this is a kubelet; empty if it is one without a name.
    #[must_use]
    pub fn node_name(&self) -> Option<&str> {
        self.name.strip_prefix(NODE_PREFIX).filter(|_| self.is_in(NODES))
    }

    /// Name of the controller if this is one.
    pub(crate) fn controller_name(&self) -> Option<&str> {
        self.name.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.strip_prefix("kube-system:")
    }

    /// The `userInfo` of a SelfSubjectReview and the `user` of a TokenReview.
    #[must_use]
    pub fn user_info(&self) -> Value {
        let mut info = Object::new();
        for (member, text) in [("username", &self.name), ("uid", &self.uid)] {
            if !text.is_empty() {
                info.insert(member.into(), Value::text(text.as_str()));
            }
        }
        if !self.groups.is_empty() {
            info.insert("groups".into(), texts(&self.groups));
        }
        if !self.extra.is_empty() {
            let extra = info.object_mut("extra");
            for (key, values) in &self.extra {
                extra.insert(key.clone().into(), texts(values));
            }
        }
        Value::Object(info)
    }

    /// Adds the group of the authenticated unless the credential already says which of the two it is.
    pub(crate) fn authenticated(mut self) -> Self {
        if self.name != ANONYMOUS && !self.is_in(AUTHENTICATED) && !self.is_in(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }
}

/// User name of a ServiceAccount.
#[must_use]
pub fn service_account_name(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}")
}

fn texts(list: &[String]) -> Value {
    Value::List(list.iter().map(|text| Value::text(text.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    #[test]
    fn a_node_needs_name_and_group() {
        let table = [
            ("system:node:node-a", &[NODES][..], Some("node-a")),
            ("system:node:", &[NODES][..], Some("")),
            ("system:node:node-a", &[AUTHENTICATED][..], None),
            ("node-a", &[NODES][..], None),
        ];
        for (name, groups, node) in table {
            assert_eq!(Identity::new(name, groups).node_name(), node, "{name}");
        }
    }

    #[test]
    fn user_info_reads_as_in_a_self_subject_review() {
        let mut identity = Identity::new("oracle-nobody", &[]).authenticated();
        identity.extra.insert(CREDENTIAL_ID.into(), vec!["X509SHA256=00".into()]);
        assert_eq!(
            String::from_utf8(json::encode_any(&identity.user_info())).unwrap(),
            r#"{"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=00"]},"groups":["system:authenticated"],"username":"oracle-nobody"}"#
        );
    }

    #[test]
    fn nobody_is_both_known_and_unknown() {
        assert_eq!(Identity::anonymous().authenticated(), Identity::anonymous());
        assert_eq!(Identity::apiserver().authenticated(), Identity::apiserver());
        let claims_to_be_unknown = Identity::new("x", &[UNAUTHENTICATED]);
        assert_eq!(claims_to_be_unknown.clone().authenticated(), claims_to_be_unknown);
    }
}
