//! Parameters of operations. Those of a query come from the tables of the options types.

use super::facts::SHARED_PARAMETERS;
use coracle_apimachinery::schema::{self, Node, Scalar, Shape};

/// A parameter of an operation; the order is the one in which documents list them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// `string`, `integer` or `boolean`.
    pub(super) kind: &'static str,
    /// The options type that it was taken from, if any.
    pub(super) source: &'static str,
}

/// Where a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Path,
    Query,
}

impl Parameter {
    /// A part of the path.
    pub(super) fn path(name: &'static str) -> Self {
        Self { name, place: Place::Path, kind: "string", source: "" }
    }

    /// Whether the answer is to be indented.
    pub(super) fn pretty() -> Self {
        Self { name: "pretty", place: Place::Query, kind: "string", source: "" }
    }

    /// The name under which v2 shares it.
    pub(super) fn shared(&self) -> Option<String> {
        let of = |source: &str| {
            let row = SHARED_PARAMETERS.iter().find(|(from, name, _)| *from == source && *name == self.name)?;
            Some(format!("{}-{}", row.1, row.2))
        };
        of(self.source).or_else(|| of(""))
    }
}

/// The members of an options type that a query can carry: no structs and no members of the type's own kind.
pub(super) fn options(group_version: &str, name: &'static str) -> Vec<Parameter> {
    let Some(of) = schema::lookup(group_version, name) else { return Vec::new() };
    let fields = of.definition().fields.iter().filter(|field| field.name != "kind" && field.name != "apiVersion");
    let parameter = |field: &'static schema::Field| {
        let kind = query_kind(of.shape_of(field))?;
        let std::borrow::Cow::Borrowed(member) = field.name else { return None };
        Some(Parameter { name: member, place: Place::Query, kind, source: name })
    };
    fields.filter_map(parameter).collect()
}

/// The members of an options type of `meta.k8s.io/v1`.
pub(super) fn meta_options(name: &'static str) -> Vec<Parameter> {
    options("meta.k8s.io/v1", name)
}

fn query_kind(shape: Shape<'_>) -> Option<&'static str> {
    match shape.node() {
        Node::Scalar(Scalar::Bool) => Some("boolean"),
        Node::Scalar(Scalar::Int32 | Scalar::Int64) => Some("integer"),
        Node::Scalar(Scalar::String) | Node::Named(_) => Some("string"),
        Node::List(_) => query_kind(shape.item()?),
        _ => None,
    }
}
