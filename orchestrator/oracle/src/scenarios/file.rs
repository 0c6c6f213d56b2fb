//! A scenario file: steps that build on each other, in a namespace of their own.

use super::condition::Condition;
use super::place::Place;
use crate::error::{Error, Result};
use crate::script::{ADMIN, Asked, Question, is_name};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long a step may take to settle when it does not say.
const WITHIN: u64 = 60;

/// What is recorded when a step has settled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Places whose objects are recorded.
    #[serde(default)]
    pub state: Vec<String>,
    /// Commands of kubectl whose output is recorded.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// Record the events that are new since the step before.
    #[serde(default)]
    pub events: bool,
    /// Record on which node pods are, not only that they are on one.
    #[serde(default)]
    pub nodes: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the recording; none for a step that only prepares.
    pub name: Option<String>,
    /// What is done, as the admin.
    pub question: Question,
    /// Variables set from the answer: name to JSON pointer.
    pub capture: BTreeMap<String, String>,
    /// What must hold before anything is recorded.
    pub settle: Vec<Condition>,
    /// The bound of that.
    pub within: Duration,
    /// What is recorded.
    pub wanted: Wanted,
}

/// A sequence of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// File name without its ending.
    pub name: String,
    /// The namespace of the theme; made before the first step.
    pub namespace: String,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    namespace: String,
    step: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    request: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    kubectl: Option<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    capture: BTreeMap<String, String>,
    #[serde(default)]
    settle: Vec<Settle>,
    within: Option<u64>,
    #[serde(default)]
    state: Vec<String>,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    events: bool,
    #[serde(default)]
    nodes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    of: String,
    count: Option<usize>,
    #[serde(default)]
    holds: Vec<String>,
}

impl Step {
    /// Name of the recording, or the question of a step that only prepares.
    #[must_use]
    pub fn title(&self) -> &str {
        match (&self.name, &self.question) {
            (Some(name), _) => name,
            (None, Question::Http(request)) => &request.line,
            (None, Question::Kubectl(run)) => &run.arguments,
        }
    }

    fn read(written: Written) -> Result<Self> {
        let titles = [&written.name, &written.request, &written.kubectl];
        let title = titles.into_iter().flatten().next().cloned().unwrap_or_default();
        let wrong = |problem: &str| Error::format(format!("step {title:?}"), problem);
        if written.name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(wrong("a name is made of lower-case letters, digits and hyphens"));
        }
        let Written { state, outputs, events, nodes, .. } = written;
        let wanted = Wanted { state, outputs, events, nodes };
        if written.name.is_none() && wanted != Wanted::default() {
            return Err(wrong("a step that records has a name"));
        }
        for place in &wanted.state {
            Place::parse(place)?;
        }
        let asked = Asked {
            request: written.request,
            headers: written.headers,
            body: written.body,
            kubectl: written.kubectl,
            stdin: written.stdin,
            ..Asked::default()
        };
        let question = asked.question().map_err(wrong)?;
        let settle = written.settle.into_iter().map(|Settle { of, count, holds }| {
            let holds: Vec<&str> = holds.iter().map(String::as_str).collect();
            Ok(Condition::of(&of, &holds)?.counted(count))
        });
        let settle = settle.collect::<Result<_>>()?;
        let within = Duration::from_secs(written.within.unwrap_or(WITHIN));
        Ok(Self { name: written.name, question, capture: written.capture, settle, within, wanted })
    }
}

impl Scenario {
    /// Reads one scenario.
    ///
    /// # Errors
    /// The text is no scenario; the error names the step.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| Error::format(name, error))?;
        let steps = file.step.into_iter().map(Step::read).collect::<Result<_>>();
        let steps = steps.map_err(|error| Error::format(name, error))?;
        Ok(Self { name: name.to_owned(), namespace: file.namespace, steps })
    }
}

/// Reads all scenarios of a directory in the order of their names.
///
/// # Errors
/// A file cannot be read or is no scenario, or two steps have one name.
pub fn read(directory: &Path) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            scenarios.push(Scenario::parse(&name, &text)?);
        }
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    let mut names = BTreeSet::new();
    for name in scenarios.iter().flat_map(|scenario| &scenario.steps).filter_map(|step| step.name.as_ref()) {
        if !names.insert(name) {
            return Err(Error::format(name, "two steps have this name"));
        }
    }
    Ok(scenarios)
}

/// The identity that does all steps.
pub(super) const IDENTITY: &str = ADMIN;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (step, part) in [
            ("name = \"A b\"\nkubectl = \"get pods\"", "lower-case"),
            ("kubectl = \"get pods\"\nstate = [\"pods\"]", "has a name"),
            ("name = \"a\"\nkubectl = \"x\"\nstate = [\"podz\"]", "no resource"),
            ("name = \"a\"\nkubectl = \"x\"\nsettle = [{ of = \"pods\", holds = [\"x\"] }]", "no predicate"),
            ("name = \"a\"\nkubectl = \"x\"\nrequest = \"GET /\"", "either"),
            ("name = \"a\"\nkubectl = \"x\"\ncolour = 1", "unknown field"),
        ] {
            let error = Scenario::parse("s", &format!("namespace = \"n\"\n[[step]]\n{step}")).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
