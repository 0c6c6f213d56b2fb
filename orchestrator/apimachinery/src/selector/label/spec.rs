//! `metav1.LabelSelector`, and the rules that any requirement must keep.

use super::check::{key_problems, value_problems};
use super::{Operator, Requirement};
use crate::Value;
use crate::field::{Error, Path, quote};
use std::collections::BTreeSet;

/// The requirements of a `metav1.LabelSelector`.
pub(super) fn requirements(spec: &Value) -> Result<Vec<Requirement>, String> {
    let mut requirements = Vec::new();
    for (key, value) in
        spec.at(&["matchLabels"]).and_then(Value::as_object).into_iter().flat_map(|labels| labels.iter())
    {
        let value = value.as_str().unwrap_or_default().to_owned();
        requirements.push(Requirement::new(key, Operator::Equals, vec![value])?);
    }
    for expression in spec.at(&["matchExpressions"]).map(Value::items).unwrap_or_default() {
        let operator = match expression.text_at(&["operator"]) {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(format!("{} is not a valid label selector operator", quote(other))),
        };
        let values = expression.at(&["values"]).map(Value::items).unwrap_or_default();
        let values = values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect();
        requirements.push(Requirement::new(expression.text_at(&["key"]), operator, values)?);
    }
    Ok(requirements)
}

impl Requirement {
    /// A requirement that keeps the rules, or what breaks them.
    pub(super) fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, String> {
        let mut errors = Vec::new();
        errors.extend(bad_key(&Path::new("key"), key));
        let path = Path::new("values");
        let shown = || {
            let quoted: Vec<String> = values.iter().map(|value| json_text(value)).collect();
            // An absent list prints as null.
            if quoted.is_empty() { "null".to_owned() } else { format!("[{}]", quoted.join(",")) }
        };
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                let why = "for 'in', 'notin' operators, values set can't be empty";
                errors.push(Error::invalid_value(&path, shown(), why));
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                let why = "values set must be empty for exists and does not exist";
                errors.push(Error::invalid_value(&path, shown(), why));
            }
            Operator::GreaterThan | Operator::LessThan => {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                let wrong = values.iter().enumerate().filter(|(_, value)| value.parse::<i64>().is_err());
                errors.extend(wrong.map(|(at, value)| Error::invalid(&path.index(at), value, why)));
            }
            _ => {}
        }
        for (at, value) in values.iter().enumerate() {
            let problems = value_problems(value);
            if !problems.is_empty() {
                errors.push(Error::invalid(&path.index(at).key(key), value, problems.join("; ")));
            }
        }
        match aggregate(&errors) {
            Some(error) => Err(error),
            None => Ok(Self { key: key.to_owned(), operator, values }),
        }
    }
}

/// What is wrong with a key, at this place.
pub(super) fn bad_key(path: &Path, key: &str) -> Option<Error> {
    let problems = key_problems(key);
    (!problems.is_empty()).then(|| Error::invalid(path, key, problems.join("; ")))
}

/// One text of several errors, as Go aggregates them: each text once, brackets around more than one.
fn aggregate(errors: &[Error]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).filter(|text| seen.insert(text.clone())).collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

fn json_text(text: &str) -> String {
    String::from_utf8(crate::json::encode_any(&Value::text(text))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::json;
    use crate::selector::label::Selector;

    #[test]
    fn specs_are_read_as_upstream_reads_them() {
        let label = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
        let table = [
            ("null", Ok(("", false))),
            ("{}", Ok(("", true))),
            (r#"{"matchLabels":{"b":"2","a":"1"}}"#, Ok(("a=1,b=2", false))),
            (
                r#"{"matchLabels":{"b":"2"},"matchExpressions":[{"key":"a","operator":"In","values":["y","x"]},{"key":"c","operator":"NotIn","values":["z"]},{"key":"e","operator":"Exists"},{"key":"d","operator":"DoesNotExist"}]}"#,
                Ok(("a in (x,y),b=2,c notin (z),!d,e", false)),
            ),
            (
                r#"{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}"#,
                Err(r#""Gt" is not a valid label selector operator"#.to_owned()),
            ),
            (
                r#"{"matchExpressions":[{"key":"a","operator":"In"}]}"#,
                Err("values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty".to_owned()),
            ),
            (
                r#"{"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]}"#,
                Err(r#"values: Invalid value: ["x"]: values set must be empty for exists and does not exist"#
                    .to_owned()),
            ),
            (r#"{"matchLabels":{"a":"-b"}}"#, Err(format!(r#"values[0][a]: Invalid value: "-b": {label}"#))),
        ];
        for (spec, expected) in table {
            let read = Selector::from_label_selector(&json::decode_any(spec.as_bytes()).unwrap());
            let read = read.map(|selector| (selector.to_string(), selector.is_empty()));
            assert_eq!(read, expected.map(|(text, empty)| (text.to_owned(), empty)), "{spec}");
        }
    }
}
