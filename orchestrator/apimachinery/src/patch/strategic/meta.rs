//! How the schema wants the members of an object merged.

use super::Outcome;
use super::failure::{Failure, no_field};
use crate::schema::{Field, Node, Scalar, Shape, Type};

/// The Go type of a value, as far as merging asks for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta<'a> {
    kind: Kind<'a>,
    pointer: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    Struct(Type<'a>),
    /// A struct without members of its own in JSON; its Go name. An embedded document is one: only its first level merges.
    Opaque(&'static str),
    List(Shape<'a>),
    /// Something without members to look up; its Go kind.
    Other(&'static str),
}

/// A member and how it merges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// The member's type, or that of its items.
    pub(super) meta: Meta<'a>,
    /// `merge`, `replace` or nothing.
    pub(super) strategy: &'a str,
    /// The member that tells items apart; empty if there is none.
    pub(super) merge_key: &'a str,
}

impl<'a> Meta<'a> {
    pub(super) fn of(of: Type<'a>) -> Self {
        Self { kind: Kind::Struct(of), pointer: false }
    }

    fn new(shape: Shape<'a>, pointer: bool) -> Self {
        let kind = match shape.node() {
            Node::Scalar(scalar) => scalar_kind(scalar),
            Node::Named(_) => Kind::Other("string"),
            Node::List(_) | Node::Wrapped(_) => shape.item().map_or(Kind::Other("slice"), Kind::List),
            Node::Map(_) => Kind::Other("map"),
            Node::Struct(_) | Node::Foreign(_) => shape.as_type().map_or(Kind::Other("interface"), Kind::Struct),
            Node::SchemaOrArray(_) => Kind::Opaque("JSONSchemaPropsOrArray"),
            Node::SchemaOrBool(_) => Kind::Opaque("JSONSchemaPropsOrBool"),
            Node::SchemaOrStrings(_) => Kind::Opaque("JSONSchemaPropsOrStringArray"),
        };
        Self { kind, pointer }
    }

    /// Go's name of the kind of this type.
    pub(super) fn kind_name(self) -> &'static str {
        match self.kind {
            _ if self.pointer => "ptr",
            Kind::Struct(_) | Kind::Opaque(_) => "struct",
            Kind::List(_) => "slice",
            Kind::Other(kind) => kind,
        }
    }

    /// The member `name` of an object of this type.
    pub(super) fn member(self, name: &str) -> Outcome<Found<'a>> {
        match self.kind {
            Kind::Struct(of) => {
                let field = find(of, name).ok_or_else(|| no_field(of.name(), name))?;
                let extra = field.extra.as_deref();
                let strategies = extra.map(|extra| extra.patch_strategies.as_slice()).unwrap_or_default();
                let strategy = strategies.iter().find(|strategy| *strategy != "retainKeys").map_or("", |text| text);
                let merge_key = extra.and_then(|extra| extra.patch_key.as_deref()).unwrap_or_default();
                Ok(Found { meta: Self::new(of.shape_of(field), field.pointer), strategy, merge_key })
            }
            Kind::Opaque(of) => Err(no_field(of, name)),
            Kind::List(_) | Kind::Other(_) => {
                let kind = Self { pointer: false, ..self }.kind_name();
                let message = format!("merging an object in json but data type is not struct, instead is: {kind}");
                Err(Failure::Unclassified(message))
            }
        }
    }

    /// The member `name`, a list; what is found tells of its items.
    pub(super) fn list(self, name: &str) -> Outcome<Found<'a>> {
        let found = self.member(name)?;
        let meta = match (found.meta.kind, found.meta.pointer) {
            (Kind::List(item), false) if matches!(Self::new(item, false).kind, Kind::List(_)) => {
                return Err(Failure::Unclassified("unexpected slice of slice".to_owned()));
            }
            (Kind::List(item), _) => Self::new(item, false),
            // Go takes any pointer for one to a list.
            (_, true) => Self { pointer: false, ..found.meta },
            (Kind::Other("slice"), false) => Self { kind: Kind::Other("uint8"), pointer: false },
            (_, false) => {
                let message = format!("expected slice or array type, but got: {}", self.kind_name());
                return Err(Failure::Unclassified(message));
            }
        };
        Ok(Found { meta, ..found })
    }
}

/// The member with this name; Go takes one that differs only in case if there is no other.
fn find<'a>(of: Type<'a>, name: &str) -> Option<&'a Field> {
    let definition = of.definition();
    let folded = || definition.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    definition.field(name).or_else(folded)
}

fn scalar_kind(scalar: Scalar) -> Kind<'static> {
    match scalar {
        Scalar::Bool => Kind::Other("bool"),
        Scalar::Int32 => Kind::Other("int32"),
        Scalar::Int64 => Kind::Other("int64"),
        Scalar::Float64 => Kind::Other("float64"),
        Scalar::String => Kind::Other("string"),
        Scalar::Bytes => Kind::Other("slice"),
        Scalar::Any => Kind::Other("interface"),
        Scalar::Time => Kind::Opaque("Time"),
        Scalar::MicroTime => Kind::Opaque("MicroTime"),
        Scalar::Duration => Kind::Opaque("Duration"),
        Scalar::Quantity => Kind::Opaque("Quantity"),
        Scalar::IntOrString => Kind::Opaque("IntOrString"),
        Scalar::Raw => Kind::Opaque("RawExtension"),
    }
}
