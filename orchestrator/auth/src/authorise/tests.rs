use super::*;
use coracle_apimachinery::json;

/// One pod of node-a, which uses the Secret `used`, and one certificate request.
struct Known;

impl Facts for Known {
    fn node_uses(&self, node: &str, related: Related, namespace: &str, name: &str) -> bool {
        let expected = match related {
            Related::Pod => ("default", "web"),
            Related::Secret | Related::ConfigMap | Related::PersistentVolumeClaim => ("default", "used"),
            Related::ServiceAccount => ("default", "account"),
            _ => ("", "used"),
        };
        node == "node-a" && (namespace, name) == expected
    }

    fn certificate_request_owner(&self, name: &str) -> Option<String> {
        (name == "mine").then(|| "system:bootstrap:abcdef".to_owned())
    }
}

/// Reads `verb group/resource/subresource namespace name [field=value]`, or `verb /path`, with `-` for nothing.
fn decide(identity: &Identity, request: &str) -> (Decision, String) {
    let words: Vec<&str> = request.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    let fields: Vec<(&str, &str)> = words.get(4).and_then(|word| word.split_once('=')).into_iter().collect();
    let target = match words[..] {
        [_, path] => Target::Path(path),
        _ => {
            let parts: Vec<&str> = words[1].split('/').collect();
            Target::Resource(Resource {
                group: parts[0],
                version: "v1",
                resource: parts[1],
                subresource: parts.get(2).copied().unwrap_or_default(),
                namespace: words[2],
                name: words[3],
                fields: &fields,
            })
        }
    };
    let attributes = Attributes { identity, verb: words[0], target };
    let decision = authorise(&attributes, &Known);
    let status = forbidden_message(&attributes, &decision);
    (decision, String::from_utf8(json::encode_any(&status.to_value())).unwrap())
}

fn check(identity: &Identity, table: &[(&str, bool)]) {
    for (request, allowed) in table {
        assert_eq!(decide(identity, request).0.is_allowed(), *allowed, "{}: {request}", identity.name);
    }
}

#[test]
fn masters_may_do_everything() {
    let admin = Identity::new("admin", &[MASTERS]);
    check(&admin, &[("delete /nodes - x", true), ("get /metrics", true), ("anything a.b/c/d e f", true)]);
    assert_eq!(decide(&admin, "get /pods default -").0.reason(), "");
    check(&Identity::apiserver(), &[("create apps/deployments default -", true)]);
}

#[test]
fn whoever_is_unknown_sees_health_version_and_how_to_join() {
    let table = [
        ("get /livez", true),
        ("get /readyz", true),
        ("get /healthz", true),
        ("get /version", true),
        ("get /livez/ping", false),
        ("post /livez", false),
        ("get /metrics", false),
        ("get /openid/v1/jwks", false),
        ("get /api", false),
        ("get /apis", false),
        ("get /openapi/v3", false),
        ("get /configmaps kube-public cluster-info", true),
        ("get /configmaps default cluster-info", false),
        ("get /configmaps kube-public other", false),
        ("list /configmaps kube-public -", false),
        ("watch /configmaps kube-public cluster-info", false),
        ("get /secrets kube-public cluster-info", false),
        ("create authentication.k8s.io/selfsubjectreviews - -", false),
        ("create certificates.k8s.io/certificatesigningrequests - -", false),
    ];
    check(&Identity::anonymous(), &table);
}

#[test]
fn whoever_is_known_discovers_and_asks_about_itself() {
    let table = [
        ("get /version", true),
        ("get /api", true),
        ("get /apis/apps/v1", true),
        ("get /openapi/v2", true),
        ("get /metrics", false),
        ("get /.well-known/openid-configuration", false),
        ("create authentication.k8s.io/selfsubjectreviews - -", true),
        ("create authorization.k8s.io/selfsubjectaccessreviews - -", true),
        ("create authorization.k8s.io/selfsubjectrulesreviews - -", true),
        ("create authorization.k8s.io/subjectaccessreviews - -", false),
        ("create authentication.k8s.io/tokenreviews - -", false),
        ("delete /pods oracle-objects -", false),
        ("get /configmaps kube-public cluster-info", false),
    ];
    check(&Identity::component("oracle-nobody"), &table);
    let mut account = Identity::service_account("default", "web");
    account.groups.push("system:authenticated".into());
    check(&account, &table[..5]);
    check(&account, &[("get /.well-known/openid-configuration", true), ("get /openid/v1/jwks", true)]);
    assert_eq!(
        decide(&account, "get /version").0.reason(),
        "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""
    );
}

