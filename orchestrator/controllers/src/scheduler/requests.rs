//! What a pod asks for, counted as upstream counts it.
//!
//! Init containers run one after the other, so the largest of them counts; sidecars among them stay and count with all
//! that comes after them. Amounts that stand on the pod replace the sums of its containers. A pod that is being resized
//! counts with the larger of what it wants and what it has.

use coracle_apimachinery::Value;
use coracle_client::object::{condition, items, named};

use super::amounts::{Amounts, CPU, MEMORY};

/// For scores, a container without a request counts with this many thousandths of a CPU.
const USUAL_CPU: i64 = 100;
/// For scores, a container without a request counts with this much memory.
const USUAL_MEMORY: i64 = 200 << 20;

#[derive(Debug, Clone, Copy)]
enum Source {
    Wanted,
    Allocated,
    InUse,
}

/// What a pod asks for.
#[must_use]
pub fn requests(pod: &Value) -> Amounts {
    total(pod, &Amounts::default())
}

/// What a pod asks for, where containers that name no amount of CPU or memory count with a usual one. Only scores use
/// it.
#[must_use]
pub fn usual_requests(pod: &Value) -> Amounts {
    let on_pod = pod_level(pod, "spec");
    let mut usual = Amounts::default();
    let known = if on_pod.is_some() { requests(pod) } else { Amounts::default() };
    for (name, amount) in [(CPU, USUAL_CPU), (MEMORY, USUAL_MEMORY)] {
        if !known.has(name) {
            usual.set(name, amount);
        }
    }
    total(pod, &usual)
}

fn total(pod: &Value, missing: &Amounts) -> Amounts {
    let infeasible = is_infeasible(pod);
    let sum = |source| sum_of(pod, source, missing, infeasible);
    let (allocated, in_use) = match (list(pod, &["status", "allocatedResources"]), pod_level(pod, "status")) {
        (Some(allocated), Some(in_use)) => (allocated, in_use),
        _ => (sum(Source::Allocated), sum(Source::InUse)),
    };
    let mut total = if infeasible { Amounts::default() } else { sum(Source::Wanted) };
    total.raise(&in_use);
    total.raise(&allocated);
    for (name, amount) in on_pod(pod, infeasible).iter().filter(|(name, _)| is_pod_level(name)) {
        total.set(name, amount);
    }
    total.add(&Amounts::of(pod.at(&["spec", "overhead"])));
    total
}

/// Amounts that stand on the pod itself and are in force.
fn on_pod(pod: &Value, infeasible: bool) -> Amounts {
    let Some(wanted) = pod_level(pod, "spec") else { return Amounts::default() };
    if !wanted.iter().any(|(name, _)| is_pod_level(name)) {
        return Amounts::default();
    }
    if pod.at(&["status", "resources"]).is_none() {
        return wanted;
    }
    let mut amounts = if infeasible { Amounts::default() } else { wanted };
    amounts.raise(&pod_level(pod, "status").unwrap_or_default());
    amounts.raise(&list(pod, &["status", "allocatedResources"]).unwrap_or_default());
    amounts
}

fn is_pod_level(name: &str) -> bool {
    name == CPU || name == MEMORY || name.starts_with("hugepages-")
}

fn pod_level(pod: &Value, part: &str) -> Option<Amounts> {
    list(pod, &[part, "resources", "requests"])
}

fn list(tree: &Value, path: &[&str]) -> Option<Amounts> {
    tree.at(path).map(|list| Amounts::of(Some(list)))
}

/// Whether the node has said that it never can resize the pod as wanted.
fn is_infeasible(pod: &Value) -> bool {
    condition(pod, "PodResizePending").is_some_and(|pending| pending.text_at(&["reason"]) == "Infeasible")
}

fn sum_of(pod: &Value, source: Source, missing: &Amounts, infeasible: bool) -> Amounts {
    let amounts = |container: &Value| {
        let mut amounts = of_container(pod, container, source, infeasible);
        for (name, amount) in missing.iter() {
            if !amounts.has(name) {
                amounts.set(name, amount);
            }
        }
        amounts
    };
    let mut sum = Amounts::default();
    for container in items(pod, &["spec", "containers"]) {
        sum.add(&amounts(container));
    }
    let (mut sidecars, mut largest) = (Amounts::default(), Amounts::default());
    for container in items(pod, &["spec", "initContainers"]) {
        let mut amounts = amounts(container);
        if is_sidecar(container) {
            sum.add(&amounts);
            sidecars.add(&amounts);
            largest.raise(&sidecars);
        } else {
            amounts.add(&sidecars);
            largest.raise(&amounts);
        }
    }
    sum.raise(&largest);
    sum
}

