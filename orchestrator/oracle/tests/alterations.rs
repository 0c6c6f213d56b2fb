//! Alters the recordings: every field that is not hidden must show as a difference, every hidden one must not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oracle::normalise::PLACEHOLDERS;
use oracle::{Answer, Data, Difference, Recording, compare};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Answers with more leaves than this are altered in all places at once only; each place must still be reported.
const ONE_BY_ONE: usize = 60;

fn recordings() -> Vec<Recording> {
    let recordings: Vec<_> = Data::read().unwrap().recordings.into_values().collect();
    assert!(!recordings.is_empty());
    recordings
}

fn tree(recording: &Recording) -> Value {
    serde_json::to_value(&recording.answer).unwrap()
}

fn compared(recording: &Recording, live: &Value) -> Vec<Difference> {
    let live: Answer = serde_json::from_value(live.clone()).unwrap();
    compare(recording, live)
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// JSON pointers of all leaves; empty containers are leaves. An answer without a body has no leaf for it.
fn leaves(tree: &Value) -> Vec<String> {
    fn walk(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(items) if !items.is_empty() => {
                items.iter().for_each(|(key, value)| walk(value, format!("{path}/{}", escaped(key)), found));
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().for_each(|(index, value)| walk(value, format!("{path}/{index}"), found));
            }
            _ => found.push(path),
        }
    }
    let mut found = Vec::new();
    walk(tree, String::new(), &mut found);
    found.retain(|path| path != "/http/body");
    found
}

/// Another value of the same type, or none where the whole leaf is hidden.
fn altered(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(text) if PLACEHOLDERS.contains(&text.as_str()) => return None,
        Value::String(text) => Value::from(format!("{text}x")),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::from(number ^ 1),
            (_, Some(number)) => Value::from(number + 1),
            _ => Value::from(number.as_f64().unwrap() + 0.5),
        },
        Value::Bool(value) => Value::from(!value),
        Value::Null => Value::from(0),
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": "x"}),
    })
}

#[test]
fn every_field_that_is_not_hidden_shows() {
    let mut altered_fields = 0;
    for recording in recordings() {
        let tree = tree(&recording);
        let leaves = leaves(&tree);
        let mut everything = tree.clone();
        let mut places = BTreeSet::new();
        for path in &leaves {
            let Some(value) = altered(tree.pointer(path).unwrap()) else { continue };
            if leaves.len() <= ONE_BY_ONE {
                let mut one = tree.clone();
                *one.pointer_mut(path).unwrap() = value.clone();
                let found = compared(&recording, &one);
                assert!(!found.is_empty(), "{}: nobody noticed another {path}", recording.name);
                assert!(found.iter().all(|found| found.path.starts_with(path)), "{}: {path} {found:?}", recording.name);
            }
            *everything.pointer_mut(path).unwrap() = value;
            places.insert(path.clone());
        }
        let found: BTreeSet<String> = compared(&recording, &everything).into_iter().map(|found| found.path).collect();
        // An empty list or object that got content is reported at that content.
        let seen = |place: &String| ["", "/0", "/x"].iter().any(|end| found.contains(&format!("{place}{end}")));
        let unseen: Vec<_> = places.iter().filter(|place| !seen(place)).collect();
        assert!(unseen.is_empty(), "{}: nobody noticed {unseen:?}", recording.name);
        altered_fields += places.len();
    }
    assert!(altered_fields > 10_000, "only {altered_fields} fields were altered");
}

/// Every object of a JSON body gains a key and every list an element, one at a time.
#[test]
fn what_is_added_or_missing_shows() {
    fn containers(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(items) => {
                items.iter().for_each(|(key, value)| containers(value, format!("{path}/{}", escaped(key)), found));
                found.push(path);
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, value)| containers(value, format!("{path}/{index}"), found));
                found.push(path);
            }
            _ => {}
        }
    }
    let mut tried = 0;
    for recording in recordings() {
        let tree = tree(&recording);
        let mut found = Vec::new();
        containers(&tree, String::new(), &mut found);
        found.retain(|path| path.starts_with("/http/body/json") || path.starts_with("/http/body/events"));
        if found.len() > ONE_BY_ONE {
            continue;
        }
        for path in found {
            let mut more = tree.clone();
            let mut fewer = tree.clone();
            match (more.pointer_mut(&path).unwrap(), fewer.pointer_mut(&path).unwrap()) {
                (Value::Object(more), Value::Object(fewer)) => {
                    more.insert("added".into(), Value::Null);
                    let first = fewer.keys().next().cloned();
                    first.map(|key| fewer.remove(&key));
                }
                (Value::Array(more), Value::Array(fewer)) => {
                    more.push(Value::Null);
                    fewer.pop();
                }
                _ => {}
            }
            assert!(!compared(&recording, &more).is_empty(), "{}: addition at {path}", recording.name);
            if fewer != tree {
                assert!(!compared(&recording, &fewer).is_empty(), "{}: removal at {path}", recording.name);
            }
            tried += 1;
        }
    }
    assert!(tried > 300, "only {tried} containers were tried");
}

