//! Pods.

use super::{apparmor, common, qos, resources};
use coracle_apimachinery::{Object, Value};

/// A pod waits for a node, in the class of service that its containers put it in.
pub(super) fn create(new: &mut Value) {
    common::create_first_generation(new);
    let gated = new.at(&["spec", "schedulingGates"]).is_some_and(|gates| !gates.items().is_empty());
    merge_label_keys(new);
    apparmor::sync(new);
    resources::complete(new);
    let mut status = Object::new();
    status.insert("phase".into(), Value::text("Pending"));
    status.insert("qosClass".into(), Value::text(qos::class(new)));
    if gated {
        status.insert("conditions".into(), Value::List(vec![gated_condition(new)]));
    }
    if let Some(object) = new.as_object_mut() {
        object.insert("status".into(), Value::Object(status));
    }
}

/// The condition of a pod that may not be scheduled yet.
fn gated_condition(new: &Value) -> Value {
    let created = new.at(&["metadata", "creationTimestamp"]).cloned().unwrap_or(Value::Null);
    let members = [
        ("type", Value::text("PodScheduled")),
        ("status", Value::text("False")),
        ("lastTransitionTime", created),
        ("reason", Value::text("SchedulingGated")),
        ("message", Value::text("Scheduling is blocked due to non-empty scheduling gates")),
    ];
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Affinity to pods with the same value of a label becomes affinity to pods with this pod's value, and so does spreading.
fn merge_label_keys(new: &mut Value) {
    let labels = new.at(&["metadata", "labels"]).and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(spec) = common::spec(new) else { return };
    let constraints = spec.get_mut("topologySpreadConstraints").and_then(Value::items_mut);
    for constraint in constraints.into_iter().flatten().filter_map(Value::as_object_mut) {
        merge_term(constraint, &labels);
    }
    let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) else { return };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(rules) = affinity.get_mut(kind).and_then(Value::as_object_mut) else { continue };
        for (name, terms) in rules.iter_mut() {
            let preferred = name == "preferredDuringSchedulingIgnoredDuringExecution";
            for term in terms.items_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                if !preferred {
                    merge_term(term, &labels);
                } else if let Some(term) = term.get_mut("podAffinityTerm").and_then(Value::as_object_mut) {
                    merge_term(term, &labels);
                }
            }
        }
    }
}

fn merge_term(term: &mut Object, labels: &Object) {
    let mut added = Vec::new();
    for (member, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in term.get(member).map(Value::items).unwrap_or_default().iter().filter_map(Value::as_str) {
            if let Some(value) = labels.get(key) {
                let members = [
                    ("key", Value::text(key)),
                    ("operator", Value::text(operator)),
                    ("values", Value::List(vec![value.clone()])),
                ];
                added.push(Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect()));
            }
        }
    }
    let Some(selector) = term.get_mut("labelSelector").and_then(Value::as_object_mut) else { return };
    if !added.is_empty() {
        selector.insert_default("matchExpressions", || Value::List(Vec::new()));
        if let Some(expressions) = selector.get_mut("matchExpressions").and_then(Value::items_mut) {
            expressions.append(&mut added);
        }
    }
}

/// The status is kept, the generation counts changes of the spec, resources of the whole pod outlive unaware clients.
pub(super) fn update(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    if let (Some(resources), Some(spec)) = (old.at(&["spec", "resources"]), common::spec(new)) {
        spec.insert_default("resources", || resources.clone());
    }
    common::count_changes(new, old, &["spec"]);
}

/// Kubelets that know less than the server do not erase what it knows.
pub(super) fn status(new: &mut Value, old: &Value) {
    common::status_keeping_spec(new, old);
    common::keep_metadata(new, old, &["ownerReferences"]);
    let Some(status) = new.as_object_mut().map(|new| new.object_mut("status")) else { return };
    for name in [
        "qosClass",
        "resourceClaimStatuses",
        "extendedResourceClaimStatus",
        "nodeAllocatableResourceClaimStatuses",
        "observedGeneration",
    ] {
        if let Some(known) = old.at(&["status", name]) {
            status.insert_default(name, || known.clone());
        }
    }
    keep_observed_generations(status, old);
}

/// Conditions keep the generation that they were observed at, matched by type in order.
fn keep_observed_generations(status: &mut Object, old: &Value) {
    let mut known: Vec<&Value> =
        old.at(&["status", "conditions"]).map(Value::items).unwrap_or_default().iter().collect();
    let conditions = status.get_mut("conditions").and_then(Value::items_mut).into_iter().flatten();
    for condition in conditions.filter_map(Value::as_object_mut) {
        let kind = condition.get("type").cloned();
        let Some(at) = known.iter().position(|old| old.at(&["type"]) == kind.as_ref()) else { continue };
        if let Some(generation) = known.remove(at).at(&["observedGeneration"]) {
            condition.insert_default("observedGeneration", || generation.clone());
        }
    }
}

