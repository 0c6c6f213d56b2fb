//! Labels, annotations and label selectors.

use super::format;
use super::report::{At, Report};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};
use std::collections::HashSet;

/// Most bytes that an object's annotations may have in all.
const ANNOTATIONS_MAX: usize = 256 * (1 << 10);

/// A label key.
pub(crate) fn key(report: &mut Report, path: &Path, key: &str) {
    report.complaints(path, key, format::label_key(key));
}

/// Labels.
pub(crate) fn labels(report: &mut Report, at: &At<'_>) {
    for (name, value) in at.entries() {
        key(report, &at.path, name);
        let value = value.as_str().unwrap_or_default();
        report.complaints(&at.path, value, format::label_value(value));
    }
}

/// Annotations.
pub(crate) fn annotations(report: &mut Report, at: &At<'_>) {
    for (name, _) in at.entries() {
        report.complaints(&at.path, name, format::label_key(&name.to_lowercase()));
    }
    annotations_size(report, at);
}

/// The size of annotations.
pub(crate) fn annotations_size(report: &mut Report, at: &At<'_>) {
    let size: usize = at.entries().map(|(name, value)| name.len() + value.as_str().unwrap_or_default().len()).sum();
    if size > ANNOTATIONS_MAX {
        report.push(Error::too_long(&at.path, ANNOTATIONS_MAX));
    }
}

/// A label selector. `lenient` accepts values that are no label values, because the stored object has such already.
pub(crate) fn selector(report: &mut Report, at: &At<'_>, lenient: bool) {
    labels(report, &at.get("matchLabels"));
    for expression in at.get("matchExpressions").items() {
        let values = expression.get("values");
        let operator = expression.get("operator");
        match operator.text() {
            "In" | "NotIn" if values.len() == 0 => {
                report.required(&values.path, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if values.len() > 0 => {
                report.forbidden(&values.path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => report.invalid(&operator.path, other, "not a valid selector operator"),
        }
        key(report, &expression.path.child("key"), expression.text_of("key"));
        if !lenient {
            for value in values.items() {
                report.format(&value, format::label_value);
            }
        }
    }
}

/// Whether a selector has a value that is no label value.
pub(crate) fn has_bad_value(selector: &At<'_>) -> bool {
    let bad = |value: At<'_>| !format::label_value(value.text()).is_empty();
    selector.get("matchExpressions").items().any(|expression| expression.get("values").items().any(bad))
}

/// The keys that a selector names.
pub(crate) fn selector_keys<'a>(selector: &At<'a>) -> HashSet<&'a str> {
    let expressions = selector.get("matchExpressions").items().map(|expression| expression.text_of("key"));
    selector.get("matchLabels").entries().map(|(key, _)| key).chain(expressions).collect()
}

/// Whether labels are what a selector asks for; `None` when the selector cannot be understood.
pub(crate) fn matches(selector: &At<'_>, labels: Option<&Value>) -> Option<bool> {
    let label = |key: &str| labels.and_then(|labels| labels.at(&[key])).and_then(Value::as_str);
    let mut all = true;
    for (key, value) in selector.get("matchLabels").entries() {
        if !format::label_key(key).is_empty() || !format::label_value(value.as_str().unwrap_or_default()).is_empty() {
            return None;
        }
        all &= label(key) == value.as_str();
    }
    for expression in selector.get("matchExpressions").items() {
        let key = expression.text_of("key");
        let values = expression.get("values");
        let bad = |value: At<'_>| !format::label_value(value.text()).is_empty();
        if !format::label_key(key).is_empty() || values.items().any(bad) {
            return None;
        }
        let listed = || label(key).is_some_and(|text| values.items().any(|value| value.text() == text));
        all &= match (expression.text_of("operator"), values.len()) {
            ("In", 1..) => listed(),
            ("NotIn", 1..) => !listed(),
            ("Exists", 0) => label(key).is_some(),
            ("DoesNotExist", 0) => label(key).is_none(),
            _ => return None,
        };
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::{annotations, matches, selector};
    use crate::validate::report::{At, Report};
    use coracle_apimachinery::json;

    #[test]
    fn selectors_match() {
        let labels = json::decode_any(br#"{"a":"1","b":"2"}"#).unwrap();
        for (text, expected) in [
            (r#"{"matchLabels":{"a":"1"}}"#, Some(true)),
            (r#"{"matchLabels":{"a":"2"}}"#, Some(false)),
            (r#"{"matchExpressions":[{"key":"a","operator":"In","values":["1","3"]}]}"#, Some(true)),
            (r#"{"matchExpressions":[{"key":"c","operator":"NotIn","values":["1"]}]}"#, Some(true)),
            (r#"{"matchExpressions":[{"key":"c","operator":"Exists"}]}"#, Some(false)),
            (r#"{"matchExpressions":[{"key":"c","operator":"DoesNotExist"}]}"#, Some(true)),
            (r#"{"matchExpressions":[{"key":"c","operator":"In"}]}"#, None),
            (r#"{"matchLabels":{"a b":"1"}}"#, None),
            ("{}", Some(true)),
        ] {
            let value = json::decode_any(text.as_bytes()).unwrap();
            assert_eq!(matches(&At::root(&value), Some(&labels)), expected, "{text}");
        }
    }

    #[test]
    fn selectors_are_checked() {
        let text = br#"{"matchExpressions":[{"key":"a","operator":"In"},{"key":"a","operator":"Exists","values":["b c"]},{"key":"/","operator":"Gt"}]}"#;
        let value = json::decode_any(text).unwrap();
        let mut report = Report::default();
        selector(&mut report, &At::root(&value).get("x"), false);
        assert_eq!(report.len(), 0);
        selector(&mut report, &At::root(&value), false);
        let fields: Vec<String> = report.into_errors().into_iter().map(|error| error.field).collect();
        assert_eq!(
            fields,
            [
                "matchExpressions[0].values",
                "matchExpressions[1].values",
                "matchExpressions[1].values[0]",
                "matchExpressions[2].operator",
                "matchExpressions[2].key",
                "matchExpressions[2].key",
                "matchExpressions[2].key"
            ]
        );
    }

    #[test]
    fn annotations_have_a_size() {
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(256 * 1024));
        let value = json::decode_any(text.as_bytes()).unwrap();
        let mut report = Report::default();
        annotations(&mut report, &At::root(&value));
        assert_eq!(report.into_errors()[0].body(), "Too long: may not be more than 262144 bytes");
    }
}
