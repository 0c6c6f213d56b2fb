//! One resource: where its objects lie, how they are read and written, and what its kind does beyond the schema.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::at_rest::AtRest;
use coracle_apimachinery::json;
use coracle_apimachinery::schema::{self, Type};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, field, protobuf, yaml};
use coracle_kinds::strategy::{self, Dependents, Strategy};
use coracle_kinds::{convert, defaults, deprecated, fields, inert, validate};

use crate::api::request::{Context, Media, Propagation};
use crate::custom::Version;
use crate::http::query::FieldValidation;
use crate::stored::Object;

/// A resource of one version.
#[derive(Debug)]
pub struct Row {
    /// API group, empty for the core group.
    pub group: Cow<'static, str>,
    /// API version.
    pub version: Cow<'static, str>,
    /// Plural resource.
    pub resource: Cow<'static, str>,
    /// Kind of its objects.
    pub kind: Cow<'static, str>,
    /// Kind of its lists.
    pub list_kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Verbs that it offers.
    pub verbs: Vec<String>,
    /// Its subresources.
    pub subresources: Vec<Subresource>,
    /// Where objects lie.
    pub storage: coracle_store::Kind,
    /// `apiVersion` of its objects.
    pub api_version: String,
    /// `apiVersion` of the stored form when it is another one.
    pub stored_api_version: Option<String>,
    /// What is behind it.
    pub source: Source,
}

/// A subresource.
#[derive(Debug, Clone)]
pub struct Subresource {
    /// Its name: `status`.
    pub name: String,
    /// Kind of its bodies.
    pub kind: String,
    /// `apiVersion` of its bodies.
    pub api_version: String,
    /// Verbs that it offers.
    pub verbs: Vec<String>,
}

/// Defaults and validation of one kind.
#[derive(Debug)]
pub struct Rules {
    /// Sets the defaults.
    pub(crate) default: fn(&mut Value),
    /// The problems of an object, changed from an old one if there is one.
    pub(crate) validate: fn(&Value, Option<&Value>) -> Vec<field::Error>,
    /// Changes an object that is to be deleted.
    pub(crate) prepare_delete: fn(&mut Value),
}

/// What is behind a row.
#[derive(Debug, Clone)]
pub enum Source {
    /// A committed table.
    BuiltIn {
        /// Type of the objects.
        of: Type<'static>,
        /// Type of the stored form.
        stored: Type<'static>,
        /// What the kind does beyond its schema.
        strategy: &'static Strategy,
        /// Defaults and validation of a kind whose rules are not with the other kinds.
        rules: Option<&'static Rules>,
    },
    /// A version of a CustomResourceDefinition.
    Custom(Arc<Version>),
}

