//! Autoscalers in versions 1 and 2. What version 1 has no members for stands in annotations there.

use super::metric::{READ, WANTED, flatten, nest};
use crate::defaults::{CPU_UTILIZATION, cpu_metric};
use coracle_apimachinery::json::{FieldValidation, decode, decode_any, encode, encode_any};
use coracle_apimachinery::{Object, Value, schema};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// All annotations that stand for members of version 2.
const ROUND_TRIP: [&str; 6] = [
    METRICS,
    CURRENT_METRICS,
    CONDITIONS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

/// Version 2 needs no annotations and shows none of them.
pub(super) fn without_round_trip(mut scaler: Value) -> Value {
    let metadata = scaler.as_object_mut().and_then(|scaler| scaler.get_mut("metadata")).and_then(Value::as_object_mut);
    if let Some(metadata) = metadata
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.retain(|name, _| !ROUND_TRIP.contains(&name));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    scaler
}

/// From version 2 to version 1.
pub(super) fn to_v1(scaler: Value) -> Value {
    let mut scaler = without_round_trip(scaler);
    let Some(object) = scaler.as_object_mut() else { return scaler };
    let mut annotations: Vec<(&'static str, String)> = Vec::new();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = take_list(spec, "metrics");
        let utilization = metrics.iter().find(|metric| is_cpu_utilization(metric, "target"));
        if let Some(percent) = utilization.and_then(|metric| metric.at(&["resource", "target", "averageUtilization"])) {
            spec.insert("targetCPUUtilizationPercentage".into(), percent.clone());
        }
        let others = metrics.iter().filter(|metric| !is_cpu_utilization(metric, "target"));
        let others: Vec<Value> = others.map(|metric| flatten(&WANTED, metric)).collect();
        annotations.extend(printed_list("MetricSpec", &others).map(|text| (METRICS, text)));
        annotations.extend(spec.remove("behavior").map(|behavior| (BEHAVIOR, print_behavior(&behavior))));
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let read = take_list(status, "currentMetrics");
        let utilization = read.iter().rfind(|metric| is_cpu_utilization(metric, "current"));
        if let Some(percent) = utilization.and_then(|metric| metric.at(&["resource", "current", "averageUtilization"]))
        {
            status.insert("currentCPUUtilizationPercentage".into(), percent.clone());
        }
        let read: Vec<Value> = read.iter().map(|metric| flatten(&READ, metric)).collect();
        annotations.extend(printed_list("MetricStatus", &read).map(|text| (CURRENT_METRICS, text)));
        let conditions = take_list(status, "conditions");
        annotations
            .extend(printed_list("HorizontalPodAutoscalerCondition", &conditions).map(|text| (CONDITIONS, text)));
    }
    for (name, text) in annotations {
        object.object_mut("metadata").object_mut("annotations").insert(name.into(), Value::text(text));
    }
    scaler
}

/// From version 1 to version 2. Annotations that do not read as what they stand for are ignored.
pub(super) fn to_v2(mut scaler: Value) -> Value {
    let annotation = |name: &str| scaler.at(&["metadata", "annotations", name]).and_then(Value::as_str);
    let metrics = annotation(METRICS).and_then(|text| read_list("MetricSpec", text));
    let read = annotation(CURRENT_METRICS).and_then(|text| read_list("MetricStatus", text));
    let conditions = annotation(CONDITIONS).and_then(|text| read_list("HorizontalPodAutoscalerCondition", text));
    let behavior = annotation(BEHAVIOR).and_then(read_behavior);
    let Some(object) = scaler.as_object_mut() else { return scaler };

    let spec = object.object_mut("spec");
    let utilization = spec.remove("targetCPUUtilizationPercentage").and_then(|percent| percent.as_int());
    let mut wanted: Vec<Value> = metrics.iter().flatten().map(|metric| nest(&WANTED, metric)).collect();
    wanted.extend(utilization.map(cpu_metric));
    if wanted.is_empty() {
        wanted.push(cpu_metric(CPU_UTILIZATION));
    }
    spec.insert("metrics".into(), Value::List(wanted));
    if let Some(behavior) = behavior {
        spec.insert("behavior".into(), behavior);
    }

    let status = object.object_mut("status");
    let utilization = status.remove("currentCPUUtilizationPercentage").and_then(|percent| percent.as_int());
    let read = match read {
        Some(read) => read.iter().map(|metric| nest(&READ, metric)).collect(),
        None => utilization.map(cpu_reading).into_iter().collect::<Vec<_>>(),
    };
    for (name, list) in [("currentMetrics", read), ("conditions", conditions.unwrap_or_default())] {
        if !list.is_empty() {
            status.insert(name.into(), Value::List(list));
        }
    }
    if status.is_empty() {
        object.remove("status");
    }
    without_round_trip(scaler)
}

fn take_list(object: &mut Object, name: &str) -> Vec<Value> {
    match object.remove(name) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    }
}

