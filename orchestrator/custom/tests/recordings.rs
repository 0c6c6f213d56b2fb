//! The answers of the real server to requests about custom resources, as far as this crate makes them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, schema};
use coracle_custom::definition::{self, NamesInUse};
use coracle_custom::{Definition, Version};
use serde_json::{Value as Json, json};

/// A point in time in the place of those that recordings leave out.
const TIME: &str = "2024-01-01T00:00:00Z";

/// A recording: the body of the question and that of the answer, without what is agreed to differ.
fn recording(name: &str) -> (String, Json) {
    let path = format!("{}/../oracle/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let recording: Json = serde_json::from_str(&text.replace("<time>", TIME)).unwrap();
    let question = recording["question"]["http"]["body"].as_str().unwrap_or_default().to_owned();
    let mut answer = recording["answer"]["http"]["body"]["json"].clone();
    without_managed_fields(&mut answer);
    (question, answer)
}

fn without_managed_fields(value: &mut Json) {
    match value {
        Json::Object(members) => {
            members.remove("managedFields");
            members.values_mut().for_each(without_managed_fields);
        }
        Json::Array(items) => items.iter_mut().for_each(without_managed_fields),
        _ => {}
    }
}

fn as_json(value: &Value) -> Json {
    serde_json::from_slice(&json::encode_any(value)).unwrap()
}

fn tree(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap()
}

/// The definition as it is when its objects are served.
fn established() -> Value {
    let (question, _) = recording("custom-definition");
    let of = schema::kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap();
    let mut crd = json::decode(of, question.as_bytes(), FieldValidation::Report).unwrap().value;
    definition::default(&mut crd);
    definition::prepare_create(&mut crd);
    let status = definition::conditions(&crd, &NamesInUse::default(), "2024-01-01T00:00:00Z");
    crd.as_object_mut().unwrap().insert("status".into(), status);
    crd
}

fn version() -> Version {
    Definition::parse(&established()).unwrap().stored().unwrap().clone()
}

/// What the server itself adds to the metadata of an object.
fn with_server_metadata(object: &mut Value) {
    let metadata = object.as_object_mut().unwrap().object_mut("metadata");
    for (name, text) in [
        ("creationTimestamp", TIME),
        ("namespace", "oracle-custom"),
        ("resourceVersion", "<resource-version>"),
        ("uid", "<uid>"),
    ] {
        metadata.insert(name.into(), Value::text(text));
    }
}

/// The widget as it was created.
fn created() -> (Value, Vec<String>) {
    let (question, _) = recording("custom-create");
    let decoded = version().decode_json(question.as_bytes(), FieldValidation::Report).unwrap();
    let mut object = decoded.value;
    version().prepare_create(&mut object);
    with_server_metadata(&mut object);
    (object, decoded.findings)
}

#[test]
fn a_definition_gets_its_defaults() {
    let (question, answer) = recording("custom-definition");
    let of = schema::kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap();
    let mut crd = json::decode(of, question.as_bytes(), FieldValidation::Report).unwrap().value;
    definition::default(&mut crd);
    definition::prepare_create(&mut crd);
    assert_eq!(definition::validate(&crd, None), []);
    assert_eq!(definition::unsupported(&crd), []);
    let printed: Json = serde_json::from_slice(&json::encode(of, &crd)).unwrap();
    assert_eq!(printed["spec"], answer["spec"]);
    assert_eq!(printed["status"], answer["status"]);
    assert_eq!(printed["metadata"]["generation"], answer["metadata"]["generation"]);
}

#[test]
fn an_established_definition_has_its_names() {
    let path = format!("{}/../oracle/recordings/custom-kubectl-definition.json", env!("CARGO_MANIFEST_DIR"));
    let recording: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let lines = recording["answer"]["kubectl"]["stdout"].as_array().unwrap();
    let text: Vec<&str> = lines.iter().filter_map(Json::as_str).collect();
    let recorded = coracle_apimachinery::yaml::decode_any(text.join("\n").as_bytes()).unwrap();
    let mut status = as_json(&established())["status"].clone();
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = json!("<time>");
    }
    assert_eq!(status, as_json(&recorded)["status"]);
}

#[test]
fn objects_are_created_patched_and_scaled() {
    let (object, findings) = created();
    assert_eq!(findings, ["unknown field \"spec.size\""]);
    assert_eq!(version().validate(&object), []);
    assert_eq!(as_json(&object), recording("custom-create").1);

    let mut patched = object.clone();
    let spec = patched.as_object_mut().unwrap().object_mut("spec");
    spec.insert("replicas".into(), Value::Int(3));
    version().conform(&mut patched).unwrap();
    version().prepare_update(&mut patched, &object);
    assert_eq!(version().validate_update(&patched, &object), []);
    assert_eq!(as_json(&patched), recording("custom-merge-patch").1);

    let mut of_status = patched.clone();
    let members = of_status.as_object_mut().unwrap();
    members.object_mut("spec").insert("replicas".into(), Value::Int(8));
    members.object_mut("status").insert("replicas".into(), Value::Int(2));
    version().prepare_status_update(&mut of_status, &patched);
    assert_eq!(version().validate_status_update(&of_status, &patched), []);
    assert_eq!(as_json(&of_status), recording("custom-status").1);

    let scale = version().scale.unwrap().of(&of_status).unwrap();
    assert_eq!(as_json(&scale), recording("custom-scale").1);
}

