//! Asks a server everything that the scripts say, in order, and collects its answers.

use crate::client::Client;
use crate::compare::{Difference, compare};
use crate::error::{Error, Result};
use crate::normalise::{normalise, remove_column_descriptions, remove_descriptions};
use crate::process::{Environment, Program};
use crate::recording::{Answer, Body, FORMAT, KubectlAnswer, Recording, lines};
use crate::script::{HttpRequest, KubectlRun, Question, Script, Step};
use crate::target::Target;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// How long one kubectl command may take.
const KUBECTL: Duration = Duration::from_secs(90);

/// What became of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The step.
    pub step: Step,
    /// The answer, not normalised; or why there is none.
    pub answer: std::result::Result<Answer, String>,
}

/// Runs all scripts against an empty server.
///
/// A server that answers unexpectedly, or not at all, gives outcomes that say so; the other steps are still asked.
///
/// # Errors
/// The target's credentials cannot be used, or there is no room for kubectl's cache.
pub async fn replay(target: &Target, scripts: &[Script]) -> Result<Vec<Outcome>> {
    let asker = Asker::new(target)?;
    let mut outcomes = Vec::new();
    for script in scripts {
        let mut variables = BTreeMap::new();
        for step in &script.steps {
            let answer = asker.ask(&step.identity, &step.question, &variables).await;
            let answer = answer.and_then(|answer| {
                variables.extend(captured(&step.capture, &answer)?);
                if step.recorded.is_none() { prepared(&answer).map(|()| answer) } else { Ok(answer) }
            });
            outcomes.push(Outcome { step: step.clone(), answer });
        }
    }
    Ok(outcomes)
}

/// Makes recordings from the outcomes of the real server.
///
/// # Errors
/// A step has no answer.
pub fn recordings(outcomes: Vec<Outcome>) -> Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    let mut problems = Vec::new();
    for Outcome { step, answer } in outcomes {
        match (answer, &step.recorded) {
            (Err(problem), _) => problems.push(format!("{}: {problem}", step.title())),
            (Ok(_), None) => {}
            (Ok(mut answer), Some((name, category))) => {
                normalise(&mut answer);
                let (name, category) = (name.clone(), *category);
                let (identity, question) = (step.identity, step.question);
                recordings.push(Recording { format: FORMAT, name, category, identity, question, answer });
            }
        }
    }
    if problems.is_empty() { Ok(recordings) } else { Err(Error::format("the real server", problems.join("\n"))) }
}

/// Compares a server's outcomes with the recordings.
#[must_use]
pub fn judge(recordings: &BTreeMap<String, Recording>, outcomes: &[Outcome]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for Outcome { step, answer } in outcomes {
        let name = step.title();
        let missing = |expected: &str, found: &str| Difference {
            recording: name.to_owned(),
            path: String::new(),
            column: None,
            expected: Some(expected.to_owned()),
            found: Some(found.to_owned()),
        };
        match (answer, recordings.get(name)) {
            (Ok(answer), Some(recording)) => differences.extend(compare(recording, answer.clone())),
            (Ok(_), None) if step.recorded.is_none() => {}
            (Ok(_), None) => differences.push(missing("a recording (make record)", "none")),
            (Err(problem), _) => differences.push(missing("an answer", problem)),
        }
    }
    differences
}

/// Asks one target.
pub(crate) struct Asker<'a> {
    target: &'a Target,
    pub(crate) client: Client,
    home: tempfile::TempDir,
}

/// What answers gave to later questions.
pub(crate) type Variables = BTreeMap<String, String>;

impl<'a> Asker<'a> {
    pub(crate) fn new(target: &'a Target) -> Result<Self> {
        let home = tempfile::tempdir().map_err(Error::file("create", std::env::temp_dir()))?;
        Ok(Self { target, client: Client::new(target)?, home })
    }

