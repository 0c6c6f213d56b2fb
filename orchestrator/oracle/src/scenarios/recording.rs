//! The recording of one step of a scenario: what was done and what the real control plane made of it, as a JSON file.

use super::file::Wanted;
use super::run::Outcome;
use crate::compare::{Difference, differences};
use crate::error::{Error, Result};
use crate::layout;
use crate::recording::{Answer, FORMAT};
use crate::script::Question;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Stands before the name of a step where recordings of single answers could be meant.
pub const PREFIX: &str = "scenarios/";

/// What a step ended with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// The answer to what was done.
    pub answer: Answer,
    /// By place, the objects there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, Value>,
    /// The events that are new since the step before; null where they are not wanted.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub events: Value,
    /// What commands of kubectl print.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Answer>,
}

/// A recording file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`FORMAT`].
    pub format: u32,
    /// The step's name, and the file's name without its ending.
    pub name: String,
    /// The scenario that the step belongs to.
    pub scenario: String,
    /// What was done.
    pub question: Question,
    /// What was wanted.
    pub wanted: Wanted,
    /// What the real control plane made of it.
    pub ending: Ending,
}

impl Recording {
    /// The file's text.
    ///
    /// # Errors
    /// A number cannot be written as JSON.
    pub fn print(&self) -> Result<String> {
        let value = serde_json::to_value(self).map_err(|error| Error::format(&self.name, error))?;
        Ok(layout::print(&value))
    }
}

/// Makes recordings from the outcomes of the real control plane.
///
/// # Errors
/// A step did not come to its end.
pub fn recordings(outcomes: Vec<Outcome>) -> Result<Vec<Recording>> {
    let (mut recordings, mut problems) = (Vec::new(), Vec::new());
    for Outcome { scenario, step, problem, ending } in outcomes {
        match (problem, step.name, ending) {
            (Some(problem), name, _) => {
                problems.push(format!("{scenario}: {}: {problem}", name.unwrap_or_else(|| "preparation".to_owned())));
            }
            (None, Some(name), Some(ending)) => {
                let (question, wanted) = (step.question, step.wanted);
                recordings.push(Recording { format: FORMAT, name, scenario, question, wanted, ending });
            }
            (None, ..) => {}
        }
    }
    if problems.is_empty() { Ok(recordings) } else { Err(Error::format("the real server", problems.join("\n"))) }
}

/// Compares outcomes with the recordings.
#[must_use]
pub fn judge(recordings: &BTreeMap<String, Recording>, outcomes: &[Outcome]) -> Vec<Difference> {
    let mut found = Vec::new();
    for Outcome { step, problem, ending, .. } in outcomes {
        let name = format!("{PREFIX}{}", step.title());
        let whole = |expected: &str, found: &str| Difference {
            recording: name.clone(),
            path: String::new(),
            column: None,
            expected: Some(expected.to_owned()),
            found: Some(found.to_owned()),
        };
        if let Some(problem) = problem {
            found.push(whole("a step that comes to its end", problem));
        }
        match (step.name.as_ref().map(|name| recordings.get(name)), ending) {
            (Some(None), _) => found.push(whole("a recording (make record)", "none")),
            (Some(Some(recording)), Some(ending)) => {
                let [expected, live] =
                    [&recording.ending, ending].map(|side| serde_json::to_value(side).unwrap_or_default());
                found.extend(differences(&name, &expected, &live));
            }
            _ => {}
        }
    }
    found
}

/// Reads all recordings of a directory, by name.
///
/// # Errors
/// A file cannot be read, is no recording of this format, or is named differently from the recording in it.
pub fn read(directory: &Path) -> Result<BTreeMap<String, Recording>> {
    let mut recordings = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let wrong = |problem: String| Error::format(path.display().to_string(), problem);
        let recording: Recording = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if recording.format != FORMAT {
            return Err(wrong(format!("format {}, this tool reads {FORMAT}", recording.format)));
        }
        if path.file_stem().is_none_or(|name| name != recording.name.as_str()) {
            return Err(wrong(format!("it holds {:?}", recording.name)));
        }
        recordings.insert(recording.name.clone(), recording);
    }
    Ok(recordings)
}

/// Makes the directory hold these recordings of the named scenarios; recordings of scenarios that are not in `known` go.
///
/// # Errors
/// A file cannot be read, written or removed.
pub fn write(directory: &Path, recordings: &[Recording], known: &BTreeSet<&str>) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
    let done: BTreeSet<&str> = recordings.iter().map(|recording| recording.scenario.as_str()).collect();
    for (name, old) in read(directory)? {
        let wanted = recordings.iter().any(|recording| recording.name == name);
        if !wanted && (done.contains(old.scenario.as_str()) || !known.contains(old.scenario.as_str())) {
            let path = directory.join(format!("{name}.json"));
            fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    for recording in recordings {
        let path = directory.join(format!("{}.json", recording.name));
        let text = recording.print()?;
        if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
    }
    Ok(())
}
