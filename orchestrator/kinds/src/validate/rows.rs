//! The kinds and the functions that know them.

use super::format::NameRule;
use super::metadata;
use super::report::{At, Report};
use super::{apps, coordination, core};
use coracle_apimachinery::{Value, schema};

type Create = fn(&mut Report, &At<'_>);
type Change = fn(&mut Report, &At<'_>, &At<'_>);
type Warn = fn(&mut Vec<String>, &At<'_>);

/// How one kind is validated.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    group: &'static str,
    kind: &'static str,
    rule: NameRule,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
    /// Whether finalizers without a domain must be known ones.
    pub(crate) core_finalizers: bool,
    /// Whether an update holds the metadata to the name rule again.
    rule_on_update: bool,
    /// What a new object must obey besides metadata.
    pub(crate) create: Create,
    /// What a changed one must.
    pub(crate) update: Change,
    /// What one with a changed status must.
    pub(crate) status: Change,
    /// What is odd about a new one.
    pub(crate) warnings: Warn,
}

const fn row(group: &'static str, kind: &'static str) -> Row {
    Row {
        group,
        kind,
        rule: NameRule::Subdomain,
        namespaced: true,
        core_finalizers: true,
        rule_on_update: false,
        create: |_, _| {},
        update: |_, _, _| {},
        status: |_, _, _| {},
        warnings: |_, _| {},
    }
}

/// Kinds with rules of their own.
const ROWS: [Row; 10] = [
    Row {
        rule_on_update: true,
        create: core::pod::create,
        update: core::pod_update::update,
        status: core::pod_status::update,
        warnings: core::pod_warnings::pod,
        ..row("", "Pod")
    },
    Row {
        rule_on_update: true,
        create: core::config::config_map,
        update: core::config::config_map_update,
        ..row("", "ConfigMap")
    },
    Row {
        rule_on_update: true,
        create: core::config::secret,
        update: core::config::secret_update,
        ..row("", "Secret")
    },
    Row { rule_on_update: true, warnings: core::config::account_warnings, ..row("", "ServiceAccount") },
    Row {
        rule: NameRule::Label,
        rule_on_update: true,
        namespaced: false,
        create: core::namespace::create,
        update: core::namespace::update,
        status: core::namespace::status,
        ..row("", "Namespace")
    },
    Row {
        rule_on_update: true,
        namespaced: false,
        create: core::node::create,
        update: core::node::update,
        status: core::node::status,
        warnings: core::node::warnings,
        ..row("", "Node")
    },
    Row {
        rule: NameRule::Label,
        create: core::service::create,
        update: core::service::update,
        status: core::service::status,
        warnings: core::service::warnings,
        ..row("", "Service")
    },
    Row {
        create: apps::deployment,
        update: apps::deployment_update,
        status: apps::deployment_status,
        warnings: core::pod_warnings::templated,
        ..row("apps", "Deployment")
    },
    Row {
        create: apps::replica_set,
        update: apps::replica_set_update,
        status: apps::replica_set_status,
        warnings: core::pod_warnings::templated,
        ..row("apps", "ReplicaSet")
    },
    Row {
        core_finalizers: false,
        create: coordination::lease,
        update: coordination::lease_update,
        ..row("coordination.k8s.io", "Lease")
    },
];

/// Kinds of which so far only metadata is validated, where their names obey another rule than most.
const NAME_RULES: [(&str, &str, NameRule); 7] = [
    ("rbac.authorization.k8s.io", "Role", NameRule::PathSegment),
    ("rbac.authorization.k8s.io", "RoleBinding", NameRule::PathSegment),
    ("rbac.authorization.k8s.io", "ClusterRole", NameRule::PathSegment),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", NameRule::PathSegment),
    ("certificates.k8s.io", "CertificateSigningRequest", NameRule::Any),
    ("coordination.k8s.io", "LeaseCandidate", NameRule::ConfigMapKey),
    ("apps", "StatefulSet", NameRule::Label),
];

/// The row of a kind; one that is not listed gets a row that only looks at metadata.
pub(crate) fn of(group: &str, kind: &str, object: &Value) -> Row {
    if let Some(row) = ROWS.iter().find(|row| row.group == group && row.kind == kind) {
        return *row;
    }
    let rule = NAME_RULES.iter().find(|(of, name, _)| *of == group && *name == kind);
    let resources = schema::group_version(object.text_at(&["apiVersion"])).map(|schema| schema.resources.as_slice());
    let resource = resources.unwrap_or_default().iter().find(|resource| resource.kind == kind);
    Row {
        rule: rule.map_or(NameRule::Subdomain, |(_, _, rule)| *rule),
        namespaced: resource.map_or_else(|| !object.text_at(&["metadata", "namespace"]).is_empty(), |of| of.namespaced),
        ..row("", "")
    }
}

impl Row {
    /// Metadata of a new object.
    pub(crate) fn check_metadata(&self, report: &mut Report, new: &At<'_>) {
        let meta = new.get("metadata");
        metadata::check(report, &meta, self.namespaced, self.rule);
        if self.core_finalizers {
            metadata::core_finalizers(report, &meta);
        }
    }

    /// Metadata of a changed object, first as every kind is held to it.
    pub(crate) fn check_metadata_update(&self, report: &mut Report, new: &At<'_>, old: &At<'_>) {
        let (meta, old) = (new.get("metadata"), old.get("metadata"));
        metadata::check(report, &meta, self.namespaced, NameRule::PathSegment);
        metadata::check_update(report, &meta, &old);
    }

    /// What the kind itself demands of changed metadata.
    pub(crate) fn check_own_metadata_update(&self, report: &mut Report, new: &At<'_>) {
        if self.core_finalizers {
            metadata::core_finalizers(report, &new.get("metadata"));
        }
        if self.rule_on_update {
            metadata::check(report, &new.get("metadata"), self.namespaced, self.rule);
        }
    }
}
