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
use crate::error::{Error, Result};
use crate::open::OpenList;
use crate::target::Target;
use crate::{Data, directory};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

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

    /// The titles of all steps as findings name them.
    #[must_use]
    pub fn titles(&self) -> BTreeSet<String> {
        let steps = self.scenarios.iter().flat_map(|scenario| &scenario.steps);
        steps.map(|step| format!("{}{}", recording::PREFIX, step.title())).collect()
    }

    /// The list of steps that our server does not match yet; a tree without the file has none.
    ///
    /// # Errors
    /// The file cannot be read or breaks the rules of the list.
    pub fn open(&self) -> Result<OpenList> {
        let path = open_path();
        if !path.exists() {
            return Ok(OpenList::default());
        }
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        OpenList::parse(&text, &self.titles().iter().map(String::as_str).collect())
    }
}

/// Where the list of open steps stands.
#[must_use]
pub fn open_path() -> PathBuf {
    directory().join("open-scenarios.toml")
}

/// The findings for people: by step, of each at most `shown`.
#[must_use]
pub fn report(findings: &[Finding], shown: usize) -> String {
    let mut steps: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in findings {
        match finding {
            Finding::Unexpected(difference) => {
                let line = difference.to_string();
                let line = line.strip_prefix(difference.recording.as_str()).unwrap_or(&line).trim_start().to_owned();
                steps.entry(&difference.recording).or_default().push(line);
            }
            Finding::NoLongerOccurs { id, .. } => steps.entry(id).or_default().push(finding.to_string()),
        }
    }
    let mut text = String::new();
    for (step, lines) in steps {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{step}: {} differences", lines.len());
        for line in lines.iter().take(shown) {
            let _ = writeln!(text, "  {line}");
        }
        if lines.len() > shown {
            let _ = writeln!(text, "  and {} more", lines.len() - shown);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Difference;

    #[test]
    fn a_report_is_short() {
        let differs = |path: &str| {
            Finding::Unexpected(Difference {
                recording: "scenarios/a".into(),
                path: path.into(),
                column: None,
                expected: Some("1".into()),
                found: None,
            })
        };
        let text = report(&[differs("/x"), differs("/y"), differs("/z")], 2);
        assert_eq!(
            text,
            "scenarios/a: 3 differences\n  /x: expected 1, found nothing\n  /y: expected 1, found nothing\n  and 1 more\n"
        );
    }
}
