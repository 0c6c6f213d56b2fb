//! The definition of a custom resource.

mod columns;
mod defaults;
mod internal;
mod openapi;
mod prepare;
mod selectable;
mod status;
mod structure;
mod unsupported;
mod validate;
mod warnings;

pub use prepare::{default, prepare_create, prepare_status_update, prepare_update};
pub use status::{NamesInUse, conditions, is_true};
pub use unsupported::unsupported;
pub use validate::validate;
pub use warnings::warnings;

use crate::structural::{Unreadable, texts};
use crate::version::Version;
use coracle_apimachinery::schema::{Resource, Text};
use coracle_apimachinery::{Value, base64};
use sha2::{Digest as _, Sha256};

/// The finalizer that keeps a definition until its objects are gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// A definition made ready for use.
#[derive(Debug, Clone)]
pub struct Definition {
    /// API group.
    pub group: String,
    /// Plural name, which paths have.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Kind of the objects.
    pub kind: String,
    /// Kind of lists of them.
    pub list_kind: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether the definition is being deleted.
    pub terminating: bool,
    /// Versions in the order of the definition.
    pub versions: Vec<Version>,
    /// Which version objects are stored in.
    pub storage: usize,
}

/// A definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The schema of a version cannot be read.
    #[error("version {0:?}: {1}")]
    Schema(String, Unreadable),
    /// No version is marked as the one that is stored.
    #[error("no version is marked as storage version")]
    NoStorage,
}

impl Definition {
    /// Reads a definition. Names are those that were accepted, or those asked for while none were.
    pub fn parse(crd: &Value) -> Result<Self, Unusable> {
        let accepted = ["status", "acceptedNames"];
        let wanted = ["spec", "names"];
        let names = if crd.text_at(&["status", "acceptedNames", "plural"]).is_empty() { wanted } else { accepted };
        let names = crd.at(&names).cloned().unwrap_or(Value::Null);
        let text = |name: &str| names.text_at(&[name]).to_owned();
        let list = |name: &str| texts(&names, name).into_iter().map(Into::into).collect();
        let group = crd.text_at(&["spec", "group"]);
        let kind = text("kind");
        let mut versions = Vec::new();
        for version in crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default() {
            let parsed = Version::parse(group, &kind, version);
            let name = version.text_at(&["name"]).to_owned();
            versions.push(parsed.map_err(|problem| Unusable::Schema(name, problem))?);
        }
        Ok(Self {
            group: group.to_owned(),
            plural: text("plural"),
            singular: text("singular"),
            list_kind: text("listKind"),
            short_names: list("shortNames"),
            categories: list("categories"),
            namespaced: crd.text_at(&["spec", "scope"]) == "Namespaced",
            terminating: is_true(crd, "Terminating"),
            storage: versions.iter().position(|version| version.storage).ok_or(Unusable::NoStorage)?,
            versions,
            kind,
        })
    }

    /// A version by name.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// The version that objects are stored in.
    #[must_use]
    pub fn stored(&self) -> Option<&Version> {
        self.versions.get(self.storage)
    }

    /// What discovery announces of a version.
    #[must_use]
    pub fn resources(&self, version: &Version) -> Vec<Resource> {
        let all: &[&'static str] = if self.terminating {
            &["delete", "deletecollection", "get", "list", "watch"]
        } else {
            &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
        };
        let owned = |text: &str| Text::Owned(text.to_owned());
        let list = |texts: &[&'static str]| texts.iter().map(|text| Text::Borrowed(*text)).collect();
        // Upstream only knows the hash of a version that is served.
        let stored = self.stored().filter(|stored| stored.served);
        let mut resources = vec![Resource {
            name: owned(&self.plural),
            kind: owned(&self.kind),
            namespaced: self.namespaced,
            singular: Some(owned(&self.singular)),
            short_names: self.short_names.iter().map(|name| owned(name)).collect(),
            categories: self.categories.iter().map(|name| owned(name)).collect(),
            verbs: list(all),
            storage_hash: stored.map(|stored| Text::Owned(storage_hash(&self.group, &stored.name, &self.kind))),
            ..Resource::default()
        }];
        let subresource = |name: &str, kind: &str| Resource {
            name: Text::Owned(format!("{}/{name}", self.plural)),
            kind: owned(kind),
            namespaced: self.namespaced,
            verbs: list(&["get", "patch", "update"]),
            ..Resource::default()
        };
        if version.status {
            resources.push(subresource("status", &self.kind));
        }
        if version.scale.is_some() {
            let mut scale = subresource("scale", "Scale");
            scale.group = Some("autoscaling".into());
            scale.version = Some("v1".into());
            resources.push(scale);
        }
        resources
    }
}

fn storage_hash(group: &str, version: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{group}/{version}/{kind}"));
    base64::encode(digest.get(..8).unwrap_or_default())
}