impl Row {
    /// The subresource of this name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether it is a run-time kind.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        matches!(self.source, Source::Custom(_))
    }

    /// The type of its objects, if it is built in.
    #[must_use]
    pub fn built_in(&self) -> Option<Type<'static>> {
        match &self.source {
            Source::BuiltIn { of, .. } => Some(*of),
            Source::Custom(_) => None,
        }
    }

    /// The not-found failure of an object of this row.
    #[must_use]
    pub fn not_found(&self, name: &str) -> Status {
        Status::not_found(&self.group, &self.resource, name)
    }

    /// The tree of an object, its resourceVersion included.
    ///
    /// # Errors
    /// The stored bytes cannot be read.
    pub fn tree(&self, object: &Object) -> Result<Value, Status> {
        let bytes = object.json();
        match &self.source {
            Source::BuiltIn { of, stored, .. } => {
                let decoded = json::decode(*stored, &bytes, json::FieldValidation::Ignore);
                let value = decoded.map_err(|error| Status::internal(format!("stored object: {error}")))?.value;
                Ok(match &self.stored_api_version {
                    Some(from) => convert::convert(of.name(), from, &self.api_version, value),
                    None => value,
                })
            }
            Source::Custom(version) => version.read(&bytes),
        }
    }

    /// Whether stored bytes can be sent without a look at their content.
    #[must_use]
    pub fn sends_stored_bytes(&self) -> bool {
        match &self.source {
            Source::BuiltIn { of, .. } => {
                let stored = self.stored_api_version.as_ref();
                stored.is_none_or(|stored| !convert::converts(of.name(), stored, &self.api_version))
            }
            // Versions share their storage, and defaults may have changed since.
            Source::Custom(_) => false,
        }
    }

    /// Encodes a tree for the store.
    ///
    /// # Errors
    /// It is no object that can be stored.
    pub fn at_rest(&self, value: &Value) -> Result<AtRest, Status> {
        let mut bare = value.clone();
        if let Some(metadata) = bare.as_object_mut().map(|object| object.object_mut("metadata")) {
            metadata.remove("resourceVersion");
        }
        let encoded = match &self.source {
            Source::BuiltIn { of, stored, .. } => {
                let bare = match &self.stored_api_version {
                    Some(to) if *to != self.api_version => convert::convert(of.name(), &self.api_version, to, bare),
                    _ => bare,
                };
                AtRest::encode(*stored, &bare).map_err(Status::internal)?
            }
            Source::Custom(version) => version.at_rest(&bare)?,
        };
        Ok(encoded)
    }

    /// Reads the body of a write, and fills in apiVersion and kind.
    ///
    /// # Errors
    /// The body cannot be read or is another kind's.
    pub fn decode(
        &self,
        context: &Context,
        media: Media,
        bytes: &[u8],
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        match &self.source {
            Source::BuiltIn { of, .. } => {
                decode_as(*of, &self.api_version, &self.kind, context, media, bytes, validation)
            }
            Source::Custom(version) => version.decode(context, media, bytes, validation),
        }
    }

    /// Sets the defaults.
    pub fn default(&self, value: &mut Value) {
        match &self.source {
            Source::BuiltIn { rules, .. } => {
                defaults::apply(&self.api_version, &self.kind, value);
                if let Some(rules) = rules {
                    (rules.default)(value);
                }
            }
            Source::Custom(version) => version.default(value),
        }
    }

    /// The problems of a new object.
    #[must_use]
    pub fn validate_create(&self, value: &Value) -> Vec<field::Error> {
        match &self.source {
            Source::BuiltIn { rules, .. } => {
                let mut errors = validate::create(&self.group, &self.kind, value);
                errors.extend(rules.map(|rules| (rules.validate)(value, None)).unwrap_or_default());
                errors
            }
            Source::Custom(version) => {
                let mut errors = custom_metadata(value, self.namespaced);
                errors.extend(version.validate_create(value));
                errors
            }
        }
    }

    /// The problems of a changed object.
    #[must_use]
    pub fn validate_update(&self, new: &Value, old: &Value, subresource: &str) -> Vec<field::Error> {
        match (&self.source, subresource) {
            (Source::BuiltIn { .. }, "status") => validate::status(&self.group, &self.kind, new, old),
            (Source::BuiltIn { .. }, "finalize") => validate::finalize(new, old),
            // Binding has looked at the one field that it changes.
            (Source::BuiltIn { .. }, "binding") => Vec::new(),
            (Source::BuiltIn { rules, .. }, _) => {
                let mut errors = validate::update(&self.group, &self.kind, new, old);
                errors.extend(rules.map(|rules| (rules.validate)(new, Some(old))).unwrap_or_default());
                errors
            }
            (Source::Custom(version), _) => version.validate_update(new, old, subresource),
        }
    }

    /// What the kind says about odd but valid objects.
    #[must_use]
    pub fn warnings(&self, value: &Value) -> Vec<String> {
        match &self.source {
            Source::BuiltIn { .. } => {
                let inert = inert::warning(&self.group, &self.resource, &self.kind);
                validate::warnings(&self.group, &self.kind, value).into_iter().chain(inert).collect()
            }
            Source::Custom(_) => Vec::new(),
        }
    }

    /// What everybody who asks for the kind is told, if it is on its way out.
    #[must_use]
    pub fn deprecation(&self) -> Option<&str> {
        match &self.source {
            Source::BuiltIn { .. } => deprecated::warning(&self.group, &self.kind),
            Source::Custom(version) => version.deprecation(),
        }
    }

    /// What the kind decides of a new object.
    pub fn prepare_create(&self, value: &mut Value) {
        match &self.source {
            Source::BuiltIn { strategy, .. } => {
                (strategy.prepare_create)(value);
                strategy::stamp(&self.group, &self.resource, value, None, &crate::now());
            }
            Source::Custom(version) => version.prepare_create(value),
        }
    }

    /// What the kind decides of a changed object.
    pub fn prepare_update(&self, new: &mut Value, old: &Value, subresource: &str) {
        self.prepare_change(new, old, subresource);
        if let Source::BuiltIn { .. } = &self.source {
            strategy::stamp(&self.group, &self.resource, new, Some(old), &crate::now());
        }
    }

    fn prepare_change(&self, new: &mut Value, old: &Value, subresource: &str) {
        match (&self.source, subresource) {
            (Source::BuiltIn { strategy, .. }, "status") => (strategy.prepare_status)(new, old),
            (Source::BuiltIn { .. }, "approval") => strategy::approve_request(new, old),
            (Source::BuiltIn { .. }, "finalize") => strategy::finalize_namespace(new, old),
            // This door opens a part that the main one keeps shut; the caller has changed nothing else.
            (Source::BuiltIn { .. }, "binding") => {}
            (Source::BuiltIn { strategy, .. }, _) => (strategy.prepare_update)(new, old),
            (Source::Custom(version), _) => version.prepare_update(new, old, subresource),
        }
    }

    /// Whether an update makes an object that is not there.
    #[must_use]
    pub fn creates_on_update(&self) -> bool {
        matches!(&self.source, Source::BuiltIn { strategy, .. } if strategy.create_on_update)
    }

    /// Whether an update may leave the version out.
    #[must_use]
    pub fn updates_unconditionally(&self) -> bool {
        match &self.source {
            Source::BuiltIn { strategy, .. } => strategy.unconditional_update,
            Source::Custom(_) => false,
        }
    }

    /// Seconds that a deletion gives; `None` if the kind knows no grace.
    #[must_use]
    pub fn delete_grace(&self, value: &Value, requested: Option<i64>) -> Option<i64> {
        match &self.source {
            Source::BuiltIn { strategy, .. } => (strategy.delete_grace)(value, requested),
            Source::Custom(_) => None,
        }
    }

    /// Changes an object that is to be deleted.
    pub fn prepare_delete(&self, value: &mut Value) {
        if let Source::BuiltIn { rules: Some(rules), .. } = &self.source {
            (rules.prepare_delete)(value);
        }
    }

    /// What becomes of dependents when a client does not say.
    #[must_use]
    pub fn default_propagation(&self) -> Propagation {
        match &self.source {
            Source::BuiltIn { strategy, .. } => match strategy.default_finalizing {
                Dependents::Orphan => Propagation::Orphan,
                Dependents::Foreground => Propagation::Foreground,
                Dependents::Background | Dependents::Unsupported => Propagation::Background,
            },
            Source::Custom(_) => Propagation::Background,
        }
    }

    /// Whether objects can be selected by a field.
    #[must_use]
    pub fn selects_by(&self, field: &str) -> bool {
        match &self.source {
            Source::BuiltIn { .. } => fields::supports(&self.group, &self.resource, field),
            Source::Custom(version) => {
                matches!(field, "metadata.name" | "metadata.namespace") || version.selects_by(field)
            }
        }
    }

    /// What is said of a field that objects cannot be selected by.
    #[must_use]
    pub fn unsupported_field(&self, field: &str) -> String {
        fields::unsupported(&self.api_version, &self.resource, field)
    }

    /// The text of a selectable field.
    #[must_use]
    pub fn field(&self, field: &str, tree: &Value) -> Option<String> {
        match field {
            "metadata.name" => Some(tree.text_at(&["metadata", "name"]).to_owned()),
            "metadata.namespace" => Some(tree.text_at(&["metadata", "namespace"]).to_owned()),
            _ => match &self.source {
                Source::BuiltIn { .. } => fields::value(&self.group, &self.resource, field, tree),
                Source::Custom(version) => version.field(field, tree),
            },
        }
    }

    /// The Go package of its internal type, which messages name.
    #[must_use]
    pub fn go_package(&self) -> &str {
        go_package(&self.group)
    }
}

