//! The committed data: floors, formats, and that scripts and recordings belong together.

use oracle::{Category, Data, Recording, directory};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Landing 6 asks for these numbers of recordings, and for 80 in all.
const FLOORS: [(Category, usize); 6] = [
    (Category::Error, 25),
    (Category::Watch, 15),
    (Category::Patch, 12),
    (Category::Discovery, 10),
    (Category::Table, 10),
    (Category::Object, 8),
];

/// All recordings together, in bytes.
const LARGEST: u64 = 6_000_000;

/// Samples for codec tests, each as `.json` and as `.pb`.
const SAMPLES: [&str; 12] = [
    "apiservice",
    "configmap",
    "crd",
    "deployment",
    "lease",
    "namespace",
    "node",
    "pod",
    "replicaset",
    "secret",
    "service",
    "serviceaccount",
];

#[test]
fn there_are_enough_recordings_of_each_category() {
    let data = Data::read().unwrap();
    let mut counts: BTreeMap<Category, usize> = BTreeMap::new();
    for recording in data.recordings.values() {
        *counts.entry(recording.category).or_default() += 1;
    }
    assert!(data.recordings.len() >= 80, "{}", data.recordings.len());
    for (category, floor) in FLOORS {
        assert!(counts[&category] >= floor, "{category:?}: {} of {floor}", counts[&category]);
    }
}

#[test]
fn each_recorded_step_has_its_recording_and_the_other_way_round() {
    let data = Data::read().unwrap();
    let mut named = BTreeSet::new();
    for step in data.scripts.iter().flat_map(|script| &script.steps) {
        let Some((name, category)) = &step.recorded else { continue };
        let recording = data.recordings.get(name).unwrap_or_else(|| unrecorded(name));
        assert_eq!(recording.question, step.question, "{name}: run `make record`");
        assert_eq!((recording.category, &recording.identity), (*category, &step.identity), "{name}: run `make record`");
        named.insert(name.clone());
    }
    assert_eq!(named, data.recordings.keys().cloned().collect());
}

#[expect(clippy::panic, reason = "the test fails here, by name")]
fn unrecorded(name: &str) -> &'static Recording {
    panic!("{name} is in a script but not recorded: run `make record`")
}

#[test]
fn files_print_as_they_were_read_and_are_normalised() {
    let data = Data::read().unwrap();
    let mut size = 0;
    for (name, recording) in &data.recordings {
        let path = directory().join("recordings").join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap();
        size += text.len() as u64;
        assert_eq!(recording.print().unwrap(), text, "{name}");
        let mut again = recording.answer.clone();
        oracle::normalise::normalise(&mut again);
        assert_eq!(again, recording.answer, "{name}");
    }
    assert!(size < LARGEST, "{size} bytes");
}

#[test]
fn another_format_is_refused() {
    let data = Data::read().unwrap();
    let mut recording = data.recordings.values().next().unwrap().clone();
    recording.format += 1;
    let error = Recording::parse("r", &recording.print().unwrap()).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
    // The member of the recording itself; the columns of a table have one of this name, too.
    let unknown = recording.print().unwrap().replacen("\n \"format\"", "\n \"colour\":1,\"format\"", 1);
    assert!(Recording::parse("r", &unknown).unwrap_err().to_string().contains("colour"));
}

#[test]
fn no_sentence_of_the_documentation_is_recorded() {
    let data = Data::read().unwrap();
    for (name, recording) in data.recordings.iter().filter(|(name, _)| name.starts_with("discovery-openapi")) {
        assert!(!recording.print().unwrap().contains("\"description\": \""), "{name}");
    }
}

#[test]
fn samples_are_whole() {
    let golden = directory().join("recordings/golden");
    let mut files: Vec<String> =
        fs::read_dir(&golden).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let expected: Vec<String> =
        SAMPLES.iter().flat_map(|name| [format!("{name}.json"), format!("{name}.pb")]).collect();
    assert_eq!(files, expected);
    for name in SAMPLES {
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(golden.join(format!("{name}.json"))).unwrap()).unwrap();
        let protobuf = fs::read(golden.join(format!("{name}.pb"))).unwrap();
        assert!(protobuf.starts_with(b"k8s\0"), "{name}");
        // Both were read at one revision: the protobuf names the kind and holds the object's uid.
        for text in [&json["kind"], &json["metadata"]["uid"], &json["metadata"]["resourceVersion"]] {
            let text = text.as_str().unwrap().as_bytes();
            assert!(protobuf.windows(text.len()).any(|window| window == text), "{name} {text:?}");
        }
    }
}
