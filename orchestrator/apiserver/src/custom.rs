//! Rows of run-time kinds: what a version of a CustomResourceDefinition does in the places where a built-in kind has its
//! table.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::at_rest::AtRest;
use coracle_apimachinery::schema::Resource;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, field, json};
use coracle_custom::definition::is_true;
use coracle_custom::{Column, Definition};
use coracle_discovery::{CustomKind, GroupVersion, Resources, Types};
use coracle_kinds::table::human_duration;

use crate::api::request::{Context, Media};
use crate::http::query::FieldValidation;
use crate::registry::{Registry, Row, Source, Subresource, check_type, reporting};

/// A version of a definition.
#[derive(Debug)]
pub struct Version {
    of: coracle_custom::Version,
    /// What discovery says of it.
    announced: Vec<Resource>,
    announces: CustomKind,
}

/// The rows of a definition: one for each served version, once its names are accepted.
pub(crate) fn rows(tree: &Value) -> Vec<Row> {
    if !is_true(tree, "Established") {
        return Vec::new();
    }
    let name = tree.text_at(&["metadata", "name"]);
    match Definition::parse(tree) {
        Ok(definition) => {
            definition.versions.iter().filter(|of| of.served).filter_map(|of| row(&definition, of)).collect()
        }
        Err(error) => {
            tracing::error!(name, %error, "a CustomResourceDefinition cannot be used; its API is not served");
            Vec::new()
        }
    }
}

