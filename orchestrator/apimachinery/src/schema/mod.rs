//! The one schema type: what a value of the API looks like.
//!
//! A [`Schema`] is an arena of structs and nodes, one per group-version for the built-in kinds and one per version of a
//! CustomResourceDefinition. It refers to other schemas by [`Link`], which resolves when it is first followed.

mod builtin;
mod parse;

pub use builtin::{Served, Table, all, group_version, kind, lookup};
pub use parse::{ParseError, parse};

use std::borrow::Cow;
use std::sync::OnceLock;

/// Text of a schema: borrowed from a built-in table or owned by a run-time schema.
pub type Text = Cow<'static, str>;
/// Index of a node within its schema.
pub type NodeId = u32;
/// Index of a struct within its schema.
pub type StructId = u32;

/// A whole schema.
#[derive(Debug, Default)]
pub struct Schema {
    /// `group/version` (`core/v1` for the core group).
    pub name: Text,
    pub(crate) nodes: Vec<Node>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) links: Vec<Link>,
    pub(crate) strings: Vec<NamedString>,
    /// Struct index by name, sorted by name.
    pub(crate) index: Vec<(Text, StructId)>,
    /// What the group-version serves.
    pub resources: Vec<Resource>,
    /// Kinds of the group-version.
    pub kinds: Vec<Kind>,
}

/// The shape of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A leaf.
    Scalar(Scalar),
    /// A string type with a name, perhaps with a closed set of values: index of [`Schema::named_string`].
    Named(u32),
    /// A list of one shape.
    List(NodeId),
    /// A map from strings to one shape.
    Map(NodeId),
    /// A list that is a message of its own on the protobuf wire.
    Wrapped(NodeId),
    /// A struct of this schema.
    Struct(StructId),
    /// A struct of another schema: index of the link.
    Foreign(u32),
    /// JSON: an object of this struct or a list of them. Protobuf: field 1 or 2.
    SchemaOrArray(StructId),
    /// JSON: an object of this struct or a boolean. Protobuf: field 2, and 1 the boolean.
    SchemaOrBool(StructId),
    /// JSON: an object of this struct or a list of strings. Protobuf: field 1 or 2.
    SchemaOrStrings(StructId),
}

/// Leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// A boolean.
    Bool,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A floating-point number.
    Float64,
    /// A text.
    String,
    /// Base64 text in JSON, plain bytes in protobuf.
    Bytes,
    /// `metav1.Time`.
    Time,
    /// `metav1.MicroTime`.
    MicroTime,
    /// `metav1.Duration`.
    Duration,
    /// `resource.Quantity`.
    Quantity,
    /// `intstr.IntOrString`.
    IntOrString,
    /// An embedded JSON document: `runtime.RawExtension`, `apiextensions.JSON`, `metav1.FieldsV1`.
    Raw,
    /// Any JSON value, without a protobuf form.
    Any,
}

/// A struct type.
#[derive(Debug)]
pub struct Struct {
    /// Go type name.
    pub name: Text,
    /// Members in the order in which they print, those of embedded structs in their place.
    pub fields: Vec<Field>,
    /// Field indexes sorted by name.
    pub(crate) by_name: Vec<u16>,
    /// Protobuf fields sorted by number.
    pub(crate) wire: Vec<Wire>,
    /// Whether server-side apply takes it as one value.
    pub atomic: bool,
    /// Unions: discriminator and member:value pairs, as written in the table.
    pub unions: Vec<Text>,
    /// Declarative validations of the whole struct, as written in the table.
    pub validations: Vec<Text>,
}

/// A protobuf field of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) number: u32,
    pub(crate) target: WireTarget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireTarget {
    /// A member: index into [`Struct::fields`].
    Field(u16),
    /// An embedded struct: a message on the wire, but its members stand in this object. The node is a struct or link.
    Inline(NodeId),
}

/// A member of a struct.
#[derive(Debug)]
pub struct Field {
    /// JSON name.
    pub name: Text,
    /// Its shape within the schema that holds the struct.
    pub node: NodeId,
    /// Protobuf field number; 0 if it has none.
    pub number: u32,
    /// A pointer in Go: a zero value is told from an absent one.
    pub pointer: bool,
    /// Left out of JSON when empty.
    pub omit_empty: bool,
    /// Left out of JSON when it is Go's zero value, also for types that `omit_empty` has no effect on.
    pub omit_zero: bool,
    /// Must be set by the client.
    pub required: bool,
    /// What only merging, defaulting and validation read.
    pub extra: Option<Box<Extra>>,
}

