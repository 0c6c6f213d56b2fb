//! Reading the body of a patch request: refusals in Go's words, and the findings of a strict look.

use crate::Value;
use crate::json::{self, Decoded, FieldValidation};
use crate::schema::{self, Schema};
use crate::status::Status;
use std::sync::OnceLock;

/// How Go sees patch bodies. They are looked at as a member, since a schema begins with a struct.
const BODIES: &str = "coracle-schema 1
group-version patch/handlers shared
struct JsonPatch
 patch []jsonPatchOp -
struct MergePatch
 patch map[]any -
struct jsonPatchOp
 op string -
 path string -
 from string -
 value any -
";

/// Reads a merge patch: an object, or with [`FieldValidation::Ignore`] also a list.
pub fn read_merge(text: &[u8], validation: FieldValidation) -> Result<Decoded, Status> {
    let refused = || Status::bad_request("Invalid JSON Patch");
    let value = any(text)?;
    match (&value, validation) {
        (Value::Object(_), _) => {}
        (Value::List(_), FieldValidation::Ignore) => {}
        (Value::Null, _) | (_, FieldValidation::Ignore) => return Err(refused()),
        (other, FieldValidation::Report) => {
            return Err(Status::bad_request(format!("error decoding patch: {}", no_map(other))));
        }
    }
    with_findings(value, text, "MergePatch", validation)
}

/// Reads a strategic merge patch: an object. Null is one without members.
pub fn read_strategic(text: &[u8], validation: FieldValidation) -> Result<Decoded, Status> {
    match any(text)? {
        Value::Null => Ok(Decoded { value: Value::Object(crate::Object::new()), findings: Vec::new() }),
        value @ Value::Object(_) => with_findings(value, text, "MergePatch", validation),
        other => Err(Status::bad_request(no_map(&other))),
    }
}

/// Any JSON. Audit looks at the body before anything else does, and refuses what is no JSON in its own words.
pub(super) fn any(text: &[u8]) -> Result<Value, Status> {
    json::decode_any(text).map_err(|error| match error {
        json::Error::Value(problem) => Status::bad_request(format!("error decoding patch: {problem}")),
        json::Error::Syntax(_) | json::Error::TooLarge(_) => Status::bad_request("invalid JSON patch"),
    })
}

/// Go's complaint about a value of the wrong type.
pub(super) fn mismatch(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into {wanted}", json_name(value))
}

fn no_map(value: &Value) -> String {
    mismatch(value, "Go value of type map[string]interface {}")
}

fn json_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Object(_) | Value::Raw(_) => "object",
    }
}

/// Adds what a strict look finds: unknown and duplicate members.
pub(super) fn with_findings(
    value: Value,
    text: &[u8],
    body: &str,
    validation: FieldValidation,
) -> Result<Decoded, Status> {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    if validation == FieldValidation::Ignore {
        return Ok(Decoded { value, findings: Vec::new() });
    }
    let schema = SCHEMA.get_or_init(|| schema::parse(BODIES).unwrap_or_default());
    let Some(of) = schema.type_named(body) else { return Ok(Decoded { value, findings: Vec::new() }) };
    let wrapped = [br#"{"patch":"#, text, b"}"].concat();
    let strict = json::decode(of, &wrapped, validation)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    // The member that the body was put into is not part of any path.
    let place = |finding: String| finding.replacen("\"patch.", "\"", 1).replacen("\"patch[", "\"[", 1);
    Ok(Decoded { value, findings: strict.findings.into_iter().map(place).collect() })
}

#[cfg(test)]
mod tests {
    use super::{BODIES, read_merge, read_strategic};
    use crate::json::FieldValidation::{Ignore, Report};
    use crate::patch::JsonPatch;
    use crate::schema;

    #[test]
    fn the_bodies_parse() {
        assert!(schema::parse(BODIES).unwrap().type_named("jsonPatchOp").is_some());
    }

    #[test]
    fn bodies_are_refused_in_upstreams_words() {
        let merge = |text: &str, how| read_merge(text.as_bytes(), how).map(|read| read.findings);
        let strategic = |text: &str, how| read_strategic(text.as_bytes(), how).map(|read| read.findings);
        let operations = |text: &str, how| JsonPatch::read(text.as_bytes(), how).map(|(_, findings)| findings);
        let no_map = "json: cannot unmarshal array into Go value of type map[string]interface {}";
        let table = [
            (merge("{", Report), Err("invalid JSON patch".to_owned())),
            (merge("null", Report), Err("Invalid JSON Patch".to_owned())),
            (merge("[]", Report), Err(format!("error decoding patch: {no_map}"))),
            (merge("[]", Ignore), Ok(vec![])),
            (merge("3", Ignore), Err("Invalid JSON Patch".to_owned())),
            (
                merge(r#"{"data":{"a":"1","a":"2"},"data":{}}"#, Report),
                Ok(vec![r#"duplicate field "data.a""#.to_owned(), r#"duplicate field "data""#.to_owned()]),
            ),
            (merge(r#"{"data":{"a":"1","a":"2"}}"#, Ignore), Ok(vec![])),
            (strategic("[]", Report), Err(no_map.to_owned())),
            (strategic("null", Report), Ok(vec![])),
            (strategic("{", Report), Err("invalid JSON patch".to_owned())),
            (
                operations(r#"{"op":"remove"}"#, Report),
                Err("error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
                    .to_owned()),
            ),
            (
                operations("{}", Ignore),
                Err("json: cannot unmarshal object into Go value of type jsonpatch.Patch".to_owned()),
            ),
            (
                operations("[1]", Report),
                Err("error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"
                    .to_owned()),
            ),
            (
                operations("[1]", Ignore),
                Err("json: cannot unmarshal number into Go value of type jsonpatch.Operation".to_owned()),
            ),
            (
                operations(r#"[{"op":5}]"#, Report),
                Err("error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"
                    .to_owned()),
            ),
            (operations("null", Report), Ok(vec![])),
            (
                operations(r#"[{"op":"add","path":"/a","value":"1","foo":2,"op":"add"}]"#, Report),
                Ok(vec![
                    r#"json patch unknown field "[0].foo""#.to_owned(),
                    r#"json patch duplicate field "[0].op""#.to_owned(),
                ]),
            ),
        ];
        for (read, expected) in table {
            let read = read.map_err(|status| {
                assert_eq!((status.code, &*status.reason, &status.details), (400, "BadRequest", &None));
                status.message
            });
            assert_eq!(read, expected);
        }
    }
}
