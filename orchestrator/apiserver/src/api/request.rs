//! What can be asked of the API, the same for HTTP and for callers in this process.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use coracle_apimachinery::selector::{field, label};
use coracle_apimachinery::{Value, schema};
use coracle_auth::Identity;
use std::sync::Arc;

pub use crate::http::path::Verb;
use crate::http::query::FieldValidation;
use crate::registry::Row;
use crate::stored::Object;
pub use crate::streams::{Ask, Ready};

/// One request for a resource.
#[derive(Debug)]
pub struct Request {
    /// What is done.
    pub verb: Verb,
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource.
    pub resource: String,
    /// Subresource; may be empty.
    pub subresource: String,
    /// Namespace; may be empty.
    pub namespace: String,
    /// Name; empty for collections.
    pub name: String,
    /// Parameters.
    pub options: Options,
    /// What was sent along.
    pub body: Body,
}

/// What was sent along.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// Bytes of a client.
    Bytes(Media, Bytes),
    /// A tree of a caller in this process.
    Tree(Value),
    /// What is asked of a pod's node.
    Stream(Ask),
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes protobuf.
    Protobuf,
    /// A list of JSON patch operations.
    JsonPatch,
    /// A JSON merge patch.
    MergePatch,
    /// A strategic merge patch.
    StrategicPatch,
}

/// Parameters of all verbs; each verb reads its own.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decide, but store nothing.
    pub dry_run: bool,
    /// What to do with unknown fields of a body.
    pub field_validation: FieldValidation,
    /// Labels that objects must have.
    pub labels: label::Selector,
    /// Fields that objects must have.
    pub fields: field::Selector,
    /// `resourceVersion` as sent.
    pub resource_version: String,
    /// `resourceVersionMatch` as sent.
    pub version_match: String,
    /// Longest list; 0 is all.
    pub limit: usize,
    /// Continue token of the page before.
    pub continue_token: String,
    /// Begin a watch with the present state.
    pub send_initial_events: Option<bool>,
    /// Send bookmarks.
    pub bookmarks: bool,
    /// End a watch after this time.
    pub timeout: Option<Duration>,
    /// How to delete.
    pub delete: DeleteOptions,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds to give.
    pub grace_seconds: Option<i64>,
    /// What becomes of dependents.
    pub propagation: Option<Propagation>,
    /// The uid that the object must have.
    pub uid: Option<String>,
    /// The resourceVersion that the object must have.
    pub resource_version: Option<String>,
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
}

/// An answer that is not a failure.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// Warnings for the client.
    pub warnings: Vec<String>,
    /// The content.
    pub content: Content,
}

/// What an answer holds.
#[derive(Debug)]
pub enum Content {
    /// An object of a row.
    Object(Arc<Row>, Object),
    /// A document that is no stored object: Scale, Status, reviews.
    Document(schema::Type<'static>, Value),
    /// A list.
    List(Arc<Row>, super::list::List),
    /// A stream of events.
    Watch(Arc<Row>, Box<super::watch::Events>),
    /// A stream from a pod's node.
    Stream(Ready),
}

/// Who asks, and what is gathered on the way.
#[derive(Debug)]
pub struct Context {
    /// Who asks.
    pub identity: Arc<Identity>,
    warnings: Mutex<Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: false,
            field_validation: FieldValidation::Warn,
            labels: label::Selector::everything(),
            fields: field::Selector::everything(),
            resource_version: String::new(),
            version_match: String::new(),
            limit: 0,
            continue_token: String::new(),
            send_initial_events: None,
            bookmarks: false,
            timeout: None,
            delete: DeleteOptions::default(),
        }
    }
}

impl Context {
    /// A context without findings.
    #[must_use]
    pub fn new(identity: Arc<Identity>) -> Self {
        Self { identity, warnings: Mutex::default() }
    }

    /// Notes a warning for the client.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut warnings = self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// The warnings so far.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
