//! The golden samples of k8s.io/api: every kind whose group-version the real server announces, in all three encodings.
//!
//! The samples are read from the locked module in the module cache; without it the tests fail and name the command that
//! fetches it. CustomResourceDefinition and APIService are not among them; their samples lie in `tests/samples`, made by
//! the Go program beside them from upstream's own types and marshallers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::protobuf::envelope;
use coracle_apimachinery::schema::{self, Served, Type};
use coracle_apimachinery::{Value, at_rest::AtRest, protobuf, yaml};
use schema_generator::modules::{Modules, default_cache};
use schema_generator::packages::SAMPLES;
use std::collections::BTreeMap;
use std::path::Path;

/// Kinds with samples that the tests must find; fewer would mean that they pass on nothing.
const KINDS: usize = 129;
/// Group-versions that the real server serves by default.
const SERVED_BY_DEFAULT: usize = 23;

/// One kind with its three samples.
struct Sample {
    name: String,
    of: Type<'static>,
    json: Vec<u8>,
    protobuf: Vec<u8>,
    yaml: Vec<u8>,
}

fn upstream_samples() -> Vec<Sample> {
    let modules = Modules::open(&default_cache().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let mut samples = Vec::new();
    for path in modules.list("k8s.io/api", SAMPLES).unwrap() {
        let Some(name) = path.strip_prefix(SAMPLES).and_then(|name| name.strip_suffix(".pb")) else { continue };
        let mut parts = name.rsplitn(3, '.');
        let (kind, version, group) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let group_version = format!("{group}/{version}");
        if schema::group_version(&group_version).is_none() {
            continue;
        }
        let of = schema::kind(&group_version, kind).unwrap_or_else(|| panic!("{name} has a sample but no type"));
        let read = |suffix: &str| modules.bytes("k8s.io/api", &format!("{SAMPLES}{name}.{suffix}")).unwrap();
        samples.push(Sample {
            name: name.to_owned(),
            of,
            json: read("json"),
            protobuf: read("pb"),
            yaml: read("yaml"),
        });
    }
    samples
}

fn own_samples() -> Vec<Sample> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let read = |name: &str, suffix: &str| std::fs::read(directory.join(format!("{name}.{suffix}"))).unwrap();
    let kinds = [("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("apiregistration.k8s.io/v1", "APIService")];
    let sample = |(group_version, kind): (&str, &str)| Sample {
        name: kind.to_owned(),
        of: schema::kind(group_version, kind).unwrap(),
        json: read(kind, "json"),
        protobuf: read(kind, "pb"),
        yaml: read(kind, "yaml"),
    };
    kinds.map(sample).into()
}

fn all_samples() -> Vec<Sample> {
    let mut samples = upstream_samples();
    assert_eq!(samples.len(), KINDS, "kinds with upstream samples");
    samples.extend(own_samples());
    samples
}

/// Removes the white space between the tokens of a JSON text and changes nothing else. It shares no code with the codec.
fn without_white_space(text: &[u8]) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut letters = std::str::from_utf8(text).unwrap().chars();
    while let Some(letter) = letters.next() {
        if quoted && letter == '\\' {
            out.push(letter);
            out.extend(letters.next());
            continue;
        }
        if letter == '"' {
            quoted = !quoted;
        }
        if quoted || !letter.is_ascii_whitespace() {
            out.push(letter);
        }
    }
    out
}

fn from_json(sample: &Sample) -> Value {
    let decoded = json::decode(sample.of, &sample.json, FieldValidation::Report);
    let decoded = decoded.unwrap_or_else(|error| panic!("{}: {error}", sample.name));
    assert!(decoded.findings.is_empty(), "{}: {:?}", sample.name, decoded.findings);
    decoded.value
}

fn from_protobuf(sample: &Sample) -> Value {
    let opened = envelope::open(&sample.protobuf).and_then(|opened| opened.decode(sample.of));
    opened.unwrap_or_else(|error| panic!("{}: {error}", sample.name))
}

/// Names the first byte that differs, with what stands around it.
fn assert_same(name: &str, what: &str, ours: &[u8], theirs: &[u8]) {
    if ours == theirs {
        return;
    }
    let at =
        ours.iter().zip(theirs).position(|(left, right)| left != right).unwrap_or_else(|| ours.len().min(theirs.len()));
    let around = |bytes: &[u8]| {
        let from = at.saturating_sub(60);
        String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 60)]).into_owned()
    };
    panic!("{name}, {what}: byte {at} differs\n ours:   {:?}\n theirs: {:?}", around(ours), around(theirs));
}

#[test]
fn protobuf_to_protobuf() {
    for sample in all_samples() {
        let ours = envelope::seal(sample.of, &from_protobuf(&sample));
        assert_same(&sample.name, "protobuf from protobuf", &ours, &sample.protobuf);
    }
}

#[test]
fn json_to_protobuf() {
    for mut sample in all_samples() {
        // An embedded document goes to protobuf as it was sent, and the indentation of the sample is not part of it.
        sample.json = without_white_space(&sample.json).into_bytes();
        let ours = envelope::seal(sample.of, &from_json(&sample));
        assert_same(&sample.name, "protobuf from JSON", &ours, &sample.protobuf);
    }
}

#[test]
fn json_to_json() {
    for sample in all_samples() {
        let ours = json::encode(sample.of, &from_json(&sample));
        assert_same(&sample.name, "JSON from JSON", &ours, without_white_space(&sample.json).as_bytes());
    }
}

