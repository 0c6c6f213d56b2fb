//! Whatever stands in a schema or an object: nothing panics, and what the store keeps comes back.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::{Key, Object, Value};
use coracle_custom::definition::{self, NamesInUse};
use coracle_custom::{Definition, Structural};
use proptest::prelude::*;

/// Names that mean something to a schema or an object, and some that do not.
const NAMES: [&str; 40] = [
    "type",
    "properties",
    "items",
    "additionalProperties",
    "default",
    "enum",
    "nullable",
    "required",
    "anyOf",
    "allOf",
    "oneOf",
    "not",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "multipleOf",
    "maxLength",
    "minItems",
    "maxProperties",
    "uniqueItems",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
    "spec",
    "status",
    "metadata",
    "apiVersion",
    "kind",
    "replicas",
    "name",
    "a",
    "b",
    "c.d",
    "$ref",
    "description",
];

const TEXTS: [&str; 22] = [
    "object",
    "array",
    "string",
    "integer",
    "number",
    "boolean",
    "set",
    "map",
    "atomic",
    "a",
    "b",
    "(",
    "^[a-z]+$",
    "uri",
    "ipv4",
    "date-time",
    "int32",
    "spec",
    "é",
    "",
    "[[:alpha:]&&--~~",
    r"\p{L}{2,3}\Q(\E",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![Just(0_i64), Just(-1), Just(3), any::<i64>()].prop_map(Value::Int),
        (-1e18..1e18_f64).prop_map(Value::Float),
        prop::sample::select(&TEXTS[..]).prop_map(Value::text),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 96, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((prop::sample::select(&NAMES[..]), inner), 0..7).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (Key::Borrowed(name), value));
                Value::Object(members.collect::<Object>())
            }),
        ]
    })
}

fn crd(schema: Value) -> Value {
    let text = r#"{"metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
        "names":{"plural":"widgets","kind":"Widget"},"versions":[{"name":"v1","served":true,"storage":true,
        "subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas",
        "labelSelectorPath":".status.name"}}}]}}"#;
    let mut crd = json::decode_any(text.as_bytes()).unwrap();
    let spec = crd.as_object_mut().unwrap().object_mut("spec");
    let version = &mut spec.get_mut("versions").unwrap().items_mut().unwrap()[0];
    let holder = version.as_object_mut().unwrap().object_mut("schema");
    holder.insert("openAPIV3Schema".into(), schema);
    crd
}

proptest! {
    #[test]
    fn any_definition_is_checked(schema in tree(), noise in tree()) {
        for mut crd in [crd(schema), noise] {
            let _ = definition::unsupported(&crd);
            definition::default(&mut crd);
            definition::prepare_create(&mut crd);
            let _ = definition::validate(&crd, None);
            let _ = definition::validate(&crd, Some(&crd.clone()));
            let _ = definition::conditions(&crd, &NamesInUse::default(), "now");
            let _ = Definition::parse(&crd);
        }
    }

    #[test]
    fn any_object_meets_any_schema(schema in tree(), given in tree(), old in tree()) {
        let Ok(definition) = Definition::parse(&crd(schema)) else { return Ok(()) };
        let version = definition.stored().unwrap();
        let mut object = given;
        if let Value::Object(members) = &mut object {
            members.insert("apiVersion".into(), Value::text("example.com/v1"));
            members.insert("kind".into(), Value::text("Widget"));
        }
        if version.conform(&mut object).is_ok() {
            let mut again = object.clone();
            version.conform(&mut again).unwrap();
            // Defaults may bring in what the schema does not know; a second look drops it, a third finds nothing new.
            let mut third = again.clone();
            version.conform(&mut third).unwrap();
            prop_assert_eq!(&third, &again);
        }
        version.prepare_create(&mut object);
        let _ = version.validate(&object);
        let _ = version.validate_update(&object, &old);
        let _ = version.validate_status_update(&object, &old);
        let _ = version.cells(&object, ToOwned::to_owned);
        let _ = version.fields(&object);
        if let Some(scale) = &version.scale {
            let _ = scale.of(&object);
            let _ = scale.set(&mut object, 3);
        }
        version.prepare_update(&mut object, &old);
        version.prepare_status_update(&mut object, &old);
    }

    #[test]
    fn the_store_gives_back_what_it_got(spec in tree(), other in tree()) {
        let schema = r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#;
        let definition = Definition::parse(&crd(json::decode_any(schema.as_bytes()).unwrap())).unwrap();
        let version = definition.stored().unwrap();
        let head = r#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","labels":{"a":"b"}}}"#;
        let mut object = json::decode_any(head.as_bytes()).unwrap();
        object.as_object_mut().unwrap().insert("spec".into(), spec);
        object.as_object_mut().unwrap().insert("data".into(), other);
        let text = json::encode_any(&object);
        let object = version.decode_json(&text, FieldValidation::Report).unwrap().value;
        let stored = version.at_rest(&object).unwrap();
        prop_assert_eq!(&version.read(&stored.bytes).unwrap(), &object);
        let sent = json::decode_any(&stored.at_revision(3)).unwrap();
        prop_assert_eq!(sent.at(&["spec"]), object.at(&["spec"]));
        prop_assert_eq!(sent.text_at(&["metadata", "resourceVersion"]), "3");
        prop_assert_eq!(version.present(&stored.bytes).unwrap(), stored);
    }
}

