//! What a filter says of a node.

use std::borrow::Cow;

/// Whether a node is good enough.
pub(super) type Verdict = Result<(), Refusal>;

/// Why a node is not good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whether it could become good enough if pods left it.
    pub(super) is_for_now: bool,
    /// In upstream's words.
    pub(super) reasons: Vec<Cow<'static, str>>,
}

impl Refusal {
    /// Pods that left the node could make it good enough.
    pub(super) fn for_now(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_for_now: true, reasons: vec![reason.into()] }
    }

    /// Nothing that happens to pods could make it good enough.
    pub(super) fn for_good(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_for_now: false, reasons: vec![reason.into()] }
    }
}
