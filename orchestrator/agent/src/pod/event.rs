//! The events of a pod's life in upstream's words.

use std::borrow::Cow;

use super::Event;

impl Event {
    /// A `Normal` event.
    pub(crate) fn normal(
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        field_path: impl Into<String>,
    ) -> Self {
        Self { warning: false, reason: reason.into(), message: message.into(), field_path: field_path.into() }
    }

    /// A `Warning`.
    pub(crate) fn warning(
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        field_path: impl Into<String>,
    ) -> Self {
        Self { warning: true, ..Self::normal(reason, message, field_path) }
    }
}