/// The rarer properties of a member.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// How server-side apply merges it, if it is a list.
    pub list: Option<ListKind>,
    /// Whether server-side apply takes a map or struct as one value.
    pub atomic: bool,
    /// Strategic-merge strategies: `merge`, `replace`, `retainKeys`.
    pub patch_strategies: Vec<Text>,
    /// Strategic-merge key.
    pub patch_key: Option<Text>,
    /// The default that the API sets, as JSON.
    pub default: Option<Text>,
    /// Declarative validations, as written in the table.
    pub validations: Vec<Text>,
}

/// How items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// The list is one value.
    Atomic,
    /// Items are told apart by their value.
    Set,
    /// Items are told apart by these members.
    Map(Vec<Text>),
}

/// A named string type.
#[derive(Debug)]
pub struct NamedString {
    /// Its name, with the Go package before it when it is from elsewhere.
    pub name: Text,
    /// The closed set of values; empty when any text is allowed.
    pub values: Vec<Text>,
}

/// A struct in another schema, found when it is first followed.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) group_version: Text,
    pub(crate) name: Text,
    pub(crate) target: OnceLock<Option<(&'static Schema, StructId)>>,
}

/// A kind of a group-version.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: Text,
    /// The node of its type.
    pub node: NodeId,
    /// Minor version `1.N` since which it is deprecated, if it is.
    pub deprecated: Option<Text>,
    /// Minor version that no longer serves it.
    pub removed: Option<Text>,
    /// `group,version,Kind` to use instead.
    pub replacement: Option<Text>,
}

/// A resource or subresource as discovery announces it.
#[derive(Debug, Default, Clone)]
pub struct Resource {
    /// `pods` or `pods/status`.
    pub name: Text,
    /// Kind of its bodies.
    pub kind: Text,
    /// Whether it lives in namespaces.
    pub namespaced: bool,
    /// Singular name.
    pub singular: Option<Text>,
    /// Group of the body's kind, when it is another one.
    pub group: Option<Text>,
    /// Version of the body's kind, when it is another one.
    pub version: Option<Text>,
    /// Short names.
    pub short_names: Vec<Text>,
    /// Categories.
    pub categories: Vec<Text>,
    /// Verbs.
    pub verbs: Vec<Text>,
    /// Storage version hash.
    pub storage_hash: Option<Text>,
}

/// A struct together with the schema that holds it: what the codecs work on.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) of: &'a Struct,
}

/// A node together with the schema that holds it.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) node: Node,
}

impl Schema {
    /// A schema without any type.
    pub const fn empty() -> Self {
        Self {
            name: Text::Borrowed(""),
            nodes: Vec::new(),
            structs: Vec::new(),
            links: Vec::new(),
            strings: Vec::new(),
            index: Vec::new(),
            resources: Vec::new(),
            kinds: Vec::new(),
        }
    }

    /// The struct with this name.
    pub fn type_named(&self, name: &str) -> Option<Type<'_>> {
        let at = self.index.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        self.index.get(at).and_then(|(_, id)| self.struct_at(*id))
    }

    /// A named string by the index in its node.
    pub fn named_string(&self, id: u32) -> Option<&NamedString> {
        self.strings.get(id as usize)
    }

    /// All structs.
    pub fn structs(&self) -> &[Struct] {
        &self.structs
    }

    pub(crate) fn struct_at(&self, id: StructId) -> Option<Type<'_>> {
        self.structs.get(id as usize).map(|of| Type { schema: self, of })
    }

    /// The shape behind a node id; one that this schema did not make is any JSON value.
    pub fn shape(&self, id: NodeId) -> Shape<'_> {
        let node = self.nodes.get(id as usize).copied().unwrap_or(Node::Scalar(Scalar::Any));
        Shape { schema: self, node }
    }

    /// Heap bytes of the parsed form, without the table text that it borrows from.
    pub fn heap_bytes(&self) -> usize {
        fn array<T>(items: &Vec<T>) -> usize {
            items.capacity() * size_of::<T>()
        }
        let extras = |extra: &Extra| {
            let keys = match &extra.list {
                Some(ListKind::Map(keys)) => array(keys),
                _ => 0,
            };
            size_of::<Extra>() + keys + array(&extra.patch_strategies) + array(&extra.validations)
        };
        let of_struct = |of: &Struct| {
            let fields = of.fields.iter().filter_map(|field| field.extra.as_deref()).map(extras).sum::<usize>();
            array(&of.fields)
                + array(&of.by_name)
                + array(&of.wire)
                + array(&of.unions)
                + array(&of.validations)
                + fields
        };
        let of_resource =
            |resource: &Resource| array(&resource.short_names) + array(&resource.categories) + array(&resource.verbs);
        array(&self.nodes)
            + array(&self.structs)
            + array(&self.links)
            + array(&self.strings)
            + array(&self.index)
            + array(&self.resources)
            + array(&self.kinds)
            + self.structs.iter().map(of_struct).sum::<usize>()
            + self.strings.iter().map(|named| array(&named.values)).sum::<usize>()
            + self.resources.iter().map(of_resource).sum::<usize>()
    }
}

