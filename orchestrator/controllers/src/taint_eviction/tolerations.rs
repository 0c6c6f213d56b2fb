//! How long a pod tolerates the taints of its node.

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;
use coracle_client::object::{items, time};

use crate::node_lifecycle::taints::{NO_EXECUTE, has_effect};

/// How long a pod may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// For good.
    Forever,
    /// Until this time, in microseconds since the Unix epoch.
    Until(i128),
    /// Not at all.
    No,
}

impl Stay {
    /// What is left of the time at `now`; nothing for a pod that stays for good.
    pub(super) fn left(self, now: Instant) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::Until(end) => {
                let left = u64::try_from(end - micros(now)).unwrap_or_default();
                Some(Duration::from_micros(left))
            }
            Self::No => Some(Duration::ZERO),
        }
    }

    /// Whether the end is set but may be yet to come.
    pub(super) fn is_limited(self) -> bool {
        matches!(self, Self::Until(_))
    }
}

/// The taints of a node that drive pods away.
pub(super) fn driving(node: &Value) -> Vec<&Value> {
    items(node, &["spec", "taints"]).iter().filter(|taint| has_effect(taint, NO_EXECUTE)).collect()
}

/// How long a pod may stay on a node with these taints. `now` stands in for taints without a time.
pub(super) fn stay(pod: &Value, taints: &[&Value], now: Instant) -> Stay {
    let tolerations = items(pod, &["spec", "tolerations"]);
    let mut end: Option<i128> = None;
    for taint in taints {
        let Some(toleration) = tolerations.iter().find(|toleration| tolerates(toleration, taint)) else {
            return Stay::No;
        };
        let Some(seconds) = toleration.at(&["tolerationSeconds"]).and_then(Value::as_int) else { continue };
        if seconds <= 0 {
            return Stay::No;
        }
        let added = time(taint, &["timeAdded"]).unwrap_or(now);
        let until = micros(added) + i128::from(seconds) * 1_000_000;
        end = Some(end.map_or(until, |end| end.min(until)));
    }
    end.map_or(Stay::Forever, Stay::Until)
}

/// Upstream's rules; comparing operators are behind a gate that is off.
fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let [effect, key, operator, value] =
        ["effect", "key", "operator", "value"].map(|member| toleration.text_at(&[member]));
    (effect.is_empty() || has_effect(taint, effect))
        && (key.is_empty() || taint.text_at(&["key"]) == key)
        && match operator {
            "" | "Equal" => taint.text_at(&["value"]) == value,
            "Exists" => true,
            _ => false,
        }
}

fn micros(time: Instant) -> i128 {
    i128::from(time.seconds) * 1_000_000 + i128::from(time.micros)
}
