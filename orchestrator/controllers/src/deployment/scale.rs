//! Scaling a Deployment outside the steps of a rollout: all its ReplicaSets grow or shrink in proportion, so that a
//! rollout is neither hastened nor set back.

use std::cmp::Reverse;

use super::bounds::{self, desired, most};
use super::rollout::{Rollout, by_age};
use super::{revision, status};
use coracle_apimachinery::Value;
use coracle_client::object::int;

/// Whether a set with pods was last scaled for another size of the Deployment.
pub(super) fn is_asked(rollout: &Rollout<'_>) -> bool {
    let desired = desired(&rollout.deployment);
    rollout
        .sets
        .iter()
        .filter(|set| set.size() > 0)
        .any(|set| revision::noted(&set.tree, revision::DESIRED).is_some_and(|noted| noted != desired))
}

/// Brings the sets to the size of the Deployment.
pub(super) fn spread(rollout: &mut Rollout<'_>) {
    let desired = desired(&rollout.deployment);
    if let Some(at) = only_active_or_latest(rollout) {
        rollout.scale(at, desired, false);
        return;
    }
    if is_saturated(rollout) {
        for at in rollout.active_old() {
            rollout.scale(at, 0, false);
        }
        return;
    }
    if bounds::strategy(&rollout.deployment) == bounds::ROLLING_UPDATE {
        in_proportion(rollout);
    }
}

/// The only set with pods, or the latest one if none has any. Nothing if several have.
fn only_active_or_latest(rollout: &Rollout<'_>) -> Option<usize> {
    let active: Vec<usize> = (0..rollout.sets.len()).filter(|at| rollout.size(*at) > 0).collect();
    match active.as_slice() {
        [] => rollout.newest.or_else(|| rollout.old().last()),
        [one] => Some(*one),
        _ => None,
    }
}

/// Whether the newest set has all pods that are asked for, and all are available.
fn is_saturated(rollout: &Rollout<'_>) -> bool {
    let desired = desired(&rollout.deployment);
    rollout.newest().is_some_and(|set| {
        set.size() == desired
            && revision::noted(&set.tree, revision::DESIRED) == Some(desired)
            && set.counted("availableReplicas") == desired
    })
}

fn in_proportion(rollout: &mut Rollout<'_>) {
    let deployment = &rollout.deployment;
    let allowed = if desired(deployment) > 0 { most(deployment) } else { 0 };
    let missing = allowed - rollout.total();
    let mut active: Vec<usize> = (0..rollout.sets.len()).filter(|at| rollout.size(*at) > 0).collect();
    // The largest comes first. Of equal ones, the newer grows first and the older shrinks first.
    active.sort_by(|left, right| {
        let age = || match (rollout.sets.get(*left), rollout.sets.get(*right)) {
            (Some(left), Some(right)) if missing > 0 => by_age(&right.tree, &left.tree),
            (Some(left), Some(right)) => by_age(&left.tree, &right.tree),
            _ => std::cmp::Ordering::Equal,
        };
        Reverse(rollout.size(*left)).cmp(&Reverse(rollout.size(*right))).then_with(age)
    });
    let mut given = 0;
    let mut sizes = Vec::new();
    for at in active {
        let size = rollout.size(at);
        let share = rollout.sets.get(at).map_or(0, |set| share(&rollout.deployment, &set.tree, size));
        let allowed = missing - given;
        let more = match missing {
            0 => 0,
            1.. => share.min(allowed),
            _ => share.max(allowed),
        };
        // Nothing is left to give.
        let more = if allowed == 0 { 0 } else { more };
        sizes.push((at, size + more));
        given += more;
    }
    // What rounding has left goes to the largest.
    if let Some((_, size)) = sizes.first_mut().filter(|_| missing != 0) {
        *size = (*size + missing - given).max(0);
    }
    for (at, size) in sizes {
        rollout.scale(at, size, true);
    }
}