impl Struct {
    /// The member with this JSON name; names are case-sensitive.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.field_position(name).map(|(_, field)| field)
    }

    /// The member with this JSON name and its place in [`Struct::fields`].
    pub(crate) fn field_position(&self, name: &str) -> Option<(usize, &Field)> {
        let at = self.by_name.binary_search_by(|index| self.field_at(*index).map_or("", |field| &field.name).cmp(name));
        let index = *self.by_name.get(at.ok()?)?;
        Some((usize::from(index), self.field_at(index)?))
    }

    pub(crate) fn field_at(&self, index: u16) -> Option<&Field> {
        self.fields.get(usize::from(index))
    }
}

impl Field {
    /// Whether the tree keeps this value: not if the Go implementation could not tell it from an absent one.
    pub(crate) fn keeps(&self, value: &crate::Value) -> bool {
        self.pointer || !self.omit_empty || !value.is_empty()
    }
}

impl std::fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Type({} {})", self.schema.name, self.of.name)
    }
}

impl<'a> Type<'a> {
    /// Go type name.
    pub fn name(self) -> &'a str {
        &self.of.name
    }

    /// The Go name with its package, as error messages give it.
    pub fn go_name(self) -> String {
        let package = self.schema.name.rsplit('/').next().unwrap_or_default();
        format!("{package}.{}", self.of.name)
    }

    /// The struct itself.
    pub fn definition(self) -> &'a Struct {
        self.of
    }

    /// The shape of a member of this struct.
    pub fn shape_of(self, field: &Field) -> Shape<'a> {
        self.schema.shape(field.node)
    }
}

impl std::fmt::Debug for Shape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shape({} {})", self.schema.name, self.go_name())
    }
}

impl<'a> Shape<'a> {
    /// The struct that this shape is, also behind a link.
    pub fn as_type(self) -> Option<Type<'a>> {
        match self.node {
            Node::Struct(id) => self.schema.struct_at(id),
            Node::Foreign(link) => {
                let link = self.schema.links.get(link as usize)?;
                let found = link.target.get_or_init(|| builtin::resolve(&link.group_version, &link.name));
                found.as_ref().and_then(|(schema, id)| schema.struct_at(*id))
            }
            _ => None,
        }
    }

    /// The shape of the items of a list or the values of a map.
    pub fn item(self) -> Option<Shape<'a>> {
        match self.node {
            Node::List(id) | Node::Map(id) | Node::Wrapped(id) => Some(self.schema.shape(id)),
            _ => None,
        }
    }

    /// The node.
    pub fn node(self) -> Node {
        self.node
    }

    /// The Go name of the type, as error messages give it.
    pub fn go_name(self) -> String {
        let package = self.schema.name.rsplit('/').next().unwrap_or_default();
        match self.node {
            Node::Scalar(scalar) => scalar.go_name().to_owned(),
            Node::Named(id) => match self.schema.named_string(id) {
                Some(named) if named.name.contains('.') => named.name.clone().into_owned(),
                Some(named) => format!("{package}.{}", named.name),
                None => "string".to_owned(),
            },
            Node::List(id) | Node::Wrapped(id) => format!("[]{}", self.schema.shape(id).go_name()),
            Node::Map(id) => format!("map[string]{}", self.schema.shape(id).go_name()),
            Node::SchemaOrArray(_) => "v1.JSONSchemaPropsOrArray".to_owned(),
            Node::SchemaOrBool(_) => "v1.JSONSchemaPropsOrBool".to_owned(),
            Node::SchemaOrStrings(_) => "v1.JSONSchemaPropsOrStringArray".to_owned(),
            Node::Struct(_) | Node::Foreign(_) => match self.as_type() {
                Some(found) => found.go_name(),
                None => "interface {}".to_owned(),
            },
        }
    }
}

impl Scalar {
    fn go_name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Bytes => "[]uint8",
            Self::Time => "v1.Time",
            Self::MicroTime => "v1.MicroTime",
            Self::Duration => "v1.Duration",
            Self::Quantity => "resource.Quantity",
            Self::IntOrString => "intstr.IntOrString",
            Self::Raw => "runtime.RawExtension",
            Self::Any => "interface {}",
        }
    }
}