#[test]
fn protobuf_to_json() {
    for sample in all_samples() {
        let ours = json::encode(sample.of, &from_protobuf(&sample));
        assert_same(&sample.name, "JSON from protobuf", &ours, without_white_space(&sample.json).as_bytes());
    }
}

#[test]
fn yaml_to_json() {
    for sample in all_samples() {
        let decoded = yaml::decode(sample.of, &sample.yaml, FieldValidation::Report);
        let decoded = decoded.unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        assert!(decoded.findings.is_empty(), "{}: {:?}", sample.name, decoded.findings);
        let ours = json::encode(sample.of, &decoded.value);
        assert_same(&sample.name, "JSON from YAML", &ours, without_white_space(&sample.json).as_bytes());
    }
}

/// The sample cut into what the store keeps and put together again is the sample.
#[test]
fn at_rest_and_back() {
    let mut stored_kinds = 0;
    for sample in all_samples() {
        let expected = without_white_space(&sample.json);
        let Ok(stored) = AtRest::encode(sample.of, &from_json(&sample)) else { continue };
        stored_kinds += 1;
        let expected =
            expected.replacen("\"resourceVersion\":\"resourceVersionValue\"", "\"resourceVersion\":\"42\"", 1);
        assert_same(&sample.name, "at rest", &stored.at_revision(42), expected.as_bytes());
        let header = &stored.bytes[stored.spans.header.clone()];
        assert!(header.starts_with(b"\"kind\":\"") && header.ends_with(b"\","), "{}", sample.name);
    }
    assert!(stored_kinds >= 100, "{stored_kinds} kinds can be stored");
}

/// A changed byte of a sample must not go unnoticed: it is refused, found, or shows in what is printed.
#[test]
fn an_altered_sample_does_not_pass() {
    let sample = upstream_samples().into_iter().find(|sample| sample.name == "core.v1.Event").unwrap();
    let expected = without_white_space(&sample.json);
    let mut printed_bodies = 0;
    for at in (0..sample.json.len()).filter(|at| !sample.json[*at].is_ascii_whitespace()) {
        let mut body = sample.json.clone();
        body[at] ^= 1;
        let Ok(decoded) = json::decode(sample.of, &body, FieldValidation::Report) else { continue };
        if decoded.findings.is_empty() {
            printed_bodies += 1;
            assert_ne!(json::encode(sample.of, &decoded.value), expected.as_bytes(), "byte {at}");
        }
    }
    assert!(printed_bodies > 100, "{printed_bodies}");
}

#[test]
fn the_tables_are_the_served_group_versions() {
    let mut counts = BTreeMap::new();
    for table in schema::all() {
        table.schema().unwrap_or_else(|error| panic!("{}: {error}", table.name));
        *counts.entry(format!("{:?}", table.served())).or_insert(0) += 1;
    }
    assert_eq!(counts["Default"], SERVED_BY_DEFAULT);
    assert_eq!(counts["Shared"], 1);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let files = std::fs::read_dir(directory)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".txt"));
    assert_eq!(files.count(), schema::all().len());
    assert!(
        schema::all()
            .iter()
            .all(|table| table.served() != Served::Default || !table.schema().unwrap().resources.is_empty())
    );
}

/// Every type that a table refers to in another one exists.
#[test]
fn every_link_resolves() {
    for table in schema::all() {
        let schema = table.schema().unwrap();
        for of in schema.structs() {
            for field in &of.fields {
                let mut shape = schema.shape(field.node);
                while let Some(item) = shape.item() {
                    shape = item;
                }
                let is_struct = matches!(shape.node(), schema::Node::Struct(_) | schema::Node::Foreign(_));
                assert!(!is_struct || shape.as_type().is_some(), "{}: {}.{}", table.name, of.name, field.name);
            }
        }
    }
}

/// An empty object of every kind goes through both encodings unchanged.
#[test]
fn empty_objects_of_every_kind() {
    for table in schema::all() {
        for kind in &table.schema().unwrap().kinds {
            let of = schema::kind(table.name, &kind.name).unwrap();
            let decoded = json::decode(of, b"{}", FieldValidation::Report).unwrap();
            let printed = json::encode(of, &decoded.value);
            let again = json::decode(of, &printed, FieldValidation::Report).unwrap();
            assert!(again.findings.is_empty());
            assert_same(&kind.name, "JSON", &json::encode(of, &again.value), &printed);
            let message = protobuf::encode(of, &decoded.value);
            let back = protobuf::decode(of, &message).unwrap();
            assert_same(&kind.name, "protobuf", &protobuf::encode(of, &back), &message);
            assert_same(&kind.name, "JSON from protobuf", &json::encode(of, &back), &printed);
        }
    }
}

/// Every default of the tables is a value that its own member takes, and keeps.
#[test]
fn every_default_fits_its_member() {
    let mut defaults = 0;
    for table in schema::all() {
        let schema = table.schema().unwrap();
        for definition in schema.structs() {
            let of = schema.type_named(&definition.name).unwrap();
            for field in &definition.fields {
                let Some(default) = field.extra.as_deref().and_then(|extra| extra.default.as_deref()) else { continue };
                let text = format!("{{{:?}:{default}}}", field.name);
                let decoded = json::decode(of, text.as_bytes(), FieldValidation::Report);
                let decoded = decoded.unwrap_or_else(|error| panic!("{}.{}: {error}", definition.name, field.name));
                let kept = decoded.value.as_object().unwrap().get(&field.name).is_some();
                assert!(kept && decoded.findings.is_empty(), "{}.{} = {default}", definition.name, field.name);
                defaults += 1;
            }
        }
    }
    assert!(defaults >= 100, "{defaults}");
}
