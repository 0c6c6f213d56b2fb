//! JSON patch, RFC 6902, with the corners that evanphx/json-patch v4 has.
//!
//! Those are: `replace` of a member that is not there adds it; `copy` of one adds null; `test` of an absent member holds
//! for null and for no value; indexes may be negative and count from the end (`add` counts from behind it); what stands
//! before the first slash of a path is ignored. Other than upstream, `test` compares texts by what they say, not by how
//! they are escaped, and an operation that would crash upstream is one that does not apply.

use super::{read, unprocessable};
use crate::json::{self, FieldValidation};
use crate::status::Status;
use crate::{Key, MAX_DEPTH, Value};

/// Most operations that a patch may have.
pub const MAX_OPERATIONS: usize = 10_000;

/// Most bytes that the copies of one patch may add, as JSON.
pub const MAX_COPY_BYTES: usize = 3 << 20;

/// A JSON patch that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    kind: Option<Kind>,
    path: Option<Pointer>,
    from: Option<Pointer>,
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Add,
    Remove,
    Replace,
    Move,
    Test,
    Copy,
}

/// A path to a value: the names and indexes on the way to what holds it, and its own. `None` is the document itself.
#[derive(Debug, Clone, PartialEq)]
struct Pointer(Option<(Vec<String>, String)>);

/// An operation does not apply. Upstream does not tell the client why.
struct DoesNotApply;

type Outcome<T> = Result<T, DoesNotApply>;

/// The document while it changes.
struct Target {
    document: Value,
    copied: usize,
    /// The document is nowhere deeper than this: deeper ones could not be walked.
    depth: usize,
}

impl JsonPatch {
    /// Reads a patch. Gives the findings of a strict look too.
    pub fn read(text: &[u8], validation: FieldValidation) -> Result<(Self, Vec<String>), Status> {
        let value = read::any(text)?;
        let strict = validation == FieldValidation::Report;
        let wrong = |value: &Value, strictly: &str, loosely: &str| {
            Status::bad_request(if strict {
                format!("error decoding patch: {}", read::mismatch(value, strictly))
            } else {
                read::mismatch(value, loosely)
            })
        };
        let decoded = match value {
            // Null is a patch without operations.
            Value::Null => return Ok((Self { operations: Vec::new() }, Vec::new())),
            Value::List(_) => value,
            other => {
                let (strictly, loosely) =
                    ("Go value of type []handlers.jsonPatchOp", "Go value of type jsonpatch.Patch");
                return Err(wrong(&other, strictly, loosely));
            }
        };
        for operation in decoded.items() {
            match operation {
                Value::Null => {}
                Value::Object(members) if strict => {
                    for name in ["op", "path", "from"] {
                        if let Some(other) = members.get(name).filter(|value| value.as_str().is_none())
                            && *other != Value::Null
                        {
                            let wanted = format!("Go struct field jsonPatchOp.{name} of type string");
                            return Err(wrong(other, &wanted, ""));
                        }
                    }
                }
                Value::Object(_) => {}
                other => {
                    let (strictly, loosely) =
                        ("Go value of type handlers.jsonPatchOp", "Go value of type jsonpatch.Operation");
                    return Err(wrong(other, strictly, loosely));
                }
            }
        }
        let decoded = read::with_findings(decoded, text, "JsonPatch", validation)?;
        let count = decoded.value.items().len();
        if count > MAX_OPERATIONS {
            let message = format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
            );
            return Err(Status::new(413, "RequestEntityTooLarge", message));
        }
        let operations = decoded.value.items().iter().map(Operation::new).collect();
        let findings = decoded.findings.iter().map(|finding| format!("json patch {finding}")).collect();
        Ok((Self { operations }, findings))
    }

    /// Applies all operations, or says that one does not apply.
    pub fn apply(&self, document: Value) -> Result<Value, Status> {
        let depth = depth(&document);
        let mut target = Target { document, copied: 0, depth };
        for operation in &self.operations {
            target.apply(operation).map_err(|DoesNotApply| unprocessable())?;
        }
        Ok(target.document)
    }
}

