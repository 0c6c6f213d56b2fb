//! Dropping what the schema does not know, dropping nulls that mean nothing, and filling in defaults.

use crate::structural::{Additional, Structural};
use coracle_apimachinery::{Key, Object, Value};

/// The members that every object has, whatever its schema says.
pub(crate) const IMPLICIT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops unknown members of an object; returns their paths, sorted.
pub(crate) fn unknown(value: &mut Value, schema: &Structural) -> Vec<String> {
    let mut walk = Walk { path: String::new(), found: Vec::new() };
    if schema.preserve {
        walk.skip(value, schema, true);
    } else {
        walk.value(value, Some(schema), true);
    }
    walk.found.sort();
    walk.found
}

/// Drops unknown members of a value that is no object of its own.
pub(crate) fn unknown_inside(value: &mut Value, schema: &Structural) {
    Walk { path: String::new(), found: Vec::new() }.value(value, Some(schema), schema.embedded);
}

struct Walk {
    path: String,
    found: Vec<String>,
}

impl Walk {
    fn inside(&mut self, step: &str, visit: impl FnOnce(&mut Self)) {
        let mark = self.path.len();
        if mark > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        visit(self);
        self.path.truncate(mark);
    }

    fn report(&mut self, name: &str) {
        self.inside(name, |walk| walk.found.push(walk.path.clone()));
    }

