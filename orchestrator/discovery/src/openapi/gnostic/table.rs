//! The messages of `openapi.v2`: the field number and the kind of every member.

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bool,
    /// A truth value that is written also when it is false, because it is one of several choices.
    Chosen,
    Int,
    Double,
    /// Texts, or one text alone.
    Texts,
    /// Any value, as YAML text.
    Any,
    /// A message of its own.
    Message(&'static Message),
    /// A message whose only field, the first, holds the value.
    Within(&'static Kind),
    /// A message for each item of a list.
    Each(&'static Kind),
    /// A message that holds the value in the field of the first choice that fits.
    OneOf(&'static [Choice]),
}

/// A member with a fixed name.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

/// Which other members a message takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys {
    All,
    Starting(&'static str),
    /// Three digits or `default`.
    Statuses,
}

/// The repeated field of other members; each one becomes a message of name and value.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) number: u32,
    pub(super) keys: Keys,
    pub(super) kind: Kind,
}

/// A message, in the order of its field numbers.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: &'static [&'static [Field]],
    pub(super) others: &'static [Others],
}

/// When a choice fits.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    IsBool,
    Has(&'static str),
    /// All these members have these texts.
    Says(&'static [(&'static str, &'static str)]),
}

/// One field of several that exclude each other.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) when: When,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

const fn choice(when: When, number: u32, kind: Kind) -> Choice {
    Choice { when, number, kind }
}

/// Members that start with `x-`.
const fn extensions(number: u32) -> Others {
    Others { number, keys: Keys::Starting("x-"), kind: Kind::Any }
}

/// A map of any names.
macro_rules! map_of {
    ($name:ident, $kind:expr) => {
        static $name: Message = Message { fields: &[], others: &[Others { number: 1, keys: Keys::All, kind: $kind }] };
    };
}

/// A message of members with fixed names and, with a last number, of extensions.
macro_rules! message {
    ($name:ident, [$($key:literal = $number:literal $kind:expr,)*] $(, $last:literal)?) => {
        static $name: Message = Message {
            fields: &[&[$(field($key, $number, $kind)),*]],
            others: &[$(extensions($last))?],
        };
    };
}

use Kind::{Any, Bool, Double, Each, Int, Message as Of, OneOf, Text, Texts, Within};

pub(super) static DOCUMENT: Message = Message {
    fields: &[&[
        field("swagger", 1, Text),
        field("info", 2, Of(&INFO)),
        field("host", 3, Text),
        field("basePath", 4, Text),
        field("schemes", 5, Texts),
        field("consumes", 6, Texts),
        field("produces", 7, Texts),
        field("paths", 8, Of(&PATHS)),
        field("definitions", 9, Of(&SCHEMAS)),
        field("parameters", 10, Of(&PARAMETERS)),
        field("responses", 11, Of(&RESPONSE_DEFINITIONS)),
        field("security", 12, Each(&Of(&SECURITY_REQUIREMENT))),
        field("securityDefinitions", 13, Of(&SECURITY_DEFINITIONS)),
        field("tags", 14, Each(&Of(&TAG))),
        field("externalDocs", 15, Of(&EXTERNAL_DOCS)),
    ]],
    others: &[extensions(16)],
};

message!(INFO, [
    "title" = 1 Text, "version" = 2 Text, "description" = 3 Text, "termsOfService" = 4 Text,
    "contact" = 5 Of(&CONTACT), "license" = 6 Of(&LICENSE),
], 7);
message!(CONTACT, ["name" = 1 Text, "url" = 2 Text, "email" = 3 Text,], 4);
message!(LICENSE, ["name" = 1 Text, "url" = 2 Text,], 3);
message!(TAG, ["name" = 1 Text, "description" = 2 Text, "externalDocs" = 3 Of(&EXTERNAL_DOCS),], 4);
message!(EXTERNAL_DOCS, ["description" = 1 Text, "url" = 2 Text,], 3);
message!(REFERENCE, ["$ref" = 1 Text, "description" = 2 Text,]);

static PATHS: Message = Message {
    fields: &[],
    others: &[extensions(1), Others { number: 2, keys: Keys::Starting("/"), kind: Of(&PATH_ITEM) }],
};
message!(PATH_ITEM, [
    "$ref" = 1 Text, "get" = 2 Of(&OPERATION), "put" = 3 Of(&OPERATION), "post" = 4 Of(&OPERATION),
    "delete" = 5 Of(&OPERATION), "options" = 6 Of(&OPERATION), "head" = 7 Of(&OPERATION),
    "patch" = 8 Of(&OPERATION), "parameters" = 9 Each(&PARAMETERS_ITEM),
], 10);
message!(OPERATION, [
    "tags" = 1 Texts, "summary" = 2 Text, "description" = 3 Text, "externalDocs" = 4 Of(&EXTERNAL_DOCS),
    "operationId" = 5 Text, "produces" = 6 Texts, "consumes" = 7 Texts, "parameters" = 8 Each(&PARAMETERS_ITEM),
    "responses" = 9 Of(&RESPONSES), "schemes" = 10 Texts, "deprecated" = 11 Bool,
    "security" = 12 Each(&Of(&SECURITY_REQUIREMENT)),
], 13);

static RESPONSES: Message =
    Message { fields: &[], others: &[Others { number: 1, keys: Keys::Statuses, kind: RESPONSE_VALUE }, extensions(2)] };
static RESPONSE_VALUE: Kind =
    OneOf(&[choice(When::Has("$ref"), 2, Of(&REFERENCE)), choice(When::Always, 1, Of(&RESPONSE))]);
message!(RESPONSE, [
    "description" = 1 Text, "schema" = 2 SCHEMA_ITEM, "headers" = 3 Of(&HEADERS), "examples" = 4 Of(&ANYTHING),
], 5);
map_of!(RESPONSE_DEFINITIONS, Of(&RESPONSE));
map_of!(HEADERS, Of(&HEADER));
map_of!(ANYTHING, Any);
static SCHEMA_ITEM: Kind =
    OneOf(&[choice(When::Says(&[("type", "file")]), 2, Of(&FILE_SCHEMA)), choice(When::Always, 1, Of(&SCHEMA))]);

static PARAMETERS_ITEM: Kind =
    OneOf(&[choice(When::Has("$ref"), 2, Of(&REFERENCE)), choice(When::Always, 1, PARAMETER)]);
static PARAMETER: Kind =
    OneOf(&[choice(When::Says(&[("in", "body")]), 1, Of(&BODY)), choice(When::Always, 2, NO_BODY)]);
static NO_BODY: Kind = OneOf(&[
    choice(When::Says(&[("in", "header")]), 1, Of(&IN_HEADER)),
    choice(When::Says(&[("in", "formData")]), 2, Of(&IN_FORM)),
    choice(When::Says(&[("in", "query")]), 3, Of(&IN_QUERY)),
    choice(When::Says(&[("in", "path")]), 4, Of(&IN_PATH)),
]);
map_of!(PARAMETERS, PARAMETER);
message!(BODY, [
    "description" = 1 Text, "name" = 2 Text, "in" = 3 Text, "required" = 4 Bool, "schema" = 5 Of(&SCHEMA),
], 6);

/// What parameters, headers and their items say of their values: the same everywhere, from some number on.
const fn primitive(first: u32) -> [Field; 17] {
    [
        field("type", first, Text),
        field("format", first + 1, Text),
        field("items", first + 2, Of(&ITEMS)),
        field("collectionFormat", first + 3, Text),
        field("default", first + 4, Any),
        field("maximum", first + 5, Double),
        field("exclusiveMaximum", first + 6, Bool),
        field("minimum", first + 7, Double),
        field("exclusiveMinimum", first + 8, Bool),
        field("maxLength", first + 9, Int),
        field("minLength", first + 10, Int),
        field("pattern", first + 11, Text),
        field("maxItems", first + 12, Int),
        field("minItems", first + 13, Int),
        field("uniqueItems", first + 14, Bool),
        field("enum", first + 15, Each(&Any)),
        field("multipleOf", first + 16, Double),
    ]
}
static PLACED: [Field; 4] =
    [field("required", 1, Bool), field("in", 2, Text), field("description", 3, Text), field("name", 4, Text)];
static MAY_BE_EMPTY: [Field; 1] = [field("allowEmptyValue", 5, Bool)];
static FROM_ONE: [Field; 17] = primitive(1);
static FROM_FIVE: [Field; 17] = primitive(5);
static FROM_SIX: [Field; 17] = primitive(6);
static ITEMS: Message = Message { fields: &[&FROM_ONE], others: &[extensions(18)] };
static HEADER: Message = Message { fields: &[&FROM_ONE, &[field("description", 18, Text)]], others: &[extensions(19)] };
static IN_HEADER: Message = Message { fields: &[&PLACED, &FROM_FIVE], others: &[extensions(22)] };
static IN_PATH: Message = Message { fields: &[&PLACED, &FROM_FIVE], others: &[extensions(22)] };
static IN_QUERY: Message = Message { fields: &[&PLACED, &MAY_BE_EMPTY, &FROM_SIX], others: &[extensions(23)] };
static IN_FORM: Message = Message { fields: &[&PLACED, &MAY_BE_EMPTY, &FROM_SIX], others: &[extensions(23)] };

map_of!(SCHEMAS, Of(&SCHEMA));
message!(SCHEMA, [
    "$ref" = 1 Text, "format" = 2 Text, "title" = 3 Text, "description" = 4 Text, "default" = 5 Any,
    "multipleOf" = 6 Double, "maximum" = 7 Double, "exclusiveMaximum" = 8 Bool, "minimum" = 9 Double,
    "exclusiveMinimum" = 10 Bool, "maxLength" = 11 Int, "minLength" = 12 Int, "pattern" = 13 Text,
    "maxItems" = 14 Int, "minItems" = 15 Int, "uniqueItems" = 16 Bool, "maxProperties" = 17 Int,
    "minProperties" = 18 Int, "required" = 19 Texts, "enum" = 20 Each(&Any),
    "additionalProperties" = 21 OneOf(&[
        choice(When::IsBool, 2, Kind::Chosen),
        choice(When::Always, 1, Of(&SCHEMA)),
    ]),
    "type" = 22 Within(&Texts), "items" = 23 Within(&Of(&SCHEMA)), "allOf" = 24 Each(&Of(&SCHEMA)),
    "properties" = 25 Of(&SCHEMAS), "discriminator" = 26 Text, "readOnly" = 27 Bool, "xml" = 28 Of(&XML),
    "externalDocs" = 29 Of(&EXTERNAL_DOCS), "example" = 30 Any,
], 31);
message!(FILE_SCHEMA, [
    "format" = 1 Text, "title" = 2 Text, "description" = 3 Text, "default" = 4 Any, "required" = 5 Texts,
    "type" = 6 Text, "readOnly" = 7 Bool, "externalDocs" = 8 Of(&EXTERNAL_DOCS), "example" = 9 Any,
], 10);
message!(XML, [
    "name" = 1 Text, "namespace" = 2 Text, "prefix" = 3 Text, "attribute" = 4 Bool, "wrapped" = 5 Bool,
], 6);

map_of!(SECURITY_REQUIREMENT, Within(&Texts));
map_of!(SECURITY_DEFINITIONS, SECURITY_ITEM);
map_of!(SCOPES, Text);
static SECURITY_ITEM: Kind = OneOf(&[
    choice(When::Says(&[("type", "basic")]), 1, Of(&BASIC)),
    choice(When::Says(&[("type", "apiKey")]), 2, Of(&API_KEY)),
    choice(When::Says(&[("type", "oauth2"), ("flow", "implicit")]), 3, Of(&IMPLICIT)),
    choice(When::Says(&[("type", "oauth2"), ("flow", "password")]), 4, Of(&PASSWORD)),
    choice(When::Says(&[("type", "oauth2"), ("flow", "application")]), 5, Of(&PASSWORD)),
    choice(When::Says(&[("type", "oauth2"), ("flow", "accessCode")]), 6, Of(&ACCESS_CODE)),
]);
message!(BASIC, ["type" = 1 Text, "description" = 2 Text,], 3);
message!(API_KEY, ["type" = 1 Text, "name" = 2 Text, "in" = 3 Text, "description" = 4 Text,], 5);
message!(IMPLICIT, [
    "type" = 1 Text, "flow" = 2 Text, "scopes" = 3 Of(&SCOPES), "authorizationUrl" = 4 Text, "description" = 5 Text,
], 6);
// The application flow has the same fields.
message!(PASSWORD, [
    "type" = 1 Text, "flow" = 2 Text, "scopes" = 3 Of(&SCOPES), "tokenUrl" = 4 Text, "description" = 5 Text,
], 6);
message!(ACCESS_CODE, [
    "type" = 1 Text, "flow" = 2 Text, "scopes" = 3 Of(&SCOPES), "authorizationUrl" = 4 Text, "tokenUrl" = 5 Text,
    "description" = 6 Text,
], 7);
