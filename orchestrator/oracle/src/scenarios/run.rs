//! Does the steps of scenarios on a server and reads what comes of each.

use super::condition::{Condition, Watcher};
use super::events::fresh;
use super::file::{IDENTITY, Scenario, Step};
use super::names::Names;
use super::place::Place;
use super::recording::Ending;
use crate::error::{Error, Result, chain};
use crate::normalise::normalise;
use crate::recording::{Answer, Body};
use crate::replay::{Asker, Variables, captured, fill, prepared};
use crate::script::{HttpRequest, KubectlRun, Question};
use crate::target::Target;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Two looks this far apart must see the same: what is last to be written is not what the conditions of a step name.
const QUIET: Duration = Duration::from_millis(800);

/// How many looks there are at most.
const LOOKS: usize = 40;

/// The bound of a step after another one of its scenario failed: its end most likely never comes.
const HOPELESS: Duration = Duration::from_secs(5);

/// What became of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The step.
    pub step: Step,
    /// Why the step did not come to its end, if it did not.
    pub problem: Option<String>,
    /// What the step ended with, normalised; none when nothing could be asked.
    pub ending: Option<Ending>,
}

/// Does all scenarios on a server that has nothing but its two nodes.
///
/// A server on which a step does not settle gives an outcome that says so; the other steps are still done.
///
/// # Errors
/// The target's credentials cannot be used, or there is no room for kubectl's cache.
pub async fn replay(target: &Target, scenarios: &[Scenario]) -> Result<Vec<Outcome>> {
    let asker = Asker::new(target)?;
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let mut run = Run::new(&asker, &scenario.namespace);
        run.failed = run.make_namespace().await.is_err();
        for step in &scenario.steps {
            let (problem, ending) = run.step(step).await;
            run.failed |= problem.is_some();
            outcomes.push(Outcome { scenario: scenario.name.clone(), step: step.clone(), problem, ending });
        }
    }
    Ok(outcomes)
}

/// One scenario on its way.
struct Run<'a> {
    asker: &'a Asker<'a>,
    namespace: &'a str,
    variables: Variables,
    names: Names,
    events: BTreeSet<String>,
    failed: bool,
}

impl<'a> Run<'a> {
    fn new(asker: &'a Asker<'a>, namespace: &'a str) -> Self {
        let variables = Variables::from([("namespace".to_owned(), namespace.to_owned())]);
        let (names, events) = (Names::default(), BTreeSet::new());
        Self { asker, namespace, variables, names, events, failed: false }
    }

