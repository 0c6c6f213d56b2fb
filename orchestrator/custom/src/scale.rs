//! The scale of a custom resource: where its replicas stand, and the document made of them.

use crate::gotext;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Key, Object, Value};

/// Where the replicas stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// `.spec.replicas` or alike.
    pub spec_replicas: String,
    /// `.status.replicas` or alike.
    pub status_replicas: String,
    /// Where the selector of labels stands, if anywhere.
    pub selector: Option<String>,
}

/// The replicas that upstream shows a patch when an object has none, so that it sees whether the patch set any.
const UNSET: i64 = i32::MIN as i64;

impl Scale {
    pub(crate) fn read(subresources: Option<&Value>) -> Option<Self> {
        let scale = subresources?.at(&["scale"]).filter(|scale| scale.as_object().is_some())?;
        let text = |name: &str| scale.text_at(&[name]).to_owned();
        Some(Self {
            spec_replicas: text("specReplicasPath"),
            status_replicas: text("statusReplicasPath"),
            selector: Some(text("labelSelectorPath")).filter(|path| !path.is_empty()),
        })
    }

    /// The document `autoscaling/v1` Scale of an object.
    pub fn of(&self, object: &Value) -> Result<Value, Status> {
        self.document(object, 0)
    }

    /// The same document for a patch to work on.
    pub fn for_update(&self, object: &Value) -> Result<Value, Status> {
        self.document(object, UNSET)
    }

    fn document(&self, object: &Value, unset: i64) -> Result<Value, Status> {
        let number = |path: &str| integer(object, path).map_err(Status::bad_request);
        let spec = int32(number(&self.spec_replicas)?.unwrap_or(unset));
        let status = int32(number(&self.status_replicas)?.unwrap_or(0));
        let selector = match &self.selector {
            Some(path) => text(object, path).map_err(Status::bad_request)?.unwrap_or_default(),
            None => String::new(),
        };
        let mut metadata = Object::new();
        for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = object.at(&["metadata", name]).filter(|value| !value.is_empty()) {
                metadata.insert(name.into(), value.clone());
            }
        }
        let mut of_spec = Object::new();
        if spec != 0 {
            of_spec.insert("replicas".into(), Value::Int(spec));
        }
        let mut of_status = Object::new();
        if status != 0 {
            of_status.insert("replicas".into(), Value::Int(status));
        }
        if !selector.is_empty() {
            of_status.insert("selector".into(), Value::text(selector));
        }
        let members: [(Key, Value); 5] = [
            ("apiVersion".into(), Value::text("autoscaling/v1")),
            ("kind".into(), Value::text("Scale")),
            ("metadata".into(), Value::Object(metadata)),
            ("spec".into(), Value::Object(of_spec)),
            ("status".into(), Value::Object(of_status)),
        ];
        Ok(Value::Object(members.into_iter().collect()))
    }

    /// Puts the replicas of a Scale document into an object. A resourceVersion in the document becomes the object's, so
    /// that the write is refused if the object has changed.
    pub fn apply(&self, object: &mut Value, scale: &Value) -> Result<(), Status> {
        let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_int).unwrap_or(0);
        if replicas == UNSET {
            let path = &self.spec_replicas;
            return Err(Status::bad_request(format!("the spec replicas field {path:?} cannot be empty")));
        }
        self.set(object, replicas)?;
        let version = scale.at(&["metadata", "resourceVersion"]).filter(|version| !version.is_empty());
        if let (Some(version), Value::Object(object)) = (version, object) {
            object.object_mut("metadata").insert("resourceVersion".into(), version.clone());
        }
        Ok(())
    }

    /// Sets the replicas of an object.
    pub fn set(&self, object: &mut Value, replicas: i64) -> Result<(), Status> {
        let names = split(&self.spec_replicas);
        let Some((last, outer)) = names.split_last() else { return Ok(()) };
        let mut place = object;
        for (index, name) in outer.iter().enumerate() {
            let before = names.get(..index).unwrap_or_default().join(".");
            let object = place.as_object_mut().ok_or_else(|| no_map(&before))?;
            if object.get(name).is_none() {
                object.insert(Key::Owned((*name).to_owned()), Value::Object(Object::new()));
            }
            place = object.get_mut(name).ok_or_else(|| no_map(&before))?;
        }
        let object = place.as_object_mut().ok_or_else(|| no_map(&outer.join(".")))?;
        object.insert(Key::Owned((*last).to_owned()), Value::Int(replicas));
        Ok(())
    }

    /// Checks the replicas wanted.
    pub(crate) fn check_spec(&self, object: &Value) -> Vec<Error> {
        check(object, &self.spec_replicas)
    }

    /// Checks the replicas that there are, and the selector.
    pub(crate) fn check_status(&self, object: &Value) -> Vec<Error> {
        let mut errors = check(object, &self.status_replicas);
        if let Some((path, Err(problem))) = self.selector.as_ref().map(|path| (path, text(object, path))) {
            errors.push(Error::invalid(&Path::new(path), "", problem));
        }
        errors
    }
}

fn no_map(path: &str) -> Status {
    Status::internal(format!("value cannot be set because .{path} is not a map[string]interface{{}}"))
}

fn int32(value: i64) -> i64 {
    // Upstream narrows the number without a look at it; writes are checked before.
    i32::try_from(value).map_or(0, i64::from)
}

fn split(path: &str) -> Vec<&str> {
    path.strip_prefix('.').unwrap_or(path).split('.').collect()
}

fn check(object: &Value, path: &str) -> Vec<Error> {
    let place = Path::new(path);
    let detail = match integer(object, path) {
        Err(problem) => return vec![Error::invalid_value(&place, 0, problem)],
        Ok(Some(value)) if value < 0 => (value, "should be a non-negative integer".to_owned()),
        Ok(Some(value)) if value > i64::from(i32::MAX) => {
            (value, format!("should be less than or equal to {}", i32::MAX))
        }
        Ok(_) => return Vec::new(),
    };
    vec![Error::invalid_value(&place, detail.0, detail.1)]
}

fn find<'a>(object: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let names = split(path);
    let mut place = object;
    for (index, name) in names.iter().enumerate() {
        place = match place {
            Value::Null => return Ok(None),
            Value::Object(object) => match object.get(name) {
                Some(found) => found,
                None => return Ok(None),
            },
            other => {
                let so_far = names.get(..=index).unwrap_or_default().join(".");
                return Err(mismatch(&so_far, other, "map[string]interface{}"));
            }
        };
    }
    Ok(Some(place))
}

fn mismatch(path: &str, value: &Value, wanted: &str) -> String {
    let (printed, found) = (gotext::print(value), gotext::type_name(value));
    format!(".{path} accessor error: {printed} is of the type {found}, expected {wanted}")
}

fn integer(object: &Value, path: &str) -> Result<Option<i64>, String> {
    match find(object, path)? {
        None => Ok(None),
        Some(Value::Int(value)) => Ok(Some(*value)),
        Some(other) => Err(mismatch(&split(path).join("."), other, "int64")),
    }
}

fn text(object: &Value, path: &str) -> Result<Option<String>, String> {
    match find(object, path)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.to_string())),
        Some(other) => Err(mismatch(&split(path).join("."), other, "string")),
    }
}
