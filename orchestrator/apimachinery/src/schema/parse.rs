//! Parses the text of a table. The format is described in `schema/FORMAT.md`.

use super::{
    Extra, Field, Kind, Link, ListKind, NamedString, Node, NodeId, Resource, Scalar, Schema, Struct, StructId, Text,
    Wire, WireTarget,
};
use std::collections::HashMap;
use std::sync::OnceLock;

/// What is wrong with a table: line and words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema table, line {line}: {problem}")]
pub struct ParseError {
    line: usize,
    problem: String,
}

/// The names that a table declares, collected before its fields are read, since they refer to each other freely.
#[derive(Default)]
struct Names {
    structs: HashMap<&'static str, StructId>,
    strings: HashMap<&'static str, u32>,
    uses: HashMap<&'static str, &'static str>,
}

struct Parser {
    schema: Schema,
    names: Names,
    nodes: HashMap<String, NodeId>,
    links: HashMap<(&'static str, &'static str), u32>,
    /// Embedded structs of each struct, spliced in when the whole table is read.
    inlines: HashMap<StructId, Vec<Inline>>,
}

/// An embedded struct: where its members go and its protobuf number (0: none).
#[derive(Clone, Copy)]
struct Inline {
    before: usize,
    node: NodeId,
    number: u32,
}

type Outcome<T> = Result<T, String>;

/// Parses a whole table.
pub fn parse(text: &'static str) -> Result<Schema, ParseError> {
    let at = |line: usize| move |problem: String| ParseError { line: line + 1, problem };
    let mut parser = Parser {
        schema: Schema::default(),
        names: Names::default(),
        nodes: HashMap::new(),
        links: HashMap::new(),
        inlines: HashMap::new(),
    };
    for (number, line) in text.lines().enumerate() {
        parser.declare(number, line).map_err(at(number))?;
    }
    let mut current = None;
    for (number, line) in text.lines().enumerate() {
        parser.read(line, &mut current).map_err(at(number))?;
    }
    parser.finish().map_err(at(text.lines().count()))
}

