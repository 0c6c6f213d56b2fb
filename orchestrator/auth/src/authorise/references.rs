//! What a pod uses: the objects that its node may therefore read.
//!
//! Source: kubernetes v1.37.2, plugin/pkg/auth/authorizer/node/graph.go and pkg/api/v1/pod.

use coracle_apimachinery::Value;

/// Kinds of objects whose relation to a node decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Related {
    /// A Secret that a pod of the node or a volume of such a pod uses.
    Secret,
    /// A ConfigMap that a pod of the node uses.
    ConfigMap,
    /// A claim that a pod of the node uses.
    PersistentVolumeClaim,
    /// A volume whose claim a pod of the node uses.
    PersistentVolume,
    /// A claim of dynamic resource allocation that a pod of the node uses.
    ResourceClaim,
    /// An attachment that names the node.
    VolumeAttachment,
    /// The ServiceAccount of a pod of the node.
    ServiceAccount,
    /// A pod of the node.
    Pod,
    /// A slice that names the node.
    ResourceSlice,
    /// A certificate request that names the node.
    PodCertificateRequest,
}

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Where volumes name Secrets and ConfigMaps.
const VOLUME_SECRETS: [&[&str]; 10] = [
    &["azureFile", "secretName"],
    &["cephfs", "secretRef", "name"],
    &["cinder", "secretRef", "name"],
    &["csi", "nodePublishSecretRef", "name"],
    &["flexVolume", "secretRef", "name"],
    &["iscsi", "secretRef", "name"],
    &["rbd", "secretRef", "name"],
    &["scaleIO", "secretRef", "name"],
    &["secret", "secretName"],
    &["storageos", "secretRef", "name"],
];
const VOLUME_CONFIG_MAPS: [&[&str]; 1] = [&["configMap", "name"]];

/// Whether a pod uses the object `name` of its own namespace. Volumes and what only names a node itself are not found
/// in a pod.
#[must_use]
pub fn pod_uses(pod: &Value, related: Related, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    if related == Related::Pod {
        return pod.text_at(&["metadata", "name"]) == name;
    }
    // A kubelet makes mirror pods itself, so they must not give it access to anything.
    if pod.at(&["metadata", "annotations", "kubernetes.io/config.mirror"]).is_some() {
        return false;
    }
    match related {
        Related::ServiceAccount => pod.text_at(&["spec", "serviceAccountName"]) == name,
        Related::Secret => {
            list(pod, &["spec", "imagePullSecrets"]).any(|secret| secret.text_at(&["name"]) == name)
                || environment(pod, "secretRef", "secretKeyRef", name)
                || volumes(pod, &VOLUME_SECRETS, "secret", name)
        }
        Related::ConfigMap => {
            environment(pod, "configMapRef", "configMapKeyRef", name)
                || volumes(pod, &VOLUME_CONFIG_MAPS, "configMap", name)
        }
        Related::PersistentVolumeClaim => list(pod, &["spec", "volumes"]).any(|volume| claim(pod, volume) == name),
        Related::ResourceClaim => resource_claims(pod, name),
        _ => false,
    }
}

fn list<'a>(value: &'a Value, path: &[&str]) -> std::slice::Iter<'a, Value> {
    value.at(path).map(Value::items).unwrap_or_default().iter()
}

fn environment(pod: &Value, whole: &str, member: &str, name: &str) -> bool {
    CONTAINERS.iter().flat_map(|kind| list(pod, &["spec", kind])).any(|container| {
        list(container, &["envFrom"]).any(|source| source.text_at(&[whole, "name"]) == name)
            || list(container, &["env"]).any(|variable| variable.text_at(&["valueFrom", member, "name"]) == name)
    })
}

fn volumes(pod: &Value, paths: &[&[&str]], projected: &str, name: &str) -> bool {
    list(pod, &["spec", "volumes"]).any(|volume| {
        paths.iter().any(|path| volume.text_at(path) == name)
            || list(volume, &["projected", "sources"]).any(|source| source.text_at(&[projected, "name"]) == name)
    })
}

/// The claim of a volume: the one it names, or the one that is made for it.
fn claim(pod: &Value, volume: &Value) -> String {
    if volume.at(&["ephemeral"]).is_some() {
        return format!("{}-{}", pod.text_at(&["metadata", "name"]), volume.text_at(&["name"]));
    }
    volume.text_at(&["persistentVolumeClaim", "claimName"]).to_owned()
}

fn resource_claims(pod: &Value, name: &str) -> bool {
    list(pod, &["spec", "resourceClaims"]).any(|claim| claim.text_at(&["resourceClaimName"]) == name)
        || list(pod, &["status", "resourceClaimStatuses"]).any(|claim| claim.text_at(&["resourceClaimName"]) == name)
        || pod.text_at(&["status", "extendedResourceClaimStatus", "resourceClaimName"]) == name
}

#[cfg(test)]
mod tests {
    use super::{Related, pod_uses};
    use coracle_apimachinery::json;

    const POD: &str = r#"{"metadata":{"name":"p"},"spec":{"serviceAccountName":"sa","imagePullSecrets":[{"name":"pull"}],
        "initContainers":[{"envFrom":[{"secretRef":{"name":"from"}}]}],
        "containers":[{"env":[{"valueFrom":{"secretKeyRef":{"name":"key"}}},{"valueFrom":{"configMapKeyRef":{"name":"map"}}}]}],
        "volumes":[{"secret":{"secretName":"volume"}},{"projected":{"sources":[{"secret":{"name":"part"}},{"configMap":{"name":"root"}}]}},
        {"persistentVolumeClaim":{"claimName":"claim"}},{"name":"scratch","ephemeral":{}},{"configMap":{"name":"whole"}}],
        "resourceClaims":[{"resourceClaimName":"gpu"}]},"status":{"resourceClaimStatuses":[{"resourceClaimName":"made"}]}}"#;

    #[test]
    fn every_place_of_a_pod_counts() {
        let pod = json::decode_any(POD.as_bytes()).unwrap();
        let table: [(Related, &[&str]); 6] = [
            (Related::Secret, &["pull", "from", "key", "volume", "part"]),
            (Related::ConfigMap, &["map", "root", "whole"]),
            (Related::PersistentVolumeClaim, &["claim", "p-scratch"]),
            (Related::ServiceAccount, &["sa"]),
            (Related::ResourceClaim, &["gpu", "made"]),
            (Related::Pod, &["p"]),
        ];
        for (related, names) in table {
            for (_, all) in table {
                for name in all {
                    assert_eq!(pod_uses(&pod, related, name), names.contains(name), "{related:?} {name}");
                }
            }
            assert!(!pod_uses(&pod, related, ""), "{related:?}");
        }
    }

    #[test]
    fn a_mirror_pod_gives_nothing() {
        let text = POD.replacen(r#""name":"p""#, r#""name":"p","annotations":{"kubernetes.io/config.mirror":"x"}"#, 1);
        let pod = json::decode_any(text.as_bytes()).unwrap();
        assert!(!pod_uses(&pod, Related::Secret, "pull"));
        assert!(!pod_uses(&pod, Related::ServiceAccount, "sa"));
        assert!(pod_uses(&pod, Related::Pod, "p"));
    }
}
