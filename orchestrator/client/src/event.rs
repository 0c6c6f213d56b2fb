//! Events, as client-go's recorder writes them.

use std::sync::Arc;

use coracle_apimachinery::Value;

/// Something to tell about an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The object that it is about; `apiVersion` and kind are taken from the tree.
    pub regarding: Arc<Value>,
    /// Part of the object, such as `spec.containers{web}`; may be empty.
    pub field_path: String,
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// Machine-readable reason.
    pub reason: &'static str,
    /// Words for people.
    pub message: String,
}

/// Ordinary event.
pub const NORMAL: &str = "Normal";
/// Event that somebody should look at.
pub const WARNING: &str = "Warning";

impl Event {
    /// An ordinary event.
    #[must_use]
    pub fn normal(regarding: &Arc<Value>, reason: &'static str, message: impl Into<String>) -> Self {
        Self::of(regarding, NORMAL, reason, message.into())
    }

    /// An event that somebody should look at.
    #[must_use]
    pub fn warning(regarding: &Arc<Value>, reason: &'static str, message: impl Into<String>) -> Self {
        Self::of(regarding, WARNING, reason, message.into())
    }

    fn of(regarding: &Arc<Value>, kind: &'static str, reason: &'static str, message: String) -> Self {
        Self { regarding: Arc::clone(regarding), field_path: String::new(), kind, reason, message }
    }
}
