//! Whether the resources of a node are enough.

use super::amounts::{Amounts, CPU, EPHEMERAL_STORAGE, MEMORY, PODS, is_scalar};
use super::snapshot::{NodeInfo, PodInfo};
use super::verdict::{Refusal, Verdict};

/// Whether a node has room for a pod.
pub(super) fn check(pod: &PodInfo, node: &NodeInfo) -> Verdict {
    let missing = missing(&pod.requests, node.pods.len(), &node.requested, &node.allocatable);
    if missing.is_empty() {
        return Ok(());
    }
    let is_too_big = |name: &str| name != PODS && pod.requests.get(name) > node.allocatable.get(name);
    let is_for_now = !missing.iter().any(|name| is_too_big(name));
    Err(Refusal { is_for_now, reasons: missing.into_iter().map(|name| words(&name).into()).collect() })
}

/// The resources that are not enough for one more pod.
#[must_use]
pub fn missing(requests: &Amounts, pods: usize, requested: &Amounts, allocatable: &Amounts) -> Vec<String> {
    let pods = i64::try_from(pods).unwrap_or(i64::MAX);
    let mut missing = Vec::new();
    if pods.saturating_add(1) > allocatable.get(PODS) {
        missing.push(PODS.to_owned());
    }
    let counts = |name: &str| [CPU, MEMORY, EPHEMERAL_STORAGE].contains(&name) || is_scalar(name);
    for (name, amount) in requests.iter().filter(|(name, amount)| counts(name) && *amount > 0) {
        if amount > allocatable.get(name).saturating_sub(requested.get(name)) {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// How upstream says that a resource is not enough.
#[must_use]
pub fn words(resource: &str) -> String {
    if resource == PODS { "Too many pods".to_owned() } else { format!("Insufficient {resource}") }
}