    fn value(&mut self, value: &mut Value, schema: Option<&Structural>, embedded: bool) {
        if let Some(schema) = schema.filter(|schema| schema.preserve) {
            return self.skip(value, schema, embedded);
        }
        match value {
            Value::Object(object) => self.object(object, schema, embedded),
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let schema = schema.and_then(|schema| schema.items.as_deref());
                    self.inside(&format!("[{index}]"), |walk| walk.value(item, schema, is_embedded(schema)));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, object: &mut Object, schema: Option<&Structural>, embedded: bool) {
        let at_root = self.path.is_empty();
        let mut unknown: Vec<String> = Vec::new();
        for (name, value) in object.iter_mut() {
            if embedded && IMPLICIT.contains(&name) {
                continue;
            }
            match schema.map(|schema| (schema.properties.get(name), &schema.additional)) {
                Some((Some(property), _)) => {
                    self.inside(name, |walk| walk.value(value, Some(property), property.embedded));
                }
                Some((None, Some(Additional { schema, .. }))) => {
                    let schema = schema.as_deref();
                    self.inside(name, |walk| walk.value(value, schema, is_embedded(schema)));
                }
                _ => unknown.push(name.to_owned()),
            }
        }
        for name in unknown {
            object.remove(&name);
            if schema.is_none() || !at_root || !IMPLICIT.contains(&name.as_str()) {
                self.report(&name);
            }
        }
    }

    /// Where unknown members stay, known ones are still looked into.
    fn skip(&mut self, value: &mut Value, schema: &Structural, embedded: bool) {
        match value {
            Value::Object(object) => {
                for (name, value) in object.iter_mut() {
                    if embedded && IMPLICIT.contains(&name) {
                        continue;
                    }
                    if let Some(property) = schema.properties.get(name) {
                        self.inside(name, |walk| walk.value(value, Some(property), property.embedded));
                    } else if let Some(additional) = &schema.additional {
                        let schema = additional.schema.as_deref();
                        self.inside(name, |walk| walk.value(value, schema, is_embedded(schema)));
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Some(schema) = schema.items.as_deref() {
                        self.inside(&format!("[{index}]"), |walk| walk.skip(item, schema, schema.embedded));
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_embedded(schema: Option<&Structural>) -> bool {
    schema.is_some_and(|schema| schema.embedded)
}

/// Drops members that are null where null is no value and no default takes their place.
pub(crate) fn nulls(value: &mut Value, schema: Option<&Structural>) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| {
                let member = schema.and_then(|schema| schema.member(name));
                !(*value == Value::Null && member.is_some_and(|member| !member.nullable && member.default.is_none()))
            });
            for (name, value) in object.iter_mut() {
                nulls(value, schema.and_then(|schema| schema.member(name)));
            }
        }
        Value::List(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| nulls(item, schema));
        }
        _ => {}
    }
}

/// Fills in defaults.
pub(crate) fn defaults(value: &mut Value, schema: &Structural) {
    match value {
        Value::Object(object) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                let missing = match object.get(name) {
                    None => true,
                    Some(found) => *found == Value::Null && !property.nullable,
                };
                if missing {
                    object.insert(Key::Owned(name.to_string()), default.clone());
                }
            }
            for (name, value) in object.iter_mut() {
                if let Some(property) = schema.properties.get(name) {
                    defaults(value, property);
                } else if let Some(other) = schema.additional.as_ref().and_then(|other| other.schema.as_deref()) {
                    fill_null(value, other);
                    defaults(value, other);
                }
            }
        }
        Value::List(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            for item in items {
                fill_null(item, schema);
                defaults(item, schema);
            }
        }
        _ => {}
    }
}

fn fill_null(value: &mut Value, schema: &Structural) {
    if let (Value::Null, false, Some(default)) = (&*value, schema.nullable, &schema.default) {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::{defaults, nulls, unknown};
    use crate::structural::Structural;
    use coracle_apimachinery::{Value, json};

    fn tree(text: &str) -> Value {
        json::decode_any(text.as_bytes()).unwrap()
    }

    fn text(value: &Value) -> String {
        String::from_utf8(json::encode_any(value)).unwrap()
    }

    #[test]
    fn unknown_members_go_and_are_named() {
        let cases = [
            (r#"{}"#, r#"{"kind":"K","a":1,"metadata":{}}"#, r#"{"kind":"K","metadata":{}}"#, vec!["a"]),
            (
                r#"{"properties":{"a":{"properties":{"b":{}}},"l":{"items":{"properties":{"x":{}}}}}}"#,
                r#"{"a":{"b":1,"kind":2},"l":[{"x":1},{"y":2}]}"#,
                r#"{"a":{"b":1},"l":[{"x":1},{}]}"#,
                vec!["a.kind", "l[1].y"],
            ),
            (
                r#"{"x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"properties":{}}}}"#,
                r#"{"a":{"b":1},"c":{"d":1}}"#,
                r#"{"a":{},"c":{"d":1}}"#,
                vec!["a.b"],
            ),
            (
                r#"{"properties":{"m":{"additionalProperties":{"properties":{"p":{}}}},"t":{"additionalProperties":true}}}"#,
                r#"{"m":{"k":{"p":1,"q":2}},"t":{"z":{"deep":1}}}"#,
                r#"{"m":{"k":{"p":1}},"t":{"z":{}}}"#,
                vec!["m.k.q", "t.z.deep"],
            ),
            (
                r#"{"properties":{"e":{"x-kubernetes-embedded-resource":true,"properties":{"s":{}}}}}"#,
                r#"{"e":{"kind":"K","metadata":{"name":"n"},"s":1,"u":2}}"#,
                r#"{"e":{"kind":"K","metadata":{"name":"n"},"s":1}}"#,
                vec!["e.u"],
            ),
        ];
        for (schema, given, kept, names) in cases {
            let schema = Structural::parse(&tree(schema)).unwrap();
            let mut value = tree(given);
            assert_eq!(unknown(&mut value, &schema), names, "{given}");
            assert_eq!(text(&value), kept);
        }
    }

    #[test]
    fn nulls_and_defaults_follow_the_schema() {
        let cases = [
            (r#"{"properties":{"a":{"default":1}}}"#, "{}", r#"{"a":1}"#),
            (r#"{"properties":{"a":{"default":1}}}"#, r#"{"a":null}"#, r#"{"a":1}"#),
            (r#"{"properties":{"a":{"default":1,"nullable":true}}}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"properties":{"a":{}}}"#, r#"{"a":null}"#, "{}"),
            (r#"{"properties":{"a":{"properties":{"b":{"default":{}}}}}}"#, "{}", "{}"),
            (r#"{"properties":{"a":{"default":{},"properties":{"b":{"default":"x"}}}}}"#, "{}", r#"{"a":{"b":"x"}}"#),
            (r#"{"properties":{"l":{"items":{"default":3}}}}"#, r#"{"l":[null,1]}"#, r#"{"l":[3,1]}"#),
            (
                r#"{"properties":{"m":{"additionalProperties":{"default":3}}}}"#,
                r#"{"m":{"k":null}}"#,
                r#"{"m":{"k":3}}"#,
            ),
        ];
        for (schema, given, expected) in cases {
            let schema = Structural::parse(&tree(schema)).unwrap();
            let mut value = tree(given);
            nulls(&mut value, Some(&schema));
            defaults(&mut value, &schema);
            assert_eq!(text(&value), expected, "{given}");
        }
    }
}