/// Whether an init container stays beside the others.
#[must_use]
pub fn is_sidecar(container: &Value) -> bool {
    container.text_at(&["restartPolicy"]) == "Always"
}

fn of_container(pod: &Value, container: &Value, source: Source, infeasible: bool) -> Amounts {
    let wanted = || list(container, &["resources", "requests"]).unwrap_or_default();
    if matches!(source, Source::Wanted) {
        return wanted();
    }
    let name = container.text_at(&["name"]);
    let status = ["containerStatuses", "initContainerStatuses"]
        .iter()
        .find_map(|member| named(items(pod, &["status", member]), "name", name));
    let allocated = status.and_then(|status| list(status, &["allocatedResources"]));
    let in_use = status.and_then(|status| list(status, &["resources", "requests"]));
    let known = if matches!(source, Source::InUse) { in_use.or(allocated) } else { allocated };
    known.unwrap_or_else(|| if infeasible { Amounts::default() } else { wanted() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    #[test]
    fn requests_are_counted() {
        let table = [
            ("{}", (0, 0)),
            (
                r#"{"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"500m","memory":"1Mi"}}}]}}"#,
                (1_500, 1 << 20),
            ),
            // The largest init container counts if it is larger than all the containers together.
            (
                r#"{"spec":{"initContainers":[{"resources":{"requests":{"cpu":"3"}}}],"containers":[{"resources":{"requests":{"cpu":"1"}}}]}}"#,
                (3_000, 0),
            ),
            // A sidecar counts with the containers and with the init containers after it.
            (
                r#"{"spec":{"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"3"}}}],"containers":[{"resources":{"requests":{"cpu":"1"}}}]}}"#,
                (4_000, 0),
            ),
            (
                r#"{"spec":{"overhead":{"cpu":"250m"},"containers":[{"resources":{"requests":{"cpu":"1"}}}]}}"#,
                (1_250, 0),
            ),
            (
                r#"{"spec":{"overhead":{"cpu":"250m"},"resources":{"requests":{"cpu":"2"}},"containers":[{"resources":{"requests":{"cpu":"1","memory":"1Mi"}}}]}}"#,
                (2_250, 1 << 20),
            ),
            // Limits do not count: the API server has filled in requests from them.
            (r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1"}}}]}}"#, (0, 0)),
            // What the node still holds for a container counts until it has let it go.
            (
                r#"{"spec":{"containers":[{"name":"a","resources":{"requests":{"cpu":"1"}}}]},"status":{"containerStatuses":[{"name":"a","resources":{"requests":{"cpu":"2"}}}]}}"#,
                (2_000, 0),
            ),
            (
                r#"{"spec":{"containers":[{"name":"a","resources":{"requests":{"cpu":"9"}}}]},"status":{"conditions":[{"type":"PodResizePending","reason":"Infeasible"}],"containerStatuses":[{"name":"a","allocatedResources":{"cpu":"2"}}]}}"#,
                (2_000, 0),
            ),
        ];
        for (pod, expected) in table {
            let requests = requests(&json::decode_any(pod.as_bytes()).unwrap());
            assert_eq!((requests.get(CPU), requests.get(MEMORY)), expected, "{pod}");
        }
    }

    #[test]
    fn containers_without_requests_count_in_scores() {
        let table = [
            (r#"{"spec":{"containers":[{},{"resources":{"requests":{"cpu":"0"}}}]}}"#, (100, 400 << 20)),
            (r#"{"spec":{"resources":{"requests":{"cpu":"1"}},"containers":[{}]}}"#, (1_000, 200 << 20)),
        ];
        for (pod, expected) in table {
            let requests = usual_requests(&json::decode_any(pod.as_bytes()).unwrap());
            assert_eq!((requests.get(CPU), requests.get(MEMORY)), expected, "{pod}");
        }
    }
}
