//! Checks of columns and of the paths of subresources.

use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};

const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/// Checks a column.
pub(super) fn column(column: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let text = |name: &str| column.text_at(&[name]);
    if text("name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    let types = format!("must be one of {}", TYPES.join(","));
    if text("type").is_empty() {
        errors.push(Error::required(&path.child("type"), types));
    } else if !TYPES.contains(&text("type")) {
        errors.push(Error::invalid(&path.child("type"), text("type"), types));
    }
    if !text("format").is_empty() && !FORMATS.contains(&text("format")) {
        let formats = format!("must be one of {}", FORMATS.join(","));
        errors.push(Error::invalid(&path.child("format"), text("format"), formats));
    }
    let place = path.child("JSONPath");
    match text("jsonPath") {
        "" => errors.push(Error::required(&place, "")),
        given => errors.extend(simple_path(given, &place)),
    }
    errors
}

fn simple_path(text: &str, path: &Path) -> Option<Error> {
    (!text.starts_with('.')).then(|| Error::invalid(path, text, "must be a simple json path starting with ."))
}

/// Checks the subresources of a version.
pub(super) fn subresources(subresources: Option<&Value>, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let Some(scale) = subresources.and_then(|subresources| subresources.at(&["scale"])) else { return errors };
    for (name, below) in [("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")] {
        let place = path.child(&format!("scale.{name}"));
        let text = scale.text_at(&[name]);
        if text.is_empty() {
            errors.push(Error::required(&place, ""));
        } else if let Some(error) = simple_path(text, &place) {
            errors.push(error);
        } else if !text.starts_with(&format!("{below}.")) {
            errors.push(Error::invalid(&place, text, format!("should be a json path under {below}")));
        }
    }
    let text = scale.text_at(&["labelSelectorPath"]);
    if !text.is_empty() {
        let place = path.child("scale.labelSelectorPath");
        if let Some(error) = simple_path(text, &place) {
            errors.push(error);
        } else if !text.starts_with(".spec.") && !text.starts_with(".status.") {
            errors.push(Error::invalid(&place, text, "should be a json path under either .spec or .status"));
        }
    }
    errors
}