fn word(words: &mut impl Iterator<Item = &'static str>, what: &str) -> Outcome<&'static str> {
    words.next().ok_or_else(|| format!("{what} is missing"))
}

fn index(length: usize) -> Outcome<u32> {
    u32::try_from(length).map_err(|_| "too many entries".to_owned())
}

fn list(value: &'static str) -> Vec<Text> {
    let mut items: Vec<Text> = value.split(',').map(Text::Borrowed).collect();
    items.shrink_to_fit();
    items
}

impl Parser {
    /// First pass: header and names.
    fn declare(&mut self, number: usize, line: &'static str) -> Outcome<()> {
        let mut words = line.split(' ');
        match (number, words.next()) {
            (0, Some("coracle-schema")) => match words.next() {
                Some("1") => {}
                other => return Err(format!("format {other:?} is not known")),
            },
            (0, _) => return Err("not a schema table".to_owned()),
            (_, Some("group-version")) => self.schema.name = Text::Borrowed(word(&mut words, "name")?),
            (_, Some("use")) => {
                let alias = word(&mut words, "alias")?;
                self.names.uses.insert(alias, word(&mut words, "group-version")?);
            }
            (_, Some("struct")) => {
                let name = word(&mut words, "name")?;
                let id = index(self.names.structs.len())?;
                if self.names.structs.insert(name, id).is_some() {
                    return Err(format!("{name} is declared twice"));
                }
                self.schema.index.push((Text::Borrowed(name), id));
            }
            (_, Some("string" | "enum")) => {
                let name = word(&mut words, "name")?;
                let id = index(self.schema.strings.len())?;
                self.names.strings.insert(name, id);
                let values =
                    words.map(|value| if value == "\"\"" { Text::Borrowed("") } else { Text::Borrowed(value) });
                let mut values: Vec<Text> = values.collect();
                values.shrink_to_fit();
                self.schema.strings.push(NamedString { name: Text::Borrowed(name), values });
            }
            _ => {}
        }
        Ok(())
    }

    /// Second pass: everything that refers to names.
    fn read(&mut self, line: &'static str, current: &mut Option<StructId>) -> Outcome<()> {
        if let Some(validation) = line.strip_prefix("  +") {
            let field = self
                .schema
                .structs
                .last_mut()
                .and_then(|of| of.fields.last_mut())
                .ok_or("validation without a field")?;
            field.extra.get_or_insert_default().validations.push(Text::Borrowed(validation));
            return Ok(());
        }
        if let Some(validation) = line.strip_prefix(" +") {
            let of = self.schema.structs.last_mut().ok_or("validation without a struct")?;
            of.validations.push(Text::Borrowed(validation));
            return Ok(());
        }
        if let Some(field) = line.strip_prefix(' ') {
            let id = current.ok_or("field without a struct")?;
            return self.field(id, field);
        }
        let mut words = line.split(' ');
        match words.next() {
            Some("struct") => {
                let name = word(&mut words, "name")?;
                *current = Some(index(self.schema.structs.len())?);
                self.structure(name, words)
            }
            Some("kind") => self.kind(words),
            Some("alias") => {
                let name = word(&mut words, "name")?;
                let node = self.node(word(&mut words, "type")?)?;
                for kind in self.schema.kinds.iter_mut().filter(|kind| kind.name == name) {
                    kind.node = node;
                }
                Ok(())
            }
            Some("resource") => self.resource(words),
            Some("coracle-schema" | "group-version" | "use" | "string" | "enum") => Ok(()),
            other => Err(format!("unknown line {other:?}")),
        }
    }

    fn structure(&mut self, name: &'static str, words: impl Iterator<Item = &'static str>) -> Outcome<()> {
        let mut of = Struct {
            name: Text::Borrowed(name),
            fields: Vec::new(),
            by_name: Vec::new(),
            wire: Vec::new(),
            atomic: false,
            unions: Vec::new(),
            validations: Vec::new(),
        };
        for attribute in words {
            match attribute.split_once('=') {
                Some(("map", "atomic")) => of.atomic = true,
                Some(("map", "granular")) => {}
                Some(("union", union)) => of.unions.push(Text::Borrowed(union)),
                _ => return Err(format!("unknown attribute `{attribute}`")),
            }
        }
        self.schema.structs.push(of);
        Ok(())
    }

    fn kind(&mut self, mut words: impl Iterator<Item = &'static str>) -> Outcome<()> {
        let name = word(&mut words, "name")?;
        // The node of a kind that is no struct of this table follows in an `alias` line.
        let node = match self.names.structs.get(name) {
            Some(id) => self.intern(name, Node::Struct(*id))?,
            None => NodeId::MAX,
        };
        let mut kind = Kind { name: Text::Borrowed(name), node, deprecated: None, removed: None, replacement: None };
        for attribute in words {
            match attribute.split_once('=') {
                Some(("introduced", _)) => {}
                Some(("deprecated", value)) => kind.deprecated = Some(Text::Borrowed(value)),
                Some(("removed", value)) => kind.removed = Some(Text::Borrowed(value)),
                Some(("replacement", value)) => kind.replacement = Some(Text::Borrowed(value)),
                _ => return Err(format!("unknown attribute `{attribute}`")),
            }
        }
        self.schema.kinds.push(kind);
        Ok(())
    }

    fn resource(&mut self, mut words: impl Iterator<Item = &'static str>) -> Outcome<()> {
        let mut resource = Resource {
            name: Text::Borrowed(word(&mut words, "name")?),
            kind: Text::Borrowed(word(&mut words, "kind")?),
            namespaced: word(&mut words, "scope")? == "namespaced",
            ..Resource::default()
        };
        for attribute in words {
            let (key, value) = attribute.split_once('=').ok_or_else(|| format!("unknown attribute `{attribute}`"))?;
            match key {
                "singular" => resource.singular = Some(Text::Borrowed(value)),
                "group" => resource.group = Some(Text::Borrowed(value)),
                "version" => resource.version = Some(Text::Borrowed(value)),
                "short" => resource.short_names = list(value),
                "categories" => resource.categories = list(value),
                "verbs" => resource.verbs = list(value),
                "hash" => resource.storage_hash = Some(Text::Borrowed(value)),
                _ => return Err(format!("unknown attribute `{attribute}`")),
            }
        }
        self.schema.resources.push(resource);
        Ok(())
    }

    fn field(&mut self, owner: StructId, line: &'static str) -> Outcome<()> {
        let mut words = line.split(' ');
        let name = word(&mut words, "name")?;
        let type_text = word(&mut words, "type")?;
        let number = match word(&mut words, "number")? {
            "-" => 0,
            number => number.parse().map_err(|_| format!("`{number}` is no field number"))?,
        };
        let (pointer, type_text) = match type_text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, type_text),
        };
        let node = self.node(type_text)?;
        if name == "~" {
            let of = self.schema.structs.get(owner as usize).ok_or("field without a struct")?;
            let inline = Inline { before: of.fields.len(), node, number };
            self.inlines.entry(owner).or_default().push(inline);
            return Ok(());
        }
        let mut field = Field {
            name: Text::Borrowed(name),
            node,
            number,
            pointer,
            omit_empty: false,
            omit_zero: false,
            required: false,
            extra: None,
        };
        for attribute in words {
            attribute_of(&mut field, attribute)?;
        }
        let of = self.schema.structs.get_mut(owner as usize).ok_or("field without a struct")?;
        of.fields.push(field);
        Ok(())
    }

    /// The node of a type expression; equal expressions share one.
    fn node(&mut self, text: &'static str) -> Outcome<NodeId> {
        if let Some(id) = self.nodes.get(text) {
            return Ok(*id);
        }
        let node = if let Some(item) = text.strip_prefix("[]") {
            Node::List(self.node(item)?)
        } else if let Some(item) = text.strip_prefix("map[]") {
            Node::Map(self.node(item)?)
        } else if let Some(item) = text.strip_prefix("wrap[]") {
            Node::Wrapped(self.node(item)?)
        } else if let Some(scalar) = scalar(text) {
            Node::Scalar(scalar)
        } else if text.starts_with("schema-or-") {
            let props = *self.names.structs.get("JSONSchemaProps").ok_or("no JSONSchemaProps in this table")?;
            match text {
                "schema-or-array" => Node::SchemaOrArray(props),
                "schema-or-bool" => Node::SchemaOrBool(props),
                "schema-or-strings" => Node::SchemaOrStrings(props),
                _ => return Err(format!("unknown type `{text}`")),
            }
        } else {
            self.named(text)?
        };
        self.intern(text, node)
    }

    fn named(&mut self, text: &'static str) -> Outcome<Node> {
        if let Some(id) = self.names.structs.get(text) {
            return Ok(Node::Struct(*id));
        }
        if let Some(id) = self.names.strings.get(text) {
            return Ok(Node::Named(*id));
        }
        let unknown = || format!("unknown type `{text}`");
        let (alias, name) = text.split_once('.').ok_or_else(unknown)?;
        let group_version = *self.names.uses.get(alias).ok_or_else(unknown)?;
        // Whether the name is a string or a struct is written in the other table; reading its lines avoids parsing it.
        if let Some(values) = super::builtin::named_string_values(group_version, name) {
            let id = index(self.schema.strings.len())?;
            let package = group_version.rsplit('/').next().unwrap_or_default();
            self.schema.strings.push(NamedString { name: Text::Owned(format!("{package}.{name}")), values });
            return Ok(Node::Named(id));
        }
        let next = index(self.schema.links.len())?;
        let id = *self.links.entry((group_version, name)).or_insert(next);
        if id == next {
            self.schema.links.push(Link {
                group_version: Text::Borrowed(group_version),
                name: Text::Borrowed(name),
                target: OnceLock::new(),
            });
        }
        Ok(Node::Foreign(id))
    }

    fn intern(&mut self, text: &str, node: Node) -> Outcome<NodeId> {
        if let Some(id) = self.nodes.get(text) {
            return Ok(*id);
        }
        let id = index(self.schema.nodes.len())?;
        self.schema.nodes.push(node);
        self.nodes.insert(text.to_owned(), id);
        Ok(id)
    }

    /// Splices embedded structs, builds the indexes and gives back spare memory.
    fn finish(mut self) -> Outcome<Schema> {
        if let Some(kind) = self.schema.kinds.iter().find(|kind| kind.node == NodeId::MAX) {
            return Err(format!("kind {} has no type", kind.name));
        }
        let count = index(self.schema.structs.len())?;
        for id in 0..count {
            self.splice(id)?;
        }
        let schema = &mut self.schema;
        schema.index.sort();
        for of in &mut schema.structs {
            of.fields.shrink_to_fit();
            let mut by_name = Vec::with_capacity(of.fields.len());
            for position in 0..of.fields.len() {
                by_name.push(u16::try_from(position).map_err(|_| "too many fields".to_owned())?);
            }
            for (position, field) in by_name.iter().zip(&of.fields) {
                // Members of embedded structs have the number of their own message, where `splice` left the mark 0.
                if field.number != 0 {
                    of.wire.push(Wire { number: field.number, target: WireTarget::Field(*position) });
                }
            }
            let fields = &of.fields;
            by_name.sort_by_key(|position| fields.get(usize::from(*position)).map(|field| field.name.clone()));
            of.by_name = by_name;
            of.wire.sort_by_key(|wire| wire.number);
            of.wire.shrink_to_fit();
            of.validations.shrink_to_fit();
            for extra in of.fields.iter_mut().filter_map(|field| field.extra.as_deref_mut()) {
                extra.validations.shrink_to_fit();
                extra.patch_strategies.shrink_to_fit();
            }
        }
        schema.structs.shrink_to_fit();
        schema.nodes.shrink_to_fit();
        schema.links.shrink_to_fit();
        schema.strings.shrink_to_fit();
        schema.index.shrink_to_fit();
        schema.resources.shrink_to_fit();
        schema.kinds.shrink_to_fit();
        Ok(self.schema)
    }

    /// Puts the members of embedded structs into their place and their message onto the wire.
    fn splice(&mut self, id: StructId) -> Outcome<()> {
        let Some(inlines) = self.inlines.remove(&id) else { return Ok(()) };
        for inline in inlines.iter().rev() {
            let fields = self.embedded_fields(inline.node)?;
            let of = self.schema.structs.get_mut(id as usize).ok_or("field without a struct")?;
            of.fields.splice(inline.before..inline.before, fields);
            if inline.number != 0 {
                of.wire.push(Wire { number: inline.number, target: WireTarget::Inline(inline.node) });
            }
        }
        Ok(())
    }

    fn embedded_fields(&mut self, node: NodeId) -> Outcome<Vec<Field>> {
        match self.schema.nodes.get(node as usize) {
            Some(Node::Struct(id)) => {
                let id = *id;
                self.splice(id)?;
                let of = self.schema.structs.get(id as usize).ok_or("embedded struct is missing")?;
                Ok(of.fields.iter().map(|field| copy(field, field.node)).collect())
            }
            Some(Node::Foreign(link)) => {
                let link = self.schema.links.get(*link as usize).ok_or("embedded link is missing")?;
                let (name, group_version) = (link.name.clone(), link.group_version.clone());
                let (foreign, id) = super::builtin::resolve(&group_version, &name)
                    .ok_or_else(|| format!("embedded {group_version}.{name} is missing"))?;
                let of = foreign.structs.get(id as usize).ok_or("embedded struct is missing")?;
                of.fields.iter().map(|field| Ok(copy(field, self.import(foreign, field.node)?))).collect()
            }
            _ => Err("only a struct can be embedded".to_owned()),
        }
    }

    /// A node of this schema that means what `id` means in `foreign`.
    fn import(&mut self, foreign: &Schema, id: NodeId) -> Outcome<NodeId> {
        let key = format!("{}#{id}", foreign.name);
        if let Some(known) = self.nodes.get(&key) {
            return Ok(*known);
        }
        let node = match foreign.shape(id).node {
            Node::List(item) => Node::List(self.import(foreign, item)?),
            Node::Map(item) => Node::Map(self.import(foreign, item)?),
            Node::Wrapped(item) => Node::Wrapped(self.import(foreign, item)?),
            scalar @ Node::Scalar(_) => scalar,
            Node::Named(string) => {
                let named = foreign.named_string(string).ok_or("named string is missing")?;
                let package = foreign.name.rsplit('/').next().unwrap_or_default();
                let name = if named.name.contains('.') {
                    named.name.clone()
                } else {
                    Text::Owned(format!("{package}.{}", named.name))
                };
                let id = index(self.schema.strings.len())?;
                self.schema.strings.push(NamedString { name, values: named.values.clone() });
                Node::Named(id)
            }
            Node::Struct(of) => {
                let name = foreign.structs.get(of as usize).map(|of| of.name.clone()).ok_or("struct is missing")?;
                self.link(foreign.name.clone(), name)?
            }
            Node::Foreign(link) => {
                let link = foreign.links.get(link as usize).ok_or("link is missing")?;
                self.link(link.group_version.clone(), link.name.clone())?
            }
            Node::SchemaOrArray(_) | Node::SchemaOrBool(_) | Node::SchemaOrStrings(_) => {
                return Err("a schema union cannot be embedded from elsewhere".to_owned());
            }
        };
        self.intern(&key, node)
    }

    fn link(&mut self, group_version: Text, name: Text) -> Outcome<Node> {
        let id = index(self.schema.links.len())?;
        self.schema.links.push(Link { group_version, name, target: OnceLock::new() });
        Ok(Node::Foreign(id))
    }
}

