//! Ending all old pods before new ones begin.

use coracle_client::object::{controller, uid};
use coracle_client::resources::PODS;

use super::rollout::Rollout;
use super::{bounds, newest, progress, status};

/// One step: down, wait, up.
pub(super) fn roll(rollout: &mut Rollout<'_>) {
    let mut scaled = false;
    for at in rollout.active_old() {
        scaled |= rollout.scale(at, 0, false);
    }
    if scaled || old_pods_run(rollout) {
        return progress::sync(rollout);
    }
    if newest::ensure(rollout).is_break() {
        return;
    }
    let desired = bounds::desired(&rollout.deployment);
    if let Some(at) = rollout.newest {
        rollout.scale(at, desired, false);
    }
    if status::is_complete(&rollout.deployment, rollout.deployment.at(&["status"])) {
        rollout.forget_old();
    }
    progress::sync(rollout);
}

/// Whether an old set counts pods, or a pod of one may still run. One that is being deleted runs until it is gone.
fn old_pods_run(rollout: &Rollout<'_>) -> bool {
    rollout.old().filter_map(|at| rollout.sets.get(at)).any(|set| {
        let owner = uid(&set.tree);
        set.counted("replicas") > 0
            || rollout.view.owned_by(&PODS, owner).iter().any(|pod| {
                controller(pod).is_some_and(|it| it.text_at(&["uid"]) == owner)
                    && !matches!(pod.text_at(&["status", "phase"]), "Failed" | "Succeeded")
            })
    })
}
