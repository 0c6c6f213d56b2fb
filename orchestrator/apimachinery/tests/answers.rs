//! What the real Go decoders answered, recorded by the program in `tests/samples/generate`: leaves, whole documents with
//! their findings and errors, and YAML. Errors are compared by their text.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::schema::{self, Type};
use coracle_apimachinery::{Value, yaml};
use std::path::Path;

const LEAVES: &str = "coracle-schema 1\ngroup-version main/main gated\nstruct leaf\n quantity *quantity - ?\n time *time - ?\n \
    microTime *micro-time - ?\n duration *duration - ?\n intOrString *int-or-string - ?\n bytes bytes - ?\n \
    float *float64 - ?\n string *string - ?\n";

/// Recorded errors whose text differs, each with the reason; everything else must be equal.
const OTHER_WORDS: [(&str, &str); 3] = [
    ("v1.ResourceList", "the tables hold what a named map is, not its name"),
    ("types.UID", "the tables hold strings of apimachinery's types package as plain strings"),
    ("Pod.TypeMeta.kind", "the tables flatten embedded structs"),
];

fn lines(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn unquoted(text: &str) -> String {
    match json::decode_any(text.as_bytes()) {
        Ok(Value::String(text)) => text.into(),
        other => panic!("{text} is no JSON string: {other:?}"),
    }
}

/// The recorded answer: printed JSON, or the text of the error.
fn recorded(answer: &str) -> Result<String, String> {
    match answer.strip_prefix('!') {
        Some(error) => Err(unquoted(error)),
        None => Ok(answer.to_owned()),
    }
}

fn decoded(of: Type<'_>, text: &str) -> (Result<String, String>, Vec<String>) {
    match json::decode(of, text.as_bytes(), FieldValidation::Report) {
        Ok(decoded) => (Ok(String::from_utf8(json::encode(of, &decoded.value)).unwrap()), decoded.findings),
        Err(error) => (Err(error.to_string()), Vec::new()),
    }
}

#[test]
fn leaves() {
    let schema = schema::parse(LEAVES).unwrap();
    let of = schema.type_named("leaf").unwrap();
    let lines = lines("leaves.tsv");
    assert!(lines.len() >= 180, "{}", lines.len());
    let mut wrong = Vec::new();
    for line in lines {
        let [name, input, answer] = &line[..] else { panic!("{line:?}") };
        let (ours, _) = decoded(of, &format!("{{{name:?}:{}}}", unquoted(input)));
        // A pointer to the zero time prints as null, which reads back as absent; the tree has one form for both.
        let expected = if answer == r#"{"time":null}"# { Ok("{}".to_owned()) } else { recorded(answer) };
        if ours != expected {
            wrong.push(format!("{name} {input}:\n  ours   {ours:?}\n  theirs {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn documents() {
    let kinds = [("Deployment", "apps/v1"), ("ControllerRevision", "apps/v1")];
    let lines = lines("decoding.tsv");
    assert!(lines.len() >= 69, "{}", lines.len());
    let mut other_words = 0;
    let mut wrong = Vec::new();
    for line in lines {
        let (kind, input, answer) = (&line[0], unquoted(&line[1]), recorded(&line[2]));
        let group_version = kinds.iter().find(|(name, _)| name == kind).map_or("v1", |(_, name)| name);
        let (ours, findings) = decoded(schema::kind(group_version, kind).unwrap(), &input);
        let excused = |text: &String| OTHER_WORDS.iter().any(|(word, _)| text.contains(word));
        if answer.as_ref().is_err_and(excused) {
            other_words += 1;
            assert!(ours.is_err() && ours != answer, "{kind} {input}: the excuse is no longer needed");
            continue;
        }
        let expected: Vec<String> = line[3..].iter().map(|finding| unquoted(finding)).collect();
        if (&ours, &findings) != (&answer, &expected) {
            wrong.push(format!("{kind} {input}:\n  ours   {ours:?} {findings:?}\n  theirs {answer:?} {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(other_words, OTHER_WORDS.len());
}

/// YAML errors come from another parser; there only the refusal itself is compared.
#[test]
fn yaml_texts() {
    let lines = lines("yaml.tsv");
    assert!(lines.len() >= 50, "{}", lines.len());
    for line in lines {
        let [input, answer] = &line[..] else { panic!("{line:?}") };
        let ours = yaml::decode_any(unquoted(input).as_bytes());
        let ours = ours.map(|value| String::from_utf8(json::encode_any(&value)).unwrap());
        match recorded(answer) {
            Ok(expected) => assert_eq!(ours, Ok(expected), "{input}"),
            Err(error) => assert!(ours.is_err(), "{input}: {ours:?} where Go says {error}"),
        }
    }
}
