//! The structural schema of a version: what pruning, defaulting and validation walk along.
//!
//! It is read once from the schema in a definition. Value validations below `allOf`, `anyOf`, `oneOf` and `not` have the
//! same type; that they do not say more than they may is checked when the definition is written.

use crate::pattern::Pattern;
use coracle_apimachinery::{Value, json};
use std::collections::BTreeMap;

/// Deepest schema that is read: deeper than any that has a use, and shallow enough for the stack of a worker thread.
pub(crate) const MAX_DEPTH: usize = 100;

/// A schema cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It nests too deeply.
    #[error("schema is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It uses something that a structural schema never has.
    #[error("OpenAPIV3Schema '{0}' is not supported")]
    Unsupported(&'static str),
    /// `items` is a list of schemas.
    #[error("OpenAPIV3Schema 'items' must be a schema, but is an array")]
    ItemsArray,
    /// `x-kubernetes-preserve-unknown-fields: false`.
    #[error("internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined")]
    PreserveFalse,
}

/// One level of a schema.
#[derive(Debug, Clone, Default)]
pub struct Structural {
    /// `string`, `number`, `integer`, `boolean`, `array`, `object`, or empty.
    pub kind: Box<str>,
    /// Whether null is a value.
    pub nullable: bool,
    /// The value that an absent member gets.
    pub default: Option<Value>,
    /// Whether unknown members stay.
    pub preserve: bool,
    /// Whether the value is an object with its own apiVersion, kind and metadata.
    pub embedded: bool,
    /// Whether the value is an integer or a text.
    pub int_or_string: bool,
    /// `set`, `map`, `atomic`, or empty.
    pub list_type: Box<str>,
    /// Members that tell items of a `map` list apart.
    pub list_keys: Vec<Box<str>>,
    /// Known members.
    pub properties: BTreeMap<Box<str>, Structural>,
    /// What other members are.
    pub additional: Option<Additional>,
    /// What items are.
    pub items: Option<Box<Structural>>,
    /// Conditions on the value.
    pub rules: Rules,
}

/// What members without a name of their own are.
#[derive(Debug, Clone, Default)]
pub struct Additional {
    /// Whether there may be any.
    pub allowed: bool,
    /// Their schema, if one is given.
    pub schema: Option<Box<Structural>>,
}

/// Conditions on a value.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The format, if it is one that is enforced; else empty.
    pub format: Box<str>,
    /// Upper bound of a number.
    pub maximum: Option<f64>,
    /// Whether the bound itself is too large.
    pub exclusive_maximum: bool,
    /// Lower bound of a number.
    pub minimum: Option<f64>,
    /// Whether the bound itself is too small.
    pub exclusive_minimum: bool,
    /// Divisor of a number.
    pub multiple_of: Option<f64>,
    /// Most characters.
    pub max_length: Option<i64>,
    /// Fewest characters.
    pub min_length: Option<i64>,
    /// Pattern of a text.
    pub pattern: Option<Pattern>,
    /// Most items.
    pub max_items: Option<i64>,
    /// Fewest items.
    pub min_items: Option<i64>,
    /// Whether items differ from each other.
    pub unique_items: bool,
    /// Most members.
    pub max_properties: Option<i64>,
    /// Fewest members.
    pub min_properties: Option<i64>,
    /// Members that must be there.
    pub required: Vec<Box<str>>,
    /// The closed set of values; empty when any is allowed.
    pub values: Vec<Value>,
    /// Schemas that all hold.
    pub all_of: Vec<Structural>,
    /// Schemas of which at least one holds.
    pub any_of: Vec<Structural>,
    /// Schemas of which exactly one holds.
    pub one_of: Vec<Structural>,
    /// A schema that does not hold.
    pub not: Option<Box<Structural>>,
}

impl Structural {
    /// Reads the schema of a version.
    pub fn parse(schema: &Value) -> Result<Self, Unreadable> {
        read(schema, 0)
    }

    /// The schema of a member.
    pub(crate) fn member(&self, name: &str) -> Option<&Structural> {
        self.properties.get(name).or_else(|| self.additional.as_ref()?.schema.as_deref())
    }

    /// The JSON types that the value may have; any when empty.
    pub(crate) fn types(&self) -> Vec<&str> {
        match (self.int_or_string, self.kind.is_empty()) {
            (true, _) => vec!["integer", "string"],
            (false, true) => Vec::new(),
            (false, false) => vec![&self.kind],
        }
    }
}

