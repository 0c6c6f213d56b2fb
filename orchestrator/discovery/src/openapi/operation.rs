//! Operations under their paths, without the form that either version of OpenAPI gives them.

use super::model::Model;
use super::parameters::Parameter;
use std::collections::BTreeMap;

pub(super) const JSON: &str = "application/json";
pub(super) const YAML: &str = "application/yaml";
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Content types of the objects of custom kinds.
pub(super) const TEXTUAL: &[&str] = &[JSON, YAML];
/// Content types of all other objects.
pub(super) const ALL: &[&str] = &[JSON, YAML, PROTOBUF];
/// Content types of what can be watched.
pub(super) const STREAMED: &[&str] =
    &[JSON, YAML, PROTOBUF, "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
/// Content types of a log.
pub(super) const LOG: &[&str] = &["text/plain", JSON, YAML, PROTOBUF];
/// Anything.
pub(super) const ANY: &[&str] = &["*/*"];
/// Patches of custom kinds.
pub(super) const CUSTOM_PATCHES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
/// Patches of all other kinds.
pub(super) const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Group, version and kind.
#[derive(Clone, Debug)]
pub(super) struct GroupVersionKind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// In small letters.
    pub(super) method: &'static str,
    pub(super) id: String,
    pub(super) tag: String,
    /// What it does, with the kind it does that to; documents of discovery have neither.
    pub(super) action: Option<(&'static str, GroupVersionKind)>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) consumes: &'static [&'static str],
    pub(super) produces: &'static [&'static str],
    /// What it answers with; a mere text if there is no model.
    pub(super) answer: Option<Model>,
    /// The statuses with that answer.
    pub(super) statuses: &'static [&'static str],
}

/// What OpenAPI requires to be said of an answer.
pub(super) fn description(status: &str) -> &'static str {
    match status {
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        "401" => "Unauthorized",
        _ => "",
    }
}

/// The body of a question.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) model: Model,
    pub(super) use_of: BodyUse,
}

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// The object to write.
    Object,
    /// A patch.
    Patch,
    /// The options of a deletion, which may be left out.
    DeleteOptions,
}

/// What one path offers.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Parameters that all its operations share.
    pub(super) common: Vec<Parameter>,
    pub(super) operations: Vec<Operation>,
}

/// Items by their paths.
pub(super) type Items = BTreeMap<String, Item>;

impl Item {
    /// Sorts what was collected and moves parameters that all operations have to the item.
    pub(super) fn arrange(&mut self) {
        self.operations.sort_by_key(|operation| operation.method);
        for operation in &mut self.operations {
            operation.parameters.sort();
        }
        // Options of different types share a parameter if only the type differs from which it was taken.
        let same = |one: &Parameter, other: &Parameter| one.name == other.name && one.place == other.place;
        let Some((first, others)) = self.operations.split_first() else { return };
        let everywhere = |parameter: &&Parameter| {
            others.iter().all(|other| other.parameters.iter().any(|candidate| same(candidate, parameter)))
        };
        self.common = first.parameters.iter().filter(everywhere).cloned().collect();
        let common = &self.common;
        for operation in &mut self.operations {
            operation.parameters.retain(|parameter| !common.iter().any(|shared| same(shared, parameter)));
        }
    }
}

/// Adds an operation under a path, with the parameters that the path names.
pub(super) fn add(items: &mut Items, path: String, mut operation: Operation) {
    for name in ["name", "namespace", "path"] {
        if path.contains(&format!("{{{name}}}")) {
            operation.parameters.push(Parameter::path(name));
        }
    }
    items.entry(path).or_default().operations.push(operation);
}