/// A change through `pods/ephemeralcontainers`: only these change.
pub fn prepare_ephemeral_containers(new: &mut Value, old: &Value) {
    let containers = new.at(&["spec", "ephemeralContainers"]).cloned();
    common::status_keeping_spec_and_metadata(new, old);
    common::keep(new, old, "status");
    if let Some(spec) = common::spec(new) {
        match containers {
            Some(containers) => spec.insert("ephemeralContainers".into(), containers),
            None => spec.remove("ephemeralContainers"),
        };
    }
    common::count_changes(new, old, &["spec"]);
}

/// A change through `pods/resize`: only resources of containers and the pod change. Containers that were added, removed
/// or renamed are left in for validation to refuse.
pub fn prepare_resize(new: &mut Value, old: &Value) {
    let names = |pod: &Value, list: &str| -> Vec<String> {
        let items = pod.at(&["spec", list]).map(Value::items).unwrap_or_default();
        items.iter().map(|container| container.text_at(&["name"]).to_owned()).collect()
    };
    let lists = ["containers", "initContainers"];
    if lists.iter().any(|list| names(new, list) != names(old, list)) {
        common::keep_generation(new, old);
        common::count_changes(new, old, &["spec"]);
        return;
    }
    let sent = new.at(&["spec"]).cloned().unwrap_or(Value::Null);
    common::status_keeping_spec_and_metadata(new, old);
    common::keep(new, old, "status");
    if let Some(spec) = common::spec(new) {
        take(spec, &sent, "resources");
        for list in lists {
            let sent = sent.at(&[list]).map(Value::items).unwrap_or_default();
            let kept = spec.get_mut(list).and_then(Value::items_mut).into_iter().flatten();
            for (container, sent) in kept.filter_map(Value::as_object_mut).zip(sent) {
                take(container, sent, "resources");
                take(container, sent, "resizePolicy");
            }
        }
    }
    common::count_changes(new, old, &["spec"]);
}

fn take(object: &mut Object, from: &Value, name: &'static str) {
    match from.at(&[name]) {
        Some(value) => object.insert(name.into(), value.clone()),
        None => object.remove(name),
    };
}

/// A pod gets the time it asked for, unless it runs nowhere.
pub(super) fn grace(pod: &Value, requested: Option<i64>) -> Option<i64> {
    let own = || pod.at(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_int).unwrap_or_default();
    let ended = ["Failed", "Succeeded"].contains(&pod.text_at(&["status", "phase"]));
    if pod.text_at(&["spec", "nodeName"]).is_empty() || ended {
        return Some(0);
    }
    let seconds = requested.unwrap_or_else(own);
    Some(if seconds < 0 { 1 } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::{grace, status};
    use coracle_apimachinery::json::{decode_any, encode_any};

    #[test]
    fn pods_get_the_time_they_need() {
        let running = r#"{"spec":{"nodeName":"n","terminationGracePeriodSeconds":30},"status":{"phase":"Running"}}"#;
        let table = [
            (running, None, 30),
            (running, Some(5), 5),
            (running, Some(0), 0),
            (running, Some(-1), 1),
            (r#"{"spec":{"terminationGracePeriodSeconds":30}}"#, None, 0),
            (r#"{"spec":{"nodeName":"n"},"status":{"phase":"Failed"}}"#, Some(9), 0),
            (r#"{"spec":{"nodeName":"n"}}"#, None, 0),
        ];
        for (pod, requested, seconds) in table {
            let pod = decode_any(pod.as_bytes()).unwrap();
            assert_eq!(grace(&pod, requested), Some(seconds), "{pod:?} {requested:?}");
        }
    }

    #[test]
    fn a_kubelet_cannot_erase_what_it_does_not_know() {
        let old = br#"{"metadata":{"generation":2,"ownerReferences":[{"name":"o"}]},"spec":{"nodeName":"n"},"status":{"conditions":[{"observedGeneration":2,"type":"Ready"}],"qosClass":"Burstable"}}"#;
        let new = br#"{"metadata":{"labels":{"a":"b"}},"spec":{"nodeName":"m"},"status":{"conditions":[{"type":"Ready"}],"phase":"Running"}}"#;
        let mut new = decode_any(new).unwrap();
        status(&mut new, &decode_any(old).unwrap());
        assert_eq!(
            String::from_utf8(encode_any(&new)).unwrap(),
            r#"{"metadata":{"generation":2,"labels":{"a":"b"},"ownerReferences":[{"name":"o"}]},"spec":{"nodeName":"n"},"status":{"conditions":[{"observedGeneration":2,"type":"Ready"}],"phase":"Running","qosClass":"Burstable"}}"#
        );
    }
}
