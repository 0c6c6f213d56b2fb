use super::value;
use crate::structural::Structural;
use coracle_apimachinery::{Value, json};

fn tree(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap()
}

fn errors(schema: &str, given: &str, old: Option<&str>) -> Vec<String> {
    let schema = Structural::parse(&tree(schema)).unwrap();
    let old = old.map(tree);
    value(&tree(given), old.as_ref(), &schema, None).iter().map(ToString::to_string).collect()
}

/// Schema of the member `x` of an object, its value, and what is said about it.
#[test]
fn problems_are_worded_as_upstream_words_them() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            r#"{"type":"integer"}"#,
            r#""two""#,
            &[r#"x: Invalid value: "string": x in body must be of type integer: "string""#],
        ),
        (r#"{"type":"integer"}"#, "3.0", &[]),
        (
            r#"{"type":"integer"}"#,
            "3.5",
            &[
                r#"x: Invalid value: "number": x in body must be of type integer: "number""#,
                r#"<nil>: Invalid value: "": Checked value must be of type integer (default format) in x"#,
            ],
        ),
        (r#"{"type":"number"}"#, "3", &[]),
        (r#"{"type":"string"}"#, "null", &[r#"x: Invalid value: "null": x in body must be of type string: "null""#]),
        (r#"{"type":"string","nullable":true}"#, "null", &[]),
        (
            r#"{"type":"integer","minimum":1}"#,
            "0",
            &["x: Invalid value: 0: x in body should be greater than or equal to 1"],
        ),
        (
            r#"{"type":"integer","maximum":3,"exclusiveMaximum":true}"#,
            "3",
            &["x: Invalid value: 3: x in body should be less than 3"],
        ),
        (r#"{"type":"integer","multipleOf":2}"#, "3", &["x: Invalid value: 3: x in body should be a multiple of 2"]),
        (
            r#"{"type":"integer","format":"int32"}"#,
            "3000000000",
            &[r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in x"#],
        ),
        (r#"{"type":"string","maxLength":2}"#, r#""äöü""#, &["x: Too long: may not be more than 2 bytes"]),
        (r#"{"type":"string","maxLength":3}"#, r#""äöü""#, &[]),
        (
            r#"{"type":"string","minLength":2}"#,
            r#""a""#,
            &[r#"x: Invalid value: "a": x in body should be at least 2 chars long"#],
        ),
        (r#"{"type":"string","pattern":"^a$"}"#, r#""b""#, &[r#"x: Invalid value: "b": x in body should match '^a$'"#]),
        (
            r#"{"type":"string","format":"ipv4"}"#,
            r#""b""#,
            &[r#"x: Invalid value: "b": x in body must be of type ipv4: "b""#],
        ),
        (r#"{"type":"string","format":"unheard-of"}"#, r#""b""#, &[]),
        (
            r#"{"type":"string","enum":["a","b"]}"#,
            r#""c""#,
            &[r#"x: Unsupported value: "c": supported values: "a", "b""#],
        ),
        (r#"{"type":"integer","enum":[1,2]}"#, "3", &[r#"x: Unsupported value: 3: supported values: "1", "2""#]),
        (
            r#"{"type":"array","items":{"type":"integer"},"maxItems":1}"#,
            r#"[1,"b"]"#,
            &[
                r#"x[1]: Invalid value: "string": x[1] in body must be of type integer: "string""#,
                "x: Too many: 2: must have at most 1 item",
            ],
        ),
        (
            r#"{"type":"array","items":{},"minItems":1}"#,
            "[]",
            &["x: Invalid value: 0: x in body should have at least 1 items"],
        ),
        (r#"{"type":"object","required":["y"]}"#, "{}", &["x.y: Required value"]),
        (
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"k":1}"#,
            &[r#"x.k: Invalid value: "integer": x.k in body must be of type string: "integer""#],
        ),
        (
            r#"{"type":"object","minProperties":1}"#,
            "{}",
            &["x: Invalid value: 0: x in body should have at least 1 properties"],
        ),
        (
            r#"{"x-kubernetes-int-or-string":true}"#,
            "true",
            &[r#"x: Invalid value: "boolean": x in body must be of type integer,string: "boolean""#],
        ),
        (r#"{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]}"#, r#""a""#, &[]),
        (
            r#"{"type":"integer","not":{"minimum":3}}"#,
            "4",
            &[r#"<nil>: Invalid value: "": "x" must not validate the schema (not)"#],
        ),
        (
            r#"{"type":"integer","anyOf":[{"minimum":5},{"maximum":1}]}"#,
            "3",
            &[
                r#"<nil>: Invalid value: "": "x" must validate at least one schema (anyOf)"#,
                "x: Invalid value: 3: x in body should be greater than or equal to 5",
            ],
        ),
        (
            r#"{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}]}"#,
            "{}",
            &[
                r#"<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid"#,
                "x.a: Required value",
            ],
        ),
        (
            r#"{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}]}"#,
            r#"{"a":1,"b":1}"#,
            &[
                r#"<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
            ],
        ),
        (
            r#"{"type":"integer","allOf":[{"minimum":5},{"maximum":7}]}"#,
            "3",
            &[
                "x: Invalid value: 3: x in body should be greater than or equal to 5",
                r#"<nil>: Invalid value: "": "x" must validate all the schemas (allOf)"#,
            ],
        ),
    ];
    for (schema, given, expected) in table {
        let schema = format!(r#"{{"type":"object","properties":{{"x":{schema}}}}}"#);
        assert_eq!(errors(&schema, &format!(r#"{{"x":{given}}}"#), None), *expected, "{schema} {given}");
    }
}

#[test]
fn what_did_not_change_is_forgiven() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer","minimum":5},
        "l":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
             "items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"string","maxLength":1}}}},
        "n":{"type":"array","items":{"type":"string","maxLength":1}}}}"#;
    let table: &[(&str, &str, usize)] = &[
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, 0),
        (r#"{"a":1}"#, r#"{"a":2}"#, 1),
        (r#"{"l":[{"k":"x","v":"long"}]}"#, r#"{"l":[{"k":"y","v":"s"},{"k":"x","v":"long"}]}"#, 0),
        (r#"{"l":[{"k":"x","v":"long"}]}"#, r#"{"l":[{"k":"x","v":"longer"}]}"#, 1),
        (r#"{"n":["long"]}"#, r#"{"n":["long"]}"#, 0),
        (r#"{"n":["long"]}"#, r#"{"n":["long","s"]}"#, 1),
    ];
    for (old, new, count) in table {
        assert_eq!(errors(schema, new, Some(old)).len(), *count, "{old} {new}");
    }
}
