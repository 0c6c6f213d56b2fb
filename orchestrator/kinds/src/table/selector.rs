//! Labels and label selectors as text.

use super::row::{NONE, items_at, or, texts};
use coracle_apimachinery::Value;
use std::fmt::Write;

/// A selector holds an operator that does not exist or that its values do not go with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

/// Labels as `a=b,c=d`; `<none>` when there are none.
pub(super) fn labels(labels: Option<&Value>) -> String {
    let mut pairs: Vec<String> = pairs(labels).map(|(key, value)| format!("{key}={value}")).collect();
    // Sorted as whole texts, so that the sign takes part in the order.
    pairs.sort();
    or(&pairs.join(","), NONE).to_owned()
}

fn pairs(labels: Option<&Value>) -> impl Iterator<Item = (&str, &str)> {
    let members = labels.and_then(Value::as_object).into_iter().flat_map(|labels| labels.iter());
    members.map(|(key, value)| (key, value.as_str().unwrap_or_default()))
}

/// A `LabelSelector` as `kubectl` would take it; empty for an absent one and for one that selects everything.
pub(super) fn selector(selector: Option<&Value>) -> Result<String, Invalid> {
    let Some(selector) = selector else { return Ok(String::new()) };
    let mut requirements: Vec<(&str, String)> =
        pairs(selector.at(&["matchLabels"])).map(|(key, value)| (key, format!("{key}={value}"))).collect();
    for expression in items_at(selector, &["matchExpressions"]) {
        let key = expression.text_at(&["key"]);
        let mut values: Vec<&str> = texts(items_at(expression, &["values"])).collect();
        values.sort_unstable();
        let (none, values) = (values.is_empty(), values.join(","));
        let text = match (expression.text_at(&["operator"]), none) {
            ("In", false) => format!("{key} in ({values})"),
            ("NotIn", false) => format!("{key} notin ({values})"),
            ("Exists", true) => key.to_owned(),
            ("DoesNotExist", true) => format!("!{key}"),
            _ => return Err(Invalid),
        };
        requirements.push((key, text));
    }
    requirements.sort_by_key(|(key, _)| *key);
    Ok(requirements.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(","))
}

/// A `LabelSelector` in a cell of its own.
pub(super) fn selector_cell(of: Option<&Value>) -> Value {
    let text = selector(of);
    Value::text(text.as_deref().map_or("<error>", |text| or(text, NONE)))
}

/// A `LabelSelector` as Go prints the struct, which is what the policy bindings show.
pub(super) fn go_selector(selector: &Value) -> String {
    let mut text = "&LabelSelector{MatchLabels:map[string]string{".to_owned();
    // Writing into a text cannot fail.
    for (key, value) in pairs(selector.at(&["matchLabels"])) {
        let _ = write!(text, "{key}: {value},");
    }
    text.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for expression in items_at(selector, &["matchExpressions"]) {
        let values: Vec<&str> = texts(items_at(expression, &["values"])).collect();
        let (key, operator) = (expression.text_at(&["key"]), expression.text_at(&["operator"]));
        let _ =
            write!(text, "LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values.join(" "));
    }
    text.push_str("},}");
    text
}

#[cfg(test)]
mod tests {
    use super::{Invalid, go_selector, labels, selector};
    use coracle_apimachinery::json::decode_any;

    #[test]
    fn selectors_print_sorted_by_key() {
        for (json, text) in [
            ("{}", Ok("")),
            (r#"{"matchLabels":{"b":"1","a":"2"}}"#, Ok("a=2,b=1")),
            (
                r#"{"matchLabels":{"m":"1"},"matchExpressions":[{"key":"z","operator":"In","values":["y","x"]},
                {"key":"n","operator":"NotIn","values":["q"]},{"key":"e","operator":"Exists"},
                {"key":"d","operator":"DoesNotExist"}]}"#,
                Ok("!d,e,m=1,n notin (q),z in (x,y)"),
            ),
            (r#"{"matchExpressions":[{"key":"z","operator":"In"}]}"#, Err(Invalid)),
            (r#"{"matchExpressions":[{"key":"z","operator":"Exists","values":["a"]}]}"#, Err(Invalid)),
            (r#"{"matchExpressions":[{"key":"z","operator":"Like"}]}"#, Err(Invalid)),
        ] {
            let value = decode_any(json.as_bytes()).unwrap();
            assert_eq!(selector(Some(&value)), text.map(str::to_owned), "{json}");
        }
        assert_eq!(selector(None), Ok(String::new()));
    }

    #[test]
    fn labels_print_sorted_as_pairs() {
        let value = decode_any(br#"{"a":"1","a-b":"2","b":""}"#).unwrap();
        assert_eq!(labels(Some(&value)), "a-b=2,a=1,b=");
        assert_eq!(labels(None), "<none>");
    }

    #[test]
    fn a_selector_as_go_prints_it() {
        let json = r#"{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"k","operator":"In","values":["x","y"]}]}"#;
        assert_eq!(
            go_selector(&decode_any(json.as_bytes()).unwrap()),
            "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{\
             LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
        );
    }
}
