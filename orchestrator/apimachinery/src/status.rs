//! Kubernetes' error document, metav1.Status, and the refusals that are worded alike everywhere.
//!
//! Source of the wording: k8s.io/apimachinery v0.37.2, pkg/api/errors.

use crate::field::{self, quote};
use crate::{Object, Value};
use std::borrow::Cow;
use std::fmt;

/// A failure as the API answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason; empty where upstream gives none.
    pub reason: Cow<'static, str>,
    /// Words for people.
    pub message: String,
    /// What it is about. Upstream prints an empty object for some failures and nothing for others.
    pub details: Option<Box<Details>>,
}

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// Its API group.
    pub group: String,
    /// Its resource or kind.
    pub kind: String,
    /// Its uid.
    pub uid: String,
    /// Single problems.
    pub causes: Vec<Cause>,
    /// Seconds after which to try again; 0 says nothing.
    pub retry_after_seconds: u32,
}

/// One problem of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable reason.
    pub reason: Cow<'static, str>,
    /// Words for people.
    pub message: String,
    /// Where in the object; may be empty.
    pub field: String,
}

impl Status {
    /// A failure without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), message: message.into(), details: None }
    }

    /// The same failure about an object.
    #[must_use]
    pub fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let details = self.details.get_or_insert_default();
        details.group = group.to_owned();
        details.kind = kind.to_owned();
        details.name = name.to_owned();
        self
    }

    /// The same failure with a cause more.
    #[must_use]
    pub fn because(mut self, reason: &'static str, message: impl Into<String>, field: &str) -> Self {
        let cause = Cause { reason: reason.into(), message: message.into(), field: field.to_owned() };
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// The same failure with a time after which to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// The request cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// Who asks could not be established.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The object does not exist.
    #[must_use]
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {} not found", qualified(group, resource), quote(name));
        Self::new(404, "NotFound", message).about(group, resource, name)
    }

    /// The resource does not exist.
    #[must_use]
    pub fn unknown_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").about("", "", "")
    }

    /// The object exists already.
    #[must_use]
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {} already exists", qualified(group, resource), quote(name));
        Self::new(409, "AlreadyExists", message).about(group, resource, name)
    }

    /// The write contradicts the state of the object.
    #[must_use]
    pub fn conflict(group: &str, resource: &str, name: &str, why: impl fmt::Display) -> Self {
        let subject = qualified(group, resource);
        let message = format!("Operation cannot be fulfilled on {subject} {}: {why}", quote(name));
        Self::new(409, "Conflict", message).about(group, resource, name)
    }

    /// The object has been changed since the client read it.
    #[must_use]
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(group, resource, name, why)
    }

    /// The caller may not do this; `why` says what and to what.
    #[must_use]
    pub fn forbidden(group: &str, resource: &str, name: &str, why: impl fmt::Display) -> Self {
        let subject = qualified(group, resource);
        let message = if resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{subject} is forbidden: {why}")
        } else {
            format!("{subject} {} is forbidden: {why}", quote(name))
        };
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// The object breaks its rules. `kind` is the Kind, not the resource.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[field::Error]) -> Self {
        // Equal messages are said once.
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} {} is invalid: {list}", qualified(group, kind), quote(name));
        let mut status = Self::new(422, "Invalid", message).about(group, kind, name);
        for error in errors {
            status = status.because(error.problem.reason(), error.body(), &error.field);
        }
        status
    }

    /// The resource does not offer the verb.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).about("", "", "")
    }

    /// History that the request needs is gone.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// Something went wrong that is not the client's doing.
    #[must_use]
    pub fn internal(why: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {why}")).because_internal(why)
    }

    fn because_internal(self, why: impl fmt::Display) -> Self {
        let mut status = self;
        let cause = Cause { reason: "".into(), message: why.to_string(), field: String::new() };
        status.details.get_or_insert_default().causes.push(cause);
        status
    }

    /// The document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        object.insert("kind".into(), Value::text("Status"));
        object.insert("apiVersion".into(), Value::text("v1"));
        object.insert("metadata".into(), Value::Object(Object::new()));
        object.insert("status".into(), Value::text("Failure"));
        set_text(&mut object, "message", &self.message);
        set_text(&mut object, "reason", &self.reason);
        if let Some(details) = &self.details {
            object.insert("details".into(), details.to_value());
        }
        object.insert("code".into(), Value::Int(self.code.into()));
        Value::Object(object)
    }
}

impl Details {
    /// The document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        for (name, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            set_text(&mut object, name, text);
        }
        if !self.causes.is_empty() {
            let cause = |cause: &Cause| {
                let mut object = Object::new();
                set_text(&mut object, "reason", &cause.reason);
                set_text(&mut object, "message", &cause.message);
                set_text(&mut object, "field", &cause.field);
                Value::Object(object)
            };
            object.insert("causes".into(), Value::List(self.causes.iter().map(cause).collect()));
        }
        if self.retry_after_seconds > 0 {
            object.insert("retryAfterSeconds".into(), Value::Int(self.retry_after_seconds.into()));
        }
        Value::Object(object)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

/// A resource or kind with its group, as messages name it.
#[must_use]
pub fn qualified(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

fn set_text(object: &mut Object, name: &'static str, text: &str) {
    if !text.is_empty() {
        object.insert(name.into(), Value::text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::Status;
    use crate::field::{Error, Path};
    use crate::json;

    #[test]
    fn documents_read_as_upstream_words_them() {
        let errors = [Error::required(&Path::new("a"), ""), Error::required(&Path::new("b"), "")];
        let table = [
            (
                Status::not_found("apps", "deployments", "web"),
                r#"{"apiVersion":"v1","code":404,"details":{"group":"apps","kind":"deployments","name":"web"},"kind":"Status","message":"deployments.apps \"web\" not found","metadata":{},"reason":"NotFound","status":"Failure"}"#,
            ),
            (
                Status::invalid("", "Pod", "p", &errors[..1]),
                r#"{"apiVersion":"v1","code":422,"details":{"causes":[{"field":"a","message":"Required value","reason":"FieldValueRequired"}],"kind":"Pod","name":"p"},"kind":"Status","message":"Pod \"p\" is invalid: a: Required value","metadata":{},"reason":"Invalid","status":"Failure"}"#,
            ),
        ];
        for (status, text) in table {
            assert_eq!(String::from_utf8(json::encode_any(&status.to_value())).unwrap(), text);
        }
        assert_eq!(
            Status::invalid("apps", "Deployment", "d", &errors).message,
            r#"Deployment.apps "d" is invalid: [a: Required value, b: Required value]"#
        );
    }
}
