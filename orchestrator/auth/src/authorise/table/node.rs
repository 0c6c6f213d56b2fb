//! What the Node authorizer allows every node where it does not look at the object.
//!
//! Source: kubernetes v1.37.2, NodeRules of bootstrappolicy, with the default feature gates.

use super::{Rule, on};

/// The rows.
pub(in crate::authorise) const RULES: &[Rule] = &[
    on("create", "authentication.k8s.io", "tokenreviews"),
    on("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
    on("get list watch", "core", "services"),
    on("create get list watch", "core", "nodes"),
    on("patch update", "core", "nodes/status"),
    on("patch update", "core", "nodes"),
    on("create patch update", "core events.k8s.io", "events"),
    on("get list watch", "core", "pods"),
    on("create delete", "core", "pods"),
    on("patch update", "core", "pods/status"),
    on("create", "core", "pods/eviction"),
    on("get list watch", "core", "configmaps secrets"),
    on("get", "core", "persistentvolumeclaims persistentvolumes"),
    on("get", "core", "endpoints"),
    on("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
    on("create delete get patch update", "coordination.k8s.io", "leases"),
    on("get", "storage.k8s.io", "volumeattachments"),
    on("create", "core", "serviceaccounts/token"),
    on("get patch update", "core", "persistentvolumeclaims/status"),
    on("get list watch", "storage.k8s.io", "csidrivers"),
    on("create delete get patch update", "storage.k8s.io", "csinodes"),
    on("get list watch", "node.k8s.io", "runtimeclasses"),
    on("get", "resource.k8s.io", "resourceclaims"),
    on("deletecollection", "resource.k8s.io", "resourceslices"),
    on("get list watch", "certificates.k8s.io", "clustertrustbundles"),
    on("get", "core", "serviceaccounts"),
    on("create get list watch", "certificates.k8s.io", "podcertificaterequests"),
];