impl Operation {
    fn new(value: &Value) -> Self {
        let text = |name| value.at(&[name]).and_then(Value::as_str);
        let kind = text("op").and_then(|kind| match kind {
            "add" => Some(Kind::Add),
            "remove" => Some(Kind::Remove),
            "replace" => Some(Kind::Replace),
            "move" => Some(Kind::Move),
            "test" => Some(Kind::Test),
            "copy" => Some(Kind::Copy),
            _ => None,
        });
        Self {
            kind,
            path: text("path").map(Pointer::new),
            from: text("from").map(Pointer::new),
            value: value.at(&["value"]).cloned(),
        }
    }
}

impl Pointer {
    fn new(path: &str) -> Self {
        let mut names = path.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        let mut before: Vec<String> = names.by_ref().collect();
        Self(before.pop().map(|last| (before, last)))
    }
}

impl Target {
    fn apply(&mut self, operation: &Operation) -> Outcome<()> {
        let path = operation.path.as_ref().ok_or(DoesNotApply);
        let from = operation.from.as_ref().ok_or(DoesNotApply);
        let value = operation.value.as_ref();
        match operation.kind.ok_or(DoesNotApply)? {
            Kind::Add => {
                let value = value.cloned().unwrap_or(Value::Null);
                let below = depth(&value);
                self.add(path?, value, below)
            }
            Kind::Remove => self.remove(path?).map(drop),
            Kind::Replace => self.replace(path?, value),
            Kind::Move => {
                let (from, path) = (from?, path?);
                let value = self.remove(from)?;
                // Measuring what is moved each time could be used to keep the server busy; this is deep enough.
                let below = self.depth.saturating_sub(from.length());
                self.add(path, value, below)
            }
            Kind::Test => self.test(path?, value),
            Kind::Copy => {
                let value = self.get(from?)?.cloned().unwrap_or(Value::Null);
                self.copied = self.copied.saturating_add(json::encode_any(&value).len());
                if self.copied > MAX_COPY_BYTES {
                    return Err(DoesNotApply);
                }
                let below = depth(&value);
                self.add(path?, value, below)
            }
        }
    }

    /// The object or list that holds what is at `path`, and the name or index there.
    fn holder<'p>(&mut self, path: &'p Pointer) -> Outcome<(&mut Value, &'p str)> {
        let Pointer(Some((before, last))) = path else { return Err(DoesNotApply) };
        let mut holder = &mut self.document;
        for name in before {
            holder = match holder {
                Value::Object(object) => object.get_mut(name),
                Value::List(items) => {
                    let at = place(name, items.len())?;
                    items.get_mut(at)
                }
                _ => None,
            }
            .ok_or(DoesNotApply)?;
        }
        match holder {
            Value::Object(_) | Value::List(_) => Ok((holder, last)),
            _ => Err(DoesNotApply),
        }
    }

    fn get(&mut self, path: &Pointer) -> Outcome<Option<&Value>> {
        let (holder, last) = self.holder(path)?;
        match holder {
            Value::List(items) => {
                let at = place(last, items.len())?;
                items.get(at).map(Some).ok_or(DoesNotApply)
            }
            other => Ok(other.as_object().and_then(|object| object.get(last))),
        }
    }

    fn add(&mut self, path: &Pointer, value: Value, below: usize) -> Outcome<()> {
        self.deepen(path, below)?;
        let (holder, last) = self.holder(path)?;
        match holder {
            Value::Object(object) => {
                object.insert(Key::Owned(last.to_owned()), value);
            }
            Value::List(items) if last == "-" => items.push(value),
            Value::List(items) => {
                // Behind the last item is a place too.
                let at = place(last, items.len() + 1)?;
                items.insert(at, value);
            }
            _ => return Err(DoesNotApply),
        }
        Ok(())
    }

    fn remove(&mut self, path: &Pointer) -> Outcome<Value> {
        let (holder, last) = self.holder(path)?;
        match holder {
            Value::Object(object) => object.remove(last).ok_or(DoesNotApply),
            Value::List(items) => {
                let at = place(last, items.len())?;
                Ok(items.remove(at))
            }
            _ => Err(DoesNotApply),
        }
    }

    fn replace(&mut self, path: &Pointer, value: Option<&Value>) -> Outcome<()> {
        if path.0.is_none() {
            let whole = value.filter(|value| matches!(value, Value::Object(_) | Value::List(_)));
            self.document = whole.cloned().ok_or(DoesNotApply)?;
            self.depth = depth(&self.document);
            return Ok(());
        }
        let value = value.cloned().unwrap_or(Value::Null);
        self.deepen(path, depth(&value))?;
        let (holder, last) = self.holder(path)?;
        match holder {
            Value::Object(object) => {
                object.insert(Key::Owned(last.to_owned()), value);
            }
            Value::List(items) => {
                let at = place(last, items.len())?;
                *items.get_mut(at).ok_or(DoesNotApply)? = value;
            }
            _ => return Err(DoesNotApply),
        }
        Ok(())
    }

    fn test(&mut self, path: &Pointer, value: Option<&Value>) -> Outcome<()> {
        let found = match path {
            Pointer(None) => Some(&self.document),
            path => self.get(path)?,
        };
        let holds = match (found, value) {
            (None | Some(Value::Null), None | Some(Value::Null)) => true,
            (Some(found), Some(value)) => found == value,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if holds { Ok(()) } else { Err(DoesNotApply) }
    }

    /// Refuses what would make the document deeper than a decoder reads.
    fn deepen(&mut self, path: &Pointer, below: usize) -> Outcome<()> {
        self.depth = self.depth.max(path.length().saturating_add(below));
        if self.depth > MAX_DEPTH { Err(DoesNotApply) } else { Ok(()) }
    }
}

