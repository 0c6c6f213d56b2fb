//! Reads the declarations of a gofmt-formatted Go package: imports, struct fields with their tags and markers, named
//! types, string constants. It knows only the regular form of the Kubernetes API packages and refuses what it cannot
//! place, so that a changed upstream stops the generator instead of thinning the tables.

mod file;
mod tag;

pub use file::parse_file;
pub use tag::Tag;

use std::collections::BTreeMap;

/// All declarations of one package.
#[derive(Debug, Default)]
pub struct Package {
    /// Types by name.
    pub types: BTreeMap<String, Declared>,
    /// String constants with an explicit type: type name → values in source order.
    pub constants: BTreeMap<String, Vec<String>>,
    /// API group of `register.go`; empty for core.
    pub group: String,
    /// Type names that a `register.go` adds to the scheme.
    pub registered: Vec<String>,
    /// Package-level markers of `doc.go`, without the `+`.
    pub markers: Vec<String>,
}

/// A declared type with the imports of its file.
#[derive(Debug, Clone)]
pub struct Declared {
    /// What it is.
    pub form: Form,
    /// Markers of its comment, without the `+`.
    pub markers: Vec<String>,
    /// Import name → package path, as seen where it is declared.
    pub imports: BTreeMap<String, String>,
}

/// The right-hand side of a type declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A struct with its fields in declaration order.
    Struct(Vec<Field>),
    /// Any other Go type expression; an alias and a defined type look alike here.
    Other(String),
    /// An interface, which no table holds.
    Interface,
}

/// One field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Go name; of an embedded field the last segment of its type.
    pub name: String,
    /// Go type expression.
    pub go_type: String,
    /// Whether the field is embedded without a name.
    pub embedded: bool,
    /// The struct tag.
    pub tag: Tag,
    /// Markers of its comment, without the `+`.
    pub markers: Vec<String>,
}

/// The value of the marker `name` (the text behind `=`), if it is there.
pub fn marker<'a>(markers: &'a [String], name: &str) -> Option<&'a str> {
    markers.iter().find_map(|marker| marker.strip_prefix(name)?.strip_prefix('='))
}

/// Whether a marker without a value (or any value) is there.
pub fn has_marker(markers: &[String], name: &str) -> bool {
    markers.iter().any(|marker| marker == name || marker.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}