/// The problems of the metadata of a new custom object.
fn custom_metadata(value: &Value, namespaced: bool) -> Vec<field::Error> {
    let metadata = value.at(&["metadata"]).unwrap_or(&Value::Null);
    validate::metadata::create(metadata, namespaced, validate::NameRule::Subdomain, &field::Path::new("metadata"))
}

/// Reads a body as a built-in type.
pub(crate) fn decode_as(
    of: Type<'static>,
    api_version: &str,
    kind: &str,
    context: &Context,
    media: Media,
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<Value, Status> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Status::bad_request(format!(
            "{kind} in version {} cannot be handled as a {kind}: {error}",
            quoted_version(api_version)
        ))
    };
    let (mut value, findings) = match media {
        Media::Protobuf => {
            let envelope = protobuf::envelope::open(bytes).map_err(|error| unreadable(&error))?;
            (envelope.decode(of).map_err(|error| unreadable(&error))?, Vec::new())
        }
        Media::Yaml => {
            let decoded = yaml::decode(of, bytes, reporting(validation)).map_err(|error| unreadable(&error))?;
            (decoded.value, decoded.findings)
        }
        _ => {
            let decoded = json::decode(of, bytes, reporting(validation))
                .map_err(|error| json_failure(kind, bytes, &error, &unreadable))?;
            (decoded.value, decoded.findings)
        }
    };
    check_type(&mut value, api_version, kind)?;
    match validation {
        FieldValidation::Strict if !findings.is_empty() => return Err(unreadable(&json::strict_error(&findings))),
        FieldValidation::Warn => findings.into_iter().for_each(|finding| context.warn(finding)),
        _ => {}
    }
    Ok(value)
}