impl Pointer {
    /// How many objects and lists are around what it points to.
    fn length(&self) -> usize {
        self.0.as_ref().map_or(0, |(before, _)| before.len() + 1)
    }
}

/// The place that an index means in a list with `length` places.
fn place(index: &str, length: usize) -> Outcome<usize> {
    let index: i64 = index.parse().map_err(|_| DoesNotApply)?;
    let from_end = || usize::try_from(index.unsigned_abs()).ok().and_then(|back| length.checked_sub(back));
    let at = if index < 0 { from_end() } else { usize::try_from(index).ok() };
    at.filter(|at| *at < length).ok_or(DoesNotApply)
}

/// How many objects and lists stand in one another at most.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonPatch, MAX_OPERATIONS};
    use crate::json::{self, FieldValidation};
    use crate::patch::{json_patch, unprocessable};

    fn patched(document: &str, patch: &str) -> Option<String> {
        match json_patch(json::decode_any(document.as_bytes()).unwrap(), patch.as_bytes()) {
            Ok(value) => Some(String::from_utf8(json::encode_any(&value)).unwrap()),
            Err(status) => {
                assert_eq!(status, unprocessable(), "{document} {patch}");
                None
            }
        }
    }

    #[test]
    fn operations_apply_as_upstream_applies_them() {
        let table = [
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/a"}]"#, Some(r#"{"a":null}"#)),
            (r#"{"a":1}"#, r#"[{"op":"add","path":"x/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
            (r#"{"a":1}"#, r#"[{"op":"add","path":"","value":{}}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/b/c","value":2}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/a/c","value":2}]"#, None),
            (r#"{"a":null}"#, r#"[{"op":"add","path":"/a/c","value":2}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"add","value":2}]"#, None),
            (r#"{"a~/":{}}"#, r#"[{"op":"add","path":"/a~0~1/","value":2}]"#, Some(r#"{"a~/":{"":2}}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-","value":3}]"#, Some(r#"{"a":[1,2,3]}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/0","value":3}]"#, Some(r#"{"a":[3,1,2]}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/2","value":3}]"#, Some(r#"{"a":[1,2,3]}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/3","value":3}]"#, None),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-1","value":3}]"#, Some(r#"{"a":[1,2,3]}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-3","value":3}]"#, Some(r#"{"a":[3,1,2]}"#)),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-4","value":3}]"#, None),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/x","value":3}]"#, None),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-9223372036854775808","value":3}]"#, None),
            (
                r#"{"a":[1,{"b":1}]}"#,
                r#"[{"op":"add","path":"/a/-1/c","value":3}]"#,
                Some(r#"{"a":[1,{"b":1,"c":3}]}"#),
            ),
            (r#"{"a":1,"b":2}"#, r#"[{"op":"remove","path":"/a"}]"#, Some(r#"{"b":2}"#)),
            (r#"{"a":1}"#, r#"[{"op":"remove","path":"/b"}]"#, None),
            (r#"{"a":[1,2,3]}"#, r#"[{"op":"remove","path":"/a/1"}]"#, Some(r#"{"a":[1,3]}"#)),
            (r#"{"a":[1,2,3]}"#, r#"[{"op":"remove","path":"/a/-1"}]"#, Some(r#"{"a":[1,2]}"#)),
            (r#"{"a":[1,2,3]}"#, r#"[{"op":"remove","path":"/a/3"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":"/a","value":2}]"#, Some(r#"{"a":2}"#)),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":"/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
            (r#"{"a":[1]}"#, r#"[{"op":"replace","path":"/a/-1","value":2}]"#, Some(r#"{"a":[2]}"#)),
            (r#"{"a":[1]}"#, r#"[{"op":"replace","path":"/a/1","value":2}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":"","value":{"b":1}}]"#, Some(r#"{"b":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":"","value":3}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"replace","path":""}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":"/b"}]"#, Some(r#"{"b":1}"#)),
            (r#"{"a":{"b":1}}"#, r#"[{"op":"move","from":"/a","path":"/a/c"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"move","from":"/c","path":"/b"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"move","path":"/b"}]"#, None),
            (r#"{"a":[1,2]}"#, r#"[{"op":"move","from":"/a/0","path":"/a/1"}]"#, Some(r#"{"a":[2,1]}"#)),
            (r#"{"a":1}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, Some(r#"{"a":1,"b":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"copy","from":"/c","path":"/b"}]"#, Some(r#"{"a":1,"b":null}"#)),
            (r#"{"a":[]}"#, r#"[{"op":"copy","from":"/a/0","path":"/b"}]"#, None),
            (
                r#"{"a":{"b":[1,"x"]}}"#,
                r#"[{"op":"test","path":"/a","value":{"b":[1,"x"]}}]"#,
                Some(r#"{"a":{"b":[1,"x"]}}"#),
            ),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"","value":{"a":1}}]"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":"1"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":1.0}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/a"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/b"}]"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/b","value":null}]"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/b","value":1}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"frob","path":"/a"}]"#, None),
            (r#"{"a":1}"#, r#"[{"path":"/a"}]"#, None),
            (r#"{"a":1}"#, r#"[null]"#, None),
            (r#"{"a":1}"#, r#"[{"op":5,"path":"/a"}]"#, None),
            (r#"{"a":1}"#, r#"[{"op":"add","path":5}]"#, None),
            (r#"{"a":1}"#, r#"[]"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1}"#, r#"null"#, Some(r#"{"a":1}"#)),
        ];
        for (document, patch, expected) in table {
            assert_eq!(patched(document, patch).as_deref(), expected, "{document} {patch}");
        }
    }

    #[test]
    fn a_patch_is_bounded() {
        let operations = |count: usize, operation: &str| format!("[{}]", vec![operation; count].join(","));
        let test = r#"{"op":"test","path":"/a","value":1}"#;
        assert_eq!(patched(r#"{"a":1}"#, &operations(MAX_OPERATIONS, test)).as_deref(), Some(r#"{"a":1}"#));
        let status =
            JsonPatch::read(operations(MAX_OPERATIONS + 1, test).as_bytes(), FieldValidation::Ignore).unwrap_err();
        assert_eq!((status.code, &*status.reason), (413, "RequestEntityTooLarge"));
        assert_eq!(
            status.message,
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
        let copy = r#"{"op":"copy","from":"/a","path":"/b"}"#;
        assert!(patched(&long, &operations(2, copy)).is_some());
        assert!(patched(&long, &operations(3, copy)).is_none());
        let deeper = r#"{"op":"copy","from":"/a","path":"/a/a"}"#;
        assert!(patched(r#"{"a":{}}"#, &operations(8, deeper)).is_some());
        assert!(patched(r#"{"a":{"b":{"c":{}}}}"#, &operations(300, deeper)).is_none());
        let wrap = r#"{"op":"move","from":"/a","path":"/b"},{"op":"add","path":"/a","value":{}},{"op":"move","from":"/b","path":"/a/b"}"#;
        assert!(patched(r#"{"a":{}}"#, &operations(300, wrap)).is_none());
    }
}