    pub(crate) async fn ask(
        &self,
        identity: &str,
        question: &Question,
        variables: &Variables,
    ) -> std::result::Result<Answer, String> {
        match question {
            Question::Http(request) => {
                let mut headers = BTreeMap::new();
                for (name, value) in &request.headers {
                    headers.insert(name.clone(), fill(value, variables)?);
                }
                let (line, body) = (fill(&request.line, variables)?, fill(&request.body, variables)?);
                let request = HttpRequest { line, headers, body, ..request.clone() };
                self.http(identity, &request).await.map_err(|error| crate::error::chain(&error))
            }
            Question::Kubectl(run) => {
                let run =
                    KubectlRun { arguments: fill(&run.arguments, variables)?, stdin: fill(&run.stdin, variables)? };
                self.kubectl(identity, &run).await.map_err(|error| crate::error::chain(&error))
            }
        }
    }

    async fn http(&self, identity: &str, request: &HttpRequest) -> Result<Answer> {
        let mut answer = self.client.ask(identity, request).await?.parsed(request)?;
        match &mut answer.body {
            Body::Json(document) if request.without_descriptions => remove_descriptions(document),
            Body::Json(document) => remove_column_descriptions(document),
            Body::Events(events) => events.iter_mut().for_each(remove_column_descriptions),
            Body::Empty | Body::Text(_) | Body::Bytes(_) => {}
        }
        Ok(Answer::Http(answer))
    }

    pub(crate) async fn kubectl(&self, identity: &str, run: &KubectlRun) -> Result<Answer> {
        let mut arguments: Vec<OsString> = vec!["--context".into(), identity.into()];
        arguments.extend(run.arguments.split_whitespace().map(OsString::from));
        let environment = Environment::Only(vec![
            ("HOME", self.home.path().into()),
            ("KUBECONFIG", self.target.kubeconfig.clone().into()),
            ("TZ", "UTC".into()),
        ]);
        let program = Program { path: &self.target.kubectl, arguments, directory: self.home.path(), environment };
        let ended = program.output(&run.stdin, KUBECTL).await?;
        let text = |bytes: Vec<u8>| lines(&String::from_utf8_lossy(&bytes));
        let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
        Ok(Answer::Kubectl(KubectlAnswer { exit: ended.exit, stdout, stderr }))
    }
}

/// Replaces `${name}` by the variable's value.
pub(crate) fn fill(text: &str, variables: &Variables) -> std::result::Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("a variable without end in {text:?}"))?;
        result.push_str(before);
        let value = variables.get(name).ok_or_else(|| format!("no answer before this one set ${{{name}}}"))?;
        result.push_str(value);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The variables that a step takes from its answer: name to JSON pointer or `header:NAME`.
pub(crate) fn captured(capture: &BTreeMap<String, String>, answer: &Answer) -> std::result::Result<Variables, String> {
    let mut variables = Variables::new();
    for (name, pointer) in capture {
        let Answer::Http(answer) = answer else { return Err("only a raw answer can be captured from".to_owned()) };
        let value = match (&answer.body, pointer.strip_prefix("header:")) {
            (_, Some(header)) => answer.headers.get(header).and_then(|values| values.first()).cloned(),
            (Body::Json(body), None) => body.pointer(pointer).and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        let value = value.filter(|value| !value.is_empty());
        variables.insert(name.clone(), value.ok_or_else(|| format!("the answer has no text at {pointer}"))?);
    }
    Ok(variables)
}

/// A step that only prepares must succeed. What it makes may be there already: a server with controllers makes more.
pub(crate) fn prepared(answer: &Answer) -> std::result::Result<(), String> {
    match answer {
        Answer::Http(answer) if answer.status < 300 || answer.status == 409 => Ok(()),
        Answer::Http(answer) => Err(format!("status {}: {:?}", answer.status, answer.body)),
        Answer::Kubectl(answer) if answer.exit == 0 => Ok(()),
        Answer::Kubectl(answer) => Err(format!("exit {}: {}", answer.exit, answer.stderr.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_or_missed() {
        let variables = Variables::from([("rv".to_owned(), "7".to_owned())]);
        assert_eq!(fill("a=${rv}&b=${rv}", &variables).unwrap(), "a=7&b=7");
        assert_eq!(fill("{$}", &variables).unwrap(), "{$}");
        assert!(fill("${other}", &variables).unwrap_err().contains("other"));
        assert!(fill("${rv", &variables).unwrap_err().contains("without end"));
    }
}
