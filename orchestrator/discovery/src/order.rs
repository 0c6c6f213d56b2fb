//! The order in which groups are announced, which is the order in which clients look for a resource.

use std::borrow::Cow;

use coracle_apimachinery::schema::{self, Resource, Served};

use crate::GroupVersion;

/// Groups by falling priority, as kube-apiserver v1.37.2 announces them; the core group comes first, in a list of its own.
const GROUPS: [&str; 22] = [
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
];

/// The built-in group-versions that are served by default, in the order in which they are announced.
#[must_use]
pub fn built_in() -> Vec<GroupVersion<'static>> {
    let mut found: Vec<(usize, GroupVersion<'static>)> = Vec::new();
    for table in schema::all().iter().filter(|table| table.served() == Served::Default) {
        // A test of the schema crate holds that every committed table parses.
        let (Ok(schema), Some((group, version))) = (table.schema(), table.name.split_once('/')) else { continue };
        let group = if group == "core" { "" } else { group };
        let place = GROUPS.iter().position(|known| *known == group).unwrap_or(GROUPS.len());
        let mut resources: Vec<&'static Resource> = schema.resources.iter().collect();
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        found.push((place, GroupVersion { group: Cow::Borrowed(group), version: Cow::Borrowed(version), resources }));
    }
    // Within a group the newest version is preferred; the tables of one group stand in the order of their names.
    found.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| right.version.cmp(&left.version)));
    found.into_iter().map(|(_, group_version)| group_version).collect()
}
