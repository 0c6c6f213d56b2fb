//! Roles of users, groups and the two classic components, each with whom it is bound to.
//!
//! Source: kubernetes v1.37.2, plugin/pkg/auth/authorizer/rbac/bootstrappolicy, with the default feature gates.

use super::{Role, Subject, named, on, path};

/// The rows.
pub(in crate::authorise) const ROLES: &[Role] = &[
    Role {
        name: "system:discovery",
        namespace: "",
        subjects: &[Subject::Group("system:authenticated")],
        rules: &[path(
            "get",
            "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
        )],
    },
    Role {
        name: "system:basic-user",
        namespace: "",
        subjects: &[Subject::Group("system:authenticated")],
        rules: &[
            on("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
            on("create", "authentication.k8s.io", "selfsubjectreviews"),
        ],
    },
    Role {
        name: "system:public-info-viewer",
        namespace: "",
        subjects: &[Subject::Group("system:authenticated"), Subject::Group("system:unauthenticated")],
        rules: &[path("get", "/healthz /livez /readyz /version /version/")],
    },
    Role {
        name: "system:monitoring",
        namespace: "",
        subjects: &[Subject::Group("system:monitoring")],
        rules: &[
            path("get", "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz"),
            on("get", "core", "nodes/metrics"),
        ],
    },
    Role {
        name: "system:service-account-issuer-discovery",
        namespace: "",
        subjects: &[Subject::Group("system:serviceaccounts")],
        rules: &[path(
            "get",
            "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
        )],
    },
    Role {
        name: "system:cluster-trust-bundle-discovery",
        namespace: "",
        subjects: &[Subject::Group("system:serviceaccounts")],
        rules: &[on("get list watch", "certificates.k8s.io", "clustertrustbundles")],
    },
    Role {
        name: "system:kube-scheduler",
        namespace: "",
        subjects: &[Subject::User("system:kube-scheduler")],
        rules: &[
            on("create patch update", "core events.k8s.io", "events"),
            on("create", "coordination.k8s.io", "leases"),
            named("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
            on("create delete deletecollection get list patch update watch", "coordination.k8s.io", "leasecandidates"),
            on("get list watch", "core", "nodes"),
            on("delete get list watch", "core", "pods"),
            on("create", "core", "bindings pods/binding"),
            on("patch update", "core", "pods/status"),
            on("get list watch", "core", "replicationcontrollers services"),
            on("get list watch", "apps extensions", "replicasets"),
            on("get list watch", "apps", "statefulsets"),
            on("get list watch", "policy", "poddisruptionbudgets"),
            on("get list watch", "core", "persistentvolumeclaims persistentvolumes"),
            on("create", "authentication.k8s.io", "tokenreviews"),
            on("create", "authorization.k8s.io", "subjectaccessreviews"),
            on("get list watch", "storage.k8s.io", "csinodes"),
            on("get list watch", "storage.k8s.io", "volumeattachments"),
            on("get list watch", "core", "namespaces"),
            on("get list watch", "storage.k8s.io", "csidrivers"),
            on("get list watch", "storage.k8s.io", "csistoragecapacities"),
            on("get list watch", "resource.k8s.io", "deviceclasses"),
            on("get list patch update watch", "resource.k8s.io", "resourceclaims"),
            on("get list patch update watch", "resource.k8s.io", "resourceclaims/status"),
            on("update", "core", "pods/finalizers"),
            on("get list watch", "resource.k8s.io", "resourceslices"),
            on("create delete", "resource.k8s.io", "resourceclaims"),
            on("get list watch", "resource.k8s.io", "devicetaintrules"),
            on("patch update", "resource.k8s.io", "resourceclaims/binding"),
        ],
    },
    Role {
        name: "system:volume-scheduler",
        namespace: "",
        subjects: &[Subject::User("system:kube-scheduler")],
        rules: &[
            on("get list patch update watch", "core", "persistentvolumes"),
            on("get list watch", "storage.k8s.io", "storageclasses"),
            on("get list patch update watch", "core", "persistentvolumeclaims"),
        ],
    },
    Role {
        name: "system:kube-controller-manager",
        namespace: "",
        subjects: &[Subject::User("system:kube-controller-manager")],
        rules: &[
            on("create patch update", "core events.k8s.io", "events"),
            on("create", "coordination.k8s.io", "leases"),
            named("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
            on("create", "core", "secrets serviceaccounts"),
            on("delete", "core", "secrets"),
            on("get", "core", "configmaps namespaces secrets serviceaccounts"),
            on("update", "core", "secrets serviceaccounts"),
            on("create", "authentication.k8s.io", "tokenreviews"),
            on("create", "authorization.k8s.io", "subjectaccessreviews"),
            on("list watch", "*", "*"),
            on("create", "core", "serviceaccounts/token"),
        ],
    },
    Role {
        name: "system:kube-dns",
        namespace: "",
        subjects: &[Subject::ServiceAccount("kube-system", "kube-dns")],
        rules: &[on("list watch", "core", "endpoints services")],
    },
    Role {
        name: "system:node-proxier",
        namespace: "",
        subjects: &[Subject::User("system:kube-proxy")],
        rules: &[
            on("list watch", "core", "endpoints services"),
            on("get list watch", "core", "nodes"),
            on("create patch update", "core events.k8s.io", "events"),
            on("list watch", "networking.k8s.io", "servicecidrs"),
            on("list watch", "discovery.k8s.io", "endpointslices"),
        ],
    },
    Role {
        name: "system:controller:bootstrap-signer",
        namespace: "kube-public",
        subjects: &[Subject::ServiceAccount("kube-system", "bootstrap-signer")],
        rules: &[
            on("get list watch", "core", "configmaps"),
            named("update", "core", "configmaps", "cluster-info"),
            on("create patch update", "core events.k8s.io", "events"),
        ],
    },
    Role {
        name: "extension-apiserver-authentication-reader",
        namespace: "kube-system",
        subjects: &[Subject::User("system:kube-controller-manager"), Subject::User("system:kube-scheduler")],
        rules: &[named("get list watch", "core", "configmaps", "extension-apiserver-authentication")],
    },
    Role {
        name: "system::leader-locking-kube-controller-manager",
        namespace: "kube-system",
        subjects: &[
            Subject::User("system:kube-controller-manager"),
            Subject::ServiceAccount("kube-system", "kube-controller-manager"),
            Subject::ServiceAccount("kube-system", "leader-election-controller"),
        ],
        rules: &[
            on("create get list update watch", "coordination.k8s.io", "leases"),
            on("create get list update watch", "coordination.k8s.io", "leasecandidates"),
        ],
    },
    Role {
        name: "system::leader-locking-kube-scheduler",
        namespace: "kube-system",
        subjects: &[Subject::User("system:kube-scheduler"), Subject::ServiceAccount("kube-system", "kube-scheduler")],
        rules: &[
            on("create get list update watch", "coordination.k8s.io", "leases"),
            on("create get list update watch", "coordination.k8s.io", "leasecandidates"),
        ],
    },
    Role {
        name: "system:controller:bootstrap-signer",
        namespace: "kube-system",
        subjects: &[Subject::ServiceAccount("kube-system", "bootstrap-signer")],
        rules: &[on("get list watch", "core", "secrets")],
    },
    Role {
        name: "system:controller:token-cleaner",
        namespace: "kube-system",
        subjects: &[Subject::ServiceAccount("kube-system", "token-cleaner")],
        rules: &[
            on("delete get list watch", "core", "secrets"),
            on("create patch update", "core events.k8s.io", "events"),
        ],
    },
    // Not in the bootstrap policy: first contact is Coracle's own.
    Role {
        name: "coracle:controller:first-contact-approver",
        namespace: "",
        subjects: &[Subject::ServiceAccount("kube-system", "first-contact-approver")],
        rules: &[
            on("get list watch", "certificates.k8s.io", "certificatesigningrequests"),
            on("update", "certificates.k8s.io", "certificatesigningrequests/approval"),
            named("approve", "certificates.k8s.io", "signers", "first-contact.coracle/administrator"),
            on("create patch update", "core events.k8s.io", "events"),
        ],
    },
    Role {
        name: "coracle:controller:first-contact-approver",
        namespace: "kube-system",
        subjects: &[Subject::ServiceAccount("kube-system", "first-contact-approver")],
        rules: &[on("get list update watch", "core", "secrets")],
    },
    // Not in the bootstrap policy: whoever joins reads this before it has an identity, as after `kubeadm init`.
    Role {
        name: "kubeadm:bootstrap-signer-clusterinfo",
        namespace: "kube-public",
        subjects: &[Subject::User("system:anonymous")],
        rules: &[named("get", "core", "configmaps", "cluster-info")],
    },
];
