//! The types that a document refers to, and everything that they refer to in turn.

use super::names::model_package;
use coracle_apimachinery::schema::{self, Field, Node, Scalar, Schema, Shape, Type};
use std::collections::BTreeMap;

/// A struct of a table together with that table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) table: &'static Schema,
    pub(super) of: Type<'static>,
}

/// What a reference leads to.
#[derive(Clone, Debug)]
pub(super) enum Model {
    /// A struct of a table.
    Struct(Located),
    /// A type with a form of its own.
    Leaf(Leaf),
    /// A kind from a CustomResourceDefinition, under this name; its definition is written from its schema.
    Custom(String),
}

/// Types whose JSON form is not that of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    RawExtension,
    FieldsV1,
    Json,
    SchemaOrArray,
    SchemaOrBool,
    SchemaOrStrings,
    VersionInfo,
}

/// Models by their names.
pub(super) type Models = BTreeMap<String, Model>;

const META: &str = "meta.k8s.io/v1";

impl Located {
    /// Finds the table of a type. The type was taken from a table that is parsed by now, so others need no parsing.
    pub(super) fn find(of: Type<'static>) -> Option<Self> {
        let tables = schema::all().iter().filter(|table| table.is_parsed()).filter_map(|table| table.schema().ok());
        let table = tables
            .into_iter()
            .find(|table| table.structs().as_ptr_range().contains(&std::ptr::from_ref(of.definition())))?;
        Some(Self { table, of })
    }

    /// What a member refers to, unless its type stands in the struct itself.
    pub(super) fn member(self, field: &Field) -> Option<Model> {
        reference(self, &field.name, self.of.shape_of(field))
    }
}

impl Leaf {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
            Self::MicroTime => "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
            Self::Duration => "io.k8s.apimachinery.pkg.apis.meta.v1.Duration",
            Self::Quantity => "io.k8s.apimachinery.pkg.api.resource.Quantity",
            Self::IntOrString => "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            Self::RawExtension => "io.k8s.apimachinery.pkg.runtime.RawExtension",
            Self::FieldsV1 => "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
            Self::Json => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
            Self::SchemaOrArray => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
            Self::SchemaOrBool => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
            Self::SchemaOrStrings => {
                "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray"
            }
            Self::VersionInfo => "io.k8s.apimachinery.pkg.version.Info",
        }
    }
}

impl Model {
    /// The model of a type of `meta.k8s.io/v1`.
    pub(super) fn meta(name: &str) -> Option<Self> {
        Located::find(schema::lookup(META, name)?).map(Self::Struct)
    }

    /// The model of a kind.
    pub(super) fn kind(group: &str, version: &str, kind: &str) -> Option<Self> {
        let group = if group.is_empty() { "core" } else { group };
        Located::find(schema::kind(&format!("{group}/{version}"), kind)?).map(Self::Struct)
    }

    /// The name under which it is defined.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Struct(located) => format!("{}.{}", model_package(&located.table.name), located.of.name()),
            Self::Leaf(leaf) => leaf.name().to_owned(),
            Self::Custom(name) => name.clone(),
        }
    }
}

/// What a shape refers to by name; none for scalars, lists and maps. Three JSON types share a shape, so the name of the
/// member tells them apart.
pub(super) fn reference(holder: Located, member: &str, shape: Shape<'static>) -> Option<Model> {
    let leaf = match shape.node() {
        Node::Struct(_) | Node::Foreign(_) => return Located::find(shape.as_type()?).map(Model::Struct),
        Node::Scalar(Scalar::Time) => Leaf::Time,
        Node::Scalar(Scalar::MicroTime) => Leaf::MicroTime,
        Node::Scalar(Scalar::Duration) => Leaf::Duration,
        Node::Scalar(Scalar::Quantity) => Leaf::Quantity,
        Node::Scalar(Scalar::IntOrString) => Leaf::IntOrString,
        Node::Scalar(Scalar::Raw) if member == "fieldsV1" => Leaf::FieldsV1,
        Node::Scalar(Scalar::Raw) if holder.of.name() == "JSONSchemaProps" => Leaf::Json,
        Node::Scalar(Scalar::Raw) => Leaf::RawExtension,
        Node::Scalar(Scalar::Any) if holder.of.name() == "JSONSchemaProps" => Leaf::Json,
        Node::SchemaOrArray(_) => Leaf::SchemaOrArray,
        Node::SchemaOrBool(_) => Leaf::SchemaOrBool,
        Node::SchemaOrStrings(_) => Leaf::SchemaOrStrings,
        Node::Scalar(_) | Node::Named(_) | Node::List(_) | Node::Map(_) | Node::Wrapped(_) => return None,
    };
    Some(Model::Leaf(leaf))
}

/// Adds a model and all that it refers to.
pub(super) fn close(models: &mut Models, model: Model) {
    let mut open = vec![model];
    while let Some(model) = open.pop() {
        let name = model.name();
        if models.contains_key(&name) {
            continue;
        }
        if let Model::Struct(located) = &model {
            for field in &located.of.definition().fields {
                let mut shape = located.of.shape_of(field);
                while let Some(item) = shape.item() {
                    shape = item;
                }
                open.extend(reference(*located, &field.name, shape));
            }
        }
        models.insert(name, model);
    }
}
