//! Which nodes a pod wants by their labels and names.

use std::collections::BTreeSet;

use coracle_apimachinery::Value;
use coracle_client::object::{int, items, name};

const AFFINITY: [&str; 3] = ["spec", "affinity", "nodeAffinity"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Whether a node is one that a pod demands with `nodeSelector` and the required node affinity.
#[must_use]
pub fn is_wanted(pod: &Value, node: &Value) -> bool {
    let selector = pod.at(&["spec", "nodeSelector"]).and_then(Value::as_object);
    let mut wanted = selector.into_iter().flat_map(|labels| labels.iter());
    wanted.all(|(key, value)| label(node, key) == value.as_str()) && required(pod).is_none_or(|s| selects(s, node))
}

/// Whether a `v1.NodeSelector` selects a node: one of its terms does.
#[must_use]
pub fn selects(selector: &Value, node: &Value) -> bool {
    items(selector, &["nodeSelectorTerms"]).iter().any(|term| is_met(term, node))
}

/// The sum of the weights of the preferred terms that a node meets; `None` if there are no such terms.
#[must_use]
pub fn preference(pod: &Value, node: &Value) -> Option<i64> {
    let [spec, affinity, of_node] = AFFINITY;
    let terms = items(pod, &[spec, affinity, of_node, PREFERRED]);
    if terms.is_empty() {
        return None;
    }
    let met = terms.iter().filter(|term| term.at(&["preference"]).is_some_and(|term| is_met(term, node)));
    Some(met.map(|term| int(term, &["weight"], 0)).sum())
}

/// The only nodes that the required affinity can mean because all its terms name nodes; empty if they contradict
/// themselves, `None` if some term names no node.
#[must_use]
pub fn only_nodes(pod: &Value) -> Option<BTreeSet<&str>> {
    let terms = items(required(pod)?, &["nodeSelectorTerms"]);
    if terms.is_empty() {
        return None;
    }
    let mut all = BTreeSet::new();
    for term in terms {
        let fields = items(term, &["matchFields"]).iter();
        let names = fields.filter(|field| field.text_at(&["key"]) == "metadata.name");
        let sets = names.filter(|field| field.text_at(&["operator"]) == "In").map(values);
        let sets = sets.map(|values| values.collect::<BTreeSet<_>>());
        all.extend(sets.reduce(|left, right| left.intersection(&right).copied().collect())?);
    }
    Some(all)
}

fn required(pod: &Value) -> Option<&Value> {
    let [spec, affinity, of_node] = AFFINITY;
    pod.at(&[spec, affinity, of_node, REQUIRED])
}

/// Whether a node meets a `v1.NodeSelectorTerm`. An empty term selects nothing.
fn is_met(term: &Value, node: &Value) -> bool {
    let (expressions, fields) = (items(term, &["matchExpressions"]), items(term, &["matchFields"]));
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|expression| holds(expression, label(node, expression.text_at(&["key"]))))
        && fields.iter().all(|field| field_holds(field, node))
}

fn holds(expression: &Value, label: Option<&str>) -> bool {
    let has = |label: &str| values(expression).any(|value| value == label);
    let number = || values(expression).next().and_then(|value| value.parse::<i64>().ok());
    let compared = || Some(label?.parse::<i64>().ok()?.cmp(&number()?));
    match expression.text_at(&["operator"]) {
        "In" => label.is_some_and(has),
        "NotIn" => !label.is_some_and(has),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        "Gt" => compared().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compared().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}

/// The name is the only field there is; others are empty. A field takes exactly one value.
fn field_holds(field: &Value, node: &Value) -> bool {
    let is = if field.text_at(&["key"]) == "metadata.name" { name(node) } else { "" };
    let mut values = values(field);
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    match field.text_at(&["operator"]) {
        "In" => value == is,
        "NotIn" => value != is,
        _ => false,
    }
}

fn values(expression: &Value) -> impl Iterator<Item = &str> {
    items(expression, &["values"]).iter().filter_map(Value::as_str)
}

/// A label of an object.
#[must_use]
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.at(&["metadata", "labels", key]).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    fn read(text: &str) -> Value {
        json::decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn terms_are_met() {
        let node = read(r#"{"metadata":{"name":"n1","labels":{"zone":"a","size":"5"}}}"#);
        let table = [
            (r#"{"matchExpressions":[{"key":"zone","operator":"In","values":["a","b"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"zone","operator":"NotIn","values":["b"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"none","operator":"NotIn","values":["b"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"zone","operator":"Exists"}]}"#, true),
            (r#"{"matchExpressions":[{"key":"zone","operator":"DoesNotExist"}]}"#, false),
            (r#"{"matchExpressions":[{"key":"size","operator":"Gt","values":["4"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"size","operator":"Lt","values":["5"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"zone","operator":"Gt","values":["4"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"zone","operator":"Exists"},{"key":"none","operator":"Exists"}]}"#, false),
            (r#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}"#, true),
            (r#"{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["n1"]}]}"#, false),
            ("{}", false),
        ];
        for (term, expected) in table {
            let pod = format!(
                r#"{{"spec":{{"affinity":{{"nodeAffinity":{{"{REQUIRED}":{{"nodeSelectorTerms":[{term}]}}}}}}}}}}"#
            );
            assert_eq!(is_wanted(&read(&pod), &node), expected, "{term}");
            let pod = format!(
                r#"{{"spec":{{"affinity":{{"nodeAffinity":{{"{PREFERRED}":[{{"weight":3,"preference":{term}}},{{"weight":1,"preference":{term}}}]}}}}}}}}"#
            );
            assert_eq!(preference(&read(&pod), &node), Some(if expected { 4 } else { 0 }), "{term}");
        }
        assert!(is_wanted(&read(r#"{"spec":{"nodeSelector":{"zone":"a"}}}"#), &node));
        assert!(!is_wanted(&read(r#"{"spec":{"nodeSelector":{"zone":"a","none":""}}}"#), &node));
        assert_eq!(preference(&read("{}"), &node), None);
    }

    #[test]
    fn terms_that_name_nodes_are_found() {
        let field = |name: &str| format!(r#"{{"key":"metadata.name","operator":"In","values":["{name}"]}}"#);
        let term = |fields: &[String]| format!(r#"{{"matchFields":[{}]}}"#, fields.join(","));
        let table = [
            (vec![term(&[field("a")]), term(&[field("b")])], Some(vec!["a", "b"])),
            (vec![term(&[field("a"), field("b")])], Some(vec![])),
            (vec![term(&[field("a")]), "{}".to_owned()], None),
        ];
        for (terms, expected) in table {
            let terms = terms.join(",");
            let pod = read(&format!(
                r#"{{"spec":{{"affinity":{{"nodeAffinity":{{"{REQUIRED}":{{"nodeSelectorTerms":[{terms}]}}}}}}}}}}"#
            ));
            assert_eq!(only_nodes(&pod).map(|names| names.into_iter().collect::<Vec<_>>()), expected, "{terms}");
        }
    }
}
