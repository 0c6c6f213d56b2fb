//! What an identity may do: a fixed table of rules until RBAC exists. What no rule allows is denied.
//!
//! Source of the rules: k8s.io/kubernetes v1.37.2, plugin/pkg/auth/authorizer (rbac/bootstrappolicy and node).

use crate::identity::{AUTHENTICATED, Identity, UNAUTHENTICATED};

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// What is to be done.
    pub verb: &'a str,
    /// What it is to be done to.
    pub target: Target<'a>,
}

/// What something is to be done to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A resource.
    Resource {
        /// API group.
        group: &'a str,
        /// API version.
        version: &'a str,
        /// Plural resource.
        resource: &'a str,
        /// Subresource; may be empty.
        subresource: &'a str,
        /// Namespace; may be empty.
        namespace: &'a str,
        /// Name; may be empty.
        name: &'a str,
    },
    /// A path that is no resource.
    Path(&'a str),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed,
    /// It may not; the reason is empty where none is given.
    Denied(String),
}

/// What rules ask about stored objects.
pub trait Facts {
    /// Whether a pod that is bound to the node uses an object.
    fn pod_on_node_uses(&self, node: &str, resource: &str, namespace: &str, name: &str) -> bool;

    /// Whether a pod is bound to the node.
    fn is_pod_on_node(&self, node: &str, namespace: &str, name: &str) -> bool;
}

/// One rule: verbs, group, resources (with their subresources) that its subjects may use.
struct Rule {
    subject: Subject,
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
}

enum Subject {
    Group(&'static str),
    User(&'static str),
}

const READ: &[&str] = &["get", "list", "watch"];
const CHANGE: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const CREATE: &[&str] = &["create"];

const fn group(
    subject: &'static str,
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
) -> Rule {
    Rule { subject: Subject::Group(subject), verbs, group, resources }
}

const fn user(
    subject: &'static str,
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
) -> Rule {
    Rule { subject: Subject::User(subject), verbs, group, resources }
}

const SCHEDULER: &str = "system:kube-scheduler";
const MANAGER: &str = "system:kube-controller-manager";

/// Rules for resources. Nodes have conditions of their own: [`node`].
const RULES: &[Rule] = &[
    group(AUTHENTICATED, CREATE, "authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    group(AUTHENTICATED, CREATE, "authentication.k8s.io", &["selfsubjectreviews"]),
    group(
        "system:bootstrappers",
        &["create", "get", "list", "watch"],
        "certificates.k8s.io",
        &["certificatesigningrequests"],
    ),
    user(
        SCHEDULER,
        READ,
        "",
        &[
            "nodes",
            "pods",
            "namespaces",
            "services",
            "replicationcontrollers",
            "persistentvolumes",
            "persistentvolumeclaims",
        ],
    ),
    user(SCHEDULER, CREATE, "", &["pods/binding", "events"]),
    user(SCHEDULER, &["create", "patch", "update"], "events.k8s.io", &["events"]),
    user(SCHEDULER, &["patch", "update"], "", &["pods/status"]),
    user(SCHEDULER, READ, "apps", &["replicasets", "statefulsets"]),
    user(SCHEDULER, READ, "policy", &["poddisruptionbudgets"]),
    user(SCHEDULER, READ, "storage.k8s.io", &["csinodes", "csidrivers", "csistoragecapacities", "storageclasses"]),
    user(SCHEDULER, CHANGE, "coordination.k8s.io", &["leases"]),
    user(MANAGER, CHANGE, "", &["*"]),
    user(MANAGER, CHANGE, "apps", &["*"]),
    user(MANAGER, CHANGE, "certificates.k8s.io", &["*"]),
    user(MANAGER, CHANGE, "coordination.k8s.io", &["leases"]),
    user(MANAGER, CHANGE, "events.k8s.io", &["events"]),
];

/// Paths that everybody who is known may read (`system:discovery`).
const DISCOVERY: &[&str] = &["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"];
/// Paths that everybody may read (`system:public-info-viewer`).
const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// Decides.
#[must_use]
pub fn authorise(attributes: &Attributes<'_>, facts: &dyn Facts) -> Decision {
    let identity = attributes.identity;
    if identity.is_in("system:masters") {
        return Decision::Allowed;
    }
    match attributes.target {
        Target::Path(path) => {
            let reads = matches!(attributes.verb, "get" | "head");
            let known = identity.is_in(AUTHENTICATED);
            let allowed = reads
                && (matches_path(PUBLIC, path) && (known || identity.is_in(UNAUTHENTICATED))
                    || known && matches_path(DISCOVERY, path));
            if allowed { Decision::Allowed } else { Decision::Denied(String::new()) }
        }
        Target::Resource { .. } => {
            if is_cluster_info(attributes) || RULES.iter().any(|rule| rule.allows(attributes)) {
                return Decision::Allowed;
            }
            match identity.name.strip_prefix("system:node:") {
                Some(name) if identity.is_in("system:nodes") => node(name, attributes, facts),
                _ => Decision::Denied(String::new()),
            }
        }
    }
}

/// The words of a refusal: `User "u" cannot get resource "pods" in API group "" in the namespace "n"`.
#[must_use]
pub fn refusal(attributes: &Attributes<'_>, decision: &Decision) -> String {
    let (user, verb) = (&attributes.identity.name, attributes.verb);
    let mut text = match attributes.target {
        Target::Path(path) => format!("User \"{user}\" cannot {verb} path \"{path}\""),
        Target::Resource { group, resource, subresource, namespace, .. } => {
            let resource =
                if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
            let place = if namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace \"{namespace}\"")
            };
            format!("User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}")
        }
    };
    if let Decision::Denied(reason) = decision
        && !reason.is_empty()
    {
        text.push_str(": ");
        text.push_str(reason);
    }
    text
}

/// `kube-public/cluster-info` is what a machine that joins reads before it knows anything.
fn is_cluster_info(attributes: &Attributes<'_>) -> bool {
    let Target::Resource {
        group: "",
        resource: "configmaps",
        subresource: "",
        namespace: "kube-public",
        name: "cluster-info",
        ..
    } = attributes.target
    else {
        return false;
    };
    attributes.verb == "get"
}

impl Rule {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        let Target::Resource { group, resource, subresource, .. } = attributes.target else { return false };
        let subject = match self.subject {
            Subject::Group(name) => attributes.identity.is_in(name),
            Subject::User(name) => attributes.identity.name == name,
        };
        let named = |of: &&str| match of.split_once('/') {
            Some((of, sub)) => of == resource && sub == subresource,
            None => *of == "*" || (*of == resource && subresource.is_empty()),
        };
        subject
            && group == self.group
            && self.verbs.contains(&attributes.verb)
            && self.resources.iter().any(|of| named(of))
    }
}

