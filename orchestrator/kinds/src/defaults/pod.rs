//! Pods and their specs.

use super::{each, image, object_of, text};
use coracle_apimachinery::{Object, Value};

/// A container of any sort: how its image is pulled.
pub(super) fn container(container: &mut Object) {
    if text(container, "imagePullPolicy").is_empty() {
        let policy = image::pull_policy(text(container, "image"));
        container.insert("imagePullPolicy".into(), Value::text(policy));
    }
}

/// What a pod gets that a pod template does not.
pub(super) fn pod(pod: &mut Object) {
    let spec = pod.object_mut("spec");
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_int).is_some_and(|seconds| seconds < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), Value::Int(1));
    }
    spec.insert_default("enableServiceLinks", || Value::Bool(true));
    let host_network = spec.get("hostNetwork").and_then(Value::as_bool).unwrap_or_default();
    for list in ["containers", "initContainers"] {
        for container in each(spec, list) {
            requests_from_limits(container);
            if host_network {
                each(container, "ports").for_each(host_port);
            }
        }
    }
}

/// Requests that are not given are the limits.
fn requests_from_limits(container: &mut Object) {
    let Some(limits) = container.get("resources").and_then(|all| all.at(&["limits"])).and_then(Value::as_object) else {
        return;
    };
    let limits = limits.clone();
    let requests = container.object_mut("resources").object_mut("requests");
    for (name, limit) in limits.iter() {
        if requests.get(name).is_none() {
            requests.insert(name.to_owned().into(), limit.clone());
        }
    }
}

/// In the host's network a port is the host's port.
fn host_port(port: &mut Object) {
    let number = port.get("containerPort").cloned();
    if let Some(number) = number
        && port.get("hostPort").is_none_or(Value::is_empty)
    {
        port.insert("hostPort".into(), number);
    }
}

/// The old and the new name of the service account agree; the new one wins.
pub(super) fn pod_spec(spec: &mut Object) {
    let name = match text(spec, "serviceAccountName") {
        "" => text(spec, "serviceAccount").to_owned(),
        name => name.to_owned(),
    };
    if !name.is_empty() {
        spec.insert("serviceAccountName".into(), Value::text(name.as_str()));
        spec.insert("serviceAccount".into(), Value::text(name));
    }
}

/// The single address and the list of addresses agree.
pub(super) fn pod_status(status: &mut Object) {
    let single = text(status, "podIP").to_owned();
    let first = status.get("podIPs").and_then(|all| all.items().first()).map(|first| first.text_at(&["ip"]).to_owned());
    match (single.as_str(), first) {
        ("", Some(first)) if !first.is_empty() => {
            status.insert("podIP".into(), Value::text(first));
        }
        ("", _) => {}
        (single, Some(first)) if first == single => {}
        (single, _) => {
            let address = object_of([("ip", Value::text(single))]);
            status.insert("podIPs".into(), Value::List(vec![address]));
        }
    }
}
