//! The rules of writes: what each endpoint may change, and what is checked.

use crate::structural::texts;
use crate::validate::{self, embedded, lists};
use crate::version::Version;
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path, quote};

impl Version {
    /// Makes a decoded object ready to be created: it has no status yet if status has an endpoint of its own.
    pub fn prepare_create(&self, object: &mut Value) {
        let Value::Object(members) = object else { return };
        if self.status {
            members.remove("status");
        }
        members.object_mut("metadata").insert("generation".into(), Value::Int(1));
    }

    /// Makes a changed object ready to replace the old one: status stays if it has an endpoint of its own, and the
    /// generation grows with any change outside of metadata.
    pub fn prepare_update(&self, object: &mut Value, old: &Value) {
        let Value::Object(members) = object else { return };
        if self.status {
            match old.at(&["status"]) {
                Some(status) => members.insert("status".into(), status.clone()),
                None => members.remove("status"),
            };
        }
        let (Value::Object(members), Some(before)) = (object, old.as_object()) else { return };
        let of_new = members.iter().filter(|(name, _)| *name != "metadata");
        let of_old = before.iter().filter(|(name, _)| *name != "metadata");
        let changed = !of_new.eq(of_old);
        let generation = old.at(&["metadata", "generation"]).and_then(Value::as_int).unwrap_or(0);
        let generation = generation.saturating_add(i64::from(changed));
        if generation != 0 {
            members.object_mut("metadata").insert("generation".into(), Value::Int(generation));
        }
    }

    /// Makes an object that the status endpoint received ready to replace the old one: everything but status stays.
    pub fn prepare_status_update(&self, object: &mut Value, old: &Value) {
        let status = object.as_object_mut().and_then(|object| object.remove("status"));
        *object = old.clone();
        if let Value::Object(object) = object {
            match status {
                Some(status) => object.insert("status".into(), status),
                None => object.remove("status"),
            };
        }
    }

    /// Checks a new object, except for the metadata that all objects have.
    #[must_use]
    pub fn validate(&self, object: &Value) -> Vec<Error> {
        self.check(object, None)
    }

    /// Checks a changed object. What did not change is not held against the writer.
    #[must_use]
    pub fn validate_update(&self, object: &Value, old: &Value) -> Vec<Error> {
        self.check(object, Some(old))
    }

    fn check(&self, object: &Value, old: Option<&Value>) -> Vec<Error> {
        let root = Path::default();
        let mut errors = self.check_type(object);
        // Nothing more is said about an object of another kind but about what it embeds.
        if errors.is_empty() {
            errors.extend(validate::value(object, old, &self.schema, None));
            if let Some(scale) = &self.scale {
                errors.extend(scale.check_spec(object));
                errors.extend(scale.check_status(object));
            }
        }
        errors.extend(embedded::check(object, &self.schema, &root));
        errors.extend(self.check_lists(object, old));
        errors
    }

    /// Checks an object that the status endpoint received.
    #[must_use]
    pub fn validate_status_update(&self, object: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.check_type(object);
        if errors.is_empty() {
            if let (Some(status), Some(schema)) = (object.at(&["status"]), self.schema.properties.get("status")) {
                let base = Path::new("status");
                errors.extend(validate::value(status, old.at(&["status"]), schema, Some(&base)));
            }
            if let Some(scale) = &self.scale {
                errors.extend(scale.check_status(object));
            }
        }
        errors.extend(self.check_lists(object, Some(old)));
        errors
    }

    fn check_lists(&self, object: &Value, old: Option<&Value>) -> Vec<Error> {
        let root = Path::default();
        let was_wrong = old.is_some_and(|old| !lists::check(old, &self.schema, &root).is_empty());
        if was_wrong { Vec::new() } else { lists::check(object, &self.schema, &root) }
    }

    /// What a writer is told although the object is taken: finalizers whose names may be those of others.
    #[must_use]
    pub fn warnings(&self, object: &Value, old: Option<&Value>) -> Vec<String> {
        let finalizers = |object: &Value| texts(object.at(&["metadata"]).unwrap_or(&Value::Null), "finalizers");
        let before = old.map(finalizers).unwrap_or_default();
        let mut added = finalizers(object);
        added.sort();
        added.dedup();
        added.retain(|name| {
            let usual = matches!(&**name, "orphan" | "foregroundDeletion" | "kubernetes");
            !before.contains(name) && !usual && !name.contains('/')
        });
        let warning = |name: &str| {
            let path = if name.contains('.') { " including a path (/)" } else { "" };
            let why = "to avoid accidental conflicts with other finalizer writers";
            let quoted = quote(name);
            format!("metadata.finalizers: {quoted}: prefer a domain-qualified finalizer name{path} {why}")
        };
        added.iter().map(|name| warning(name)).collect()
    }

    fn check_type(&self, object: &Value) -> Vec<Error> {
        let mut errors = Vec::new();
        let kind = object.text_at(&["kind"]);
        if kind != self.kind {
            errors.push(Error::invalid(&Path::new("kind"), kind, format!("must be {}", self.kind)));
        }
        let (version, wanted) = (object.text_at(&["apiVersion"]), self.api_version());
        if version != wanted {
            errors.push(Error::invalid(&Path::new("apiVersion"), version, format!("must be {wanted}")));
        }
        errors
    }
}
