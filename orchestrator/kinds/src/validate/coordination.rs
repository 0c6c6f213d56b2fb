//! Validation of the group `coordination.k8s.io`.
//!
//! Source of rules and wording: k8s.io/kubernetes v1.37.2, pkg/apis/coordination/validation.

use super::format;
use super::report::{At, Report};

/// A new `Lease`.
pub(crate) fn lease(report: &mut Report, object: &At<'_>) {
    let spec = object.get("spec");
    let duration = spec.get("leaseDurationSeconds");
    if let Some(seconds) = duration.some_int().filter(|seconds| *seconds <= 0) {
        report.invalid_number(&duration.path, seconds, "must be greater than 0");
    }
    report.not_negative(&spec.get("leaseTransitions"));
    let strategy = spec.get("strategy");
    if strategy.is_set() {
        // Upstream names the place twice.
        let at = At { value: strategy.value, path: strategy.path.child("strategy") };
        if strategy.text().contains('/') {
            report.format(&at, format::label_key);
        } else {
            report.one_of(&at, &["OldestEmulationVersion"]);
        }
    }
    let holder = spec.get("preferredHolder");
    if !holder.text().is_empty() && strategy.text().is_empty() {
        report.forbidden(&holder.path, "may only be specified if `strategy` is defined");
    }
}

/// A changed `Lease`.
pub(crate) fn lease_update(report: &mut Report, new: &At<'_>, _old: &At<'_>) {
    lease(report, new);
}
