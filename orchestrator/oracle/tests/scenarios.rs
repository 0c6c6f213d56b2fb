//! The committed scenarios: enough of them, recorded as they stand, and no recorded field that could change unnoticed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use oracle::scenarios::{self, Ending, Outcome, Recording, Scenarios};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// Landing 7 asks for this number of steps.
const STEPS: usize = 30;

/// All recordings of steps together, in bytes.
const LARGEST: usize = 1_000_000;

/// The themes that landing 7 names, each with at least one scenario.
const THEMES: [&str; 11] = [
    "rollout",
    "progress",
    "scale",
    "replicaset",
    "delete",
    "namespace",
    "schedule",
    "taints",
    "certificates",
    "nodes",
    "bootstrap",
];

fn data() -> Scenarios {
    scenarios::load().unwrap()
}

/// What a server gives that does all as recorded.
fn outcomes(data: &Scenarios) -> Vec<Outcome> {
    let steps = data.scenarios.iter().flat_map(|scenario| scenario.steps.iter().map(move |step| (scenario, step)));
    let outcome = |(scenario, step): (&scenarios::Scenario, &scenarios::Step)| {
        let ending = step.name.as_ref().map(|name| data.recordings[name].ending.clone());
        Outcome { scenario: scenario.name.clone(), step: step.clone(), problem: None, ending }
    };
    steps.map(outcome).collect()
}

#[test]
fn every_theme_is_there_and_enough_steps_are() {
    let data = data();
    for theme in THEMES {
        assert!(data.scenarios.iter().any(|scenario| scenario.name.ends_with(&format!("-{theme}"))), "{theme}");
    }
    assert!(data.recordings.len() >= STEPS, "{}", data.recordings.len());
}

#[test]
fn each_named_step_has_its_recording_and_the_other_way_round() {
    let data = data();
    let mut named = BTreeSet::new();
    for scenario in &data.scenarios {
        for step in &scenario.steps {
            let Some(name) = &step.name else { continue };
            let Recording { scenario: of, question, wanted, .. } = &data.recordings[name];
            assert_eq!((of, question, wanted), (&scenario.name, &step.question, &step.wanted), "{name}: `make record`");
            named.insert(name.clone());
        }
    }
    assert_eq!(named, data.recordings.keys().cloned().collect());
}

#[test]
fn files_print_as_they_were_read() {
    let directory = oracle::directory().join("recordings/scenarios");
    let mut size = 0;
    for (name, recording) in data().recordings {
        let text = fs::read_to_string(directory.join(format!("{name}.json"))).unwrap();
        size += text.len();
        assert_eq!(recording.print().unwrap(), text, "{name}");
    }
    assert!(size < LARGEST, "{size} bytes");
}

#[test]
fn what_is_as_recorded_does_not_differ() {
    let data = data();
    assert_eq!(scenarios::judge(&data.recordings, &outcomes(&data)), []);
}

#[test]
fn a_step_that_did_not_settle_is_a_difference() {
    let data = data();
    let mut outcomes = outcomes(&data);
    for outcome in &mut outcomes {
        outcome.problem = Some("not settled".to_owned());
    }
    assert_eq!(scenarios::judge(&data.recordings, &outcomes).len(), outcomes.len());
}

/// JSON pointers of all leaves; empty containers are leaves.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(items) if !items.is_empty() => {
            for (key, value) in items {
                leaves(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

fn altered(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("{text}x")),
        Value::Number(number) => Value::from(number.as_i64().unwrap() + 1),
        Value::Bool(value) => Value::from(!value),
        Value::Null => Value::from(0),
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": "x"}),
    }
}

#[test]
fn every_altered_and_every_missing_field_shows() {
    let data = data();
    let mut fields = 0;
    for outcome in outcomes(&data) {
        let Some(ending) = &outcome.ending else { continue };
        let tree = serde_json::to_value(ending).unwrap();
        let mut found = Vec::new();
        // The form of the answer itself is fixed by its type.
        for part in ["state", "events", "outputs"] {
            leaves(&tree[part], &format!("/{part}"), &mut found);
        }
        for path in found.iter().filter(|path| !path.ends_with("/exit") && tree.pointer(path).is_some()) {
            let mut live = tree.clone();
            let place = live.pointer_mut(path).unwrap();
            *place = altered(place);
            // An output has a form of its own, which not every alteration has.
            let Ok(ending) = serde_json::from_value::<Ending>(live) else { continue };
            let live = Outcome { ending: Some(ending), ..outcome.clone() };
            let differences = scenarios::judge(&data.recordings, &[live]);
            let at = differences.iter().any(|difference| difference.path.starts_with(path.as_str()));
            assert!(at, "{} {path}", outcome.step.title());
            fields += 1;
        }
    }
    assert!(fields > 5_000, "{fields}");
}
