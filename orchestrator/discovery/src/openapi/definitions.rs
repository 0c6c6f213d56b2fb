//! Definitions of models. Both versions of OpenAPI have them nearly alike: v3 tells defaults and wraps references.

use super::facts::{BARE_REFERENCES, DEFAULTS, GRANULAR, KNOWN, NOT_FOR_CLIENTS, OTHER_ENUMS, VERSION_INFO};
use super::model::{Leaf, Located, Model, Models, reference};
use crate::group::GroupVersion;
use crate::json::Json;
use coracle_apimachinery::schema::{Field, ListKind, Node, Scalar, Shape};

/// The version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    V2,
    V3,
}

/// What definitions depend on besides their models.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) form: Form,
    /// The group-version of a v3 document.
    pub(super) group_version: Option<&'a GroupVersion>,
}

impl Form {
    /// The address of a definition within the document.
    pub(super) fn address(self, name: &str) -> String {
        match self {
            Self::V2 => format!("#/definitions/{name}"),
            Self::V3 => format!("#/components/schemas/{name}"),
        }
    }

    /// A schema that is only a reference.
    pub(super) fn reference(self, json: &mut Json, name: &str) {
        json.object(|json| json.member("$ref", &self.address(name)));
    }
}

/// Writes members `NAME: definition` for all models but custom kinds, which have schemas of their own.
pub(super) fn write(json: &mut Json, models: &Models, context: Context<'_>) {
    for (name, model) in models {
        match model {
            Model::Struct(located) => {
                json.key(name).object(|json| structure(json, *located, context));
            }
            Model::Leaf(leaf) => {
                json.key(name).object(|json| leaf_members(json, *leaf, context.form));
            }
            Model::Custom(_) => {}
        }
    }
}

fn leaf_members(json: &mut Json, leaf: Leaf, form: Form) {
    match leaf {
        Leaf::Time | Leaf::MicroTime => typed(json, "string", "date-time"),
        Leaf::Duration => typed(json, "string", ""),
        Leaf::RawExtension | Leaf::FieldsV1 => typed(json, "object", ""),
        Leaf::Json | Leaf::SchemaOrArray | Leaf::SchemaOrBool | Leaf::SchemaOrStrings => {}
        Leaf::Quantity if form == Form::V2 => typed(json, "string", ""),
        Leaf::IntOrString if form == Form::V2 => typed(json, "string", "int-or-string"),
        Leaf::Quantity => json.key("oneOf").raw(r#"[{"type":"string"},{"type":"number"}]"#),
        Leaf::IntOrString => {
            json.member("format", "int-or-string");
            json.key("oneOf").raw(r#"[{"type":"integer"},{"type":"string"}]"#);
        }
        Leaf::VersionInfo => {
            typed(json, "object", "");
            json.key("properties").object(|json| {
                for (name, always) in VERSION_INFO {
                    json.key(name).object(|json| {
                        json.member("type", "string");
                        if always && form == Form::V3 {
                            json.member("default", "");
                        }
                    });
                }
            });
            json.key("required").texts(VERSION_INFO.iter().filter(|(_, always)| *always).map(|(name, _)| *name));
        }
    }
}

fn typed(json: &mut Json, name: &str, format: &str) {
    json.member("type", name);
    if !format.is_empty() {
        json.member("format", format);
    }
}

fn structure(json: &mut Json, located: Located, context: Context<'_>) {
    let of = located.of.definition();
    json.member("type", "object");
    if !of.fields.is_empty() {
        json.key("properties").object(|json| {
            for field in &of.fields {
                json.key(&field.name).object(|json| property(json, located, field, context.form));
            }
        });
    }
    if of.fields.iter().any(|field| field.required) {
        let required = of.fields.iter().filter(|field| field.required);
        json.key("required").texts(required.map(|field| field.name.as_ref()));
    }
    if of.atomic {
        json.member("x-kubernetes-map-type", "atomic");
    }
    if !of.unions.is_empty() {
        json.key("x-kubernetes-unions").array(|json| of.unions.iter().for_each(|text| union(json, text)));
    }
    kinds(json, located, context);
}

/// The groups, versions and kinds under which a type is known.
fn kinds(json: &mut Json, located: Located, context: Context<'_>) {
    let name = located.of.name();
    let (group, version) = located.table.name.split_once('/').unwrap_or_default();
    let known: Vec<(&str, &str)> = match (group, name) {
        ("meta.k8s.io", "DeleteOptions" | "WatchEvent") => known_everywhere(context),
        ("meta.k8s.io", _) if located.table.kinds.iter().any(|kind| kind.name == name) => vec![("", version)],
        _ if located.table.kinds.iter().any(|kind| kind.name == name) => {
            vec![(if group == "core" { "" } else { group }, version)]
        }
        _ => return,
    };
    json.key("x-kubernetes-group-version-kind").array(|json| {
        known.iter().for_each(|(group, version)| group_version_kind(json, group, version, name));
    });
}

fn known_everywhere<'a>(context: Context<'a>) -> Vec<(&'a str, &'a str)> {
    let all = KNOWN.iter().flat_map(|(group, versions)| versions.iter().map(|version| (*group, *version)));
    match context.group_version {
        None => all.collect(),
        Some(group_version) if group_version.is_custom() => {
            all.filter(|(group, _)| !NOT_FOR_CLIENTS.contains(group)).collect()
        }
        Some(group_version) if group_version.group.is_empty() => vec![("", "v1")],
        Some(group_version) => vec![("", "v1"), (group_version.group.as_ref(), group_version.version.as_ref())],
    }
}

/// One group, version and kind.
pub(super) fn group_version_kind(json: &mut Json, group: &str, version: &str, kind: &str) {
    json.object(|json| {
        json.member("group", group);
        json.member("kind", kind);
        json.member("version", version);
    });
}

/// A union as the table writes it: `DISCRIMINATOR(member:value,…)`.
fn union(json: &mut Json, text: &str) {
    let (discriminator, members) = text.trim_end_matches(')').split_once('(').unwrap_or_default();
    json.object(|json| {
        if !discriminator.is_empty() {
            json.member("discriminator", discriminator);
        }
        json.key("fields-to-discriminateBy").object(|json| {
            for (member, value) in members.split(',').filter_map(|pair| pair.split_once(':')) {
                json.member(member, value);
            }
        });
    });
}

fn property(json: &mut Json, holder: Located, field: &Field, form: Form) {
    let shape = holder.of.shape_of(field);
    let target = holder.member(field);
    match &target {
        Some(model) => {
            let bare = holder.of.name() == "JSONSchemaProps" && BARE_REFERENCES.contains(&field.name.as_ref());
            if form == Form::V2 || bare {
                json.member("$ref", &form.address(&model.name()));
            } else {
                json.key("allOf").array(|json| form.reference(json, &model.name()));
            }
        }
        None => value(json, holder, &field.name, shape, form),
    }
    if form == Form::V3 {
        default(json, holder, field, target.as_ref());
    }
    extensions(json, holder, field);
}

/// The default of a member: one of the table, or the zero value that Go prints when nothing was set.
fn default(json: &mut Json, holder: Located, field: &Field, target: Option<&Model>) {
    let shape = holder.of.shape_of(field);
    let row = DEFAULTS.iter().find(|(of, member, _)| *of == holder.of.name() && *member == field.name);
    let set = row.map(|(_, _, text)| *text);
    let zero = match (target, shape.node()) {
        _ if field.pointer => None,
        (Some(Model::Struct(_)), _) => Some("{}"),
        _ if field.omit_empty || field.omit_zero => None,
        (None, Node::Scalar(Scalar::String) | Node::Named(_)) => Some("\"\""),
        (None, Node::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Float64)) => Some("0"),
        (None, Node::Scalar(Scalar::Bool)) => Some("false"),
        _ => None,
    };
    if let Some(text) = set.or(zero) {
        json.key("default").raw(text);
    }
}

