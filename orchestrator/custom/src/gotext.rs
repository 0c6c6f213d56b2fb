//! Values as Go prints them in messages.

use coracle_apimachinery::field::{Error, Path, Problem, quote};
use coracle_apimachinery::{Value, json};

/// From this exponent on Go prints a number in the notation with an exponent.
const EXPONENT_LIMIT: i32 = 6;

/// Go's `%v` of a floating-point number.
pub(crate) fn float(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let Ok(exponent) = exponent.parse::<i32>() else { return text };
    if !(-4..EXPONENT_LIMIT).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}

/// Go's `%v` of a JSON value.
pub(crate) fn print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::String(text) => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(" ")),
        Value::Object(object) => {
            let members: Vec<String> = object.iter().map(|(name, value)| format!("{name}:{}", print(value))).collect();
            format!("map[{}]", members.join(" "))
        }
        Value::Raw(text) => text.to_string(),
    }
}

/// Go's `%T` of a JSON value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) | Value::Raw(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as a field error shows it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => print(value),
        other => String::from_utf8_lossy(&json::encode_any(other)).into_owned(),
    }
}

/// A malformed value of any type.
pub(crate) fn invalid(path: &Path, value: &Value, detail: impl Into<String>) -> Error {
    Error::new(Problem::Invalid, path, Some(shown(value)), detail)
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_print_as_go_prints_them() {
        let table = [
            (1.0, "1"),
            (0.5, "0.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e-5, "1e-05"),
            (-2.5, "-2.5"),
        ];
        for (value, text) in table {
            assert_eq!(float(value), text);
        }
    }
}
