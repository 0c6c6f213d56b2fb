//! Metrics of autoscalers: flat in version 1, nested in version 2.

use crate::defaults::Amount;
use coracle_apimachinery::{Object, Value};

/// Member in version 1 and the path to the same value in version 2.
type Moves = &'static [(&'static str, &'static [&'static str])];

/// What is measured: its name and its members.
type Sources = [(&'static str, Moves); 5];

/// Which metrics are wanted.
pub(super) static WANTED: Sources = [
    (
        "object",
        &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("targetValue", &["target", "value"]),
            ("averageValue", &["target", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    ),
    (
        "resource",
        &[
            ("name", &["name"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"]),
            ("container", &["container"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("targetValue", &["target", "value"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    ),
];

/// Which metrics were read.
pub(super) static READ: Sources = [
    (
        "object",
        &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("currentValue", &["current", "value"]),
            ("averageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "resource",
        &[
            ("name", &["name"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"]),
            ("container", &["container"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("currentValue", &["current", "value"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
];

/// A metric of version 2 as version 1 writes it.
pub(super) fn flatten(sources: &Sources, metric: &Value) -> Value {
    let mut flat = Object::new();
    copy(metric, &mut flat, "type");
    for (source, moves) in sources {
        let Some(nested) = metric.at(&[source]) else { continue };
        let members = moves.iter().filter_map(|(name, path)| Some(((*name).into(), nested.at(path)?.clone())));
        flat.insert((*source).into(), Value::Object(members.collect()));
    }
    Value::Object(flat)
}

/// A metric of version 1 as version 2 writes it.
pub(super) fn nest(sources: &Sources, metric: &Value) -> Value {
    let mut nested = Object::new();
    copy(metric, &mut nested, "type");
    for (source, moves) in sources {
        let Some(flat) = metric.at(&[source]) else { continue };
        let mut members = Object::new();
        for (name, path) in *moves {
            if let Some(value) = flat.at(&[name]) {
                insert_at(&mut members, path, value.clone());
            }
        }
        if std::ptr::eq(sources, &WANTED) {
            complete_target(source, members.object_mut("target"));
        } else {
            complete_reading(source, members.object_mut("current"));
        }
        nested.insert((*source).into(), Value::Object(members));
    }
    Value::Object(nested)
}

/// Version 1 does not say how a target is meant, and cannot leave some amounts out.
fn complete_target(source: &str, target: &mut Object) {
    let zero = || Value::text("0");
    let kind = match source {
        "object" if target.get("averageValue").is_none() => {
            target.insert_default("value", zero);
            "Value"
        }
        "object" => {
            let amount = target.get("value").and_then(Value::as_str).and_then(Amount::parse);
            if amount.is_some_and(Amount::is_zero) {
                target.remove("value");
            }
            "AverageValue"
        }
        "pods" => {
            target.insert_default("averageValue", zero);
            "AverageValue"
        }
        "external" if target.get("value").is_some() => "Value",
        "resource" | "containerResource" if target.get("averageUtilization").is_some() => "Utilization",
        _ => "AverageValue",
    };
    target.insert("type".into(), Value::text(kind));
}

/// Amounts that version 1 cannot leave out are there.
fn complete_reading(source: &str, current: &mut Object) {
    let name = if ["object", "external"].contains(&source) { "value" } else { "averageValue" };
    current.insert_default(name, || Value::text("0"));
}

fn copy(from: &Value, to: &mut Object, name: &'static str) {
    if let Some(value) = from.at(&[name]) {
        to.insert(name.into(), value.clone());
    }
}

fn insert_at(object: &mut Object, path: &'static [&'static str], value: Value) {
    match path {
        [name] => {
            object.insert((*name).into(), value);
        }
        [name, rest @ ..] => insert_at(object.object_mut(name), rest, value),
        [] => {}
    }
}