#[test]
fn components_have_their_rules_and_no_more() {
    let scheduler = Identity::component("system:kube-scheduler");
    check(
        &scheduler,
        &[
            ("create /pods/binding default web", true),
            ("watch /nodes - -", true),
            ("patch /pods/status default web", true),
            ("update /nodes - a", false),
            ("get /secrets default used", false),
            ("update coordination.k8s.io/leases kube-system kube-scheduler", true),
            ("update coordination.k8s.io/leases kube-system other", true),
            ("update coordination.k8s.io/leases default other", false),
            ("update /persistentvolumeclaims default claim", true),
            ("watch core/nodes - -", false),
        ],
    );
    let table: [(&str, &[(&str, bool)]); 13] = [
        (
            "first-contact-approver",
            &[
                ("update /secrets kube-system x", true),
                ("update /secrets default x", false),
                ("delete /secrets kube-system x", false),
                ("update certificates.k8s.io/certificatesigningrequests/approval - x", true),
                ("update certificates.k8s.io/certificatesigningrequests/status - x", false),
                ("approve certificates.k8s.io/signers - first-contact.coracle/administrator", true),
                ("approve certificates.k8s.io/signers - kubernetes.io/kube-apiserver-client", false),
            ],
        ),
        (
            "replicaset-controller",
            &[("create /pods a -", true), ("update apps/replicasets/status a b", true), ("get /secrets a b", false)],
        ),
        ("deployment-controller", &[("create apps/replicasets a -", true), ("create /pods a -", false)]),
        (
            "namespace-controller",
            &[
                ("deletecollection any.group/things a -", true),
                ("update /namespaces/finalize - a", true),
                ("create /pods a -", false),
            ],
        ),
        (
            "generic-garbage-collector",
            &[("patch any.group/things a b", true), ("delete /pods a b", true), ("create /pods a -", false)],
        ),
        ("pod-garbage-collector", &[("delete /pods a b", true), ("delete /nodes - b", false)]),
        (
            "node-controller",
            &[
                ("delete /nodes - b", true),
                ("patch /nodes/status - b", true),
                ("delete /pods a b", true),
                ("create /pods a -", false),
            ],
        ),
        (
            "service-account-controller",
            &[("create /serviceaccounts a -", true), ("delete /serviceaccounts a b", false)],
        ),
        ("root-ca-cert-publisher", &[("create /configmaps a -", true), ("get /configmaps a b", false)]),
        (
            "bootstrap-signer",
            &[
                ("list /secrets kube-system -", true),
                ("list /secrets default -", false),
                ("update /configmaps kube-public cluster-info", true),
                ("update /configmaps kube-public x", false),
            ],
        ),
        ("token-cleaner", &[("delete /secrets kube-system x", true), ("delete /secrets default x", false)]),
        (
            "certificate-controller",
            &[
                ("update certificates.k8s.io/certificatesigningrequests/approval - x", true),
                ("sign certificates.k8s.io/signers - kubernetes.io/kube-apiserver-client-kubelet", true),
                ("sign certificates.k8s.io/signers - example.com/mine", false),
            ],
        ),
        (
            "endpoint-controller",
            &[("update /endpoints a b", true), ("list /services - -", true), ("update /services a b", false)],
        ),
    ];
    for (name, requests) in table {
        check(&Identity::controller(name), requests);
    }
    // The name alone is not enough: the ServiceAccount must be of kube-system.
    check(&Identity::service_account("default", "namespace-controller"), &[("delete /namespaces - a", false)]);
    check(&Identity::controller("no-such-controller"), &[("get /pods a b", false), ("get /api", true)]);
    assert_eq!(
        decide(&Identity::controller("token-cleaner"), "delete /secrets kube-system x").0.reason(),
        "RBAC: allowed by RoleBinding \"system:controller:token-cleaner/kube-system\" of Role \"system:controller:token-cleaner\" to ServiceAccount \"token-cleaner/kube-system\""
    );
}

