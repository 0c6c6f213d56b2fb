//! Whether a rollout moves on, is done, or has taken too long.

use std::time::Duration;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{condition, flag, int, name, named, time};

use super::conditions::{self, NEW_SET_AVAILABLE, PAUSED, PROGRESSING, REPLICA_FAILURE, TIMED_OUT};
use super::rollout::{Rollout, Set};
use super::status;

/// Seconds that a rollout may take without progress, if there is a limit.
pub(super) fn deadline(deployment: &Value) -> Option<i64> {
    let seconds = deployment.at(&["spec", "progressDeadlineSeconds"]).and_then(Value::as_int)?;
    (seconds != i64::from(i32::MAX)).then_some(seconds)
}

/// Says that the Deployment is paused or is so no more, so that the time of the pause does not count.
pub(super) fn note_pause(rollout: &mut Rollout<'_>) {
    let (deadline, now) = (deadline(&rollout.deployment), rollout.now);
    let paused = flag(&rollout.deployment, &["spec", "paused"]);
    let reason = condition(&rollout.deployment, PROGRESSING).map_or("", |it| it.text_at(&["reason"]));
    // What has timed out stays so.
    if deadline.is_none() || reason == TIMED_OUT || paused == (reason == PAUSED) {
        return;
    }
    let (reason, message) =
        if paused { (PAUSED, "Deployment is paused") } else { ("DeploymentResumed", "Deployment is resumed") };
    if let Some(status) = rollout.status() {
        conditions::set(status, conditions::new(PROGRESSING, "Unknown", reason, message, now));
    }
}

/// Brings the status up to date during a rollout, and asks to look again when the time is up.
pub(super) fn sync(rollout: &mut Rollout<'_>) {
    let mut new = status::calculate(rollout);
    match deadline(&rollout.deployment) {
        None => conditions::remove(&mut new, PROGRESSING),
        Some(seconds) => {
            note_progress(rollout, &mut new, seconds);
            rollout.again_after = until_late(rollout, &new, seconds);
        }
    }
    match replica_failure(rollout) {
        Some(failure) => conditions::set(&mut new, failure),
        None => conditions::remove(&mut new, REPLICA_FAILURE),
    }
    status::put(rollout, new);
}

fn note_progress(rollout: &Rollout<'_>, new: &mut Object, seconds: i64) {
    if is_settled(new) {
        return;
    }
    let (subject, now) = (subject(rollout), rollout.now);
    if is_complete(rollout, new) {
        let message = format!("{subject} has successfully progressed.");
        conditions::set(new, conditions::new(PROGRESSING, "True", NEW_SET_AVAILABLE, message, now));
    } else if has_moved(&rollout.deployment, new) {
        let message = format!("{subject} is progressing.");
        let mut moving = conditions::new(PROGRESSING, "True", "ReplicaSetUpdated", message, now);
        // Each sign of progress renews the time of the update, which the deadline counts from, even if reason and truth
        // stay the same.
        if let Some(old) = conditions::get(new, PROGRESSING)
            && old.text_at(&["status"]) == "True"
        {
            conditions::keep_transition(old, &mut moving);
        }
        conditions::remove(new, PROGRESSING);
        conditions::set(new, moving);
    } else if is_late(new, seconds, now) {
        let message = format!("{subject} has timed out progressing.");
        conditions::set(new, conditions::new(PROGRESSING, "False", TIMED_OUT, message, now));
    }
}

/// Whether the last rollout was done and nothing has changed since: then there is no progress to look for.
fn is_settled(new: &Object) -> bool {
    let counted = |counter| new.get(counter).and_then(Value::as_int).unwrap_or(0);
    counted("replicas") == counted("updatedReplicas") && conditions::reason(new, PROGRESSING) == NEW_SET_AVAILABLE
}

fn is_complete(rollout: &Rollout<'_>, new: &Object) -> bool {
    status::is_complete(&rollout.deployment, Some(&Value::Object(new.clone())))
}

fn subject(rollout: &Rollout<'_>) -> String {
    match rollout.newest() {
        Some(set) => format!("ReplicaSet \"{}\"", name(&set.tree)),
        None => format!("Deployment \"{}\"", name(&rollout.deployment)),
    }
}

/// Whether more pods are new, ready or available than before, or fewer are old.
fn has_moved(deployment: &Value, new: &Object) -> bool {
    let before = |counter| int(deployment, &["status", counter], 0);
    let now = |counter| new.get(counter).and_then(Value::as_int).unwrap_or(0);
    now("replicas") - now("updatedReplicas") < before("replicas") - before("updatedReplicas")
        || ["updatedReplicas", "readyReplicas", "availableReplicas"]
            .into_iter()
            .any(|counter| now(counter) > before(counter))
}

fn is_late(status: &Object, seconds: i64, now: Instant) -> bool {
    let Some(condition) = conditions::get(status, PROGRESSING) else { return false };
    match condition.text_at(&["reason"]) {
        NEW_SET_AVAILABLE => false,
        TIMED_OUT => true,
        _ => {
            let since = time(condition, &["lastUpdateTime"]).map_or(i64::MIN, |since| since.seconds);
            let end = since.saturating_add(seconds);
            end < now.seconds || (end == now.seconds && now.micros > 0)
        }
    }
}

/// How long until the time of a rollout is up; nothing for one that is done or was too late already.
fn until_late(rollout: &Rollout<'_>, new: &Object, seconds: i64) -> Option<Duration> {
    let condition = conditions::get(new, PROGRESSING)?;
    if is_complete(rollout, new) || matches!(condition.text_at(&["reason"]), TIMED_OUT | NEW_SET_AVAILABLE) {
        return None;
    }
    let since = time(condition, &["lastUpdateTime"])?;
    let left = since.seconds.saturating_add(seconds).saturating_sub(rollout.now.seconds).max(0);
    // One second more, because the times in conditions are whole seconds.
    u64::try_from(left).ok().map(|left| Duration::from_secs(left.saturating_add(1)))
}

/// The failure of a set to make or delete pods, that of the newest first.
fn replica_failure(rollout: &Rollout<'_>) -> Option<Value> {
    let failure = |set: &Set| {
        let conditions = set.tree.at(&["status", "conditions"]).map_or(&[][..], Value::items);
        named(conditions, "type", REPLICA_FAILURE).cloned()
    };
    let old = rollout.old().filter_map(|at| rollout.sets.get(at));
    let mut found = rollout.newest().into_iter().chain(old).find_map(failure)?;
    let since = found.at(&["lastTransitionTime"]).cloned();
    if let (Some(condition), Some(since)) = (found.as_object_mut(), since) {
        condition.insert("lastUpdateTime".into(), since);
    }
    Some(found)
}
