//! The committed tables, each parsed when it is first asked for and kept.

use super::{ParseError, Schema, StructId, Type, parse};
use std::sync::OnceLock;

/// Why a table is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The real server serves it without any flag.
    Default,
    /// The real server serves it only when it is switched on.
    Gated,
    /// Not a served group-version: types that others share.
    Shared,
}

/// A committed table.
#[derive(Debug)]
pub struct Table {
    /// `group/version` (`core/v1` for the core group).
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    parsed: OnceLock<Result<Schema, ParseError>>,
}

/// One row per committed table; a test holds that the list and the directory agree.
macro_rules! tables {
    ($($name:literal => $file:literal,)*) => {
        static TABLES: [Table; [$($name),*].len()] = [$(
            Table {
                name: $name,
                text: include_str!(concat!("../../schema/", $file, ".txt")),
                parsed: OnceLock::new(),
            },
        )*];
    };
}

tables! {
    "admissionregistration.k8s.io/v1" => "admissionregistration.k8s.io_v1",
    "admissionregistration.k8s.io/v1alpha1" => "admissionregistration.k8s.io_v1alpha1",
    "admissionregistration.k8s.io/v1beta1" => "admissionregistration.k8s.io_v1beta1",
    "apiextensions.k8s.io/v1" => "apiextensions.k8s.io_v1",
    "apiregistration.k8s.io/v1" => "apiregistration.k8s.io_v1",
    "apps/v1" => "apps_v1",
    "authentication.k8s.io/v1" => "authentication.k8s.io_v1",
    "authorization.k8s.io/v1" => "authorization.k8s.io_v1",
    "autoscaling/v1" => "autoscaling_v1",
    "autoscaling/v2" => "autoscaling_v2",
    "batch/v1" => "batch_v1",
    "certificates.k8s.io/v1" => "certificates.k8s.io_v1",
    "certificates.k8s.io/v1beta1" => "certificates.k8s.io_v1beta1",
    "coordination.k8s.io/v1" => "coordination.k8s.io_v1",
    "coordination.k8s.io/v1alpha2" => "coordination.k8s.io_v1alpha2",
    "coordination.k8s.io/v1beta1" => "coordination.k8s.io_v1beta1",
    "core/v1" => "core_v1",
    "discovery.k8s.io/v1" => "discovery.k8s.io_v1",
    "events.k8s.io/v1" => "events.k8s.io_v1",
    "flowcontrol.apiserver.k8s.io/v1" => "flowcontrol.apiserver.k8s.io_v1",
    "internal.apiserver.k8s.io/v1alpha1" => "internal.apiserver.k8s.io_v1alpha1",
    "lifecycle.k8s.io/v1alpha1" => "lifecycle.k8s.io_v1alpha1",
    "meta.k8s.io/v1" => "meta.k8s.io_v1",
    "networking.k8s.io/v1" => "networking.k8s.io_v1",
    "node.k8s.io/v1" => "node.k8s.io_v1",
    "policy/v1" => "policy_v1",
    "rbac.authorization.k8s.io/v1" => "rbac.authorization.k8s.io_v1",
    "resource.k8s.io/v1" => "resource.k8s.io_v1",
    "resource.k8s.io/v1alpha3" => "resource.k8s.io_v1alpha3",
    "resource.k8s.io/v1beta1" => "resource.k8s.io_v1beta1",
    "resource.k8s.io/v1beta2" => "resource.k8s.io_v1beta2",
    "scheduling.k8s.io/v1" => "scheduling.k8s.io_v1",
    "scheduling.k8s.io/v1alpha3" => "scheduling.k8s.io_v1alpha3",
    "scheduling.k8s.io/v1beta1" => "scheduling.k8s.io_v1beta1",
    "storage.k8s.io/v1" => "storage.k8s.io_v1",
    "storagemigration.k8s.io/v1" => "storagemigration.k8s.io_v1",
    "storagemigration.k8s.io/v1beta1" => "storagemigration.k8s.io_v1beta1",
}

impl Table {
    /// The parsed table, or what is wrong with its text (which a test excludes for committed ones).
    pub fn schema(&'static self) -> Result<&'static Schema, &'static ParseError> {
        self.parsed.get_or_init(|| parse(self.text)).as_ref()
    }

    /// Whether it has been parsed already.
    pub fn is_parsed(&self) -> bool {
        self.parsed.get().is_some()
    }

    /// Why it is there.
    pub fn served(&self) -> Served {
        match self.text.lines().nth(1).and_then(|line| line.rsplit(' ').next()) {
            Some("default") => Served::Default,
            Some("gated") => Served::Gated,
            _ => Served::Shared,
        }
    }
}

/// All tables, sorted by name.
pub fn all() -> &'static [Table] {
    &TABLES
}

/// The schema of `group/version`, with `core` or nothing for the core group (`core/v1`, `v1`).
pub fn group_version(name: &str) -> Option<&'static Schema> {
    let table = TABLES.iter().find(|table| table.name == name || table.name.strip_prefix("core/") == Some(name))?;
    table.schema().ok()
}

/// The type with this name in a group-version.
pub fn lookup(group_version_name: &str, type_name: &str) -> Option<Type<'static>> {
    group_version(group_version_name)?.type_named(type_name)
}

/// The type of a kind, following the kinds that are another name for a type elsewhere.
pub fn kind(group_version_name: &str, kind: &str) -> Option<Type<'static>> {
    let schema = group_version(group_version_name)?;
    let found = schema.kinds.iter().find(|candidate| candidate.name == kind)?;
    schema.shape(found.node).as_type()
}

/// The target of a link.
pub(super) fn resolve(group_version_name: &str, type_name: &str) -> Option<(&'static Schema, StructId)> {
    let schema = group_version(group_version_name)?;
    let at = schema.index.binary_search_by(|(key, _)| key.as_ref().cmp(type_name)).ok()?;
    schema.index.get(at).map(|(_, id)| (schema, *id))
}

/// The values of a named string of another table, read from its lines without parsing it; `None` if the name is none.
pub(super) fn named_string_values(group_version_name: &str, name: &str) -> Option<Vec<super::Text>> {
    let table = TABLES.iter().find(|table| table.name == group_version_name)?;
    table.text.lines().find_map(|line| {
        let rest = line.strip_prefix("string ").or_else(|| line.strip_prefix("enum "))?;
        let mut words = rest.split(' ');
        if words.next() != Some(name) {
            return None;
        }
        Some(words.map(|value| super::Text::Borrowed(if value == "\"\"" { "" } else { value })).collect())
    })
}