#[test]
fn a_bootstrap_token_reads_only_what_it_asked_for() {
    let groups = ["system:bootstrappers", "system:authenticated"];
    let table = [
        ("create certificates.k8s.io/certificatesigningrequests - -", true),
        ("get certificates.k8s.io/certificatesigningrequests - mine", true),
        ("watch certificates.k8s.io/certificatesigningrequests - mine", true),
        ("get certificates.k8s.io/certificatesigningrequests - other", false),
        ("list certificates.k8s.io/certificatesigningrequests - -", false),
        ("delete certificates.k8s.io/certificatesigningrequests - mine", false),
        ("update certificates.k8s.io/certificatesigningrequests/approval - mine", false),
        ("get /secrets kube-system bootstrap-token-abcdef", false),
        ("create /nodes - -", false),
    ];
    check(&Identity::new("system:bootstrap:abcdef", &groups), &table);
    let other = Identity::new("system:bootstrap:fedcba", &groups);
    check(&other, &[("get certificates.k8s.io/certificatesigningrequests - mine", false)]);
}

#[test]
fn a_node_reaches_its_own() {
    let node = Identity::new("system:node:node-a", &["system:nodes", "system:authenticated"]);
    let unrelated = "node: no relationship found between node 'node-a' and this object";
    let table: [(&str, Option<&str>); 52] = [
        ("get /secrets default used", None),
        ("watch /secrets default used", None),
        ("get /secrets default hidden", Some(unrelated)),
        ("get /secrets other used", Some(unrelated)),
        ("list /secrets default -", Some("node: No Object name found")),
        ("list /secrets - -", Some("node: can only read namespaced object of this type")),
        ("delete /secrets default used", Some("node: can only read resources of this type")),
        ("get /configmaps default used", None),
        ("get /persistentvolumeclaims default used", None),
        ("list /persistentvolumeclaims default -", Some("node: can only get individual resources of this type")),
        ("patch /persistentvolumeclaims/status default used", None),
        ("get /persistentvolumeclaims/status default used", Some("node: can only get/update/patch this type")),
        ("get /persistentvolumes - used", None),
        ("get /persistentvolumes - other", Some(unrelated)),
        ("get /serviceaccounts default account", None),
        ("create /serviceaccounts/token default account", None),
        ("create /serviceaccounts/token default other", Some(unrelated)),
        ("create /serviceaccounts default -", Some("node: can only create tokens for individual service accounts")),
        ("get coordination.k8s.io/leases kube-node-lease node-a", None),
        ("create coordination.k8s.io/leases kube-node-lease -", None),
        (
            "update coordination.k8s.io/leases kube-node-lease node-b",
            Some("node: can only access node lease with the same name as the requesting node"),
        ),
        (
            "get coordination.k8s.io/leases kube-system x",
            Some("node: can only access leases in the \"kube-node-lease\" system namespace"),
        ),
        (
            "list coordination.k8s.io/leases kube-node-lease -",
            Some("node: can only get, create, update, patch, or delete a node lease"),
        ),
        ("create /nodes - -", None),
        ("patch /nodes/status - node-a", None),
        ("get /nodes - node-a", None),
        ("watch /nodes - node-a", None),
        ("get /nodes - node-b", Some("node: node 'node-a' cannot read 'node-b', only its own Node object")),
        ("list /nodes - -", Some("node: node 'node-a' cannot read all nodes, only its own Node object")),
        ("delete /nodes - node-a", Some("")),
        ("list /pods - - spec.nodeName=node-a", None),
        (
            "list /pods - - spec.nodeName=node-b",
            Some("node: can only list/watch pods with spec.nodeName field selector"),
        ),
        ("list /pods default -", Some("node: can only list/watch pods with spec.nodeName field selector")),
        ("get /pods default web", None),
        ("get /pods default other", Some(unrelated)),
        ("create /pods default -", None),
        ("delete /pods default web", None),
        ("patch /pods/status default web", None),
        ("create /pods/eviction default web", None),
        ("update /pods default web", Some("")),
        ("create /pods/exec default web", Some("")),
        ("create /events default -", None),
        ("create certificates.k8s.io/certificatesigningrequests - -", None),
        ("watch certificates.k8s.io/certificatesigningrequests - -", None),
        ("update certificates.k8s.io/certificatesigningrequests/approval - x", Some("")),
        ("watch /services - -", None),
        ("watch node.k8s.io/runtimeclasses - -", None),
        ("watch storage.k8s.io/csidrivers - -", None),
        ("get storage.k8s.io/csinodes - node-a", None),
        ("create authentication.k8s.io/tokenreviews - -", None),
        ("watch discovery.k8s.io/endpointslices - -", Some("")),
        ("get /api", None),
    ];
    for (request, reason) in table {
        let (decision, _) = decide(&node, request);
        assert_eq!(decision.is_allowed(), reason.is_none(), "{request}");
        if let Some(reason) = reason {
            assert_eq!(decision.reason(), reason, "{request}");
        }
    }
    let nameless = Identity::new("system:node:", &["system:nodes"]);
    assert_eq!(decide(&nameless, "get /nodes - node-a").0.reason(), "node: unknown node for user \"system:node:\"");
    // The group alone gives nothing, and neither does the name.
    check(&Identity::new("node-a", &["system:nodes"]), &[("get /nodes - node-a", false)]);
    check(&Identity::new("system:node:node-a", &[]), &[("get /nodes - node-a", false)]);
}

