//! Upstream's inner form of versions and schemas, in which some of its messages show them.

use super::validate::shared;
use crate::structural::document;
use coracle_apimachinery::{Value, json};

/// How a member prints.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// As it is, or else this text.
    Plain(&'static str),
    /// An object with rows of its own.
    Struct(&'static [Row]),
    /// A list of such objects.
    List(&'static [Row]),
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// Schemas by name.
    Map,
    /// A schema or a list of them.
    OrArray,
    /// A schema or a boolean.
    OrBool,
}

/// A member: upstream's name, that in JSON, and its form.
type Row = (&'static str, &'static str, Form);

const TEXT: Form = Form::Plain("\"\"");
const TRUTH: Form = Form::Plain("false");
const OPTIONAL: Form = Form::Plain("null");

const SCHEMA: &[Row] = &[
    ("ID", "id", TEXT),
    ("Schema", "$schema", TEXT),
    ("Ref", "$ref", OPTIONAL),
    ("Description", "description", TEXT),
    ("Type", "type", TEXT),
    ("Nullable", "nullable", TRUTH),
    ("Format", "format", TEXT),
    ("Title", "title", TEXT),
    ("Default", "default", OPTIONAL),
    ("Maximum", "maximum", OPTIONAL),
    ("ExclusiveMaximum", "exclusiveMaximum", TRUTH),
    ("Minimum", "minimum", OPTIONAL),
    ("ExclusiveMinimum", "exclusiveMinimum", TRUTH),
    ("MaxLength", "maxLength", OPTIONAL),
    ("MinLength", "minLength", OPTIONAL),
    ("Pattern", "pattern", TEXT),
    ("MaxItems", "maxItems", OPTIONAL),
    ("MinItems", "minItems", OPTIONAL),
    ("UniqueItems", "uniqueItems", TRUTH),
    ("MultipleOf", "multipleOf", OPTIONAL),
    ("Enum", "enum", OPTIONAL),
    ("MaxProperties", "maxProperties", OPTIONAL),
    ("MinProperties", "minProperties", OPTIONAL),
    ("Required", "required", OPTIONAL),
    ("Items", "items", Form::OrArray),
    ("AllOf", "allOf", Form::Schemas),
    ("OneOf", "oneOf", Form::Schemas),
    ("AnyOf", "anyOf", Form::Schemas),
    ("Not", "not", Form::Schema),
    ("Properties", "properties", Form::Map),
    ("AdditionalProperties", "additionalProperties", Form::OrBool),
    ("PatternProperties", "patternProperties", Form::Map),
    ("Dependencies", "dependencies", Form::Map),
    ("AdditionalItems", "additionalItems", Form::OrBool),
    ("Definitions", "definitions", Form::Map),
    ("ExternalDocs", "externalDocs", Form::Struct(&[("Description", "description", TEXT), ("URL", "url", TEXT)])),
    ("Example", "example", OPTIONAL),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", OPTIONAL),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", TRUTH),
    ("XIntOrString", "x-kubernetes-int-or-string", TRUTH),
    ("XListMapKeys", "x-kubernetes-list-map-keys", OPTIONAL),
    ("XListType", "x-kubernetes-list-type", OPTIONAL),
    ("XMapType", "x-kubernetes-map-type", OPTIONAL),
    ("XValidations", "x-kubernetes-validations", Form::List(RULE)),
];

const RULE: &[Row] = &[
    ("Rule", "rule", TEXT),
    ("Message", "message", TEXT),
    ("MessageExpression", "messageExpression", TEXT),
    ("Reason", "reason", OPTIONAL),
    ("FieldPath", "fieldPath", TEXT),
    ("OptionalOldSelf", "optionalOldSelf", OPTIONAL),
];

const VERSION: &[Row] = &[
    ("Name", "name", TEXT),
    ("Served", "served", TRUTH),
    ("Storage", "storage", TRUTH),
    ("Deprecated", "deprecated", TRUTH),
    ("DeprecationWarning", "deprecationWarning", OPTIONAL),
    ("Schema", "schema", Form::Struct(&[("OpenAPIV3Schema", "openAPIV3Schema", Form::Schema)])),
    ("Subresources", "subresources", Form::Struct(SUBRESOURCES)),
    ("AdditionalPrinterColumns", "additionalPrinterColumns", Form::List(COLUMN)),
    ("SelectableFields", "selectableFields", Form::List(&[("JSONPath", "jsonPath", TEXT)])),
];

const SUBRESOURCES: &[Row] = &[("Status", "status", Form::Struct(&[])), ("Scale", "scale", Form::Struct(SCALE))];

const SCALE: &[Row] = &[
    ("SpecReplicasPath", "specReplicasPath", TEXT),
    ("StatusReplicasPath", "statusReplicasPath", TEXT),
    ("LabelSelectorPath", "labelSelectorPath", OPTIONAL),
];

const COLUMN: &[Row] = &[
    ("Name", "name", TEXT),
    ("Type", "type", TEXT),
    ("Format", "format", TEXT),
    ("Description", "description", TEXT),
    ("Priority", "priority", Form::Plain("0")),
    ("JSONPath", "jsonPath", TEXT),
];

/// The versions of a definition. What all of them share stands in the spec in that form, and so not in a version.
pub(super) fn versions(crd: &Value) -> String {
    let moved = |name: &str| {
        matches!(name, "schema" | "subresources" | "additionalPrinterColumns" | "selectableFields") && shared(crd, name)
    };
    let versions = crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default();
    bracketed(versions.iter().map(|version| structure(version, VERSION, &moved)))
}

/// A schema.
pub(super) fn schema(value: &Value) -> String {
    structure(value, SCHEMA, &|_| false)
}

/// The items of a list, as a schema or several.
pub(super) fn or_array(value: &Value) -> String {
    print(Form::OrArray, value)
}

fn bracketed(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(&json::encode_any(value)).into_owned()
}

fn structure(value: &Value, rows: &[Row], left_out: &dyn Fn(&str) -> bool) -> String {
    let member = |(upstream, name, form): &Row| {
        let found = value.at(&[name]).filter(|value| **value != Value::Null && !left_out(name));
        let printed = match (form, found) {
            (Form::Plain(zero), None) => (*zero).to_owned(),
            (_, None) => "null".to_owned(),
            (form, Some(value)) => print(*form, value),
        };
        format!("\"{upstream}\":{printed}")
    };
    format!("{{{}}}", rows.iter().map(member).collect::<Vec<_>>().join(","))
}

fn print(form: Form, value: &Value) -> String {
    match (form, value) {
        (Form::Plain(_), Value::List(items)) => bracketed(items.iter().map(|item| text(&document(item)))),
        (Form::Plain(_), value) => text(&document(value)),
        (Form::Struct(rows), value) => structure(value, rows, &|_| false),
        (Form::List(rows), value) => bracketed(value.items().iter().map(|item| structure(item, rows, &|_| false))),
        (Form::Schema, value) => schema(value),
        (Form::Schemas, value) => bracketed(value.items().iter().map(schema)),
        (Form::Map, value) => {
            let members = value.as_object().into_iter().flat_map(|members| members.iter());
            let members = members.map(|(name, value)| format!("{}:{}", text(&Value::text(name)), schema(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        (Form::OrArray, Value::List(items)) => {
            format!("{{\"Schema\":null,\"JSONSchemas\":{}}}", bracketed(items.iter().map(schema)))
        }
        (Form::OrArray, value) => format!("{{\"Schema\":{},\"JSONSchemas\":null}}", schema(value)),
        (Form::OrBool, Value::Bool(allowed)) => format!("{{\"Allows\":{allowed},\"Schema\":null}}"),
        (Form::OrBool, value) => format!("{{\"Allows\":true,\"Schema\":{}}}", schema(value)),
    }
}
