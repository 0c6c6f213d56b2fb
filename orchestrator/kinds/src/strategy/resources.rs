//! Resources that a pod asks for as a whole: what it does not say follows from its containers.

use super::qos::{is_pod_level, sets_pod_level};
use crate::defaults::Amount;
use coracle_apimachinery::{Object, Value};

/// Completes requests and limits of the pod, once it has some of either.
pub(super) fn complete(pod: &mut Value) {
    let Some(resources) = pod.at(&["spec", "resources"]).filter(|resources| sets_any(resources)) else { return };
    let mut resources = resources.clone();
    let requests = total(pod, "requests");
    let limits = total(pod, "limits");
    if let Some(resources) = resources.as_object_mut() {
        huge_page_limits(resources, &limits);
        add_requests(resources, &requests);
        add_limits(resources, &limits, pod);
    }
    if let Some(spec) = pod.as_object_mut().and_then(|pod| pod.get_mut("spec")).and_then(Value::as_object_mut) {
        spec.insert("resources".into(), resources);
    }
}

fn sets_any(resources: &Value) -> bool {
    sets_pod_level(resources)
        || ["requests", "limits"].iter().any(|list| resources.at(&[list]).is_some_and(|list| !list.is_empty()))
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn members(resources: &Object, list: &str) -> Object {
    resources.get(list).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Huge pages cannot be overcommitted, so their limit comes first.
fn huge_page_limits(resources: &mut Object, totals: &[(String, Amount)]) {
    let requests = members(resources, "requests");
    for (name, amount) in totals.iter().filter(|(name, _)| is_huge_page(name) && requests.get(name).is_none()) {
        add(resources, "limits", name, || amount.to_string());
    }
}

/// What the containers ask for, else what the pod may use.
fn add_requests(resources: &mut Object, totals: &[(String, Amount)]) {
    for (name, amount) in totals.iter().filter(|(name, _)| is_pod_level(name) && !is_huge_page(name)) {
        add(resources, "requests", name, || amount.to_string());
    }
    let limits = members(resources, "limits");
    for (name, limit) in limits.iter().filter(|(name, _)| is_pod_level(name)) {
        add(resources, "requests", name, || limit.as_str().unwrap_or_default().to_owned());
    }
}

/// What the containers may use, if all of them say, but not less than the pod asks for.
fn add_limits(resources: &mut Object, totals: &[(String, Amount)], pod: &Value) {
    let requests = members(resources, "requests");
    for (name, request) in requests.iter().filter(|(name, _)| is_pod_level(name)) {
        let limited = |container: &Value| container.at(&["resources", "limits", name]).is_some();
        let all_limited = ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .filter_map(|list| pod.at(&["spec", list]))
            .all(|list| list.items().iter().all(limited));
        let Some((_, total)) = totals.iter().find(|(known, _)| known == name).filter(|_| all_limited) else { continue };
        let request = request.as_str().and_then(Amount::parse);
        let limit = request.filter(|request| request > total).unwrap_or(*total);
        add(resources, "limits", name, || limit.to_string());
    }
}

fn add(resources: &mut Object, list: &'static str, name: &str, amount: impl FnOnce() -> String) {
    let members = resources.object_mut(list);
    if members.get(name).is_none() {
        members.insert(name.to_owned().into(), Value::text(amount()));
    }
}

/// What the pod needs at most at any time: all containers together, or one that runs before them beside the ones that
/// keep running.
fn total(pod: &Value, list: &str) -> Vec<(String, Amount)> {
    let mut running = Vec::new();
    let mut highest = Vec::new();
    let items = |name: &str| pod.at(&["spec", name]).map(Value::items).unwrap_or_default();
    for container in items("containers") {
        merge(&mut running, &amounts(container, list), |left, right| left + right);
    }
    let mut beside = Vec::new();
    for container in items("initContainers") {
        let own = amounts(container, list);
        if container.text_at(&["restartPolicy"]) == "Always" {
            merge(&mut running, &own, |left, right| left + right);
            merge(&mut beside, &own, |left, right| left + right);
            merge(&mut highest, &beside, larger);
        } else {
            let mut together = own;
            merge(&mut together, &beside, |left, right| left + right);
            merge(&mut highest, &together, larger);
        }
    }
    merge(&mut running, &highest, larger);
    running
}

fn larger(left: Amount, right: Amount) -> Amount {
    if right > left { right } else { left }
}

fn amounts(container: &Value, list: &str) -> Vec<(String, Amount)> {
    let members = container.at(&["resources", list]).and_then(Value::as_object);
    let amount = |(name, value): (&str, &Value)| Some((name.to_owned(), value.as_str().and_then(Amount::parse)?));
    members.into_iter().flat_map(Object::iter).filter_map(amount).collect()
}

fn merge(into: &mut Vec<(String, Amount)>, from: &[(String, Amount)], how: impl Fn(Amount, Amount) -> Amount) {
    for (name, amount) in from {
        match into.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = how(*known, *amount),
            None => into.push((name.clone(), *amount)),
        }
    }
}
