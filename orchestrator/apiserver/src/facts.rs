//! What authorisation asks about stored objects.

use coracle_apimachinery::Value;
use coracle_auth::authorise::Facts;

use crate::api::Api;
use crate::stored::Object;

/// Facts from the store.
pub(crate) struct StoredFacts<'a>(pub(crate) &'a Api);

impl Facts for StoredFacts<'_> {
    fn pod_on_node_uses(&self, node: &str, resource: &str, namespace: &str, name: &str) -> bool {
        let registry = self.0.registry();
        let Some(pods) = registry.row("", "v1", "pods") else { return false };
        let snapshot = self.0.store().snapshot();
        let found = snapshot.range(&pods.storage.in_namespace(namespace), None).any(|entry| {
            let tree = self.0.tree(pods, &Object::of_entry(entry));
            tree.is_ok_and(|pod| pod.text_at(&["spec", "nodeName"]) == node && uses(&pod, resource, name))
        });
        found
    }

    fn is_pod_on_node(&self, node: &str, namespace: &str, name: &str) -> bool {
        let registry = self.0.registry();
        let Some(pods) = registry.row("", "v1", "pods") else { return false };
        let Ok(object) = self.0.get(pods, namespace, name) else { return false };
        self.0.tree(pods, &object).is_ok_and(|pod| pod.text_at(&["spec", "nodeName"]) == node)
    }
}

/// Whether a pod names an object: as a volume, in its environment, as its account or for its image pulls.
fn uses(pod: &Value, resource: &str, name: &str) -> bool {
    let Some(spec) = pod.at(&["spec"]) else { return false };
    if resource == "serviceaccounts" {
        return spec.text_at(&["serviceAccountName"]) == name;
    }
    // Where a reference stands does not matter: it is an object with the name under one of these members.
    let members: &[&str] = match resource {
        "secrets" => &["secret", "secretRef", "secretKeyRef", "imagePullSecrets", "nodePublishSecretRef"],
        "configmaps" => &["configMap", "configMapRef", "configMapKeyRef"],
        "persistentvolumeclaims" => &["persistentVolumeClaim"],
        _ => return false,
    };
    refers(spec, members, name)
}

fn refers(value: &Value, members: &[&str], name: &str) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(member, value)| {
            (members.contains(&member) && is_reference(value, name)) || refers(value, members, name)
        }),
        Value::List(items) => items.iter().any(|item| refers(item, members, name)),
        _ => false,
    }
}

fn is_reference(value: &Value, name: &str) -> bool {
    let named =
        |value: &Value| ["name", "secretName", "claimName"].iter().any(|member| value.text_at(&[member]) == name);
    named(value) || value.items().iter().any(named)
}
