//! The real Kubernetes as oracle: builds it, records its answers, and compares other servers with the recordings.
//!
//! A build and test tool. It must never depend on a crate of the product: what is compared must not share code with the
//! comparison. The data stands beside the code: `scripts/` (what is asked), `recordings/` (what the real server answers),
//! `scenarios/` (what is done to a whole cluster), `golden.toml` (samples for codec tests) `differences.toml` (what our server may answer differently) and `open.toml` (what it does not
//! answer yet).

pub mod allowed;
mod certificates;
mod client;
pub mod cluster;
pub mod compare;
pub mod error;
pub mod golden;
mod layout;
pub mod normalise;
pub mod open;
pub mod process;
pub mod programs;
pub mod recording;
pub mod replay;
pub mod scenarios;
pub mod script;
pub mod server;
mod sys;
pub mod target;

pub use allowed::{AllowedList, Finding};
pub use compare::{Difference, compare};
pub use error::{Error, Result, chain};
pub use open::OpenList;
pub use recording::{Answer, Body, Recording};
pub use replay::{judge, replay};
pub use script::{Category, Script};
pub use target::{DataDirectory, Target};

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The committed data.
#[derive(Debug)]
pub struct Data {
    /// What is asked.
    pub scripts: Vec<Script>,
    /// What the real server answers, by name.
    pub recordings: BTreeMap<String, Recording>,
    /// What our server may answer differently.
    pub allowed: AllowedList,
}

/// The package's directory in the source tree.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

impl Data {
    /// Reads the committed data of the source tree.
    ///
    /// # Errors
    /// A file cannot be read or breaks the rules of its format.
    pub fn read() -> Result<Self> {
        let directory = directory();
        let scripts = script::read(&directory.join("scripts"))?;
        let recordings = recording::read(&directory.join("recordings"))?;
        let path = directory.join("differences.toml");
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let steps = scenarios::read(&directory.join("scenarios"))?;
        let steps = steps.iter().flat_map(|scenario| &scenario.steps).filter_map(|step| step.name.as_ref());
        let steps = steps.map(|name| format!("{}{name}", scenarios::recording::PREFIX));
        let names: BTreeSet<String> = recordings.keys().cloned().chain(steps).collect();
        Ok(Self { scripts, recordings, allowed: AllowedList::parse(&text, &names)? })
    }

    /// The titles of all steps: names of recordings, and questions of steps that only prepare.
    #[must_use]
    pub fn titles(&self) -> BTreeSet<&str> {
        self.scripts.iter().flat_map(|script| &script.steps).map(script::Step::title).collect()
    }

    /// Replays all scripts against an empty server and judges the answers: the entry of `make test SUITE=kubectl`.
    ///
    /// # Errors
    /// The target cannot be used at all.
    pub async fn judge(&self, target: &Target) -> Result<Vec<Finding>> {
        let outcomes = replay(target, &self.scripts).await?;
        let concerns = |name: &str| !name.starts_with(scenarios::recording::PREFIX);
        Ok(self.allowed.concerning(concerns).judge(&judge(&self.recordings, &outcomes)))
    }
}
