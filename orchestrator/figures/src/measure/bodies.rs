//! The objects of the loads.

use serde_json::{Value, json};

/// Bytes of text in each measured ConfigMap.
pub(super) const TEXT: usize = 1024;

/// Where ConfigMaps of the namespace `default` are.
pub(super) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Where pods of the namespace `default` are.
pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";

/// A ConfigMap with [`TEXT`] bytes of one letter.
pub(super) fn config_map(name: &str, letter: char) -> Value {
    let text: String = std::iter::repeat_n(letter, TEXT).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}})
}

/// A pod as a Deployment makes it, but that no scheduler takes it, so that it stays as it is.
pub(super) fn waiting_pod(number: u64) -> Value {
    let labels = json!({"app": format!("app-{}", number % 50), "pod-template-hash": "5d7b8c9f6d", "tier": "backend"});
    let variable =
        |index: u64| json!({"name": format!("VARIABLE_{index}"), "value": format!("value-{number}-{index}")});
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example.com/team/{name}:1.2.3"),
            "args": ["--listen=:8080", "--level=info"], "ports": [{"name": "http", "containerPort": 8080}],
            "env": (0..6).map(variable).collect::<Vec<_>>(),
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "readinessProbe": probe, "livenessProbe": probe,
            "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}],
        })
    };
    let affinity = json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100,
        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"tier": "backend"}}},
    }]}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("pod-{number:05}"), "labels": labels,
            "annotations": {"example.com/checksum": format!("{:064x}", number)},
        },
        "spec": {
            "schedulerName": "nobody", "containers": [container("main")], "affinity": affinity,
            "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
        },
    })
}

/// A small pod for the scheduler.
pub(super) fn small_pod(name: &str) -> Value {
    let container = json!({"name": "main", "image": "registry.example.com/none:1"});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}})
}