/// The bodies of the recordings `error-forbidden-*`.
#[test]
fn refusals_read_as_recorded() {
    let nobody = Identity::component("oracle-nobody");
    let node = Identity::new("system:node:node-a", &["system:nodes", "system:authenticated"]);
    let table = [
        (
            &Identity::anonymous(),
            "list /pods oracle-errors -",
            r#""details":{"kind":"pods"},"kind":"Status","message":"pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the namespace \"oracle-errors\"""#,
        ),
        (
            &nobody,
            "get /nodes - node-b",
            r#""details":{"kind":"nodes","name":"node-b"},"kind":"Status","message":"nodes \"node-b\" is forbidden: User \"oracle-nobody\" cannot get resource \"nodes\" in API group \"\" at the cluster scope""#,
        ),
        (
            &nobody,
            "create apps/deployments oracle-errors -",
            r#""details":{"group":"apps","kind":"deployments"},"kind":"Status","message":"deployments.apps is forbidden: User \"oracle-nobody\" cannot create resource \"deployments\" in API group \"apps\" in the namespace \"oracle-errors\"""#,
        ),
        (
            &nobody,
            "get /metrics",
            r#""details":{},"kind":"Status","message":"forbidden: User \"oracle-nobody\" cannot get path \"/metrics\"""#,
        ),
        (
            &nobody,
            "patch /nodes/status - a<b",
            r#""details":{"kind":"nodes","name":"a<b"},"kind":"Status","message":"nodes \"a<b\" is forbidden: User \"oracle-nobody\" cannot patch resource \"nodes/status\" in API group \"\" at the cluster scope""#,
        ),
        (
            &nobody,
            "get /<script>&",
            r#""details":{},"kind":"Status","message":"forbidden: User \"oracle-nobody\" cannot get path \"/&lt;script&gt;&amp;\"""#,
        ),
        (
            &node,
            "get /secrets oracle-errors hidden",
            r#""details":{"kind":"secrets","name":"hidden"},"kind":"Status","message":"secrets \"hidden\" is forbidden: User \"system:node:node-a\" cannot get resource \"secrets\" in API group \"\" in the namespace \"oracle-errors\": node: no relationship found between node 'node-a' and this object""#,
        ),
    ];
    for (identity, request, members) in table {
        let expected = format!(
            r#"{{"apiVersion":"v1","code":403,{members},"metadata":{{}},"reason":"Forbidden","status":"Failure"}}"#
        );
        let unescape = |text: String| text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&");
        assert_eq!(unescape(decide(identity, request).1), expected);
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_asked_nobody_gets_more(
        words in proptest::collection::vec(".*", 6),
        node in proptest::bool::ANY,
        path in proptest::bool::ANY,
    ) {
        let [verb, group, resource, subresource, namespace, name] = [0, 1, 2, 3, 4, 5].map(|at| words[at].as_str());
        let nobody = if node { Identity::new("system:node:x", &["system:nodes"]) } else { Identity::anonymous() };
        let target = if path {
            Target::Path(name)
        } else {
            Target::Resource(Resource { group, version: "v1", resource, subresource, namespace, name, fields: &[] })
        };
        let attributes = Attributes { identity: &nobody, verb, target };
        let decision = authorise(&attributes, &Known);
        proptest::prop_assert!(!decision.is_allowed());
        proptest::prop_assert_eq!(forbidden_message(&attributes, &decision).code, 403);
    }
}

#[test]
fn every_row_of_the_table_can_match() {
    for (name, rules) in table::CONTROLLERS {
        assert!(!name.is_empty() && !rules.is_empty(), "{name}");
        assert_eq!(table::CONTROLLERS.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
    }
    for role in table::ROLES {
        assert!(!role.subjects.is_empty() && !role.rules.is_empty(), "{}", role.name);
    }
}
