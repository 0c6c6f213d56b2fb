//! Times that a kind writes itself. Apart from the rest, because nothing else here depends on the clock.

use coracle_apimachinery::{Object, Value};

/// Sets times in a new object, given what was there before and the current time.
type Stamp = fn(&mut Object, Option<&Value>, &str);

static STAMPS: &[(&str, &str, Stamp)] = &[
    ("", "persistentvolumes", volume),
    ("certificates.k8s.io", "certificatesigningrequests", request),
    ("resource.k8s.io", "devicetaintrules", taint_rule),
    ("resource.k8s.io", "resourceslices", slice),
];

/// Sets the times that a kind writes itself. `old` is nothing for a creation; `now` is a time as the API prints it. Called
/// after the strategy has prepared the object, for changes of the object and of its subresources alike.
pub fn stamp(group: &str, resource: &str, new: &mut Value, old: Option<&Value>, now: &str) {
    let found = STAMPS.iter().find(|row| row.0 == group && row.1 == resource);
    if let (Some((.., how)), Some(new)) = (found, new.as_object_mut()) {
        how(new, old, now);
    }
}

/// When the phase of a volume changed, unless the client says.
fn volume(new: &mut Object, old: Option<&Value>, now: &str) {
    let Some(old) = old else { return };
    let Some(status) = new.get_mut("status").and_then(Value::as_object_mut) else { return };
    let phase = status.get("phase").and_then(Value::as_str).unwrap_or_default();
    let known = old.at(&["status", "lastPhaseTransitionTime"]);
    let unsaid = status.get("lastPhaseTransitionTime").is_none_or(|time| Some(time) == known);
    if phase != old.text_at(&["status", "phase"]) && unsaid {
        status.insert("lastPhaseTransitionTime".into(), Value::text(now));
    }
}

/// When conditions of a request were written, and when they became what they are.
fn request(new: &mut Object, old: Option<&Value>, now: &str) {
    let known = old.and_then(|old| old.at(&["status", "conditions"])).map(Value::items).unwrap_or_default();
    let status = new.get_mut("status").and_then(Value::as_object_mut);
    let conditions = status.and_then(|status| status.get_mut("conditions")).and_then(Value::items_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        set_if_absent(condition, "lastUpdateTime", now);
        let same = |old: &&Value| {
            ["type", "status"].iter().all(|name| old.at(&[name]) == condition.get(name))
                && !old.text_at(&["lastTransitionTime"]).is_empty()
        };
        let time = known.iter().find(same).map_or(now, |old| old.text_at(&["lastTransitionTime"])).to_owned();
        set_if_absent(condition, "lastTransitionTime", &time);
    }
}

/// When a taint was added, or its effect became another.
fn taint_rule(new: &mut Object, old: Option<&Value>, now: &str) {
    let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(taint) = spec.get_mut("taint").and_then(Value::as_object_mut) else { return };
    set_if_absent(taint, "timeAdded", now);
    let Some(old) = old.and_then(|old| old.at(&["spec", "taint"])) else { return };
    let same = |taint: &Object, name: &str| taint.get(name) == old.at(&[name]);
    if same(taint, "timeAdded") && !same(taint, "effect") {
        taint.insert("timeAdded".into(), Value::text(now));
    }
}

/// When taints of devices were added.
fn slice(new: &mut Object, _: Option<&Value>, now: &str) {
    let devices = new.get_mut("spec").and_then(Value::as_object_mut).and_then(|spec| spec.get_mut("devices"));
    for device in devices.and_then(Value::items_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        let taints = device.get_mut("taints").and_then(Value::items_mut);
        for taint in taints.into_iter().flatten().filter_map(Value::as_object_mut) {
            set_if_absent(taint, "timeAdded", now);
        }
    }
}

fn set_if_absent(object: &mut Object, name: &'static str, time: &str) {
    if object.get(name).is_none_or(Value::is_empty) {
        object.insert(name.into(), Value::text(time));
    }
}

#[cfg(test)]
mod tests {
    use super::stamp;
    use coracle_apimachinery::json::{decode_any, encode_any};

    #[test]
    fn times_are_written_where_upstream_writes_them() {
        let table = [
            (
                "",
                "persistentvolumes",
                Some(r#"{"status":{"lastPhaseTransitionTime":"old","phase":"Pending"}}"#),
                r#"{"status":{"lastPhaseTransitionTime":"old","phase":"Bound"}}"#,
                r#"{"status":{"lastPhaseTransitionTime":"now","phase":"Bound"}}"#,
            ),
            (
                "",
                "persistentvolumes",
                Some(r#"{"status":{"lastPhaseTransitionTime":"old","phase":"Pending"}}"#),
                r#"{"status":{"lastPhaseTransitionTime":"old","phase":"Pending"}}"#,
                r#"{"status":{"lastPhaseTransitionTime":"old","phase":"Pending"}}"#,
            ),
            (
                "certificates.k8s.io",
                "certificatesigningrequests",
                Some(r#"{"status":{"conditions":[{"lastTransitionTime":"old","status":"True","type":"A"}]}}"#),
                r#"{"status":{"conditions":[{"status":"True","type":"A"},{"status":"True","type":"B"}]}}"#,
                r#"{"status":{"conditions":[{"lastTransitionTime":"old","lastUpdateTime":"now","status":"True","type":"A"},{"lastTransitionTime":"now","lastUpdateTime":"now","status":"True","type":"B"}]}}"#,
            ),
            (
                "resource.k8s.io",
                "devicetaintrules",
                Some(r#"{"spec":{"taint":{"effect":"NoSchedule","timeAdded":"old"}}}"#),
                r#"{"spec":{"taint":{"effect":"NoExecute","timeAdded":"old"}}}"#,
                r#"{"spec":{"taint":{"effect":"NoExecute","timeAdded":"now"}}}"#,
            ),
            (
                "resource.k8s.io",
                "resourceslices",
                None,
                r#"{"spec":{"devices":[{"taints":[{"key":"k"}]}]}}"#,
                r#"{"spec":{"devices":[{"taints":[{"key":"k","timeAdded":"now"}]}]}}"#,
            ),
        ];
        for (group, resource, old, new, stamped) in table {
            let old = old.map(|old| decode_any(old.as_bytes()).unwrap());
            let mut new = decode_any(new.as_bytes()).unwrap();
            stamp(group, resource, &mut new, old.as_ref(), "now");
            assert_eq!(String::from_utf8(encode_any(&new)).unwrap(), stamped, "{resource}");
        }
    }
}
