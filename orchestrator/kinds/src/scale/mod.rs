//! Scale documents of the kinds that have replicas.
//!
//! Source: k8s.io/kubernetes v1.37.2, pkg/registry/apps/*/storage.

use coracle_apimachinery::selector::label::Selector;
use coracle_apimachinery::{Object, Value};

/// Kinds whose selector is a plain map.
const PLAIN_SELECTOR: &str = "replicationcontrollers";

/// The Scale of an object.
#[must_use]
pub fn document(_group: &str, resource: &str, object: &Value) -> Value {
    let mut metadata = Object::new();
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", name]) {
            metadata.insert(name.into(), value.clone());
        }
    }
    let number = |names: &[&str]| Value::Int(object.at(names).and_then(Value::as_int).unwrap_or(0));
    let mut status = Object::new();
    status.insert("replicas".into(), number(&["status", "replicas"]));
    if let Some(selector) = object.at(&["spec", "selector"]) {
        let text = if resource == PLAIN_SELECTOR { plain(selector) } else { of_selector(selector) };
        if !text.is_empty() {
            status.insert("selector".into(), Value::text(text));
        }
    }
    let spec: Object = [("replicas".into(), number(&["spec", "replicas"]))].into_iter().collect();
    let members = [
        ("kind".into(), Value::text("Scale")),
        ("apiVersion".into(), Value::text("autoscaling/v1")),
        ("metadata".into(), Value::Object(metadata)),
        ("spec".into(), Value::Object(spec)),
        ("status".into(), Value::Object(status)),
    ];
    Value::Object(members.into_iter().collect())
}

fn of_selector(selector: &Value) -> String {
    Selector::from_label_selector(selector).map(|selector| selector.to_string()).unwrap_or_default()
}

fn plain(selector: &Value) -> String {
    let pairs = selector.as_object().into_iter().flat_map(Object::iter);
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::document;
    use coracle_apimachinery::json;

    #[test]
    fn a_scale_says_what_the_object_has() {
        let object = br#"{"metadata":{"name":"d","labels":{"x":"y"}},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"Exists"}]}},"status":{"replicas":1}}"#;
        let scale = document("apps", "deployments", &json::decode_any(object).unwrap());
        let text = String::from_utf8(json::encode_any(&scale)).unwrap();
        assert_eq!(
            text,
            r#"{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"d"},"spec":{"replicas":2},"status":{"replicas":1,"selector":"a=b,c"}}"#
        );
    }
}
