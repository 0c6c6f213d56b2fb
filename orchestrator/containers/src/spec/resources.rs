//! Limits of a container or pod, as plain numbers for whoever writes control groups.

use coracle_agent::pod::{Amount, resources::total};
use coracle_apimachinery::{Object, Value};
use coracle_client::object;

/// Limits. What is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Requested thousandths of processors; the limit, when there is a limit and no request.
    pub cpu_request_millis: u64,
    /// The most thousandths of processors.
    pub cpu_limit_millis: Option<u64>,
    /// Bytes of memory.
    pub memory_max: Option<u64>,
    /// Processes and threads.
    pub pids_max: Option<u64>,
    /// Bytes of huge pages by their size.
    pub huge_pages: Vec<(u64, u64)>,
}

/// The limits of a container.
#[must_use]
pub fn of_container(container: &Value) -> Resources {
    let amount = |list: &str, name: &str| {
        container.at(&["resources", list, name]).and_then(Value::as_str).and_then(Amount::parse)
    };
    let request = amount("requests", "cpu").or_else(|| amount("limits", "cpu"));
    let limits = container.at(&["resources", "limits"]).and_then(Value::as_object);
    let huge =
        |(name, value): (&str, &Value)| Some((page_size(name)?, unsigned(Amount::parse(value.as_str()?)?.wholes())));
    Resources {
        cpu_request_millis: unsigned(request.unwrap_or_default().millis()),
        cpu_limit_millis: amount("limits", "cpu").map(Amount::millis).map(unsigned).filter(|millis| *millis > 0),
        memory_max: amount("limits", "memory").map(Amount::wholes).map(unsigned).filter(|bytes| *bytes > 0),
        pids_max: None,
        huge_pages: limits.into_iter().flat_map(Object::iter).filter_map(huge).collect(),
    }
}

/// The limits of a pod as a whole: those that each of its containers has, or that stand in the pod itself.
#[must_use]
pub fn of_pod(pod: &Value, pids_max: Option<u64>) -> Resources {
    let (requests, mut limits) = (total(pod, "requests"), total(pod, "limits"));
    let lists = ["containers", "initContainers"].map(|list| object::items(pod, &["spec", list]));
    limits.retain(|name, _| {
        pod.at(&["spec", "resources", "limits", name]).is_some()
            || lists.iter().copied().flatten().all(|container| container.at(&["resources", "limits", name]).is_some())
    });
    let amount =
        |amounts: &coracle_agent::pod::resources::Amounts, name: &str| amounts.get(name).map(|(amount, _)| *amount);
    let huge = limits.iter().filter_map(|(name, (amount, _))| Some((page_size(name)?, unsigned(amount.wholes()))));
    Resources {
        cpu_request_millis: unsigned(amount(&requests, "cpu").unwrap_or_default().millis()),
        cpu_limit_millis: amount(&limits, "cpu").map(Amount::millis).map(unsigned).filter(|millis| *millis > 0),
        memory_max: amount(&limits, "memory").map(Amount::wholes).map(unsigned).filter(|bytes| *bytes > 0),
        pids_max,
        huge_pages: huge.collect(),
    }
}

fn page_size(resource: &str) -> Option<u64> {
    Some(unsigned(Amount::parse(resource.strip_prefix("hugepages-")?)?.wholes()))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn containers() {
        assert_eq!(of_container(&tree("{}")), Resources::default());
        let container = tree(
            r#"{"resources":{"requests":{"cpu":"100m"},"limits":{"cpu":"1500m","memory":"64Mi","hugepages-2Mi":"4Mi"}}}"#,
        );
        let want = Resources {
            cpu_request_millis: 100,
            cpu_limit_millis: Some(1500),
            memory_max: Some(64 << 20),
            huge_pages: vec![(2 << 20, 4 << 20)],
            ..Resources::default()
        };
        assert_eq!(of_container(&container), want);
        let limited = of_container(&tree(r#"{"resources":{"limits":{"cpu":"1m"}}}"#));
        assert_eq!((limited.cpu_request_millis, limited.cpu_limit_millis), (1, Some(1)));
    }

    #[test]
    fn pods() {
        let limited = r#"{"resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2","memory":"1Gi"}}}"#;
        let whole = of_pod(&tree(&format!(r#"{{"spec":{{"containers":[{limited},{limited}]}}}}"#)), Some(9));
        assert_eq!((whole.cpu_request_millis, whole.cpu_limit_millis), (2000, Some(4000)));
        assert_eq!((whole.memory_max, whole.pids_max), (Some(2 << 30), Some(9)));
        let part = of_pod(&tree(&format!(r#"{{"spec":{{"containers":[{limited},{{}}]}}}}"#)), None);
        assert_eq!((part.cpu_limit_millis, part.memory_max), (None, None));
    }
}