fn matches_path(patterns: &[&str], path: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => *pattern == path,
    })
}

/// What a node may do: itself, and what runs on it.
fn node(node: &str, attributes: &Attributes<'_>, facts: &dyn Facts) -> Decision {
    let Target::Resource { group, resource, subresource, namespace, name, .. } = attributes.target else {
        return Decision::Denied(String::new());
    };
    let verb = attributes.verb;
    let reads = READ.contains(&verb);
    let writes = matches!(verb, "create" | "update" | "patch");
    let no = || Decision::Denied(String::new());
    let if_so = |allowed: bool| if allowed { Decision::Allowed } else { Decision::Denied(String::new()) };
    match (group, resource, subresource) {
        ("", "secrets" | "configmaps" | "persistentvolumeclaims", "") => {
            if !reads {
                return Decision::Denied("can only read resources of this type".to_owned());
            }
            if name.is_empty() {
                let reason = "No Object name found";
                return Decision::Denied(reason.to_owned());
            }
            if facts.pod_on_node_uses(node, resource, namespace, name) {
                Decision::Allowed
            } else {
                Decision::Denied(format!("node: no relationship found between node '{node}' and this object"))
            }
        }
        ("", "serviceaccounts", "token") if verb == "create" => {
            if facts.pod_on_node_uses(node, resource, namespace, name) {
                Decision::Allowed
            } else {
                Decision::Denied(format!("node: no relationship found between node '{node}' and this object"))
            }
        }
        // A node reads its own Node and makes it; the admission rule NodeRestriction looks at what it changes.
        ("", "nodes", "" | "status") if verb == "list" || verb == "watch" => if_so(name.is_empty() || name == node),
        ("", "nodes", "" | "status") if reads || writes => if_so(name.is_empty() || name == node),
        ("", "pods", "") => match verb {
            // Lists and watches are of the pods that are bound to it; the field selector says so, the object decides.
            "list" | "watch" | "create" => Decision::Allowed,
            "get" | "delete" => if_so(name.is_empty() || facts.is_pod_on_node(node, namespace, name)),
            _ => no(),
        },
        ("", "pods", "status") if writes || verb == "get" => if_so(facts.is_pod_on_node(node, namespace, name)),
        ("", "pods", "eviction") if verb == "create" => if_so(facts.is_pod_on_node(node, namespace, name)),
        ("", "services", "") | ("discovery.k8s.io", "endpointslices", "") | ("node.k8s.io", "runtimeclasses", "") => {
            if_so(reads)
        }
        ("storage.k8s.io", "csidrivers", "") => if_so(reads),
        ("" | "events.k8s.io", "events", "") => if_so(writes),
        ("coordination.k8s.io", "leases", "") => {
            let own = namespace == "kube-node-lease" && (name.is_empty() && verb == "create" || name == node);
            if_so(own && (verb == "get" || writes || verb == "delete"))
        }
        ("certificates.k8s.io", "certificatesigningrequests", "") => if_so(reads || verb == "create"),
        ("authentication.k8s.io", "tokenreviews", "")
        | ("authorization.k8s.io", "subjectaccessreviews" | "localsubjectaccessreviews", "") => if_so(verb == "create"),
        _ => no(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Facts for Fixed {
        fn pod_on_node_uses(&self, node: &str, _: &str, _: &str, name: &str) -> bool {
            node == "node-a" && name == "used"
        }

        fn is_pod_on_node(&self, node: &str, _: &str, name: &str) -> bool {
            node == "node-a" && name == "mine"
        }
    }

    fn who(name: &str, groups: &[&str]) -> Identity {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Identity { name: name.to_owned(), groups, ..Identity::default() }
    }

    fn decide(identity: &Identity, verb: &str, target: &str) -> (Decision, String) {
        let target = match target.split('|').collect::<Vec<_>>().as_slice() {
            [path] => Target::Path(path),
            [group, resource, namespace, name] => {
                let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
                Target::Resource { group, version: "v1", resource, subresource, namespace, name }
            }
            other => panic!("{other:?}"),
        };
        let attributes = Attributes { identity, verb, target };
        let decision = authorise(&attributes, &Fixed);
        let text = refusal(&attributes, &decision);
        (decision, text)
    }

    #[test]
    fn everybody_may_what_the_table_says_and_nothing_else() {
        let admin = who("admin", &["system:masters", AUTHENTICATED]);
        let nobody = who("nobody", &[AUTHENTICATED]);
        let node = who("system:node:node-a", &["system:nodes", AUTHENTICATED]);
        let joiner = who("system:bootstrap:abcdef", &["system:bootstrappers", AUTHENTICATED]);
        let scheduler = who(SCHEDULER, &[AUTHENTICATED]);
        let anonymous = Identity::anonymous();
        for (identity, verb, target, allowed) in [
            (&admin, "delete", "|nodes||n", true),
            (&admin, "get", "/metrics", true),
            (&nobody, "get", "/metrics", false),
            (&nobody, "get", "/api/v1", true),
            (&nobody, "get", "/version", true),
            (&nobody, "post", "/version", false),
            (&nobody, "get", "|pods|n|p", false),
            (&nobody, "create", "authorization.k8s.io|selfsubjectaccessreviews||", true),
            (&nobody, "create", "authorization.k8s.io|subjectaccessreviews||", false),
            (&anonymous, "get", "/readyz", true),
            (&anonymous, "get", "/api", false),
            (&anonymous, "get", "|configmaps|kube-public|cluster-info", true),
            (&anonymous, "list", "|configmaps|kube-public|", false),
            (&anonymous, "create", "authentication.k8s.io|selfsubjectreviews||", false),
            (&node, "get", "|secrets|n|used", true),
            (&node, "get", "|secrets|n|hidden", false),
            (&node, "list", "|secrets|n|", false),
            (&node, "update", "|nodes/status||node-a", true),
            (&node, "update", "|nodes/status||node-b", false),
            (&node, "delete", "|pods|n|mine", true),
            (&node, "delete", "|pods|n|other", false),
            (&node, "patch", "|pods/status|n|mine", true),
            (&node, "update", "coordination.k8s.io|leases|kube-node-lease|node-a", true),
            (&node, "update", "coordination.k8s.io|leases|default|node-a", false),
            (&node, "create", "|serviceaccounts/token|n|used", true),
            (&node, "create", "|serviceaccounts/token|n|other", false),
            (&joiner, "create", "certificates.k8s.io|certificatesigningrequests||", true),
            (&joiner, "get", "|nodes||n", false),
            (&scheduler, "create", "|pods/binding|n|p", true),
            (&scheduler, "delete", "|pods|n|p", false),
            (&who("system:node:node-a", &[AUTHENTICATED]), "get", "|secrets|n|used", false),
        ] {
            let (decision, text) = decide(identity, verb, target);
            assert_eq!(decision == Decision::Allowed, allowed, "{text}");
        }
    }

    #[test]
    fn refusals_say_who_and_what() {
        let nobody = who("u", &[AUTHENTICATED]);
        for (verb, target, text) in [
            ("get", "/metrics", "User \"u\" cannot get path \"/metrics\""),
            ("list", "|pods|n|", "User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"n\""),
            (
                "get",
                "apps|deployments/scale||d",
                "User \"u\" cannot get resource \"deployments/scale\" in API group \"apps\" at the cluster scope",
            ),
        ] {
            assert_eq!(decide(&nobody, verb, target).1, text);
        }
        let node = who("system:node:node-a", &["system:nodes"]);
        assert!(
            decide(&node, "get", "|secrets|n|s")
                .1
                .ends_with(": node: no relationship found between node 'node-a' and this object")
        );
    }
}
