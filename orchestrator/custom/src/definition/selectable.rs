//! Checks of selectable fields.

use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};

const LIMIT: usize = 8;

/// Checks the selectable fields of a version against its schema.
pub(super) fn check(fields: &[Value], schema: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let place = path.index(index).child("jsonPath");
        let text = field.text_at(&["jsonPath"]);
        if text.is_empty() {
            errors.push(Error::required(&place, ""));
            continue;
        }
        let (names, found) = match follow(text, schema) {
            Ok(found) => found,
            Err(problem) => {
                errors.push(Error::invalid(&place, text, format!("is an invalid path: {problem}")));
                continue;
            }
        };
        if names.first().is_some_and(|name| name == "metadata") {
            errors.push(Error::invalid(&place, text, "must not point to fields in metadata"));
        }
        if !matches!(found.text_at(&["type"]), "string" | "boolean" | "integer") {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(Error::invalid(&place, text, detail));
        }
        let name = names.join(".");
        if known.contains(&name) {
            errors.push(Error::duplicate(&place, text));
        } else {
            known.push(name);
        }
    }
    if known.len() > LIMIT {
        errors.push(Error::too_many(path, known.len(), LIMIT));
    }
    errors
}

/// The names of a path and the schema that it leads to.
fn follow<'s>(text: &str, schema: &'s Value) -> Result<(Vec<String>, &'s Value), String> {
    let Some(rest) = text.strip_prefix('.') else {
        let found = text.split(['.', '[', ']']).next().filter(|found| !found.is_empty());
        return Err(match found {
            None => "array notation is not allowed".to_owned(),
            Some(found) => format!("expected [ or . but got: {found}"),
        });
    };
    if text.contains('[') {
        return Err("array notation is not allowed".to_owned());
    }
    let mut place = schema;
    let mut names = Vec::new();
    for name in rest.split('.') {
        if name.is_empty() {
            return Err("unexpected end of JSON path".to_owned());
        }
        let missing = || "does not refer to a valid field".to_owned();
        place = match (place.at(&["properties"]), place.at(&["additionalProperties"])) {
            (Some(properties), _) => properties.at(&[name]).ok_or_else(missing)?,
            (None, Some(additional @ Value::Object(_))) => additional,
            _ => return Err(missing()),
        };
        names.push(name.to_owned());
    }
    Ok((names, place))
}