fn row(definition: &Definition, of: &coracle_custom::Version) -> Option<Row> {
    let announced = definition.resources(of);
    let texts = |list: &[Cow<'static, str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let prefix = format!("{}/", definition.plural);
    let subresources = announced.iter().filter_map(|resource| {
        let name = resource.name.strip_prefix(&prefix)?.to_owned();
        let body = (resource.group.as_deref(), resource.version.as_deref());
        let api_version = match body {
            (Some(group), Some(version)) => format!("{group}/{version}"),
            _ => of.api_version(),
        };
        Some(Subresource { name, kind: resource.kind.to_string(), api_version, verbs: texts(&resource.verbs) })
    });
    let schema = serde_json::from_slice(&json::encode_any(&of.open_api)).unwrap_or_default();
    let announces = CustomKind {
        kind: definition.kind.clone(),
        list_kind: definition.list_kind.clone(),
        plural: definition.plural.clone(),
        namespaced: definition.namespaced,
        schema,
        status: of.status,
        scale: of.scale.is_some(),
        selectable_fields: of.selectable_fields.iter().map(|field| format!(".{}", field.name)).collect(),
    };
    Some(Row {
        group: definition.group.clone().into(),
        version: of.name.clone().into(),
        resource: definition.plural.clone().into(),
        kind: definition.kind.clone().into(),
        list_kind: definition.list_kind.clone(),
        namespaced: definition.namespaced,
        verbs: announced.first().map(|resource| texts(&resource.verbs)).unwrap_or_default(),
        subresources: subresources.collect(),
        storage: coracle_store::Kind::new(&definition.group, &definition.plural).ok()?,
        api_version: of.api_version(),
        stored_api_version: None,
        source: Source::Custom(Arc::new(Version { of: of.clone(), announced, announces })),
    })
}

/// Group-versions of run-time kinds, as discovery announces them.
pub(crate) fn served(registry: &Registry) -> Vec<GroupVersion> {
    let mut found: Vec<(String, String, Vec<Resource>, Vec<CustomKind>)> = Vec::new();
    for row in registry.rows() {
        let Source::Custom(version) = &row.source else { continue };
        let place = found.iter().position(|(group, name, ..)| *group == row.group && *name == row.version);
        let place = place.unwrap_or_else(|| {
            found.push((row.group.to_string(), row.version.to_string(), Vec::new(), Vec::new()));
            found.len() - 1
        });
        if let Some((.., resources, kinds)) = found.get_mut(place) {
            resources.extend(version.announced.iter().cloned());
            kinds.push(version.announces.clone());
        }
    }
    let group_version =
        |(group, version, resources, kinds): (String, String, Vec<Resource>, Vec<CustomKind>)| GroupVersion {
            group: group.into(),
            version: version.into(),
            resources: Resources::Made(resources.into()),
            types: Types::Custom(kinds),
        };
    found.into_iter().map(group_version).collect()
}

impl Version {
    /// The tree of a stored object.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Value, Status> {
        self.of.read(bytes).map_err(Status::internal)
    }

    /// Encodes a tree for the store.
    pub(crate) fn at_rest(&self, value: &Value) -> Result<AtRest, Status> {
        self.of.at_rest(value).map_err(Status::internal)
    }

    /// Reads the body of a write.
    pub(crate) fn decode(
        &self,
        context: &Context,
        media: Media,
        bytes: &[u8],
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        let refused = |error: coracle_custom::DecodeError| match error {
            coracle_custom::DecodeError::Field(error) => {
                Status::invalid(&self.of.group, &self.of.kind, "", std::slice::from_ref(&error))
            }
            other => Status::bad_request(other.to_string()),
        };
        let decoded = match media {
            Media::Yaml => self.of.decode_yaml(bytes, reporting(validation)).map_err(refused)?,
            Media::Protobuf => {
                let accepted = "application/json, application/yaml";
                let message = format!(
                    "the body of the request was in an unknown format - accepted media types include: {accepted}"
                );
                return Err(Status::new(415, "UnsupportedMediaType", message));
            }
            _ => self.of.decode_json(bytes, reporting(validation)).map_err(refused)?,
        };
        let mut value = decoded.value;
        check_type(&mut value, &self.of.api_version(), &self.of.kind)?;
        match validation {
            FieldValidation::Strict if !decoded.findings.is_empty() => {
                return Err(Status::bad_request(self.of.strict_refusal(&decoded.findings)));
            }
            FieldValidation::Warn => decoded.findings.into_iter().for_each(|finding| context.warn(finding)),
            _ => {}
        }
        Ok(value)
    }

    /// What everybody who asks for the version is told.
    pub(crate) fn deprecation(&self) -> Option<&str> {
        self.of.deprecation_warning.as_deref()
    }

    /// Fills in the defaults.
    pub(crate) fn default(&self, value: &mut Value) {
        self.of.default(value);
    }

    /// What is decided of a new object.
    pub(crate) fn prepare_create(&self, value: &mut Value) {
        self.of.prepare_create(value);
    }

    /// What is decided of a changed object.
    pub(crate) fn prepare_update(&self, new: &mut Value, old: &Value, subresource: &str) {
        if subresource == "status" {
            self.of.prepare_status_update(new, old);
        } else {
            self.of.prepare_update(new, old);
        }
    }

    /// The problems of a new object.
    pub(crate) fn validate_create(&self, value: &Value) -> Vec<field::Error> {
        self.of.validate(value)
    }

    /// The problems of a changed object.
    pub(crate) fn validate_update(&self, new: &Value, old: &Value, subresource: &str) -> Vec<field::Error> {
        if subresource == "status" {
            self.of.validate_status_update(new, old)
        } else {
            self.of.validate_update(new, old)
        }
    }

    /// The Scale of an object.
    pub(crate) fn scale(&self, value: &Value) -> Result<Value, Status> {
        self.of.scale.as_ref().ok_or_else(Status::unknown_resource)?.of(value)
    }

    /// Puts a Scale into an object.
    pub(crate) fn set_scale(&self, value: &mut Value, scale: &Value) -> Result<(), Status> {
        self.of.scale.as_ref().ok_or_else(Status::unknown_resource)?.apply(value, scale)
    }

    /// The columns of tables.
    pub(crate) fn columns(&self) -> &[Column] {
        self.of.columns()
    }

    /// The cells of an object.
    pub(crate) fn cells(&self, value: &Value, now: i64) -> Vec<Value> {
        self.of.cells(value, |time| match Instant::parse(time, Precision::Seconds) {
            Ok(time) => human_duration(now.saturating_sub(time.seconds)),
            Err(_) => "<invalid>".to_owned(),
        })
    }

    /// The value of a selectable field.
    pub(crate) fn field(&self, name: &str, value: &Value) -> Option<String> {
        self.of.fields(value).into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Whether objects can be selected by a field.
    pub(crate) fn selects_by(&self, name: &str) -> bool {
        self.of.selectable_fields.iter().any(|field| field.name == name)
    }
}
