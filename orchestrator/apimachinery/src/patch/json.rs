//! JSON patch (RFC 6902).

use super::Error;
use crate::{Value, json};

/// Most operations of a patch, as upstream limits them.
const MAX_OPERATIONS: usize = 10_000;

/// Applies a JSON patch.
///
/// # Errors
/// It cannot be read, or one of its operations does not fit the document.
pub fn json_patch(document: Value, patch: &[u8]) -> Result<Value, Error> {
    let malformed = |error: &dyn std::fmt::Display| Error::Malformed(error.to_string());
    let operations = json::decode_any(patch).map_err(|error| malformed(&error))?;
    let Value::List(operations) = operations else {
        let shape = match operations {
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Null => return Ok(document),
            _ => "number",
        };
        return Err(Error::Malformed(format!(
            "json: cannot unmarshal {shape} into Go value of type []handlers.jsonPatchOp"
        )));
    };
    if operations.len() > MAX_OPERATIONS {
        let count = operations.len();
        return Err(Error::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
        )));
    }
    operations.iter().try_fold(document, apply)
}

fn apply(mut document: Value, operation: &Value) -> Result<Value, Error> {
    let path = pointer(operation.text_at(&["path"]))?;
    let value = || operation.at(&["value"]).cloned().unwrap_or(Value::Null);
    match operation.text_at(&["op"]) {
        "add" => put(&mut document, &path, value(), true)?,
        "replace" => {
            find(&document, &path).ok_or(Error::Rejected)?;
            put(&mut document, &path, value(), false)?;
        }
        "remove" => {
            take(&mut document, &path)?;
        }
        "test" => {
            // A missing member equals null, as upstream's library has it.
            let found = find(&document, &path).cloned().unwrap_or(Value::Null);
            if found != value() {
                return Err(Error::Rejected);
            }
        }
        "move" => {
            let moved = take(&mut document, &pointer(operation.text_at(&["from"]))?)?;
            put(&mut document, &path, moved, true)?;
        }
        "copy" => {
            let from = pointer(operation.text_at(&["from"]))?;
            let copied = find(&document, &from).cloned().ok_or(Error::Rejected)?;
            put(&mut document, &path, copied, true)?;
        }
        _ => return Err(Error::Rejected),
    }
    Ok(document)
}

/// The parts of a JSON pointer.
fn pointer(text: &str) -> Result<Vec<String>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let rest = text.strip_prefix('/').ok_or(Error::Rejected)?;
    Ok(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, part| match value {
        Value::Object(object) => object.get(part),
        Value::List(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn find_mut<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, part| match value {
        Value::Object(object) => object.get_mut(part),
        Value::List(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Sets a member, or an item; `insert` makes room in a list.
fn put(document: &mut Value, path: &[String], value: Value, insert: bool) -> Result<(), Error> {
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    match find_mut(document, parents).ok_or(Error::Rejected)? {
        Value::Object(object) => {
            object.insert(last.clone().into(), value);
        }
        Value::List(items) if last == "-" && insert => items.push(value),
        Value::List(items) => {
            let at: usize = last.parse().map_err(|_| Error::Rejected)?;
            if insert && at <= items.len() {
                items.insert(at, value);
            } else if let (false, Some(item)) = (insert, items.get_mut(at)) {
                *item = value;
            } else {
                return Err(Error::Rejected);
            }
        }
        _ => return Err(Error::Rejected),
    }
    Ok(())
}

fn take(document: &mut Value, path: &[String]) -> Result<Value, Error> {
    let (last, parents) = path.split_last().ok_or(Error::Rejected)?;
    match find_mut(document, parents).ok_or(Error::Rejected)? {
        Value::Object(object) => object.remove(last).ok_or(Error::Rejected),
        Value::List(items) => {
            let at: usize = last.parse().map_err(|_| Error::Rejected)?;
            if at < items.len() { Ok(items.remove(at)) } else { Err(Error::Rejected) }
        }
        _ => Err(Error::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::json_patch;
    use crate::json;

    #[test]
    fn operations_follow_the_rfc() {
        for (document, patch, result) in [
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
            (r#"{"a":[1,3]}"#, r#"[{"op":"add","path":"/a/1","value":2}]"#, Some(r#"{"a":[1,2,3]}"#)),
            (r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/-","value":2}]"#, Some(r#"{"a":[1,2]}"#)),
            (r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/2","value":2}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":"/b","value":2}]"#, None),
            (r#"{"a/b":1}"#, r#"[{"op":"remove","path":"/a~1b"}]"#, Some("{}")),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":2}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":"/b"}]"#, Some(r#"{"b":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, Some(r#"{"a":1,"b":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"none","path":"/a"}]"#, None),
            (r#"{"a":1}"#, r#"{"op":"add"}"#, None),
        ] {
            let read = |text: &str| json::decode_any(text.as_bytes()).unwrap();
            assert_eq!(json_patch(read(document), patch.as_bytes()).ok(), result.map(read), "{patch}");
        }
    }
}
