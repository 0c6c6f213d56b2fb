//! Services, namespaces, nodes and secrets.

use super::{each, object_of, text, text_default};
use coracle_apimachinery::{Object, Value, base64};

/// Three hours, in seconds.
const STICKY_SECONDS: i64 = 10_800;

/// What in a service depends on its type, affinity and ports.
pub(super) fn service(service: &mut Object) {
    let spec = service.object_mut("spec");
    text_default(spec, "sessionAffinity", "None");
    text_default(spec, "type", "ClusterIP");
    affinity(spec);
    for port in each(spec, "ports") {
        text_default(port, "protocol", "TCP");
        if port.get("targetPort").is_none_or(Value::is_empty)
            && let Some(number) = port.get("port").cloned()
        {
            port.insert("targetPort".into(), number);
        }
    }
    let kind = text(spec, "type").to_owned();
    if externally_accessible(spec) {
        text_default(spec, "externalTrafficPolicy", "Cluster");
    }
    if ["NodePort", "LoadBalancer", "ClusterIP"].contains(&kind.as_str()) {
        spec.insert_default("internalTrafficPolicy", || Value::text("Cluster"));
    }
    if kind == "LoadBalancer" {
        spec.insert_default("allocateLoadBalancerNodePorts", || Value::Bool(true));
        if let Some(balancer) = balancer_status(service) {
            for ingress in each(balancer, "ingress").filter(|ingress| !text(ingress, "ip").is_empty()) {
                ingress.insert_default("ipMode", || Value::text("VIP"));
            }
        }
    }
}

fn balancer_status(service: &mut Object) -> Option<&mut Object> {
    service.get_mut("status")?.as_object_mut()?.get_mut("loadBalancer")?.as_object_mut()
}

fn affinity(spec: &mut Object) {
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let known = spec.get("sessionAffinityConfig").and_then(|config| config.at(&["clientIP", "timeoutSeconds"]));
            if known.is_none() {
                let client = object_of([("timeoutSeconds", Value::Int(STICKY_SECONDS))]);
                spec.insert("sessionAffinityConfig".into(), object_of([("clientIP", client)]));
            }
        }
        _ => {}
    }
}

/// Whether clients from outside the cluster reach it.
pub(crate) fn externally_accessible(spec: &Object) -> bool {
    match text(spec, "type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => spec.get("externalIPs").is_some_and(|addresses| !addresses.items().is_empty()),
        _ => false,
    }
}

/// A namespace carries its name as a label; one without a name gets it when the name is made.
pub(super) fn namespace(namespace: &mut Object) {
    let name = namespace.get("metadata").map(|metadata| metadata.text_at(&["name"]).to_owned()).unwrap_or_default();
    if !name.is_empty() {
        let labels = namespace.object_mut("metadata").object_mut("labels");
        labels.insert("kubernetes.io/metadata.name".into(), Value::text(name));
    }
}

/// The single range of addresses and the list of ranges agree; the single one wins.
pub(super) fn node_spec(spec: &mut Object) {
    let single = text(spec, "podCIDR").to_owned();
    let first = spec.get("podCIDRs").and_then(|all| all.items().first()).and_then(Value::as_str).map(str::to_owned);
    match first {
        Some(first) if single.is_empty() => {
            spec.insert("podCIDR".into(), Value::text(first));
        }
        first if !single.is_empty() && first.as_deref() != Some(&*single) => {
            spec.insert("podCIDRs".into(), Value::List(vec![Value::text(single)]));
        }
        _ => {}
    }
}

/// What a node can give is what it has, unless it says otherwise.
pub(super) fn node_status(status: &mut Object) {
    if let Some(capacity) = status.get("capacity").cloned() {
        status.insert_default("allocatable", || capacity);
    }
}

/// Plain text of a secret joins the encoded data. Upstream does it when it converts, directly after the defaults.
pub(super) fn secret(secret: &mut Object) {
    let Some(Value::Object(plain)) = secret.remove("stringData") else { return };
    let data = secret.object_mut("data");
    for (name, value) in plain.iter() {
        let text = value.as_str().unwrap_or_default();
        data.insert(name.to_owned().into(), Value::text(base64::encode(text.as_bytes())));
    }
}
