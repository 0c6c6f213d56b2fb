//! The committed list of what is asked: `scripts/*.toml`, each a sequence of steps that build on each other.
//!
//! A step with a name is recorded and compared. A step without one prepares the ground for those after it.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The identity that asks when a step names none: a member of system:masters.
pub const ADMIN: &str = "admin";

/// What a recording is evidence for. Landing 6 asks for a number of recordings of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Status errors, their reasons, causes and headers.
    Error,
    /// Watch, WatchList, bookmarks, chunked lists, selectors.
    Watch,
    /// JSON, merge, strategic merge and apply patches.
    Patch,
    /// Discovery, version, OpenAPI.
    Discovery,
    /// Table output.
    Table,
    /// Everything else: create, read, replace, delete, subresources.
    Object,
}

/// A request as it is sent, `${variable}` not yet replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// Method, space, path with query.
    pub line: String,
    /// Header names in lower case with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Close the connection after this many watch events; without it the server ends the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<usize>,
    /// The answer is an OpenAPI document: compare it without its description sentences.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_descriptions: bool,
}

/// A kubectl command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubectlRun {
    /// Arguments, separated by blanks.
    pub arguments: String,
    /// What kubectl reads from its standard input.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
}

/// What a step asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// A raw HTTP request.
    Http(HttpRequest),
    /// A run of kubectl.
    Kubectl(KubectlRun),
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name and category of the recording; none for a step that only prepares.
    pub recorded: Option<(String, Category)>,
    /// Which credentials ask.
    pub identity: String,
    /// What is asked.
    pub question: Question,
    /// Variables set from the answer: name to JSON pointer.
    pub capture: BTreeMap<String, String>,
}

/// A sequence of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// File name without its ending.
    pub name: String,
    /// In the order in which they are asked.
    pub steps: Vec<Step>,
}

/// A script file, word for word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    step: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    category: Option<Category>,
    identity: Option<String>,
    request: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    events: Option<usize>,
    #[serde(default)]
    without_descriptions: bool,
    kubectl: Option<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    capture: BTreeMap<String, String>,
}

/// The members of a step that say what is asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) request: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) events: Option<usize>,
    pub(crate) without_descriptions: bool,
    pub(crate) kubectl: Option<String>,
    pub(crate) stdin: String,
}

impl Asked {
    /// The question, or what is wrong with it.
    pub(crate) fn question(self) -> std::result::Result<Question, &'static str> {
        match (self.request, self.kubectl) {
            (Some(line), None) => {
                if !self.stdin.is_empty() {
                    return Err("`stdin` belongs to `kubectl`");
                }
                if line.split_whitespace().count() != 2 {
                    return Err("a request is a method and a path");
                }
                let headers = self.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
                let headers = headers.collect();
                let (body, events, without_descriptions) = (self.body, self.events, self.without_descriptions);
                Ok(Question::Http(HttpRequest { line, headers, body, events, without_descriptions }))
            }
            (None, Some(arguments)) => {
                if !self.headers.is_empty() || !self.body.is_empty() || self.events.is_some() {
                    return Err("`headers`, `body` and `events` belong to `request`");
                }
                Ok(Question::Kubectl(KubectlRun { arguments, stdin: self.stdin }))
            }
            _ => Err("a step has either `request` or `kubectl`"),
        }
    }
}

/// True for what can name a recording, which becomes a file name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

impl Step {
    /// Name of the recording, or the question of a step that only prepares.
    #[must_use]
    pub fn title(&self) -> &str {
        match (&self.recorded, &self.question) {
            (Some((name, _)), _) => name,
            (None, Question::Http(request)) => &request.line,
            (None, Question::Kubectl(run)) => &run.arguments,
        }
    }
}

impl TryFrom<Written> for Step {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Self, String> {
        let titles = [&written.name, &written.request, &written.kubectl];
        let title = titles.into_iter().flatten().next().cloned().unwrap_or_default();
        let wrong = |problem: &str| format!("step {title:?}: {problem}");
        let recorded = match (written.name, written.category) {
            (Some(name), Some(category)) => Some((name, category)),
            (None, None) => None,
            _ => return Err(wrong("`name` and `category` go together")),
        };
        if let Some((name, _)) = &recorded
            && !is_name(name)
        {
            return Err(wrong("a name is made of lower-case letters, digits and hyphens"));
        }
        let asked = Asked {
            request: written.request,
            headers: written.headers,
            body: written.body,
            events: written.events,
            without_descriptions: written.without_descriptions,
            kubectl: written.kubectl,
            stdin: written.stdin,
        };
        let question = asked.question().map_err(wrong)?;
        let identity = written.identity.unwrap_or_else(|| ADMIN.to_owned());
        Ok(Self { recorded, identity, question, capture: written.capture })
    }
}

impl Script {
    /// Reads one script.
    ///
    /// # Errors
    /// The text is no script; the error names the step.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| Error::format(name, error))?;
        let steps = file.step.into_iter().map(Step::try_from).collect::<std::result::Result<_, _>>();
        Ok(Self { name: name.to_owned(), steps: steps.map_err(|problem| Error::format(name, problem))? })
    }
}

/// Reads all scripts of a directory in the order of their names.
///
/// # Errors
/// A file cannot be read or is no script, or two steps have one name.
pub fn read(directory: &Path) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            scripts.push(Script::parse(&name, &text)?);
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut names = BTreeSet::new();
    for (name, _) in scripts.iter().flat_map(|script| &script.steps).filter_map(|step| step.recorded.as_ref()) {
        if !names.insert(name) {
            return Err(Error::format(name, "two steps have this name"));
        }
    }
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Script::parse("s", text).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_in_a_script_are_named() {
        for (text, part) in [
            ("[[step]]\nname = \"a\"\nrequest = \"GET /\"", "go together"),
            ("[[step]]\nname = \"A b\"\ncategory = \"error\"\nrequest = \"GET /\"", "lower-case"),
            ("[[step]]\nrequest = \"GET\"", "method and a path"),
            ("[[step]]\nrequest = \"GET /\"\nstdin = \"x\"", "belongs to `kubectl`"),
            ("[[step]]\nkubectl = \"get pods\"\nbody = \"x\"", "belong to `request`"),
            ("[[step]]\nrequest = \"GET /\"\nkubectl = \"x\"", "either"),
            ("[[step]]\nrequest = \"GET /\"\ncolour = \"x\"", "unknown field"),
        ] {
            assert!(problem(text).contains(part), "{}", problem(text));
        }
    }

    #[test]
    fn header_names_are_lower_case_and_the_admin_asks() {
        let script =
            Script::parse("s", "[[step]]\nrequest = \"GET /\"\nheaders = { Accept = \"text/plain\" }").unwrap();
        let Question::Http(request) = &script.steps[0].question else { panic!() };
        assert_eq!(request.headers["accept"], "text/plain");
        assert_eq!(script.steps[0].identity, ADMIN);
    }
}