/// What the decoder is to do.
pub(crate) fn reporting(validation: FieldValidation) -> json::FieldValidation {
    match validation {
        FieldValidation::Ignore => json::FieldValidation::Ignore,
        FieldValidation::Warn | FieldValidation::Strict => json::FieldValidation::Report,
    }
}

/// Longest part of an unreadable body that its refusal repeats, in bytes.
const SHOWN_BODY: usize = 1024;

/// The refusal of JSON that cannot be read; a body whose kind nobody can tell is repeated in it.
fn json_failure(
    kind: &str,
    bytes: &[u8],
    error: &json::Error,
    unreadable: &dyn Fn(&dyn std::fmt::Display) -> Status,
) -> Status {
    match error {
        json::Error::Syntax(why) => {
            let shown =
                String::from_utf8_lossy(bytes.get(..bytes.len().min(SHOWN_BODY)).unwrap_or_default()).into_owned();
            Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({shown})"
            ))
        }
        other => unreadable(other),
    }
}

/// Refuses a body of another kind; fills in what was left out.
pub(crate) fn check_type(value: &mut Value, api_version: &str, kind: &str) -> Result<(), Status> {
    let object = value.as_object_mut().ok_or_else(|| Status::bad_request("the body is no object"))?;
    let found = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (found_version, found_kind) = (found("apiVersion"), found("kind"));
    if (!found_version.is_empty() && found_version != api_version) || (!found_kind.is_empty() && found_kind != kind) {
        let version = split(&found_version).1;
        let package = go_package(split(api_version).0);
        return Err(Status::bad_request(format!(
            "{found_kind} in version \"{version}\" cannot be handled as a {kind}: converting ({version}.{found_kind}) to ({package}.{kind}): unknown conversion"
        )));
    }
    object.insert("apiVersion".into(), Value::text(api_version));
    object.insert("kind".into(), Value::text(kind));
    Ok(())
}

/// The Go package of the internal types of a group.
fn go_package(group: &str) -> &str {
    match group.split('.').next().unwrap_or_default() {
        "" => "core",
        first => first,
    }
}

/// Reads a document that names no row, such as DeleteOptions: its kind may be left out.
///
/// # Errors
/// It cannot be read.
pub(crate) fn decode_document(of: Type<'static>, media: Media, bytes: &[u8]) -> Result<Value, Status> {
    let unreadable = |error: &dyn std::fmt::Display| Status::bad_request(error.to_string());
    match media {
        Media::Protobuf => {
            let envelope = protobuf::envelope::open(bytes).map_err(|error| unreadable(&error))?;
            envelope.decode(of).map_err(|error| unreadable(&error))
        }
        Media::Yaml => yaml::decode(of, bytes, json::FieldValidation::Ignore)
            .map(|decoded| decoded.value)
            .map_err(|error| unreadable(&error)),
        _ => json::decode(of, bytes, json::FieldValidation::Ignore)
            .map(|decoded| decoded.value)
            .map_err(|error| unreadable(&error)),
    }
}

fn quoted_version(api_version: &str) -> String {
    format!("\"{}\"", split(api_version).1)
}

fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The type of a document kind, such as `Scale` of `autoscaling/v1`.
///
/// # Errors
/// No table has it, which would be a mistake of this program.
pub(crate) fn document(api_version: &str, kind: &str) -> Result<Type<'static>, Status> {
    schema::kind(api_version, kind)
        .or_else(|| schema::lookup("meta.k8s.io/v1", kind))
        .ok_or_else(|| Status::internal(format!("no type {kind} in {api_version}")))
}
