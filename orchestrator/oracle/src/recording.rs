//! One recording: a question and the real server's normalised answer, as a JSON file that people can read and diff.

use crate::error::{Error, Result};
use crate::layout;
use crate::script::{Category, Question};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Version of the file format.
pub const FORMAT: u32 = 1;

/// The body of an HTTP answer, by its content type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// No byte.
    Empty,
    /// One JSON document.
    Json(Value),
    /// The events of a watch, in order.
    Events(Vec<Value>),
    /// Lines, without their line ends; the last one is empty when the text ends with a line end.
    Text(Vec<String>),
    /// Anything else, in base64.
    Bytes(String),
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// All headers but those that only frame the message (see [`FRAMING`]); names in lower case.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body.
    pub body: Body,
}

/// Headers about one connection or the length of one message, which follow from the body and are not compared.
pub const FRAMING: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// What kubectl did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubectlAnswer {
    /// Exit status.
    pub exit: i32,
    /// Lines of its output, as in [`Body::Text`].
    pub stdout: Vec<String>,
    /// Lines of its messages.
    pub stderr: Vec<String>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To a raw request.
    Http(HttpAnswer),
    /// Of a run of kubectl.
    Kubectl(KubectlAnswer),
}

/// A recording file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`FORMAT`].
    pub format: u32,
    /// The step's name, and the file's name without its ending.
    pub name: String,
    /// What it is evidence for.
    pub category: Category,
    /// Whose credentials asked.
    pub identity: String,
    /// What was asked.
    pub question: Question,
    /// The normalised answer of the real server.
    pub answer: Answer,
}

/// Text as lines that join again to the same text.
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

impl Recording {
    /// The file's text.
    ///
    /// # Errors
    /// A number in the answer cannot be written as JSON.
    pub fn print(&self) -> Result<String> {
        let value = serde_json::to_value(self).map_err(|error| Error::format(&self.name, error))?;
        Ok(layout::print(&value))
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// The text is no recording of this format.
    pub fn parse(subject: &str, text: &str) -> Result<Self> {
        let recording: Self = serde_json::from_str(text).map_err(|error| Error::format(subject, error))?;
        if recording.format != FORMAT {
            return Err(Error::format(subject, format!("format {}, this tool reads {FORMAT}", recording.format)));
        }
        Ok(recording)
    }
}

/// Reads all recordings of a directory, by name.
///
/// # Errors
/// A file cannot be read, is no recording, or is named differently from the recording in it.
pub fn read(directory: &Path) -> Result<BTreeMap<String, Recording>> {
    let mut recordings = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let recording = Recording::parse(&path.display().to_string(), &text)?;
        if path.file_name().is_none_or(|name| name != format!("{}.json", recording.name).as_str()) {
            return Err(Error::format(path.display().to_string(), format!("it holds {:?}", recording.name)));
        }
        recordings.insert(recording.name.clone(), recording);
    }
    Ok(recordings)
}

/// Makes the directory hold exactly these recordings; files that are already right are not touched.
///
/// # Errors
/// A file cannot be read, written or removed.
pub fn write(directory: &Path, recordings: &[Recording]) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
    let mut wanted = BTreeMap::new();
    for recording in recordings {
        wanted.insert(format!("{}.json", recording.name), recording.print()?);
    }
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && !wanted.contains_key(&name) {
            fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    for (name, text) in wanted {
        let path = directory.join(name);
        if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
    }
    Ok(())
}
