//! AppArmor profiles that old clients give as annotations become members of the containers.

use super::common;
use coracle_apimachinery::{Object, Value};

const PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";
/// Longest name of a profile.
const MAX_PROFILE: usize = 4095;

/// Sets the profiles that the annotations name, where a container has none and the pod does not say the same.
pub(super) fn sync(pod: &mut Value) {
    let Some(annotations) = pod.at(&["metadata", "annotations"]).and_then(Value::as_object) else { return };
    if pod.text_at(&["spec", "os", "name"]) == "windows" {
        return;
    }
    let named = |(name, value): (&str, &Value)| {
        Some((name.strip_prefix(PREFIX)?.to_owned(), profile(value.as_str().unwrap_or_default())?))
    };
    let profiles: Vec<(String, Value)> = annotations.iter().filter_map(named).collect();
    let of_pod = pod.at(&["spec", "securityContext", "appArmorProfile"]).cloned();
    let Some(spec) = common::spec(pod) else { return };
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let containers = spec.get_mut(list).and_then(Value::items_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            if let Some((_, profile)) = profiles.iter().find(|(known, _)| known == name)
                && Some(profile) != of_pod.as_ref()
            {
                container.object_mut("securityContext").insert_default("appArmorProfile", || profile.clone());
            }
        }
    }
}

/// The member that an annotation stands for; nothing if it would not be valid.
fn profile(annotation: &str) -> Option<Value> {
    let mut profile = Object::new();
    let kind = match annotation {
        "unconfined" => "Unconfined",
        "runtime/default" => "RuntimeDefault",
        other => {
            let name = other.strip_prefix("localhost/")?;
            if name.is_empty() || name.trim() != name || name.len() > MAX_PROFILE {
                return None;
            }
            profile.insert("localhostProfile".into(), Value::text(name));
            "Localhost"
        }
    };
    profile.insert("type".into(), Value::text(kind));
    Some(Value::Object(profile))
}
