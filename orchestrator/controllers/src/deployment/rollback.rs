//! Going back to an older template by the annotation in which `extensions/v1beta1` survives.

use coracle_apimachinery::Value;
use coracle_client::event::Event;
use coracle_client::object::name;

use super::revision::{self, ROLLBACK_TO};
use super::rollout::Rollout;
use super::{hash, newest};
use crate::trees::{annotation, within};

/// The revision to go back to; 0 is the last one.
pub(super) fn wanted(deployment: &Value) -> Option<i64> {
    annotation(deployment, ROLLBACK_TO)?.parse().ok()
}

/// Takes the template of the revision and the wish away.
pub(super) fn roll(rollout: &mut Rollout<'_>) {
    let Some(wanted) = wanted(&rollout.deployment) else { return };
    // A status that is to be written first would not survive the write of the spec.
    if newest::ensure(rollout).is_break() || *rollout.origin != rollout.deployment {
        return;
    }
    let trees = || rollout.sets.iter().map(|set| &set.tree);
    let revision = if wanted == 0 { revision::last(trees()) } else { wanted };
    let found = trees().find(|set| revision > 0 && revision::of(set) == Ok(revision)).cloned();
    let origin = &rollout.origin;
    let told = match &found {
        None => {
            let what = if revision == 0 { "last revision" } else { "the revision to rollback to" };
            Event::warning(origin, "DeploymentRollbackRevisionNotFound", format!("Unable to find {what}."))
        }
        Some(set) if hash::same_template(&template(set), &template(&rollout.deployment)) => {
            let words = "The rollback revision contains the same template as current deployment";
            let words = format!("{words} \"{}\"", name(origin));
            Event::warning(origin, "DeploymentRollbackTemplateUnchanged", words)
        }
        Some(set) => {
            let words = format!("Rolled back deployment \"{}\" to revision {revision}", name(origin));
            let event = Event::normal(origin, "DeploymentRollback", words);
            take(&mut rollout.deployment, set);
            event
        }
    };
    if let Some(annotations) = within(&mut rollout.deployment, &["metadata", "annotations"]) {
        annotations.remove(ROLLBACK_TO);
    }
    rollout.respecified = Some(told);
}

fn template(object: &Value) -> Value {
    object.at(&["spec", "template"]).cloned().unwrap_or(Value::Null)
}

/// Gives a Deployment the template of a set and the annotations that it had then.
fn take(deployment: &mut Value, set: &Value) {
    if let Some(spec) = within(deployment, &["spec"]) {
        spec.insert("template".into(), hash::without(&template(set)));
    }
    let then = set.at(&["metadata", "annotations"]).and_then(Value::as_object);
    if let Some(annotations) = within(deployment, &["metadata", "annotations"]) {
        annotations.retain(|key, _| !revision::is_shared(key));
        for (key, value) in then.into_iter().flat_map(|then| then.iter()).filter(|(key, _)| revision::is_shared(key)) {
            annotations.insert(key.to_owned().into(), value.clone());
        }
    }
}