#[test]
fn deep_schemas_are_refused() {
    let mut schema = Value::Object(Object::new());
    for _ in 0..400 {
        schema = Value::Object([("not".into(), schema)].into_iter().collect());
    }
    assert!(Structural::parse(&schema).is_err());
    let _ = definition::validate(&crd(schema), None);
}

#[test]
fn the_deepest_schema_fits_a_small_stack() {
    let mut schema = json::decode_any(br#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#).unwrap();
    let mut object = Value::Object(Object::new());
    for _ in 0..98 {
        let properties = Value::Object([("spec".into(), schema)].into_iter().collect());
        let members = [("type".into(), Value::text("object")), ("properties".into(), properties)];
        schema = Value::Object(members.into_iter().collect());
        object = Value::Object([("spec".into(), object)].into_iter().collect());
    }
    let crd = crd(schema);
    let errors = definition::validate(&crd, None);
    assert!(errors.iter().all(|error| !error.field.starts_with("spec.validation")), "{errors:?}");
    let definition = Definition::parse(&crd).unwrap();
    let version = definition.stored().unwrap();
    let members = object.as_object_mut().unwrap();
    members.insert("apiVersion".into(), Value::text("example.com/v1"));
    members.insert("kind".into(), Value::text("Widget"));
    version.conform(&mut object).unwrap();
    assert_eq!(version.validate_update(&object, &object), []);
    let stored = version.at_rest(&object).unwrap();
    assert!(version.read(&stored.bytes).is_ok());
}

#[test]
fn members_that_stand_twice_are_named() {
    let schema = r#"{"type":"object","properties":{"spec":{"type":"object","properties":{"i":{"type":"integer"}}}}}"#;
    let definition = Definition::parse(&crd(json::decode_any(schema.as_bytes()).unwrap())).unwrap();
    let version = definition.stored().unwrap();
    let text = br#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","name":"b","x":1},"spec":{"i":1,"i":2,"z":3}}"#;
    let decoded = version.decode_json(text, FieldValidation::Report).unwrap();
    let expected = [
        "duplicate field \"metadata.name\"",
        "duplicate field \"spec.i\"",
        "unknown field \"metadata.x\"",
        "unknown field \"spec.z\"",
    ];
    assert_eq!(decoded.findings, expected);
    assert_eq!(decoded.value.at(&["spec", "i"]), Some(&Value::Int(2)));
    assert_eq!(version.decode_json(text, FieldValidation::Ignore).unwrap().findings, Vec::<String>::new());
    let text = b"apiVersion: example.com/v1\nkind: Widget\nspec:\n  i: 1\n  i: 2\n  z: 3\n";
    let decoded = version.decode_yaml(text, FieldValidation::Report).unwrap();
    let expected = ["yaml: unmarshal errors:\n  line 5: key \"i\" already set in map", "unknown field \"spec.z\""];
    assert_eq!(decoded.findings, expected);
    for text in ["[]", "3", "{\"kind\":3}", "{\"kind\":\"Widget\",\"metadata\":{\"labels\":3}}"] {
        assert!(version.decode_json(text.as_bytes(), FieldValidation::Report).is_err(), "{text}");
    }
}
