//! Namespaces.

use crate::validate::format;
use crate::validate::metadata;
use crate::validate::report::{At, Report};

/// A new namespace.
pub(crate) fn create(report: &mut Report, namespace: &At<'_>) {
    let finalizers = namespace.get("spec").get("finalizers");
    for finalizer in finalizers.items() {
        report.complaints(&finalizers.path, finalizer.text(), format::label_key(finalizer.text()));
        metadata::known_finalizer(report, &finalizers.path, finalizer.text());
    }
}

/// A changed namespace.
pub(crate) fn update(report: &mut Report, new: &At<'_>, _old: &At<'_>) {
    create(report, new);
}

/// A changed status of a namespace.
pub(crate) fn status(report: &mut Report, new: &At<'_>, _old: &At<'_>) {
    let phase = new.get("status").get_as("phase", "Phase");
    let (wanted, condition) = if new.get("metadata").has("deletionTimestamp") {
        ("Terminating", "is not empty")
    } else {
        ("Active", "is empty")
    };
    if phase.text() != wanted {
        let detail = format!("may only be '{wanted}' if `deletionTimestamp` {condition}");
        report.invalid(&phase.path, phase.text(), detail);
    }
}

/// Finalizers of a namespace changed by its own subresource.
pub(crate) fn finalize(report: &mut Report, new: &At<'_>) {
    for finalizer in new.get("spec").get("finalizers").items() {
        report.format(&finalizer, format::label_key);
        metadata::known_finalizer(report, &finalizer.path, finalizer.text());
    }
}
