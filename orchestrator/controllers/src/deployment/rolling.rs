//! Replacing old pods little by little.

use super::rollout::Rollout;
use super::{bounds, newest, progress, status};

/// One step of a rolling update: up if there is room, else down as far as enough pods stay available.
pub(super) fn roll(rollout: &mut Rollout<'_>) {
    if newest::ensure(rollout).is_break() {
        return;
    }
    let Some(at) = rollout.newest else { return };
    if grow(rollout, at) || shrink(rollout, at) {
        return progress::sync(rollout);
    }
    if status::is_complete(&rollout.deployment, rollout.deployment.at(&["status"])) {
        rollout.forget_old();
    }
    progress::sync(rollout);
}

/// The size to which a set of this size can grow: as many pods as are asked for, but no more in all than there may be.
pub(super) fn room(rollout: &Rollout<'_>, size: i64) -> i64 {
    let (desired, most) = rollout.bounds();
    let free = most.saturating_sub(rollout.total());
    if free <= 0 { size } else { size + free.min(desired - size) }
}

fn grow(rollout: &mut Rollout<'_>, newest: usize) -> bool {
    let (desired, _) = rollout.bounds();
    let size = rollout.size(newest);
    let target = if size > desired { desired } else { room(rollout, size) };
    size != desired && rollout.scale(newest, target, false)
}

/// Scales old sets down. Pods of the newest set that are not available yet count as if they were missing, so that a
/// rollout that fails does not take more and more of the old pods.
fn shrink(rollout: &mut Rollout<'_>, newest: usize) -> bool {
    let old = rollout.active_old();
    if old.is_empty() {
        return false;
    }
    let least = bounds::desired(&rollout.deployment) - bounds::unavailable(&rollout.deployment);
    let unavailable = rollout.size(newest) - rollout.counted(newest, "availableReplicas");
    let most = rollout.total() - least - unavailable;
    if most <= 0 {
        return false;
    }
    let unhealthy = shrink_unhealthy(rollout, &old, most);
    let healthy = shrink_healthy(rollout, &old, newest, least);
    unhealthy + healthy > 0
}

/// Old pods that are not available go first: they would only hold the rollout up.
fn shrink_unhealthy(rollout: &mut Rollout<'_>, old: &[usize], most: i64) -> i64 {
    let mut gone = 0;
    for at in old {
        let size = rollout.size(*at);
        let unhealthy = size - rollout.counted(*at, "availableReplicas");
        if gone >= most || size == 0 || unhealthy <= 0 {
            continue;
        }
        let fewer = unhealthy.min(most - gone);
        rollout.scale(*at, size - fewer, false);
        gone += fewer;
    }
    gone
}

fn shrink_healthy(rollout: &mut Rollout<'_>, old: &[usize], newest: usize, least: i64) -> i64 {
    let available: i64 = old.iter().chain([&newest]).map(|at| rollout.counted(*at, "availableReplicas")).sum();
    let most = available - least;
    let mut gone = 0;
    for at in old {
        let fewer = rollout.size(*at).min(most - gone);
        if fewer > 0 {
            rollout.scale(*at, rollout.size(*at) - fewer, false);
            gone += fewer;
        }
    }
    gone
}
