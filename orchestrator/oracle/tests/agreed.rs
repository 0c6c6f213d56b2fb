//! The agreed differences are exactly those of a server that keeps no managedFields, refuses server-side apply, and warns
//! where it stores what nothing acts on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use oracle::{Answer, Body, Data, Recording, compare};
use serde_json::{Value, json};

/// Takes every managedFields away.
fn remove_managed_fields(value: &mut Value) {
    match value {
        Value::Object(items) => {
            if let Some(metadata) = items.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            items.values_mut().for_each(remove_managed_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_managed_fields),
        _ => {}
    }
}

/// What our server is to answer where the real one answers as recorded.
fn ours(recording: &Recording) -> Answer {
    let mut answer = recording.answer.clone();
    let Answer::Http(http) = &mut answer else { return answer };
    // The options are checked before the kind of patch is refused: `patch-apply-no-manager` is answered as recorded.
    if matches!(recording.name.as_str(), "patch-apply-create" | "patch-apply-conflict") {
        http.status = 415;
        http.body = Body::Json(json!({"kind": "Status", "code": 415, "reason": "UnsupportedMediaType"}));
        return answer;
    }
    match &mut http.body {
        Body::Json(value) => remove_managed_fields(value),
        Body::Events(events) => events.iter_mut().for_each(remove_managed_fields),
        Body::Text(lines) => {
            let start = lines.iter().position(|line| line == "  managedFields:");
            if let Some(start) = start {
                let end = lines.iter().position(|line| line == "  name: yaml").unwrap();
                lines.drain(start..end);
            }
        }
        Body::Empty | Body::Bytes(_) => {}
    }
    answer
}

/// Adds the warning of an object that is stored and nothing more.
fn warn(answer: &mut Answer) {
    let text = "Pod is stored, but nothing acts on it in this version";
    match answer {
        Answer::Http(http) => {
            http.headers.insert("warning".to_owned(), vec![format!("299 - \"{text}\"")]);
        }
        Answer::Kubectl(kubectl) => kubectl.stderr.insert(0, format!("Warning: {text}")),
    }
}

#[test]
fn the_list_covers_our_design_and_nothing_else() {
    let data = Data::read().unwrap();
    let mut differences = Vec::new();
    let mut touched = 0;
    // Which answers warn is for the list to say; the suite `kubectl` holds it against our server.
    let inert = data.allowed.difference.iter().find(|entry| entry.id == "nothing-acts-yet").unwrap();
    let warns = |name: &String| inert.places.iter().any(|place| place.recordings.contains(name));
    for recording in data.recordings.values() {
        let mut answer = ours(recording);
        if warns(&recording.name) {
            warn(&mut answer);
        }
        let found = compare(recording, answer);
        touched += usize::from(!found.is_empty());
        differences.extend(found);
    }
    assert_eq!(data.allowed.judge(&differences), []);
    assert!(touched > 50, "{touched} recordings differ");
}
