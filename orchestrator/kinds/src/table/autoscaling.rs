//! HorizontalPodAutoscalers of version 2 and what their metrics stand at.

use super::row::{NONE, Row, UNKNOWN, UNSET, items_at, text};
use super::{AGE, Column, NAME};
use coracle_apimachinery::Value;

/// How many metrics the cell shows.
const SHOWN: usize = 2;

pub(super) const AUTOSCALER: &[Column] = &[
    NAME,
    Column::text("Reference"),
    Column::text("Targets"),
    Column::text("MinPods"),
    Column::text("MaxPods"),
    Column::text("Replicas"),
    AGE,
];

pub(super) fn autoscaler(row: &Row<'_>) -> Vec<Value> {
    let target = |member: &str| row.object.text_at(&["spec", "scaleTargetRef", member]);
    let least = row.object.at(&["spec", "minReplicas"]).and_then(Value::as_int);
    vec![
        row.name(),
        text(format!("{}/{}", target("kind"), target("name"))),
        text(metrics(row.object)),
        text(least.map_or_else(|| UNSET.to_owned(), |least| least.to_string())),
        row.int(&["spec", "maxReplicas"]),
        row.int(&["status", "currentReplicas"]),
        row.age(),
    ]
}

fn metrics(autoscaler: &Value) -> String {
    let (wanted, current) = (["spec", "metrics"], ["status", "currentMetrics"]);
    let (wanted, current) = (items_at(autoscaler, &wanted), items_at(autoscaler, &current));
    if wanted.is_empty() {
        return NONE.to_owned();
    }
    let shown = wanted.iter().enumerate().take(SHOWN).map(|(index, metric)| one_metric(metric, current.get(index)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    if wanted.len() > SHOWN { format!("{shown} + {} more...", wanted.len() - SHOWN) } else { shown }
}

/// What a metric stands at and where it should be.
fn one_metric(metric: &Value, status: Option<&Value>) -> String {
    // Go prints an absent quantity behind a pointer like this.
    const NIL: &str = "<nil>";
    let (member, named) = match metric.text_at(&["type"]) {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let status = status.and_then(|status| status.at(&[member]));
    let current = |name: &str| status.and_then(|status| status.at(&["current", name]));
    let target = |name: &str| metric.at(&[member, "target", name]);
    let quantity =
        |value: Option<&Value>, otherwise: &str| value.and_then(Value::as_str).unwrap_or(otherwise).to_owned();
    // Without a status nothing is known; a status without the value shows a missing quantity.
    let absent = if status.is_some() { NIL } else { UNKNOWN };
    let average = target("averageValue");
    let text = match (member, average) {
        ("external" | "object", Some(_)) => {
            format!("{}/{} (avg)", quantity(current("averageValue"), UNKNOWN), quantity(average, NIL))
        }
        ("external" | "object", None) => {
            format!("{}/{}", quantity(current("value"), absent), quantity(target("value"), NIL))
        }
        ("pods", _) | (_, Some(_)) => {
            format!("{}/{}", quantity(current("averageValue"), absent), quantity(average, NIL))
        }
        (_, None) => {
            let percent = |value: Option<&Value>, otherwise: &str| {
                value.and_then(Value::as_int).map_or_else(|| otherwise.to_owned(), |number| format!("{number}%"))
            };
            let wanted = percent(target("averageUtilization"), "<auto>");
            format!("{}/{wanted}", percent(current("averageUtilization"), UNKNOWN))
        }
    };
    if named { format!("{}: {text}", metric.text_at(&[member, "name"])) } else { text }
}

#[cfg(test)]
mod tests {
    use super::metrics;
    use coracle_apimachinery::json::decode_any;

    #[test]
    fn metrics_of_every_source() {
        for (spec, status, text) in [
            ("", "", "<none>"),
            (r#"{"type":"What"}"#, "", "<unknown type>"),
            (r#"{"type":"External","external":{"target":{"value":"5"}}}"#, "", "<unknown>/5"),
            (
                r#"{"type":"External","external":{"target":{"averageValue":"5"}}}"#,
                r#"{"external":{"current":{"averageValue":"3"}}}"#,
                "3/5 (avg)",
            ),
            (
                r#"{"type":"Object","object":{"target":{"value":"5"}}}"#,
                r#"{"object":{"current":{"value":"500m"}}}"#,
                "500m/5",
            ),
            (
                r#"{"type":"Pods","pods":{"target":{"averageValue":"5"}}}"#,
                r#"{"pods":{"current":{"averageValue":"2"}}}"#,
                "2/5",
            ),
            (
                r#"{"type":"Resource","resource":{"name":"memory","target":{"averageValue":"100Mi"}}}"#,
                r#"{"resource":{"current":{"averageValue":"20Mi"}}}"#,
                "memory: 20Mi/100Mi",
            ),
            (
                r#"{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}}"#,
                r#"{"resource":{"current":{"averageUtilization":50}}}"#,
                "cpu: 50%/80%",
            ),
            (r#"{"type":"ContainerResource","containerResource":{"name":"cpu"}}"#, "", "cpu: <unknown>/<auto>"),
            (r#"{"type":"A"},{"type":"B"},{"type":"C"}"#, "", "<unknown type>, <unknown type> + 1 more..."),
        ] {
            let json = format!(r#"{{"spec":{{"metrics":[{spec}]}},"status":{{"currentMetrics":[{status}]}}}}"#);
            assert_eq!(metrics(&decode_any(json.as_bytes()).unwrap()), text, "{json}");
        }
    }
}
