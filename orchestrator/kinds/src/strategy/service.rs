//! Services and their endpoints.

use super::common;
use crate::defaults::externally_accessible;
use coracle_apimachinery::{Object, Value};

/// A change of type takes along what the old type had and the new one cannot have, if the client left it as it was.
pub(super) fn update(new: &mut Value, old: &Value) {
    common::update_keeping_status(new, old);
    let empty = Object::new();
    let old = old.at(&["spec"]).and_then(Value::as_object).unwrap_or(&empty);
    let balanced = new.text_at(&["spec", "type"]) == "LoadBalancer";
    if let Some(spec) = common::spec(new) {
        drop_for_type(spec, old);
    }
    if !balanced && let Some(status) = new.as_object_mut().and_then(|new| new.get_mut("status")?.as_object_mut()) {
        status.remove("loadBalancer");
    }
}

fn drop_for_type(spec: &mut Object, old: &Object) {
    let kind = |spec: &Object| spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let needs_address = |spec: &Object| kind(spec) != "ExternalName";
    let needs_node_port = |spec: &Object| ["NodePort", "LoadBalancer"].contains(&kind(spec).as_str());
    let is_local = |spec: &Object| spec.get("externalTrafficPolicy").and_then(Value::as_str) == Some("Local");
    let is_balanced = |spec: &Object| kind(spec) == "LoadBalancer";
    let needs_health_port = |spec: &Object| is_balanced(spec) && is_local(spec);

    if needs_address(old) && !needs_address(spec) {
        drop_unchanged(spec, old, &["clusterIP", "clusterIPs"]);
        drop_unchanged(spec, old, &["ipFamilies"]);
        drop_unchanged(spec, old, &["ipFamilyPolicy"]);
    }
    if needs_node_port(old) && !needs_node_port(spec) {
        let known = node_ports(old);
        if node_ports(spec).iter().all(|port| known.contains(port)) {
            let ports = spec.get_mut("ports").and_then(Value::items_mut);
            for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
                port.remove("nodePort");
            }
        }
    }
    if needs_health_port(old) && !needs_health_port(spec) {
        drop_unchanged(spec, old, &["healthCheckNodePort"]);
    }
    if is_balanced(old) && !is_balanced(spec) {
        drop_unchanged(spec, old, &["allocateLoadBalancerNodePorts"]);
        drop_unchanged(spec, old, &["loadBalancerClass"]);
    }
    if externally_accessible(old) && !externally_accessible(spec) {
        drop_unchanged(spec, old, &["externalTrafficPolicy"]);
    }
}

fn drop_unchanged(spec: &mut Object, old: &Object, names: &[&str]) {
    if names.iter().all(|name| common::same(spec.get(name), old.get(name))) {
        for name in names {
            spec.remove(name);
        }
    }
}

fn node_ports(spec: &Object) -> Vec<i64> {
    let ports = spec.get("ports").map(Value::items).unwrap_or_default();
    ports.iter().filter_map(|port| port.at(&["nodePort"])?.as_int()).filter(|port| *port != 0).collect()
}

/// The generation counts labels and everything that is no metadata.
pub(super) fn update_endpoint_slice(new: &mut Value, old: &Value) {
    common::keep_generation(new, old);
    let rest = |slice: &Value| {
        let mut slice = slice.as_object().cloned().unwrap_or_default();
        slice.remove("metadata");
        slice
    };
    let labels_changed = !common::same(new.at(&["metadata", "labels"]), old.at(&["metadata", "labels"]));
    if labels_changed || rest(new) != rest(old) {
        common::next_generation(new, old);
    }
}

#[cfg(test)]
mod tests {
    use super::update;
    use coracle_apimachinery::json::{decode_any, encode_any};

    #[test]
    fn a_new_type_takes_along_what_it_cannot_have() {
        let table = [
            (
                r#"{"type":"ClusterIP","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilyPolicy":"SingleStack"}"#,
                r#"{"type":"ExternalName","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"externalName":"a"}"#,
                r#"{"externalName":"a","type":"ExternalName"}"#,
            ),
            (
                r#"{"type":"NodePort","externalTrafficPolicy":"Cluster","ports":[{"nodePort":30000,"port":1}]}"#,
                r#"{"type":"ClusterIP","externalTrafficPolicy":"Cluster","ports":[{"nodePort":30000,"port":1}]}"#,
                r#"{"ports":[{"port":1}],"type":"ClusterIP"}"#,
            ),
            (
                r#"{"type":"NodePort","ports":[{"nodePort":30000,"port":1}]}"#,
                r#"{"type":"ClusterIP","ports":[{"nodePort":30001,"port":1}]}"#,
                r#"{"ports":[{"nodePort":30001,"port":1}],"type":"ClusterIP"}"#,
            ),
        ];
        for (old, new, kept) in table {
            let old = decode_any(format!(r#"{{"spec":{old}}}"#).as_bytes()).unwrap();
            let mut new = decode_any(format!(r#"{{"spec":{new}}}"#).as_bytes()).unwrap();
            update(&mut new, &old);
            assert_eq!(String::from_utf8(encode_any(new.at(&["spec"]).unwrap())).unwrap(), kept);
        }
    }
}
