//! Objects inside of objects: their apiVersion, kind and metadata.

use crate::gotext;
use crate::names;
use crate::structural::Structural;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::{Object, Value, schema};

/// Brings the metadata of embedded objects into the form of its type, below the root. Returns the paths of members that
/// the type does not know, or the first thing that cannot be read.
pub(crate) fn coerce(value: &mut Value, schema: &Structural, path: &Path) -> Result<Vec<String>, Error> {
    let mut unknown = Vec::new();
    walk(value, schema, path, &mut unknown)?;
    unknown.sort();
    Ok(unknown)
}

fn walk(value: &mut Value, schema: &Structural, path: &Path, unknown: &mut Vec<String>) -> Result<(), Error> {
    match value {
        Value::Object(object) => {
            if schema.embedded {
                type_and_metadata(object, path, unknown)?;
            }
            for (name, value) in object.iter_mut() {
                if let Some(property) = schema.properties.get(name) {
                    walk(value, property, &path.child(name), unknown)?;
                } else if let Some(other) = schema.additional.as_ref().and_then(|other| other.schema.as_deref()) {
                    walk(value, other, &path.key(name), unknown)?;
                }
            }
        }
        Value::List(items) => {
            let Some(schema) = schema.items.as_deref() else { return Ok(()) };
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, schema, &path.index(index), unknown)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn type_and_metadata(object: &mut Object, path: &Path, unknown: &mut Vec<String>) -> Result<(), Error> {
    for name in ["apiVersion", "kind"] {
        if let Some(value) = object.get(name).filter(|value| value.as_str().is_none()) {
            return Err(gotext::invalid(&path.child(name), value, "must be a string"));
        }
    }
    let Some(metadata) = object.get("metadata") else { return Ok(()) };
    let place = path.child("metadata");
    match read_metadata(metadata) {
        Err(problem) => Err(gotext::invalid(&place, metadata, problem)),
        Ok((value, names)) => {
            unknown.extend(names.into_iter().map(|name| format!("{place}.{name}")));
            object.insert("metadata".into(), value);
            Ok(())
        }
    }
}

/// Metadata in the form of its type, and the paths of members that the type does not know.
pub(crate) fn read_metadata(metadata: &Value) -> Result<(Value, Vec<String>), String> {
    let Some(of) = schema::lookup("meta.k8s.io/v1", "ObjectMeta") else {
        return Err("the type ObjectMeta is not known".to_owned());
    };
    let decoded = json::decode(of, &json::encode_any(metadata), FieldValidation::Report).map_err(|e| e.to_string())?;
    let name = |finding: &String| Some(finding.split_once(" field \"")?.1.strip_suffix('"')?.to_owned());
    Ok((decoded.value, decoded.findings.iter().filter_map(name).collect()))
}

/// Checks the embedded objects below the root.
pub(crate) fn check(value: &Value, schema: &Structural, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    visit(value, schema, path, &mut errors);
    errors
}

fn visit(value: &Value, schema: &Structural, path: &Path, errors: &mut Vec<Error>) {
    match value {
        Value::Object(object) => {
            if schema.embedded {
                check_type(object, path, errors);
            }
            for (name, value) in object.iter() {
                if let Some(property) = schema.properties.get(name) {
                    visit(value, property, &path.child(name), errors);
                } else if let Some(other) = schema.additional.as_ref().and_then(|other| other.schema.as_deref()) {
                    visit(value, other, &path.key(name), errors);
                }
            }
        }
        Value::List(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            for (index, item) in items.iter().enumerate() {
                visit(item, schema, &path.index(index), errors);
            }
        }
        _ => {}
    }
}

fn check_type(object: &Object, path: &Path, errors: &mut Vec<Error>) {
    for name in ["apiVersion", "kind"] {
        if object.get(name).is_none() {
            errors.push(Error::required(&path.child(name), ""));
        }
    }
    for (name, value) in object.iter().filter(|(name, _)| matches!(*name, "apiVersion" | "kind")) {
        let path = path.child(name);
        let Some(text) = value.as_str() else {
            errors.push(gotext::invalid(&path, value, "must be a string"));
            continue;
        };
        if text.is_empty() {
            errors.push(Error::invalid(&path, text, "must not be empty"));
        } else if name == "apiVersion" && text.matches('/').count() > 1 {
            errors.push(Error::invalid(&path, text, format!("unexpected GroupVersion string: {text}")));
        } else if let (true, Some(problem)) = (name == "kind", names::label_problem(&text.to_lowercase())) {
            let detail = format!("may have mixed case, but should otherwise match: {problem}");
            errors.push(Error::invalid(&path, text, detail));
        }
    }
}
