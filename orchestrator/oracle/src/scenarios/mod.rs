//! Scenarios: steps that change a cluster, and the states in which its controllers leave it.
//!
//! Single answers are compared one by one (`scripts/`); here a step is over when conditions hold, and what is compared is
//! what is there then: objects, events, and what kubectl prints. `scenarios/` says what is done, `recordings/scenarios/`
//! what the real control plane made of it.

mod condition;
mod events;
mod file;
mod names;
mod place;
pub mod recording;
mod reduce;
mod run;

pub use condition::Condition;
pub(crate) use condition::Watcher;
pub use file::{Scenario, Step, Wanted, read};
pub use place::Place;
pub use recording::{Ending, Recording, judge};
pub use run::{Outcome, replay};

use crate::allowed::{AllowedList, Finding};
use crate::error::Result;
use crate::target::Target;
use crate::{Data, directory};
use std::collections::BTreeMap;

/// The committed scenarios with their recordings.
#[derive(Debug)]
pub struct Scenarios {
    /// What is done.
    pub scenarios: Vec<Scenario>,
    /// What the real control plane made of it, by step.
    pub recordings: BTreeMap<String, Recording>,
    /// What our server may make of it.
    pub allowed: AllowedList,
}

/// Reads the committed scenarios and recordings.
///
/// # Errors
/// A file cannot be read or breaks the rules of its format.
pub fn load() -> Result<Scenarios> {
    Ok(Scenarios {
        scenarios: read(&directory().join("scenarios"))?,
        recordings: recording::read(&directory().join("recordings/scenarios"))?,
        allowed: Data::read()?.allowed,
    })
}

impl Scenarios {
    /// Keeps only the named scenarios; with no name, all.
    pub fn only(&mut self, names: &[String]) {
        self.scenarios.retain(|scenario| names.is_empty() || names.contains(&scenario.name));
    }

    /// Does all scenarios on a server that has nothing but its two nodes, and judges what comes of them.
    ///
    /// # Errors
    /// The target cannot be used at all.
    pub async fn judge(&self, target: &Target) -> Result<Vec<Finding>> {
        let outcomes = replay(target, &self.scenarios).await?;
        let concerns = |name: &str| name.starts_with(recording::PREFIX);
        Ok(self.allowed.concerning(concerns).judge(&judge(&self.recordings, &outcomes)))
    }
}
