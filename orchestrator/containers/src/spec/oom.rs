//! How readily the kernel kills a container for want of memory, as the kubelet reckons it.

use coracle_agent::pod::Amount;
use coracle_apimachinery::Value;
use coracle_client::object;

const GUARANTEED: i64 = -997;
const BEST_EFFORT: i64 = 1000;
/// From this priority on a pod is critical for its node.
const NODE_CRITICAL: i64 = 2_000_001_000;

/// The adjustment for a container on a node with so much memory.
#[must_use]
pub fn score(pod: &Value, container: &Value, memory: u64) -> i32 {
    i32::try_from(reckon(pod, container, memory)).unwrap_or_default()
}

fn reckon(pod: &Value, container: &Value, memory: u64) -> i64 {
    if object::int(pod, &["spec", "priority"], 0) >= NODE_CRITICAL {
        return GUARANTEED;
    }
    match pod.text_at(&["status", "qosClass"]) {
        "Guaranteed" => return GUARANTEED,
        "BestEffort" => return BEST_EFFORT,
        _ => {}
    }
    let capacity = i128::from(memory.max(1));
    let score = |request: i64| i64::try_from(1000 - 1000 * i128::from(request) / capacity).unwrap_or(BEST_EFFORT);
    let share = share_of_rest(pod);
    let mut adjusted = score(request(container).saturating_add(share));
    if is_sidecar(pod, container) {
        let least = object::items(pod, &["spec", "containers"]).iter().map(request).min().unwrap_or(0);
        adjusted = adjusted.min(score(least.saturating_add(share)));
    }
    match adjusted {
        low if low < 1000 + GUARANTEED => 1000 + GUARANTEED,
        BEST_EFFORT => BEST_EFFORT - 1,
        other => other,
    }
}

/// What the pod asks for as a whole beyond its containers, for each of them.
fn share_of_rest(pod: &Value) -> i64 {
    if pod.at(&["spec", "resources", "requests"]).is_none_or(Value::is_empty) {
        return 0;
    }
    let own = amount(pod.text_at(&["spec", "resources", "requests", "memory"]));
    let lists = ["containers", "initContainers"].map(|list| object::items(pod, &["spec", list]));
    let lasting = || {
        let [mains, inits] = lists;
        mains.iter().chain(inits.iter().filter(|init| init.text_at(&["restartPolicy"]) == "Always"))
    };
    let sum = lasting().map(request).fold(0_i64, i64::saturating_add);
    let count = i64::try_from(lasting().count()).unwrap_or(1).max(1);
    own.saturating_sub(sum).max(0) / count
}

fn is_sidecar(pod: &Value, container: &Value) -> bool {
    let inits = object::items(pod, &["spec", "initContainers"]);
    container.text_at(&["restartPolicy"]) == "Always"
        && object::named(inits, "name", container.text_at(&["name"])).is_some()
}

fn request(container: &Value) -> i64 {
    amount(container.text_at(&["resources", "requests", "memory"]))
}

fn amount(text: &str) -> i64 {
    Amount::parse(text).unwrap_or_default().wholes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn scores() {
        let cases = [
            (r#"{"status":{"qosClass":"Guaranteed"}}"#, "{}", -997),
            (r#"{"status":{"qosClass":"BestEffort"}}"#, "{}", 1000),
            (r#"{"spec":{"priority":2000001000},"status":{"qosClass":"BestEffort"}}"#, "{}", -997),
            (r#"{"status":{"qosClass":"Burstable"}}"#, "{}", 999),
            (r#"{}"#, r#"{"resources":{"requests":{"memory":"100"}}}"#, 900),
            (r#"{}"#, r#"{"resources":{"requests":{"memory":"2k"}}}"#, 3),
            (
                r#"{"spec":{"containers":[{"resources":{"requests":{"memory":"500"}}}],"initContainers":[{"name":"s"}]}}"#,
                r#"{"name":"s","restartPolicy":"Always"}"#,
                500,
            ),
            (
                r#"{"spec":{"resources":{"requests":{"memory":"400"}},"containers":[{"resources":{"requests":{"memory":"100"}}},{}]}}"#,
                "{}",
                850,
            ),
        ];
        for (pod, container, want) in cases {
            assert_eq!(score(&tree(pod), &tree(container), 1000), want, "{pod} {container}");
        }
    }
}
