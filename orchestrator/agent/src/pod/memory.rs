//! What the agent remembers of one pod between two plans.

use super::{Action, Event, Now, Outcome};
use crate::runtime::Failure;

/// What the agent remembers of one pod.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    under_way: Vec<Action>,
}

impl Memory {
    /// An action starts.
    pub fn began(&mut self, action: &Action, _now: Now) -> Vec<Event> {
        self.under_way.push(action.clone());
        Vec::new()
    }

    /// An action ended.
    pub fn ended(&mut self, action: &Action, _result: Result<Outcome, Failure>, _now: Now) -> Vec<Event> {
        self.under_way.retain(|other| other != action);
        Vec::new()
    }
}