fn read(schema: &Value, depth: usize) -> Result<Structural, Unreadable> {
    if depth > MAX_DEPTH {
        return Err(Unreadable::TooDeep);
    }
    refuse_unsupported(schema)?;
    let inner = |name: &str| schema.at(&[name]).map(|inner| read(inner, depth + 1)).transpose();
    let list = |name: &str| -> Result<Vec<Structural>, Unreadable> {
        schema.at(&[name]).map(Value::items).unwrap_or_default().iter().map(|inner| read(inner, depth + 1)).collect()
    };
    let items = match schema.at(&["items"]) {
        Some(Value::List(_)) => return Err(Unreadable::ItemsArray),
        Some(Value::Object(_)) => inner("items")?.map(Box::new),
        _ => None,
    };
    let additional = match schema.at(&["additionalProperties"]) {
        Some(Value::Bool(allowed)) => Some(Additional { allowed: *allowed, schema: None }),
        Some(found @ Value::Object(_)) => {
            Some(Additional { allowed: true, schema: Some(Box::new(read(found, depth + 1)?)) })
        }
        _ => None,
    };
    let mut properties = BTreeMap::new();
    for (name, property) in schema.at(&["properties"]).and_then(Value::as_object).into_iter().flat_map(|map| map.iter())
    {
        properties.insert(name.into(), read(property, depth + 1)?);
    }
    let kind = schema.text_at(&["type"]);
    let int_or_string = truth(schema, "x-kubernetes-int-or-string");
    let rules = Rules {
        format: enforced_format(schema.text_at(&["format"]), if int_or_string { "" } else { kind }).into(),
        maximum: number(schema, "maximum"),
        exclusive_maximum: truth(schema, "exclusiveMaximum"),
        minimum: number(schema, "minimum"),
        exclusive_minimum: truth(schema, "exclusiveMinimum"),
        multiple_of: number(schema, "multipleOf"),
        max_length: integer(schema, "maxLength"),
        min_length: integer(schema, "minLength"),
        pattern: Some(schema.text_at(&["pattern"])).filter(|text| !text.is_empty()).map(Pattern::new),
        max_items: integer(schema, "maxItems"),
        min_items: integer(schema, "minItems"),
        unique_items: truth(schema, "uniqueItems"),
        max_properties: integer(schema, "maxProperties"),
        min_properties: integer(schema, "minProperties"),
        required: texts(schema, "required"),
        values: schema.at(&["enum"]).map(Value::items).unwrap_or_default().iter().map(document).collect(),
        all_of: list("allOf")?,
        any_of: list("anyOf")?,
        one_of: list("oneOf")?,
        not: inner("not")?.map(Box::new),
    };
    Ok(Structural {
        kind: kind.into(),
        nullable: truth(schema, "nullable"),
        default: schema.at(&["default"]).map(document).filter(|value| *value != Value::Null),
        preserve: truth(schema, "x-kubernetes-preserve-unknown-fields"),
        embedded: truth(schema, "x-kubernetes-embedded-resource"),
        int_or_string,
        list_type: schema.text_at(&["x-kubernetes-list-type"]).into(),
        list_keys: texts(schema, "x-kubernetes-list-map-keys"),
        properties,
        additional,
        items,
        rules,
    })
}

/// Members that a structural schema never has, and the names that upstream's message gives them.
fn refuse_unsupported(schema: &Value) -> Result<(), Unreadable> {
    let names = [
        ("id", "id"),
        ("$schema", "schema"),
        ("$ref", "$ref"),
        ("patternProperties", "patternProperties"),
        ("dependencies", "dependencies"),
        ("additionalItems", "additionalItems"),
        ("definitions", "definitions"),
    ];
    for (name, words) in names {
        let given = match schema.at(&[name]) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(_)) => true,
            Some(found) => !found.is_empty() || name == "additionalItems",
        };
        if given {
            return Err(Unreadable::Unsupported(words));
        }
    }
    if schema.at(&["x-kubernetes-preserve-unknown-fields"]).and_then(Value::as_bool) == Some(false) {
        return Err(Unreadable::PreserveFalse);
    }
    Ok(())
}

/// An embedded JSON document as a tree. The decoder has checked its syntax before.
pub(crate) fn document(value: &Value) -> Value {
    match value {
        Value::Raw(text) => json::decode_any(text.as_bytes()).unwrap_or(Value::Null),
        other => other.clone(),
    }
}

pub(crate) fn truth(schema: &Value, name: &str) -> bool {
    schema.at(&[name]).and_then(Value::as_bool).unwrap_or(false)
}

#[expect(clippy::cast_precision_loss, reason = "upstream holds the bounds of a schema as float64")]
fn number(schema: &Value, name: &str) -> Option<f64> {
    match schema.at(&[name])? {
        Value::Float(value) => Some(*value),
        Value::Int(value) => Some(*value as f64),
        _ => None,
    }
}

fn integer(schema: &Value, name: &str) -> Option<i64> {
    schema.at(&[name])?.as_int()
}

pub(crate) fn texts(schema: &Value, name: &str) -> Vec<Box<str>> {
    schema.at(&[name]).map(Value::items).unwrap_or_default().iter().filter_map(Value::as_str).map(Into::into).collect()
}

/// Formats of texts that are enforced, without their dashes.
const TEXT_FORMATS: &[&str] = &[
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
    "duration",
    "datetime",
    "k8sshortname",
    "k8slongname",
];

/// The format if values of this type are held to it, else an empty text.
pub(crate) fn enforced_format<'a>(format: &'a str, kind: &str) -> &'a str {
    let known = match kind {
        "" | "string" => TEXT_FORMATS.contains(&format.replace('-', "").as_str()),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    };
    if known { format } else { "" }
}