/// A member of an embedded struct: it keeps everything but its protobuf number, which counts within its own message.
fn copy(field: &Field, node: NodeId) -> Field {
    let extra = field.extra.as_deref().map(|extra| Extra {
        list: extra.list.clone(),
        atomic: extra.atomic,
        patch_strategies: extra.patch_strategies.clone(),
        patch_key: extra.patch_key.clone(),
        default: extra.default.clone(),
        validations: extra.validations.clone(),
    });
    Field {
        name: field.name.clone(),
        node,
        number: 0,
        pointer: field.pointer,
        omit_empty: field.omit_empty,
        omit_zero: field.omit_zero,
        required: field.required,
        extra: extra.map(Box::new),
    }
}

fn attribute_of(field: &mut Field, attribute: &'static str) -> Outcome<()> {
    match attribute {
        "?" => field.omit_empty = true,
        "omitzero" => field.omit_zero = true,
        "required" => field.required = true,
        // Says that null is allowed, which decoding needs no word for.
        "nullable" => {}
        _ => {
            let unknown = || format!("unknown attribute `{attribute}`");
            let (key, value) = attribute.split_once('=').ok_or_else(unknown)?;
            let extra = field.extra.get_or_insert_default();
            match (key, value) {
                ("list", "atomic") => extra.list = Some(ListKind::Atomic),
                ("list", "set") => extra.list = Some(ListKind::Set),
                ("list", _) => {
                    let keys =
                        value.strip_prefix("map(").and_then(|keys| keys.strip_suffix(')')).ok_or_else(unknown)?;
                    extra.list = Some(ListKind::Map(list(keys)));
                }
                ("map", "atomic") => extra.atomic = true,
                ("map", "granular") => {}
                ("patch", _) => extra.patch_strategies = list(value),
                ("key", _) => extra.patch_key = Some(Text::Borrowed(value)),
                ("default", _) => extra.default = Some(Text::Borrowed(value)),
                _ => return Err(unknown()),
            }
        }
    }
    Ok(())
}