#[test]
fn refusals_are_those_of_the_real_server() {
    for name in ["custom-invalid-enum", "custom-invalid-length", "custom-invalid-type", "custom-missing-field"] {
        let (question, answer) = recording(name);
        let mut object = version().decode_json(question.as_bytes(), FieldValidation::Report).unwrap().value;
        version().prepare_create(&mut object);
        let errors = version().validate(&object);
        let status = Status::invalid("oracle.example.com", "Widget", "v", &errors);
        assert_eq!(as_json(&status.to_value()), answer, "{name}");
    }
    let (question, answer) = recording("custom-unknown-field");
    let findings = version().decode_json(question.as_bytes(), FieldValidation::Report).unwrap().findings;
    let status = Status::bad_request(version().strict_refusal(&findings));
    assert_eq!(as_json(&status.to_value()), answer);
}

#[test]
fn discovery_announces_what_the_real_server_announces() {
    let definition = Definition::parse(&established()).unwrap();
    let resources = definition.resources(definition.stored().unwrap());
    let announced: Vec<Json> = resources
        .iter()
        .map(|resource| {
            let mut printed = json!({
                "name": resource.name, "singularName": resource.singular.as_deref().unwrap_or_default(),
                "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs,
            });
            for (name, text) in [("group", &resource.group), ("version", &resource.version)] {
                if let Some(text) = text {
                    printed[name] = json!(text);
                }
            }
            if let Some(hash) = &resource.storage_hash {
                printed["storageVersionHash"] = json!(hash);
            }
            for (name, list) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
                if !list.is_empty() {
                    printed[name] = json!(list);
                }
            }
            printed
        })
        .collect();
    assert_eq!(json!(announced), recording("custom-discovery").1["resources"]);
}

#[test]
fn tables_have_the_columns_of_the_definition() {
    let (_, answer) = recording("custom-table");
    let columns: Vec<Json> = version()
        .columns()
        .iter()
        .map(|column| {
            json!({"name": column.name, "type": column.kind, "format": column.format, "priority": column.priority})
        })
        .collect();
    assert_eq!(json!(columns), answer["columnDefinitions"]);
    let (mut object, _) = created();
    let metadata = object.as_object_mut().unwrap().object_mut("metadata");
    metadata.insert("creationTimestamp".into(), Value::text("2024-01-01T00:00:00Z"));
    let cells = version().cells(&object, |_| "<age>".to_owned());
    assert_eq!(as_json(&Value::List(cells)), answer["rows"][0]["cells"]);
}

#[test]
fn the_store_keeps_objects_for_all_versions() {
    let (mut object, _) = created();
    object.as_object_mut().unwrap().object_mut("metadata").remove("creationTimestamp");
    object.as_object_mut().unwrap().object_mut("metadata").remove("resourceVersion");
    let stored = version().at_rest(&object).unwrap();
    assert_eq!(version().read(&stored.bytes).unwrap(), object);
    let sent: Json = serde_json::from_slice(&stored.at_revision(7)).unwrap();
    assert_eq!(sent["metadata"]["resourceVersion"], "7");
    assert_eq!(sent["spec"], as_json(&object)["spec"]);
    let mut item = Vec::new();
    stored.item_at_revision(7, &mut item);
    let item: Json = serde_json::from_slice(&item).unwrap();
    assert_eq!((&item["kind"], &item["spec"]), (&Json::Null, &sent["spec"]));
    let mut metadata = Vec::new();
    stored.metadata_at_revision(7, &mut metadata);
    assert_eq!(serde_json::from_slice::<Json>(&metadata).unwrap(), sent["metadata"]);

    let mut other = version();
    other.name = "v2".into();
    let mut expected = object.clone();
    expected.as_object_mut().unwrap().insert("apiVersion".into(), Value::text("oracle.example.com/v2"));
    assert_eq!(other.read(&stored.bytes).unwrap(), expected);
}

#[test]
fn fields_are_selected() {
    let mut crd = established();
    let versions = crd.as_object_mut().unwrap().object_mut("spec").get_mut("versions").unwrap();
    let version = versions.items_mut().unwrap()[0].as_object_mut().unwrap();
    let fields = tree(r#"[{"jsonPath":".spec.colour"},{"jsonPath":".spec.replicas"},{"jsonPath":".status.replicas"}]"#);
    version.insert("selectableFields".into(), fields);
    assert_eq!(definition::validate(&crd, None), []);
    let definition = Definition::parse(&crd).unwrap();
    let (object, _) = created();
    let fields = definition.stored().unwrap().fields(&object);
    let expected = [("spec.colour", "red"), ("spec.replicas", "1"), ("status.replicas", "")];
    assert_eq!(fields, expected.map(|(name, value)| (name, value.to_owned())));
}
