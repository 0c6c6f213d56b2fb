//! Removes bootstrap tokens when they expire.

use coracle_client::resources::SECRETS;
use coracle_client::{Change, View, Write};

use super::token::{self, Expiry};
use crate::controller::{Controller, Key, Plan, Round, Step, Watches};

/// Deletes the Secrets of expired tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenCleaner;

impl Controller for TokenCleaner {
    fn name(&self) -> &'static str {
        "token-cleaner"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&SECRETS, tokens)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(secret) = view.get(&SECRETS, &key.namespace, &key.name).filter(|secret| token::is_token(secret))
        else {
            return plan;
        };
        match token::expiry(&secret, round.now) {
            Expiry::Never => {}
            Expiry::After(left) => plan.again_after(left),
            // A conflict means that the name stands for another Secret by now.
            Expiry::Passed => {
                plan.step(Step::new(Write::delete(&SECRETS, &secret)).fine(&["Conflict", "NotFound"]));
            }
        }
        plan
    }
}

fn tokens(_: &View, change: &Change) -> Vec<Key> {
    change.new.iter().filter(|secret| token::is_token(secret)).map(|secret| Key::of(secret)).collect()
}
