//! Claims for volumes, as templates in pods and as the spec of `PersistentVolumeClaim`.

use super::resources;
use crate::validate::format;
use crate::validate::labels;
use crate::validate::report::{At, Report};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// Members of `ObjectMeta` in Go's order without the two that a template may have.
const NOT_IN_TEMPLATE: [&str; 13] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// A volume that gets a claim of its own.
pub(crate) fn ephemeral(report: &mut Report, at: &At<'_>) {
    let template = at.get("volumeClaimTemplate");
    if !template.is_set() {
        report.required(&template.path, "");
        return;
    }
    let meta = template.get("metadata");
    labels::annotations(report, &meta.get("annotations"));
    labels::labels(report, &meta.get("labels"));
    for member in NOT_IN_TEMPLATE {
        if meta.get(member).value.is_some_and(|value| !value.is_empty()) {
            let shown = if member == "uid" { "uID" } else { member };
            report.forbidden(&meta.path.child(shown), "cannot be set");
        }
    }
    spec(report, &template.get("spec"));
}

/// What is claimed.
pub(crate) fn spec(report: &mut Report, at: &At<'_>) {
    let modes = at.get("accessModes");
    if modes.len() == 0 {
        report.required(&modes.path, "at least 1 access mode is required");
    }
    labels::selector(report, &at.get("selector"), false);
    let (mut alone, mut shared) = (false, false);
    for mode in modes.items() {
        report.one_of(&At { value: mode.value, path: modes.path.clone() }, &ACCESS_MODES);
        alone |= mode.text() == "ReadWriteOncePod";
        shared |= ACCESS_MODES.contains(&mode.text()) && mode.text() != "ReadWriteOncePod";
    }
    if alone && shared {
        report.forbidden(&modes.path, "may not use ReadWriteOncePod with other access modes");
    }
    let storage = at.get("resources").get("requests").get("storage");
    let place = at.path.child("resources").key("storage");
    if !storage.is_set() {
        report.required(&place, "");
    } else if !resources::is_positive(storage.text()) {
        report.invalid(&place, storage.text(), "must be greater than zero");
    }
    report.optional_format(&at.get("storageClassName"), format::subdomain);
    report.optional_one_of(&at.get("volumeMode"), &["Block", "Filesystem"]);
    let (source, reference) = (at.get("dataSource"), at.get("dataSourceRef"));
    for origin in [&source, &reference] {
        if origin.is_set() {
            data_source(report, origin);
        }
    }
    let elsewhere = !reference.text_of("namespace").is_empty();
    let same = ["apiGroup", "kind", "name"].iter().all(|name| source.member(name) == reference.member(name));
    if source.is_set() && reference.is_set() && (elsewhere || !same) {
        // Upstream shows the place of the data source as the value.
        let detail = if elsewhere {
            "may not be specified when dataSourceRef.namespace is specified"
        } else {
            "must match dataSourceRef"
        };
        report.invalid_shown(&at.path, || "{}".to_owned(), detail);
    }
    report.optional_format(&at.get("volumeAttributesClassName"), format::subdomain);
}

fn data_source(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("name"));
    report.required_text(&at.get("kind"));
    let group = at.get("apiGroup");
    if group.text().is_empty() && at.text_of("kind") != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        report.invalid(&at.path, at.text_of("kind"), detail);
    }
    report.optional_format(&group, format::subdomain);
    report.optional_format(&at.get("namespace"), format::label);
}
