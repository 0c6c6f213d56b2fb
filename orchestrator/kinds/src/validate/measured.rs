//! Objects that break many rules at once, with the causes that a real server of version 1.37.2 gave for them.
//!
//! Each line of the file beside this one is a base object, or changes of one together with verb, causes and warnings.

use super::{create, status, update, warnings};
use coracle_apimachinery::{Value, json, schema};

fn set(object: &mut Value, path: &[Value], value: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *object = value.clone();
        return;
    };
    match first {
        Value::Int(at) => set(&mut object.items_mut().unwrap()[usize::try_from(*at).unwrap()], rest, value),
        name => {
            let name = name.as_str().unwrap().to_owned();
            let members = object.as_object_mut().unwrap();
            if rest.is_empty() && *value == Value::Null {
                members.remove(&name);
            } else {
                if members.get(&name).is_none() {
                    members.insert(name.clone().into(), Value::Null);
                }
                set(members.get_mut(&name).unwrap(), rest, value);
            }
        }
    }
}

fn canonical(object: &Value, kind: &str) -> Value {
    let of = schema::kind(object.text_at(&["apiVersion"]), kind).unwrap();
    json::decode(of, &json::encode_any(object), json::FieldValidation::Ignore).unwrap().value
}

fn texts(line: &Value, name: &str) -> Vec<String> {
    let items = line.at(&[name]).map(Value::items).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn causes_are_those_of_a_real_server() {
    let mut bases: Vec<Value> = Vec::new();
    let mut checked = 0;
    for line in include_str!("measured.jsonl").lines() {
        let line = json::decode_any(line.as_bytes()).unwrap();
        if let Some(base) = line.at(&["base"]) {
            bases.push(base.clone());
            continue;
        }
        let (group, kind, verb) = (line.text_at(&["group"]), line.text_at(&["kind"]), line.text_at(&["verb"]));
        let base = &bases[usize::try_from(line.at(&["of"]).unwrap().as_int().unwrap()).unwrap()];
        let mut object = base.clone();
        for change in line.at(&["set"]).unwrap().items() {
            set(&mut object, change.items()[0].items(), &change.items()[1]);
        }
        let (new, old) = (canonical(&object, kind), canonical(base, kind));
        let errors = match verb {
            "update" => update(group, kind, &new, &old),
            "status" => status(group, kind, &new, &old),
            _ => create(group, kind, &new),
        };
        let found: Vec<String> =
            errors.iter().map(|error| format!("{}|{}|{}", error.problem.reason(), error.field, error.body())).collect();
        let name = line.text_at(&["name"]);
        assert_eq!(found, texts(&line, "causes"), "{kind} {name} {verb}");
        if verb.is_empty() && found.is_empty() {
            assert_eq!(warnings(group, kind, &new), texts(&line, "warnings"), "{kind} {name}");
        }
        checked += 1;
    }
    assert!(checked > 70, "{checked}");
}