    fn watcher(&self) -> Watcher<'a> {
        Watcher { client: &self.asker.client, namespace: self.namespace }
    }

    /// Makes the namespace and waits for what pods need in it.
    async fn make_namespace(&self) -> Result<()> {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}).to_string();
        let line = "POST /api/v1/namespaces".to_owned();
        let create = HttpRequest { line, headers, body, events: None, without_descriptions: false };
        self.asker.client.ask(IDENTITY, &create).await?;
        for object in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
            self.watcher().until(&Condition::of(object, &[])?, Duration::from_secs(60)).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> (Option<String>, Option<Ending>) {
        let answer = match self.act(step).await {
            Ok(answer) => answer,
            Err(problem) => return (Some(problem), None),
        };
        let mut problem = None;
        for condition in &step.settle {
            let bound = if self.failed { step.within.min(HOPELESS) } else { step.within };
            if let Err(error) = self.watcher().until(condition, bound).await {
                problem = Some(chain(&error));
                break;
            }
        }
        let Some(name) = &step.name else { return (problem, None) };
        match self.ending(name, step, answer).await {
            Ok(ending) => (problem, Some(ending)),
            Err(error) => (Some(problem.unwrap_or_else(|| chain(&error))), None),
        }
    }

    async fn act(&mut self, step: &Step) -> std::result::Result<Answer, String> {
        let question = match &step.question {
            Question::Kubectl(run) => Question::Kubectl(self.within_namespace(run)),
            Question::Http(_) => step.question.clone(),
        };
        let answer = self.asker.ask(IDENTITY, &question, &self.variables).await?;
        self.variables.extend(captured(&step.capture, &answer)?);
        if step.name.is_none() {
            prepared(&answer)?;
        }
        Ok(answer)
    }

    fn within_namespace(&self, run: &KubectlRun) -> KubectlRun {
        KubectlRun { arguments: format!("--namespace {} {}", self.namespace, run.arguments), stdin: run.stdin.clone() }
    }

    /// Looks until two looks see the same.
    async fn ending(&mut self, name: &str, step: &Step, answer: Answer) -> Result<Ending> {
        let mut last: Option<(Look, Names, BTreeSet<String>)> = None;
        for _ in 0..LOOKS {
            let (mut names, mut events) = (self.names.clone(), self.events.clone());
            let look = self.look(name, step, &mut names, &mut events).await?;
            if let Some((before, ..)) = &last
                && *before == look
            {
                self.names = names;
                self.events = events;
                return self.written(step, answer, look).await;
            }
            last = Some((look, names, events));
            sleep_until(Instant::now() + QUIET).await;
        }
        Err(Error::format(name, format!("its objects still changed after {LOOKS} looks")))
    }

    async fn look(&self, name: &str, step: &Step, names: &mut Names, events: &mut BTreeSet<String>) -> Result<Look> {
        let mut lists = Vec::new();
        for text in &step.wanted.state {
            let (objects, _) = self.watcher().list(&Place::parse(text)?).await?;
            lists.push((text.clone(), objects));
        }
        // Hashes stand in the names of pods, too, and in messages: who made them must be known even if not recorded.
        let (makers, _) = self.watcher().list(&Place::parse("replicasets")?).await?;
        let objects = lists.iter().flat_map(|(_, objects)| objects);
        names.learn(name, &makers.iter().chain(objects).collect::<Vec<_>>());
        let exact = step.wanted.nodes;
        let state = lists.into_iter().map(|(text, objects)| (text, super::reduce::reduce(names, exact, objects)));
        let state = state.collect();
        // What a step tells is over with it, wanted or not.
        let (objects, _) = self.watcher().list(&Place::parse("events")?).await?;
        let sentences = fresh(names, exact, events, &objects);
        Ok(Look { state, events: if step.wanted.events { sentences } else { Value::Null } })
    }

    async fn written(&self, step: &Step, answer: Answer, look: Look) -> Result<Ending> {
        let mut outputs = BTreeMap::new();
        for arguments in &step.wanted.outputs {
            let arguments_filled =
                fill(arguments, &self.variables).map_err(|problem| Error::format(arguments, problem))?;
            let run = self.within_namespace(&KubectlRun { arguments: arguments_filled, stdin: String::new() });
            let output = self.asker.kubectl(IDENTITY, &run).await?;
            outputs.insert(arguments.clone(), self.normal(output));
        }
        Ok(Ending { answer: self.normal(answer), state: look.state, events: look.events, outputs })
    }

    /// An answer without what is made up. Of the object that a request wrote only the state tells.
    fn normal(&self, mut answer: Answer) -> Answer {
        // Ages are found by their columns, which must not have moved yet.
        normalise(&mut answer);
        match &mut answer {
            Answer::Http(http) => {
                http.headers.retain(|name, _| name == "warning");
                match &mut http.body {
                    body if http.status < 300 => *body = Body::Empty,
                    Body::Json(body) => self.names.replace(body),
                    Body::Empty | Body::Events(_) | Body::Text(_) | Body::Bytes(_) => {}
                }
            }
            Answer::Kubectl(kubectl) => {
                for line in kubectl.stdout.iter_mut().chain(&mut kubectl.stderr) {
                    *line = narrow(&self.names.replaced(line));
                }
            }
        }
        answer
    }
}

/// What one look saw.
#[derive(PartialEq)]
struct Look {
    state: BTreeMap<String, Value>,
    events: Value,
}

/// Columns are as wide as the names in them, which are made up: any distance becomes the least one.
fn narrow(line: &str) -> String {
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let indent = if line.starts_with(' ') { "  " } else { "" };
    if line.trim_start().contains("  ") { format!("{indent}{}", cells.join("   ")) } else { line.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_narrow() {
        for (line, result) in [
            ("NAME      READY   AGE", "NAME   READY   AGE"),
            ("web-1     0/1     5s  ", "web-1   0/1   5s"),
            ("one two", "one two"),
            ("  indented   x", "  indented   x"),
            ("", ""),
        ] {
            assert_eq!(narrow(line), result, "{line:?}");
        }
    }
}
