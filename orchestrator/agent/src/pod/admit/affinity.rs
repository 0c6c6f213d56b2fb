//! Whether a node is one that the pod wants: its node selector and its required node affinity.

use coracle_apimachinery::Value;

use super::{Rejection, text_members};

pub(super) fn check(pod: &Value, node: &Value) -> Result<(), Rejection> {
    let label = |name: &str| node.at(&["metadata", "labels", name]).and_then(Value::as_str);
    let selected = text_members(pod.at(&["spec", "nodeSelector"])).all(|(name, value)| label(name) == Some(value));
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let wanted = pod.at(&path).is_none_or(|required| {
        let terms = required.at(&["nodeSelectorTerms"]).map(Value::items).unwrap_or_default();
        terms.iter().any(|term| fits(term, node))
    });
    if selected && wanted {
        return Ok(());
    }
    Err(Rejection::predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"))
}

/// A term fits if all of its requirements do. One without any fits nothing.
fn fits(term: &Value, node: &Value) -> bool {
    let list = |name| term.at(&[name]).map(Value::items).unwrap_or_default();
    let (expressions, fields) = (list("matchExpressions"), list("matchFields"));
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let label = |name: &str| node.at(&["metadata", "labels", name]).and_then(Value::as_str);
    let field = |name: &str| (name == "metadata.name").then(|| node.text_at(&["metadata", "name"]));
    expressions.iter().all(|requirement| holds(requirement, label(requirement.text_at(&["key"]))))
        && fields.iter().all(|requirement| holds(requirement, field(requirement.text_at(&["key"]))))
}

fn holds(requirement: &Value, held: Option<&str>) -> bool {
    let values = requirement.at(&["values"]).map(Value::items).unwrap_or_default();
    let listed = held.is_some_and(|held| values.iter().any(|value| value.as_str() == Some(held)));
    let numbers = || {
        let given = values.first()?.as_str()?.parse::<i64>().ok()?;
        Some((held?.parse::<i64>().ok()?, given))
    };
    match requirement.text_at(&["operator"]) {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => held.is_some(),
        "DoesNotExist" => held.is_none(),
        "Gt" => numbers().is_some_and(|(held, given)| held > given),
        "Lt" => numbers().is_some_and(|(held, given)| held < given),
        _ => false,
    }
}
