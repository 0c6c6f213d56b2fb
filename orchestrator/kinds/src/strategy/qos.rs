//! The class of service of a pod.

use crate::defaults::Amount;
use coracle_apimachinery::Value;

/// The resources that the class depends on.
const COUNTED: [&str; 2] = ["cpu", "memory"];

/// The class of a pod: that of its containers if they agree, else `Burstable`. Resources of the pod itself decide alone.
pub(super) fn class(pod: &Value) -> &'static str {
    if let Some(resources) = pod.at(&["spec", "resources"])
        && sets_pod_level(resources)
    {
        return of_resources(Some(resources));
    }
    let lists = ["initContainers", "containers"].map(|list| pod.at(&["spec", list]).map(Value::items));
    let mut classes = lists.into_iter().flatten().flatten().map(|container| of_resources(container.at(&["resources"])));
    let Some(first) = classes.next() else { return "BestEffort" };
    if classes.all(|class| class == first) { first } else { "Burstable" }
}

/// Whether a pod asks for resources as a whole.
pub(super) fn sets_pod_level(resources: &Value) -> bool {
    ["requests", "limits"].iter().any(|list| {
        let members = resources.at(&[list]).and_then(Value::as_object);
        members.is_some_and(|members| members.iter().any(|(name, _)| is_pod_level(name)))
    })
}

/// Whether a pod as a whole can ask for this resource.
pub(super) fn is_pod_level(resource: &str) -> bool {
    COUNTED.contains(&resource) || resource.starts_with("hugepages-")
}

fn of_resources(resources: Option<&Value>) -> &'static str {
    let amount = |list: &str, name: &str| {
        let text = resources.map(|all| all.text_at(&[list, name])).unwrap_or_default();
        Amount::parse(if text.is_empty() { "0" } else { text })
    };
    let has_any = |list: &str| resources.and_then(|all| all.at(&[list])).is_some_and(|members| !members.is_empty());
    if !has_any("requests") && !has_any("limits") {
        return "BestEffort";
    }
    let classes = COUNTED.map(|name| match (amount("requests", name), amount("limits", name)) {
        (Some(request), Some(limit)) if request == limit && request.is_zero() => "BestEffort",
        (Some(request), Some(limit)) if request == limit => "Guaranteed",
        _ => "Burstable",
    });
    let [cpu, memory] = classes;
    if cpu == memory { cpu } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::class;
    use coracle_apimachinery::json::decode_any;

    #[test]
    fn classes_follow_requests_and_limits() {
        let full = r#"{"requests":{"cpu":"500m","memory":"1Gi"},"limits":{"cpu":"0.5","memory":"1024Mi"}}"#;
        let table = [
            (r#"{"containers":[{}]}"#.to_owned(), "BestEffort"),
            (format!(r#"{{"containers":[{{"resources":{full}}}]}}"#), "Guaranteed"),
            (format!(r#"{{"containers":[{{"resources":{full}}},{{}}]}}"#), "Burstable"),
            (r#"{"containers":[{"resources":{"requests":{"cpu":"1"}}}]}"#.to_owned(), "Burstable"),
            (r#"{"containers":[{"resources":{"requests":{"example.com/x":"1"}}}]}"#.to_owned(), "BestEffort"),
            (format!(r#"{{"initContainers":[{{}}],"containers":[{{"resources":{full}}}]}}"#), "Burstable"),
            (format!(r#"{{"resources":{full},"containers":[{{}}]}}"#), "Guaranteed"),
        ];
        for (spec, expected) in table {
            let pod = decode_any(format!(r#"{{"spec":{spec}}}"#).as_bytes()).unwrap();
            assert_eq!(class(&pod), expected, "{spec}");
        }
    }
}