/// By how much a set of this size should grow or, below zero, shrink.
fn share(deployment: &Value, set: &Value, size: i64) -> i64 {
    if desired(deployment) == 0 {
        return -size;
    }
    let noted = revision::noted(set, revision::MOST).filter(|noted| *noted != 0);
    // Somebody took the note away; the size of now is the next best.
    let before = noted.unwrap_or_else(|| int(deployment, &["status", "replicas"], 0));
    if before == 0 {
        return 0;
    }
    status::rounded(size * most(deployment), before) - size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Round;
    use crate::deployment::rollout::Set;
    use crate::trees::tests::tree;
    use coracle_apimachinery::time::Instant;
    use coracle_client::memory::Objects;
    use std::sync::Arc;

    /// Sizes of sets, the newest first, after they were scaled.
    fn scaled(desired: i64, surge: i64, noted: Option<i64>, sizes: &[i64]) -> Vec<i64> {
        let deployment = Arc::new(tree(&format!(
            r#"{{"metadata":{{"name":"d"}},"spec":{{"replicas":{desired},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxSurge":{surge},"maxUnavailable":1}}}},"template":{{"spec":{{"hostname":"0"}}}}}},"status":{{"replicas":{}}}}}"#,
            sizes.iter().sum::<i64>()
        )));
        let note = noted.map_or(String::new(), |most| format!(r#""{}":"{most}""#, revision::MOST));
        let set = |(at, size): (usize, &i64)| {
            let text = format!(
                r#"{{"metadata":{{"name":"{at}","creationTimestamp":"2026-01-01T00:00:0{}Z","annotations":{{{note}}}}},"spec":{{"replicas":{size},"template":{{"spec":{{"hostname":"{at}"}}}}}}}}"#,
                9 - at
            );
            Arc::new(tree(&text))
        };
        let view = Objects::new().view();
        let round = Round { now: Instant { seconds: 0, micros: 0 }, failure: None };
        let sets = sizes.iter().enumerate().map(set).collect();
        let mut rollout = Rollout::new(&view, &deployment, sets, &round);
        assert_eq!(rollout.newest, Some(sizes.len() - 1));
        spread(&mut rollout);
        rollout.sets.iter().rev().map(Set::size).collect()
    }

    #[test]
    fn sets_keep_their_proportion() {
        type Row<'a> = (i64, i64, Option<i64>, &'a [i64], &'a [i64]);
        let table: [Row<'_>; 14] = [
            // The only one with pods takes all; of several without, the newest.
            (5, 0, Some(3), &[0, 3], &[0, 5]),
            (5, 0, Some(3), &[0, 0], &[5, 0]),
            (20, 0, Some(10), &[5, 5], &[10, 10]),
            (5, 0, Some(10), &[5, 5], &[3, 2]),
            // What cannot be divided goes to the newer when growing, and is taken from the older when shrinking.
            (5, 0, Some(3), &[1, 1, 1], &[2, 2, 1]),
            (5, 0, Some(6), &[2, 2, 2], &[2, 2, 1]),
            (7, 0, Some(6), &[2, 2, 2], &[3, 2, 2]),
            // The largest comes first whatever its age.
            (6, 0, Some(5), &[1, 4], &[1, 5]),
            (7, 0, Some(6), &[1, 1, 4], &[1, 1, 5]),
            (15, 3, Some(13), &[5, 8], &[7, 11]),
            (0, 3, Some(13), &[5, 8], &[0, 0]),
            (10, 3, Some(13), &[5, 8], &[5, 8]),
            // A note that is gone or means nothing is made up for.
            (20, 0, None, &[5, 5], &[10, 10]),
            (20, 0, Some(0), &[5, 5], &[10, 10]),
        ];
        for (desired, surge, noted, sizes, expected) in table {
            assert_eq!(scaled(desired, surge, noted, sizes), expected, "{desired} {surge} {noted:?} {sizes:?}");
        }
    }
}
