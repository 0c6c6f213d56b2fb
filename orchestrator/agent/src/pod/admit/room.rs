//! Whether a node has room for one more pod.

use coracle_apimachinery::Value;

use super::Rejection;
use crate::pod::amount::Amount;
use crate::pod::resources::{Amounts, add_all, total};

/// The resources that are counted in thousandths.
const IN_MILLIS: &str = "cpu";

pub(super) fn check(pod: &Value, node: &Value, others: &[&Value]) -> Result<(), Rejection> {
    let capacity = |name: &str| {
        let amount = Amount::parse(node.text_at(&["status", "allocatable", name]));
        amount.map_or(0, |amount| units(name, amount))
    };
    let has = |name: &str| node.at(&["status", "allocatable", name]).is_some();
    let count = i64::try_from(others.len()).unwrap_or(i64::MAX);
    if count.saturating_add(1) > capacity("pods") {
        return Err(insufficient("pods", 1, count, capacity("pods")));
    }
    let mut used = Amounts::new();
    for other in others {
        add_all(&mut used, &total(other, "requests"));
    }
    let wanted = total(pod, "requests");
    // The usual ones come first, the others by name.
    let usual = ["cpu", "memory", "ephemeral-storage"];
    let rest = wanted.keys().map(String::as_str).filter(|name| !usual.contains(name));
    for name in usual.into_iter().chain(rest) {
        // What the node does not know of is managed for the cluster as a whole.
        let is_extended = name.contains('/') && !name.contains("kubernetes.io/");
        if is_extended && !has(name) {
            continue;
        }
        let amount = |amounts: &Amounts| amounts.get(name).map_or(0, |(amount, _)| units(name, *amount));
        let (requested, used, capacity) = (amount(&wanted), amount(&used), capacity(name));
        if requested > 0 && requested > capacity.saturating_sub(used) {
            return Err(insufficient(name, requested, used, capacity));
        }
    }
    Ok(())
}

fn units(name: &str, amount: Amount) -> i64 {
    if name == IN_MILLIS { amount.millis() } else { amount.wholes() }
}

fn insufficient(name: &str, requested: i64, used: i64, capacity: i64) -> Rejection {
    let message =
        format!("Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}");
    Rejection::new(&format!("OutOf{name}"), message)
}
