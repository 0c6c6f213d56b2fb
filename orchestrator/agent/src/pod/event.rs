//! The events of a pod's life in upstream's words.

use super::Event;

impl Event {
    /// A `Normal` event.
    pub(crate) fn normal(reason: &'static str, message: impl Into<String>, field_path: impl Into<String>) -> Self {
        Self { warning: false, reason, message: message.into(), field_path: field_path.into() }
    }

    /// A `Warning`.
    pub(crate) fn warning(reason: &'static str, message: impl Into<String>, field_path: impl Into<String>) -> Self {
        Self { warning: true, ..Self::normal(reason, message, field_path) }
    }
}
