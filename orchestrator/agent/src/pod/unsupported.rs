//! Members of a pod that this node does not honour, as data. A pod that uses one is not started.

use coracle_apimachinery::Value;

use super::Host;

/// Members of `spec` that must not be set.
const FIELDS: [&str; 3] = ["ephemeralContainers", "resourceClaims", "runtimeClassName"];
/// Members of the pod's and of the containers' `securityContext` that must not be set.
const SECURITY_FIELDS: [&str; 1] = ["windowsOptions"];
/// Kinds of volumes that are honoured.
const VOLUMES: [&str; 6] = ["configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret"];

/// The path of the first member that this node does not honour.
pub fn first(pod: &Value, host: &Host) -> Option<String> {
    let spec = pod.at(&["spec"])?;
    let is_set = |tree: &Value, name: &str| tree.at(&[name]).is_some_and(|value| !value.is_empty());
    let field = FIELDS.iter().find(|name| is_set(spec, name)).map(|name| format!("spec.{name}"));
    let security = || {
        let security = spec.at(&["securityContext"])?;
        let name = SECURITY_FIELDS.iter().find(|name| security.at(&[name]).is_some())?;
        Some(format!("spec.securityContext.{name}"))
    };
    let containers = || ["initContainers", "containers"].iter().find_map(|list| in_containers(spec, list));
    let volumes = || if host.all_volumes { None } else { in_volumes(spec) };
    field.or_else(security).or_else(containers).or_else(volumes)
}

fn in_containers(spec: &Value, list: &str) -> Option<String> {
    let items = spec.at(&[list]).map(Value::items).unwrap_or_default();
    items.iter().find_map(|container| {
        let security = container.at(&["securityContext"])?;
        let name = SECURITY_FIELDS.iter().find(|name| security.at(&[name]).is_some())?;
        Some(format!("spec.{list}{{{}}}.securityContext.{name}", container.text_at(&["name"])))
    })
}

fn in_volumes(spec: &Value) -> Option<String> {
    let items = spec.at(&["volumes"]).map(Value::items).unwrap_or_default();
    items.iter().find_map(|volume| {
        let members = volume.as_object()?;
        // A volume without a kind is an empty directory.
        let (kind, _) = members.iter().find(|(name, _)| *name != "name" && !VOLUMES.contains(name))?;
        Some(format!("spec.volumes{{{}}}.{kind}", volume.text_at(&["name"])))
    })
}

#[cfg(test)]
mod tests {
    use super::first;
    use crate::pod::Host;
    use crate::pod::tests::tree;

    #[test]
    fn what_is_not_honoured() {
        let cases = [
            (r#"{"containers":[{"name":"a"}],"hostNetwork":true,"hostPID":true,"hostIPC":true}"#, None),
            (r#"{"volumes":[{"name":"a","emptyDir":{}},{"name":"b"},{"name":"c","projected":{}}]}"#, None),
            (r#"{"volumes":[{"name":"a","nfs":{"path":"/"}}]}"#, Some("spec.volumes{a}.nfs")),
            (r#"{"runtimeClassName":"x"}"#, Some("spec.runtimeClassName")),
            (r#"{"ephemeralContainers":[{"name":"d"}]}"#, Some("spec.ephemeralContainers")),
            (r#"{"resourceClaims":[{"name":"d"}]}"#, Some("spec.resourceClaims")),
            (r#"{"securityContext":{"windowsOptions":{}}}"#, Some("spec.securityContext.windowsOptions")),
            (
                r#"{"containers":[{"name":"a","securityContext":{"windowsOptions":{}}}]}"#,
                Some("spec.containers{a}.securityContext.windowsOptions"),
            ),
        ];
        for (spec, expected) in cases {
            let pod = tree(&format!(r#"{{"spec":{spec}}}"#));
            assert_eq!(first(&pod, &Host::default()).as_deref(), expected, "{spec}");
        }
        let pod = tree(r#"{"spec":{"volumes":[{"name":"a","nfs":{"path":"/"}}]}}"#);
        assert_eq!(first(&pod, &Host { all_volumes: true, ..Host::default() }), None);
    }
}
