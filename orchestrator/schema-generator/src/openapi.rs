//! The published OpenAPI v3 documents: required fields, list and map kinds, patch keys, unions and defaults.

use crate::Error;
use crate::modules::Modules;
use serde_json::Value;
use std::collections::BTreeMap;

const MODULE: &str = "k8s.io/kubernetes";
const DIRECTORY: &str = "api/openapi-spec/v3/";

/// Component schemas of all documents by their full name.
#[derive(Debug, Default)]
pub struct Components(BTreeMap<String, Value>);

impl Components {
    /// Reads every document.
    pub fn load(modules: &Modules) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for path in modules.list(MODULE, DIRECTORY)? {
            if !path.ends_with(".json") {
                continue;
            }
            let mut document: Value = serde_json::from_slice(&modules.bytes(MODULE, &path)?)
                .map_err(|error| Error::source(&path, error.to_string()))?;
            let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas").map(Value::take) else {
                continue;
            };
            all.extend(schemas);
        }
        Ok(Self(all))
    }

    /// The schema of `type_name` in the model package (`io.k8s.api.apps.v1`).
    pub fn get(&self, model_package: &str, type_name: &str) -> Option<&Value> {
        self.0.get(&format!("{model_package}.{type_name}"))
    }
}

/// A text member of a schema.
pub fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}

/// A list of texts in a schema; empty when it is absent.
pub fn texts<'a>(schema: &'a Value, key: &str) -> Vec<&'a str> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// The `default` of a property unless it is only the Go zero value, which says how the field prints, not what the API sets.
pub fn real_default(property: &Value) -> Option<String> {
    let default = property.get("default")?;
    let zero = match default {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty(),
        Value::Array(value) => value.is_empty(),
        Value::Object(value) => value.is_empty(),
    };
    (!zero).then(|| default.to_string())
}

#[cfg(test)]
mod tests {
    use super::real_default;
    use serde_json::json;

    #[test]
    fn go_zero_values_are_no_defaults() {
        for zero in [json!(""), json!(0), json!(false), json!({})] {
            assert_eq!(real_default(&json!({ "default": zero })), None);
        }
        assert_eq!(real_default(&json!({ "default": "TCP" })).as_deref(), Some("\"TCP\""));
        assert_eq!(real_default(&json!({})), None);
    }
}
