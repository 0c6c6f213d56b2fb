//! What is served: group-versions with their resources and types.

use coracle_apimachinery::schema::{self, Resource, Schema, Served};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// A served group-version.
#[derive(Debug, Clone)]
pub struct GroupVersion {
    /// The group; empty for the core group.
    pub group: Cow<'static, str>,
    /// The version.
    pub version: Cow<'static, str>,
    /// What it serves, each resource followed by its subresources.
    pub resources: Resources,
    /// Where its types come from.
    pub types: Types,
}

/// Resources: those of a table, or shared ones that were made at run time.
#[derive(Debug, Clone)]
pub enum Resources {
    /// Of a table.
    Table(&'static [Resource]),
    /// Made at run time.
    Made(Arc<[Resource]>),
}

/// Where the types of a group-version come from.
#[derive(Debug, Clone)]
pub enum Types {
    /// A table.
    BuiltIn(&'static Schema),
    /// CustomResourceDefinitions.
    Custom(Vec<CustomKind>),
}

/// One version of a CustomResourceDefinition.
#[derive(Debug, Clone)]
pub struct CustomKind {
    /// Kind of the objects.
    pub kind: String,
    /// Kind of their lists.
    pub list_kind: String,
    /// Plural name, as paths have it.
    pub plural: String,
    /// Whether the objects live in namespaces.
    pub namespaced: bool,
    /// The `openAPIV3Schema` of the version.
    pub schema: serde_json::Value,
    /// Whether there is a status subresource.
    pub status: bool,
    /// Whether there is a scale subresource.
    pub scale: bool,
    /// JSON paths of the selectable fields, with their leading dot.
    pub selectable_fields: Vec<String>,
}

/// The order in which the real server announces what it serves by default; it comes from priorities that upstream gives
/// to its groups. Versions of a group stand in the order of preference.
const ORDER: [&str; 23] = [
    "core/v1",
    "apiregistration.k8s.io/v1",
    "apps/v1",
    "events.k8s.io/v1",
    "authentication.k8s.io/v1",
    "authorization.k8s.io/v1",
    "autoscaling/v2",
    "autoscaling/v1",
    "batch/v1",
    "certificates.k8s.io/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "storage.k8s.io/v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "coordination.k8s.io/v1",
    "node.k8s.io/v1",
    "discovery.k8s.io/v1",
    "resource.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1",
    "storagemigration.k8s.io/v1",
];

/// Verbs of a custom resource, in the order in which they are announced.
const CUSTOM_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// Verbs of its subresources.
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];

impl Deref for Resources {
    type Target = [Resource];

    fn deref(&self) -> &[Resource] {
        match self {
            Self::Table(resources) => resources,
            Self::Made(resources) => resources,
        }
    }
}

impl GroupVersion {
    /// A group-version of a table.
    pub fn of_table(schema: &'static Schema) -> Self {
        let (group, version) = match &schema.name {
            Cow::Borrowed(name) => name.split_once('/').map_or((*name, ""), |(group, version)| (group, version)),
            Cow::Owned(_) => ("", ""),
        };
        let group = if group == "core" { "" } else { group };
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            resources: Resources::Table(&schema.resources),
            types: Types::BuiltIn(schema),
        }
    }

    /// `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone().into_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Where it is served, with the leading slash.
    pub fn path(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }

    /// Whether its types come from CustomResourceDefinitions.
    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.types, Types::Custom(_))
    }
}

impl CustomKind {
    /// Its resource and subresources as discovery announces them; names come from the CustomResourceDefinition.
    pub fn resources(
        &self,
        singular: &str,
        short_names: &[String],
        categories: &[String],
        storage_hash: &str,
    ) -> Vec<Resource> {
        let owned = |texts: &[String]| texts.iter().map(|text| Cow::Owned(text.clone())).collect();
        let base = |name: String, verbs: &[&'static str]| Resource {
            name: name.into(),
            kind: self.kind.clone().into(),
            namespaced: self.namespaced,
            verbs: verbs.iter().copied().map(Cow::Borrowed).collect(),
            ..Resource::default()
        };
        let mut resources = vec![Resource {
            singular: Some(singular.to_owned().into()),
            short_names: owned(short_names),
            categories: owned(categories),
            storage_hash: Some(storage_hash.to_owned().into()),
            ..base(self.plural.clone(), &CUSTOM_VERBS)
        }];
        if self.status {
            resources.push(base(format!("{}/status", self.plural), &SUBRESOURCE_VERBS));
        }
        if self.scale {
            resources.push(Resource {
                kind: "Scale".into(),
                group: Some("autoscaling".into()),
                version: Some("v1".into()),
                ..base(format!("{}/scale", self.plural), &SUBRESOURCE_VERBS)
            });
        }
        resources
    }
}

/// The group-versions that the real server serves by default, in its order.
pub fn built_in() -> Vec<GroupVersion> {
    let mut tables: Vec<_> = schema::all().iter().filter(|table| table.served() == Served::Default).collect();
    tables.sort_by_key(|table| ORDER.iter().position(|name| *name == table.name).unwrap_or(ORDER.len()));
    tables.into_iter().filter_map(|table| table.schema().ok()).map(GroupVersion::of_table).collect()
}

/// The groups in their order, each with its group-versions; the core group is not among them.
pub(crate) fn groups(all: &[GroupVersion]) -> Vec<(&str, Vec<&GroupVersion>)> {
    let mut groups: Vec<(&str, Vec<&GroupVersion>)> = Vec::new();
    for group_version in all.iter().filter(|group_version| !group_version.group.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == group_version.group) {
            Some((_, versions)) => versions.push(group_version),
            None => groups.push((&group_version.group, vec![group_version])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{ORDER, built_in};

    #[test]
    fn exactly_the_default_group_versions_in_order() {
        let names: Vec<String> = built_in()
            .iter()
            .map(|group_version| match group_version.group.as_ref() {
                "" => format!("core/{}", group_version.version),
                group => format!("{group}/{}", group_version.version),
            })
            .collect();
        assert_eq!(names, ORDER);
    }
}