fn scalar(word: &str) -> Option<Scalar> {
    Some(match word {
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "float64" => Scalar::Float64,
        "string" => Scalar::String,
        "bytes" => Scalar::Bytes,
        "time" => Scalar::Time,
        "micro-time" => Scalar::MicroTime,
        "duration" => Scalar::Duration,
        "quantity" => Scalar::Quantity,
        "int-or-string" => Scalar::IntOrString,
        "raw-extension" | "json" | "fields-v1" => Scalar::Raw,
        "any" => Scalar::Any,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Node, Scalar};
    use super::parse;

    const SAMPLE: &str = "coracle-schema 1\ngroup-version test/v1 gated\nkind Wall introduced=1.9\n\
        resource walls Wall namespaced singular=wall verbs=get,list\n\
        struct Base\n kind string 1 ?\nenum Colour red green\n\
        struct Wall map=atomic\n ~ Base 7\n paint *Colour 3 ? required default=\"red\"\n  +k8s:maxItems=3\n bricks []int32 2 list=set\n";

    #[test]
    fn a_table_becomes_structs() {
        let schema = parse(SAMPLE).unwrap();
        let wall = schema.type_named("Wall").unwrap();
        let names: Vec<&str> = wall.of.fields.iter().map(|field| field.name.as_ref()).collect();
        assert_eq!(names, ["kind", "paint", "bricks"]);
        assert_eq!(wall.of.wire.iter().map(|wire| wire.number).collect::<Vec<_>>(), [2, 3, 7]);
        let paint = wall.of.field("paint").unwrap();
        assert!(paint.pointer && paint.omit_empty && paint.required);
        assert_eq!(paint.extra.as_ref().unwrap().default.as_deref(), Some("\"red\""));
        assert_eq!(wall.shape_of(paint).go_name(), "v1.Colour");
        let bricks = wall.shape_of(wall.of.field("bricks").unwrap());
        assert_eq!(bricks.item().unwrap().node, Node::Scalar(Scalar::Int32));
        assert!(wall.of.field("Paint").is_none());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let cases = [
            ("coracle-schema 2\n", "format"),
            ("hello\n", "not a schema table"),
            ("coracle-schema 1\nstruct A\n x Missing 1\n", "unknown type `Missing`"),
            ("coracle-schema 1\nstruct A\n x string 1 sparkle\n", "unknown attribute `sparkle`"),
            ("coracle-schema 1\n x string 1\n", "field without a struct"),
            ("coracle-schema 1\nkind A\n", "kind A has no type"),
            ("coracle-schema 1\nstruct A\nstruct A\n", "declared twice"),
            ("coracle-schema 1\nnonsense\n", "unknown line"),
        ];
        for (text, part) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