fn extensions(json: &mut Json, holder: Located, field: &Field) {
    if GRANULAR.contains(&(holder.of.name(), &field.name)) {
        json.member("x-kubernetes-map-type", "granular");
    }
    let Some(extra) = &field.extra else { return };
    match &extra.list {
        Some(ListKind::Atomic) => json.member("x-kubernetes-list-type", "atomic"),
        Some(ListKind::Set) => json.member("x-kubernetes-list-type", "set"),
        Some(ListKind::Map(keys)) => {
            json.member("x-kubernetes-list-type", "map");
            json.key("x-kubernetes-list-map-keys").texts(keys.iter().map(AsRef::as_ref));
        }
        None => {}
    }
    if extra.atomic {
        json.member("x-kubernetes-map-type", "atomic");
    }
    if !extra.patch_strategies.is_empty() {
        json.member("x-kubernetes-patch-strategy", &extra.patch_strategies.join(","));
    }
    if let Some(key) = &extra.patch_key {
        json.member("x-kubernetes-patch-merge-key", key);
    }
}

/// The members of a schema that stands in its place.
fn value(json: &mut Json, holder: Located, member: &str, shape: Shape<'static>, form: Form) {
    let inner = |json: &mut Json| {
        json.object(|json| {
            let Some(item) = shape.item() else { return };
            match reference(holder, member, item) {
                Some(model) => json.member("$ref", &form.address(&model.name())),
                None => value(json, holder, member, item, form),
            }
        });
    };
    match shape.node() {
        Node::List(_) | Node::Wrapped(_) => {
            json.member("type", "array");
            inner(json.key("items"));
        }
        Node::Map(_) => {
            json.member("type", "object");
            inner(json.key("additionalProperties"));
        }
        Node::Named(id) => {
            json.member("type", "string");
            let named = holder.table.named_string(id);
            // Upstream publishes no closed sets for the types that all groups share.
            if let Some(named) = named.filter(|_| !holder.table.name.starts_with("meta.k8s.io/")) {
                enumeration(json, &named.name, named.values.iter().map(AsRef::as_ref).collect());
            }
        }
        Node::Scalar(Scalar::Bool) => typed(json, "boolean", ""),
        Node::Scalar(Scalar::Int32) => typed(json, "integer", "int32"),
        Node::Scalar(Scalar::Int64) => typed(json, "integer", "int64"),
        Node::Scalar(Scalar::Float64) => typed(json, "number", "double"),
        Node::Scalar(Scalar::String) => typed(json, "string", ""),
        Node::Scalar(Scalar::Bytes) => typed(json, "string", "byte"),
        _ => {}
    }
}

fn enumeration(json: &mut Json, name: &str, mut values: Vec<&str>) {
    let name = name.rsplit('.').next().unwrap_or(name);
    if let Some((_, others)) = OTHER_ENUMS.iter().find(|(other, _)| *other == name) {
        values = others.to_vec();
    }
    if !values.is_empty() {
        values.sort_unstable();
        json.key("enum").texts(values);
    }
}
