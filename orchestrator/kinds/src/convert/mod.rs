//! Conversion: kinds that are another view of the same stored object.

mod autoscaler;
mod event;
mod metric;

use coracle_apimachinery::Value;

/// Where objects of a resource are stored, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Group that the stored resource belongs to.
    pub group: &'static str,
    /// The stored resource.
    pub resource: &'static str,
    /// Group-version that is stored.
    pub group_version: &'static str,
    /// Kind that is stored.
    pub kind: &'static str,
}

const EVENTS: Storage = Storage { group: "", resource: "events", group_version: "v1", kind: "Event" };
const AUTOSCALERS: Storage = Storage {
    group: "autoscaling",
    resource: "horizontalpodautoscalers",
    group_version: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
};

/// A conversion: kind, from, to, how.
type Conversion = (&'static str, &'static str, &'static str, fn(Value) -> Value);

static CONVERSIONS: &[Conversion] = &[
    ("Event", "v1", "events.k8s.io/v1", event::from_core),
    ("Event", "events.k8s.io/v1", "v1", event::to_core),
    ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2", autoscaler::to_v2),
    ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1", autoscaler::to_v1),
    ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2", autoscaler::without_round_trip),
];

/// The storage of a resource that has more than one view; nothing for a resource that is stored as it is served.
#[must_use]
pub fn storage_of(group: &str, resource: &str) -> Option<Storage> {
    match (group, resource) {
        ("" | "events.k8s.io", "events") => Some(EVENTS),
        ("autoscaling", "horizontalpodautoscalers") => Some(AUTOSCALERS),
        _ => None,
    }
}

/// Whether a conversion does more than to change `apiVersion`, or is needed at all.
#[must_use]
pub fn converts(kind: &str, from: &str, to: &str) -> bool {
    from != to || CONVERSIONS.iter().any(|row| row.0 == kind && row.1 == from && row.2 == to)
}

/// The same object as another group-version shows it. An object without a conversion only changes its `apiVersion`.
#[must_use]
pub fn convert(kind: &str, from: &str, to: &str, object: Value) -> Value {
    let found = CONVERSIONS.iter().find(|row| row.0 == kind && row.1 == from && row.2 == to);
    let mut object = match found {
        Some((.., how)) => how(object),
        None => object,
    };
    if let Some(members) = object.as_object_mut() {
        members.insert("apiVersion".into(), Value::text(to));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::convert;
    use coracle_apimachinery::json::{FieldValidation, decode, decode_any, encode, encode_any};
    use coracle_apimachinery::{Value, schema};

    /// Name in the file, group-version.
    type View = (&'static str, &'static str);

    /// The same objects as a real server shows them in both group-versions.
    const PAIRS: [(&str, [View; 2], &str); 2] = [
        (
            "HorizontalPodAutoscaler",
            [("v1", "autoscaling/v1"), ("v2", "autoscaling/v2")],
            include_str!("autoscalers.json"),
        ),
        ("Event", [("core", "v1"), ("events", "events.k8s.io/v1")], include_str!("events.json")),
    ];

    fn of_type(group_version: &str, kind: &str, value: &Value) -> Value {
        let of = schema::kind(group_version, kind).unwrap();
        decode(of, &encode_any(value), FieldValidation::Ignore).unwrap().value
    }

    fn print(group_version: &str, kind: &str, value: &Value) -> String {
        String::from_utf8(encode(schema::kind(group_version, kind).unwrap(), value)).unwrap()
    }

    #[test]
    fn both_views_are_those_of_the_real_server() {
        for (kind, [left, right], text) in PAIRS {
            for row in decode_any(text.as_bytes()).unwrap().items() {
                for ((from_name, from), (to_name, to)) in [(left, right), (right, left)] {
                    let given = of_type(from, kind, row.at(&[from_name]).unwrap());
                    let expected = of_type(to, kind, row.at(&[to_name]).unwrap());
                    let converted = convert(kind, from, to, given);
                    assert_eq!(print(to, kind, &converted), print(to, kind, &expected), "{from} -> {to}");
                }
            }
        }
    }
}
