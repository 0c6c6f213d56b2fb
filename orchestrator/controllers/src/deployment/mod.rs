//! Deployments: moving from one template of pods to another by scaling ReplicaSets.
//!
//! Source of the facts: k8s.io/kubernetes v1.37.2, pkg/controller/deployment.

mod bounds;
mod conditions;
mod hash;
mod newest;
mod progress;
mod recreate;
mod revision;
mod rollback;
mod rolling;
mod rollout;
mod scale;
mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::event::Event;
use coracle_client::object::{flag, int, is_ending, namespace};
use coracle_client::resources::{DEPLOYMENTS, PODS, REPLICA_SETS};
use coracle_client::{Change, View, Write};

use self::rollout::Rollout;
use crate::claims::{self, Claim, claim};
use crate::controller::{Controller, Key, Plan, Round, Watches, itself};
use crate::trees::{generation, set_count, within};

/// The controller of Deployments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deployments;

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&DEPLOYMENTS, itself), (&REPLICA_SETS, of_set), (&PODS, of_pod)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let Some(deployment) = view.get(&DEPLOYMENTS, &key.namespace, &key.name) else { return Plan::nothing() };
        if deployment.at(&["spec", "selector"]).is_some_and(Value::is_empty) {
            return refuse_everything(&deployment);
        }
        let (sets, claims) = claimed(view, &deployment);
        // What is adopted has another version afterwards, so nothing else can be written in the same plan.
        if !claims.actions.is_empty() {
            return claims;
        }
        let mut rollout = Rollout::new(view, &deployment, sets, round);
        advance(&mut rollout);
        rollout.finish()
    }
}

fn of_set(view: &View, change: &Change) -> Vec<Key> {
    claims::concerned(view, change, &DEPLOYMENTS)
}

/// A Deployment that waits for the end of its old pods hears of each that is gone.
fn of_pod(view: &View, change: &Change) -> Vec<Key> {
    let gone = change.old.as_deref().filter(|_| change.new.is_none());
    gone.and_then(|pod| claims::owner(view, pod, &REPLICA_SETS))
        .and_then(|set| claims::owner(view, &set, &DEPLOYMENTS))
        .filter(|deployment| bounds::strategy(deployment) == bounds::RECREATE)
        .map(|deployment| Key::of(&deployment))
        .into_iter()
        .collect()
}

/// The ReplicaSets that a Deployment owns, and what it takes to own those that it should.
fn claimed(view: &View, deployment: &Value) -> (Vec<Arc<Value>>, Plan) {
    let (mut sets, mut plan) = (Vec::new(), Plan::nothing());
    let Some(selector) = claims::selector(deployment) else { return (sets, plan) };
    for set in view.list(&REPLICA_SETS, namespace(deployment)) {
        match claim(deployment, &selector, &set) {
            Claim::Owned => sets.push(set),
            Claim::Adopt => plan.step(claims::adopt(&REPLICA_SETS, &set, deployment, &DEPLOYMENTS)),
            Claim::Release => plan.step(claims::release(&REPLICA_SETS, &set, deployment)),
            Claim::Foreign => {}
        }
    }
    (sets, plan)
}

/// A selector of everything is a mistake. It is told once for each change of the spec.
fn refuse_everything(deployment: &Arc<Value>) -> Plan {
    let mut plan = Plan::nothing();
    let generation = generation(deployment);
    if int(deployment, &["status", "observedGeneration"], 0) < generation {
        let words = "This deployment is selecting all pods. A non-empty selector is required.";
        plan.tell(Event::warning(deployment, "SelectingAll", words));
        let mut observed = Value::clone(deployment);
        if let Some(status) = within(&mut observed, &["status"]) {
            set_count(status, "observedGeneration", generation);
        }
        plan.write(Write::status(&DEPLOYMENTS, observed));
    }
    plan
}

fn advance(rollout: &mut Rollout<'_>) {
    let ending = is_ending(&rollout.deployment);
    if !ending {
        progress::note_pause(rollout);
    }
    newest::follow(rollout);
    if ending {
        return status::sync(rollout);
    }
    let paused = flag(&rollout.deployment, &["spec", "paused"]);
    if !paused && rollback::wanted(&rollout.deployment).is_some() {
        return rollback::roll(rollout);
    }
    if paused || scale::is_asked(rollout) {
        scale::spread(rollout);
        if paused && rollback::wanted(&rollout.deployment).is_none() {
            rollout.forget_old();
        }
        return status::sync(rollout);
    }
    match bounds::strategy(&rollout.deployment) {
        bounds::RECREATE => recreate::roll(rollout),
        bounds::ROLLING_UPDATE => rolling::roll(rollout),
        _ => {}
    }
}
