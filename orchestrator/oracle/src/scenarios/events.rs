//! Events as a set of sentences: who says what about whom. Counts, times and repetitions are not compared.

use super::condition::at;
use super::names::Names;
use crate::normalise::normalise_json;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Whose events are compared.
const COMPONENTS: [&str; 6] = [
    "default-scheduler",
    "deployment-controller",
    "garbage-collector-controller",
    "node-controller",
    "replicaset-controller",
    "taint-eviction-controller",
];

/// The sentences that `known` does not hold yet; they are added to it.
pub(super) fn fresh(names: &Names, exact_nodes: bool, known: &mut BTreeSet<String>, events: &[Value]) -> Value {
    let sentences: BTreeSet<String> = events.iter().filter_map(|event| sentence(names, exact_nodes, event)).collect();
    let fresh: Vec<String> = sentences.difference(known).cloned().collect();
    known.extend(sentences);
    Value::Object(fresh.into_iter().map(|sentence| (sentence, Value::from(true))).collect::<Map<_, _>>())
}

fn sentence(names: &Names, exact_nodes: bool, event: &Value) -> Option<String> {
    let text = |pointer: &str| at(event, pointer).as_str().unwrap_or_default();
    let component = [text("/source/component"), text("/reportingComponent")];
    let component = component.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let (kind, reason, message) = (text("/type"), text("/reason"), text("/message"));
    if !COMPONENTS.contains(&component) || message.starts_with("(combined from similar events)") {
        return None;
    }
    let (of, name) = (text("/involvedObject/kind"), text("/involvedObject/name"));
    let mut message = message.to_owned();
    if !exact_nodes && let Some((start, _)) = message.split_once(" to node-") {
        message = format!("{start} to <a node>");
    }
    let mut sentence = Value::from(format!("{component}: {kind} {reason} {of} {name}: {message}"));
    names.replace(&mut sentence);
    normalise_json(&mut sentence);
    // Which of several made pods an event is about does not matter.
    sentence.as_str().map(forget_steps)
}

/// A placeholder `-<STEP>` of a generated name becomes `-<suffix>`: events also tell of objects that came and went.
fn forget_steps(text: &str) -> String {
    let mut parts = text.split("-<");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result.push_str("-<");
        match part.split_once('>') {
            Some((inside, rest)) if !inside.starts_with("hash-") => {
                result.push_str("suffix>");
                result.push_str(rest);
            }
            _ => result.push_str(part),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_new_sentences_of_known_components() {
        let event = |component: &str, message: &str| {
            json!({
                "source": {"component": component}, "type": "Normal", "reason": "R", "message": message,
                "involvedObject": {"kind": "Pod", "name": "p"},
            })
        };
        let mut known = BTreeSet::new();
        let first = [
            event("kubelet", "x"),
            event("default-scheduler", "assigned p to node-1"),
            event("default-scheduler", "assigned p to node-0"),
        ];
        let found = fresh(&Names::default(), false, &mut known, &first);
        assert_eq!(found, json!({"default-scheduler: Normal R Pod p: assigned p to <a node>": true}));
        assert_eq!(fresh(&Names::default(), false, &mut known, &first), json!({}));
    }

    #[test]
    fn hashes_stay_and_steps_go() {
        assert_eq!(forget_steps("a-<hash-1>-<made-here> b-<x> c"), "a-<hash-1>-<suffix> b-<suffix> c");
    }
}
