//! How many pods a rollout may have and must have.

use coracle_apimachinery::Value;
use coracle_client::object::int;

/// Old pods end before new ones begin.
pub(super) const RECREATE: &str = "Recreate";
/// Old pods are replaced little by little.
pub(super) const ROLLING_UPDATE: &str = "RollingUpdate";

/// The strategy of a Deployment.
pub(super) fn strategy(deployment: &Value) -> &str {
    deployment.text_at(&["spec", "strategy", "type"])
}

/// How many pods a Deployment asks for.
pub(super) fn desired(deployment: &Value) -> i64 {
    int(deployment, &["spec", "replicas"], 1)
}

/// How many pods there may be beyond those that are asked for.
pub(super) fn surge(deployment: &Value) -> i64 {
    if strategy(deployment) == ROLLING_UPDATE { resolve(deployment).0 } else { 0 }
}

/// The most pods that there may be.
pub(super) fn most(deployment: &Value) -> i64 {
    desired(deployment).saturating_add(surge(deployment))
}

/// How many of the pods that are asked for may be unavailable.
pub(super) fn unavailable(deployment: &Value) -> i64 {
    if strategy(deployment) == ROLLING_UPDATE { resolve(deployment).1.min(desired(deployment)) } else { 0 }
}

/// Surge and unavailability as numbers. Both zero would let nothing move, and rounding can lead there.
fn resolve(deployment: &Value) -> (i64, i64) {
    let desired = desired(deployment);
    let bound = |name| deployment.at(&["spec", "strategy", "rollingUpdate", name]);
    let surge = scaled(bound("maxSurge"), desired, 99);
    let unavailable = scaled(bound("maxUnavailable"), desired, 0);
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
}

/// A number, or the per cent of a total; `rounding` hundredths are added before the fraction is dropped.
fn scaled(bound: Option<&Value>, total: i64, rounding: i64) -> i64 {
    match bound {
        Some(Value::Int(number)) => *number,
        Some(Value::String(text)) => {
            let per_cent = text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok()).unwrap_or(0);
            per_cent.saturating_mul(total).saturating_add(rounding).div_euclid(100)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;

    #[test]
    fn bounds_are_resolved_together() {
        for (desired, surge, unavailable, expected) in [
            (10, r#""25%""#, r#""25%""#, (3, 2)),
            (2, r#""0%""#, r#""1%""#, (0, 1)),
            (1, r#""1%""#, r#""25%""#, (1, 0)),
            (2, "0", "0", (0, 1)),
            (3, "2", "5", (2, 3)),
            (0, "1", "1", (1, 0)),
            (10, r#""x""#, "1", (0, 1)),
            (4, "1", "0", (1, 0)),
            (10, r#""100%""#, r#""100%""#, (10, 10)),
        ] {
            let text = format!(
                r#"{{"spec":{{"replicas":{desired},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxSurge":{surge},"maxUnavailable":{unavailable}}}}}}}}}"#
            );
            let deployment = tree(&text);
            assert_eq!((super::surge(&deployment), super::unavailable(&deployment)), expected, "{text}");
        }
        let recreate = tree(r#"{"spec":{"replicas":3,"strategy":{"type":"Recreate"}}}"#);
        assert_eq!((surge(&recreate), unavailable(&recreate), most(&recreate)), (0, 0, 3));
    }
}