fn is_cpu_utilization(metric: &Value, side: &str) -> bool {
    metric.text_at(&["type"]) == "Resource"
        && metric.text_at(&["resource", "name"]) == "cpu"
        && metric.at(&["resource", side, "averageUtilization"]).is_some()
}

fn cpu_reading(percent: i64) -> Value {
    let object = |members: [(&'static str, Value); 2]| {
        Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    };
    let current = Value::Object([("averageUtilization".into(), Value::Int(percent))].into_iter().collect());
    let resource = object([("name", Value::text("cpu")), ("current", current)]);
    object([("type", Value::text("Resource")), ("resource", resource)])
}

/// A list as an annotation, in the order of members that Go prints; nothing for an empty one.
fn printed_list(of: &str, items: &[Value]) -> Option<String> {
    let of = schema::lookup("autoscaling/v1", of).filter(|_| !items.is_empty())?;
    let items: Vec<String> = items.iter().map(|item| lossless(encode(of, item))).collect();
    Some(format!("[{}]", items.join(",")))
}

fn read_list(of: &str, text: &str) -> Option<Vec<Value>> {
    let of = schema::lookup("autoscaling/v1", of)?;
    let Value::List(items) = decode_any(text.as_bytes()).ok()? else { return None };
    let read = |item: &Value| decode(of, &encode_any(item), FieldValidation::Ignore).ok().map(|decoded| decoded.value);
    items.iter().map(read).collect()
}

/// Upstream prints its internal type here, with the names that members have in Go.
fn print_behavior(behavior: &Value) -> String {
    let json = |value: Option<&Value>| lossless(encode_any(value.unwrap_or(&Value::Null)));
    let policy = |policy: &Value| {
        let number = |name: &str| policy.at(&[name]).and_then(Value::as_int).unwrap_or_default();
        let kind = json(Some(&Value::text(policy.text_at(&["type"]))));
        format!(r#"{{"Type":{kind},"Value":{},"PeriodSeconds":{}}}"#, number("value"), number("periodSeconds"))
    };
    let rules = |name: &str| {
        let Some(rules) = behavior.at(&[name]) else { return "null".to_owned() };
        let policies = rules.at(&["policies"]).map(|all| all.items().iter().map(policy).collect::<Vec<_>>());
        format!(
            r#"{{"StabilizationWindowSeconds":{},"SelectPolicy":{},"Policies":{},"Tolerance":{}}}"#,
            json(rules.at(&["stabilizationWindowSeconds"])),
            json(rules.at(&["selectPolicy"])),
            policies.map_or_else(|| "null".to_owned(), |all| format!("[{}]", all.join(","))),
            json(rules.at(&["tolerance"])),
        )
    };
    format!(r#"{{"ScaleUp":{},"ScaleDown":{}}}"#, rules("scaleUp"), rules("scaleDown"))
}

fn read_behavior(text: &str) -> Option<Value> {
    let of = schema::lookup("autoscaling/v2", "HorizontalPodAutoscalerBehavior")?;
    let renamed = with_json_names(decode_any(text.as_bytes()).ok()?);
    let behavior = decode(of, &encode_any(&renamed), FieldValidation::Ignore).ok()?.value;
    (!behavior.is_empty()).then_some(behavior)
}

/// Go reads members whatever the case of their names; the schema knows one.
fn with_json_names(value: Value) -> Value {
    const NAMES: [&str; 9] = [
        "scaleUp",
        "scaleDown",
        "stabilizationWindowSeconds",
        "selectPolicy",
        "policies",
        "tolerance",
        "type",
        "value",
        "periodSeconds",
    ];
    match value {
        Value::Object(object) => {
            let rename = |(name, value): (&str, &Value)| {
                let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
                let name = known.map_or_else(|| name.to_owned().into(), |known| (*known).into());
                (name, with_json_names(value.clone()))
            };
            Value::Object(object.iter().map(rename).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(with_json_names).collect()),
        other => other,
    }
}

/// The encoder prints UTF-8.
fn lossless(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
