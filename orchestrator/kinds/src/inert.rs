//! Kinds that should make something happen, and do not in this version: they are stored, and writes say so.

/// `group/resource` (`core` for the core group) of each such kind. A row leaves when its controller joins.
const INERT: &[&str] = &[
    "admissionregistration.k8s.io/mutatingadmissionpolicies",
    "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
    "admissionregistration.k8s.io/mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/validatingadmissionpolicies",
    "admissionregistration.k8s.io/validatingadmissionpolicybindings",
    "admissionregistration.k8s.io/validatingwebhookconfigurations",
    "apiregistration.k8s.io/apiservices",
    "apps/daemonsets",
    "apps/statefulsets",
    "autoscaling/horizontalpodautoscalers",
    "batch/cronjobs",
    "batch/jobs",
    "core/limitranges",
    "core/persistentvolumeclaims",
    "core/persistentvolumes",
    "core/replicationcontrollers",
    "core/resourcequotas",
    "core/services",
    "networking.k8s.io/ingresses",
    "networking.k8s.io/networkpolicies",
    "policy/poddisruptionbudgets",
    "rbac.authorization.k8s.io/clusterrolebindings",
    "rbac.authorization.k8s.io/clusterroles",
    "rbac.authorization.k8s.io/rolebindings",
    "rbac.authorization.k8s.io/roles",
    "resource.k8s.io/deviceclasses",
    "resource.k8s.io/devicetaintrules",
    "resource.k8s.io/resourceclaims",
    "resource.k8s.io/resourceclaimtemplates",
    "resource.k8s.io/resourceslices",
    "storage.k8s.io/volumeattachments",
];

/// What a client that writes such an object is told; `None` for kinds that do what they should.
#[must_use]
pub fn warning(group: &str, resource: &str, kind: &str) -> Option<String> {
    let group = if group.is_empty() { "core" } else { group };
    let found = INERT.binary_search(&format!("{group}/{resource}").as_str());
    found.ok().map(|_| format!("{kind} is stored, but nothing acts on it in this version"))
}

#[cfg(test)]
mod tests {
    use super::{INERT, warning};
    use coracle_apimachinery::schema;

    #[test]
    fn rows_are_sorted_and_name_resources() {
        assert!(INERT.is_sorted());
        for row in INERT {
            let (group, resource) = row.split_once('/').unwrap();
            let mut tables = schema::all().iter().filter(|table| table.name.split_once('/').unwrap().0 == group);
            assert!(
                tables.any(|table| table.schema().unwrap().resources.iter().any(|found| found.name == resource)),
                "{row}"
            );
        }
    }

    #[test]
    fn kinds_that_hold_data_are_not_warned_about() {
        assert!(warning("", "configmaps", "ConfigMap").is_none());
        let text = "Job is stored, but nothing acts on it in this version";
        assert_eq!(warning("batch", "jobs", "Job").unwrap(), text);
    }
}