/// What another run of a server could have in place of each placeholder.
fn another_run(text: &str) -> String {
    let values = [
        ("<uid>", "01234567-89ab-4def-8123-456789abcdef"),
        ("<audit-id>", "11234567-89ab-4def-8123-456789abcdef"),
        ("<time>", "2031-12-30T23:59:58Z"),
        ("<age>", "5m7s"),
        ("<resource-version>", "987654"),
        ("<suffix>", "bcd24"),
        // As long as the address of the table script: columns to the right of it stand where they stood.
        ("<address>", "10.43.0.81"),
    ];
    let text = values.iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value));
    let commit = text == "<hash>";
    text.replace("<hash>", &"0123456789abcdef".repeat(8)[..if commit { 40 } else { 128 }])
}

#[test]
fn hidden_fields_do_not_show() {
    let mut seen = BTreeSet::new();
    for recording in recordings() {
        let mut live = tree(&recording);
        for path in leaves(&live.clone()) {
            let leaf = live.pointer_mut(&path).unwrap();
            let Value::String(text) = leaf else { continue };
            seen.extend(PLACEHOLDERS.iter().filter(|placeholder| text.contains(**placeholder)));
            *leaf = if path.ends_with("/continue") && text.starts_with('{') {
                let mut token: Value = serde_json::from_str(text).unwrap();
                token["rv"] = 987_654.into();
                Value::from(URL_SAFE_NO_PAD.encode(token.to_string()))
            } else {
                Value::from(another_run(text))
            };
        }
        let found = compared(&recording, &live);
        assert!(found.is_empty(), "{}: {}", recording.name, found[0]);
        // The same places with values of another form do show.
        let mut live = tree(&recording);
        let mut places = BTreeSet::new();
        for path in leaves(&tree(&recording)) {
            let leaf = live.pointer_mut(&path).unwrap();
            if leaf.as_str().is_some_and(|text| PLACEHOLDERS.contains(&text)) {
                *leaf = Value::from("something else");
                places.insert(path);
            }
        }
        let found: BTreeSet<String> = compared(&recording, &live).into_iter().map(|found| found.path).collect();
        assert_eq!(found, places, "{}", recording.name);
    }
    let expected: BTreeSet<&str> = PLACEHOLDERS.into();
    assert_eq!(seen, expected.iter().collect(), "placeholders in the recordings");
}

/// The columns of a line that are not part of a placeholder.
fn open_columns(line: &str) -> Vec<usize> {
    let mut hidden = vec![false; line.len()];
    for placeholder in PLACEHOLDERS {
        for (start, _) in line.match_indices(placeholder) {
            hidden[start..start + placeholder.len()].fill(true);
        }
    }
    line.char_indices().filter(|(at, _)| !hidden[*at]).map(|(at, _)| at).collect()
}

/// The line with its character number `column` (from 1) altered; none when it has no such character or hides it.
fn altered_at(line: &str, column: usize) -> Option<String> {
    let (at, old) = line.char_indices().nth(column - 1)?;
    let new = if old == 'y' { 'u' } else { 'y' };
    let hidden = !open_columns(line).contains(&at);
    (!hidden).then(|| format!("{}{new}{}", &line[..at], &line[at + old.len_utf8()..]))
}

/// One column is altered in all lines of a text at a time; each of the lines must be reported at that column.
#[test]
fn every_character_of_a_text_shows_at_its_line_and_column() {
    let mut tried = 0;
    for recording in recordings() {
        let tree = tree(&recording);
        for list in ["/kubectl/stdout", "/kubectl/stderr", "/http/body/text"] {
            let lines = tree.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
            for column in 1..=lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) {
                let mut live = tree.clone();
                let mut places = Vec::new();
                for (index, line) in lines.iter().enumerate() {
                    if let Some(line) = altered_at(line, column) {
                        live.pointer_mut(list).unwrap()[index] = line.into();
                        places.push((format!("{list}/{index}"), Some(column)));
                    }
                }
                let found = compared(&recording, &live).into_iter().map(|found| (found.path, found.column));
                assert_eq!(found.collect::<Vec<_>>(), places, "{} column {column}", recording.name);
                tried += places.len();
            }
        }
    }
    assert!(tried > 5_000, "only {tried} characters were tried");
}
