//! Objects of a version: reading what clients send, and the form in which the store keeps them.

use crate::prune;
use crate::validate::embedded;
use crate::version::Version;
use coracle_apimachinery::at_rest::AtRest;
use coracle_apimachinery::field::{self, Path};
use coracle_apimachinery::json::{self, Decoded, FieldValidation};
use coracle_apimachinery::{Key, Object, Value, schema, yaml};
use std::fmt::Write as _;

/// A document is no object of a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no JSON, or its metadata cannot be read.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// An embedded object cannot be read.
    #[error("{}", .0)]
    Field(field::Error),
}

impl From<String> for DecodeError {
    fn from(problem: String) -> Self {
        Self::Json(json::Error::Value(problem))
    }
}

impl Version {
    /// Reads a JSON document that a client sent: without unknown members, with defaults. The findings name unknown and
    /// repeated members.
    pub fn decode_json(&self, text: &[u8], validation: FieldValidation) -> Result<Decoded, DecodeError> {
        self.decoded(json::decode_any_reporting(text, validation)?, validation)
    }

    /// Reads a YAML document that a client sent.
    pub fn decode_yaml(&self, text: &[u8], validation: FieldValidation) -> Result<Decoded, DecodeError> {
        self.decoded(yaml::decode_any_reporting(text, validation)?, validation)
    }

    fn decoded(&self, mut decoded: Decoded, validation: FieldValidation) -> Result<Decoded, DecodeError> {
        let unknown = self.conform(&mut decoded.value)?;
        if validation == FieldValidation::Report {
            decoded.findings.extend(unknown.iter().map(|path| format!("unknown field \"{path}\"")));
        }
        Ok(decoded)
    }

    /// Brings a tree, such as the result of a patch, into the form that a decoded document has. Returns the paths of
    /// unknown members, which are gone.
    pub fn conform(&self, value: &mut Value) -> Result<Vec<String>, DecodeError> {
        let Value::Object(object) = value else {
            let found = match value {
                Value::List(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            let wanted = "Go value of type map[string]interface {}";
            return Err(format!("json: cannot unmarshal {found} into {wanted}").into());
        };
        for name in ["kind", "apiVersion"] {
            if let Some(other) = object.get(name).filter(|value| value.as_str().is_none()) {
                let (printed, found) = (crate::gotext::print(other), crate::gotext::type_name(other));
                let problem = format!(".{name} accessor error: {printed} is of the type {found}, expected string");
                return Err(problem.into());
            }
        }
        let mut unknown = Vec::new();
        if let Some(metadata) = object.get("metadata") {
            let (metadata, names) = embedded::read_metadata(metadata)?;
            unknown.extend(names.into_iter().map(|name| format!("metadata.{name}")));
            object.insert("metadata".into(), metadata);
        }
        // Other kinds pass here too; this schema says nothing about them.
        let group = value.text_at(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
        if group == self.group && value.text_at(&["kind"]) == self.kind {
            unknown.extend(self.prune(value));
            self.drop_nulls(value);
            let root = Path::default();
            unknown.extend(embedded::coerce(value, &self.schema, &root).map_err(DecodeError::Field)?);
            self.default(value);
        }
        Ok(unknown)
    }

    /// Drops members that the schema does not know; returns their paths, sorted.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        prune::unknown(value, &self.schema)
    }

    /// Fills in the defaults of the schema.
    pub fn default(&self, value: &mut Value) {
        prune::defaults(value, &self.schema);
    }

    /// Drops nulls that are no values and have no default to take their place; type and metadata are left alone.
    fn drop_nulls(&self, value: &mut Value) {
        let Value::Object(object) = value else { return };
        let kept: Vec<(&str, Value)> =
            prune::IMPLICIT.iter().filter_map(|name| Some((*name, object.remove(name)?))).collect();
        prune::nulls(value, Some(&self.schema));
        if let Value::Object(object) = value {
            for (name, kept) in kept {
                object.insert(Key::Owned(name.to_owned()), kept);
            }
        }
    }

    /// Encodes an object for the store: type, metadata, then everything else sorted by name.
    pub fn at_rest(&self, value: &Value) -> Result<AtRest, DecodeError> {
        let of = schema::lookup("meta.k8s.io/v1", "PartialObjectMetadata");
        let (Some(of), Value::Object(object)) = (of, value) else {
            return Err(DecodeError::from("an object has members".to_owned()));
        };
        let is_implicit = |name: &str| prune::IMPLICIT.contains(&name);
        let known = object.iter().filter(|(name, _)| is_implicit(name));
        let head: Object = known.map(|(name, value)| (Key::Owned(name.to_owned()), value.clone())).collect();
        let mut stored = AtRest::encode(of, &Value::Object(head)).map_err(|refusal| refusal.to_string())?;
        stored.bytes.pop();
        for (name, value) in object.iter().filter(|(name, _)| !is_implicit(name)) {
            stored.bytes.push(b',');
            stored.bytes.extend_from_slice(&json::encode_any(&Value::text(name)));
            stored.bytes.push(b':');
            stored.bytes.extend_from_slice(&json::encode_any(value));
        }
        stored.bytes.push(b'}');
        Ok(stored)
    }

    /// Reads an object that the store kept, whatever version it was stored in, with the defaults of this version.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, DecodeError> {
        let mut value = json::decode_any(bytes)?;
        if let Value::Object(object) = &mut value {
            object.insert("apiVersion".into(), Value::text(self.api_version()));
        }
        self.conform(&mut value)?;
        Ok(value)
    }

    /// A stored object as this version shows it, ready to be sent.
    pub fn present(&self, bytes: &[u8]) -> Result<AtRest, DecodeError> {
        self.at_rest(&self.read(bytes)?)
    }

    /// What a client is told when a document is refused for its findings.
    #[must_use]
    pub fn strict_refusal(&self, findings: &[String]) -> String {
        let mut text = format!("{} in version {:?} cannot be handled as a {}: ", self.kind, self.name, self.kind);
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", json::strict_error(findings));
        text
    }
}
