//! Metadata of objects: names, namespaces, labels, annotations, owners, finalizers, and what an update may not change.
//!
//! Source of rules and wording: k8s.io/apimachinery v0.37.2, pkg/api/validation/objectmeta.go.

use super::format::{self, NameRule};
use super::labels;
use super::report::{At, Report};
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::{Value, json, schema};
use std::collections::BTreeSet;

/// What every new object must obey, custom ones too. `meta` is the value of `metadata`.
#[must_use]
pub fn create(meta: &Value, namespaced: bool, rule: NameRule, path: &Path) -> Vec<Error> {
    let mut report = Report::default();
    check(&mut report, &At { value: Some(meta), path: path.clone() }, namespaced, rule);
    report.into_errors()
}

/// What every changed object must obey besides, custom ones too.
#[must_use]
pub fn update(new: &Value, old: &Value, path: &Path) -> Vec<Error> {
    let mut report = Report::default();
    let at = |value| At { value: Some(value), path: path.clone() };
    check_update(&mut report, &at(new), &at(old));
    report.into_errors()
}

pub(crate) fn check(report: &mut Report, meta: &At<'_>, namespaced: bool, rule: NameRule) {
    let prefix = meta.get("generateName");
    if !prefix.text().is_empty() {
        report.complaints(&prefix.path, prefix.text(), rule.check(prefix.text(), true));
    }
    let name = meta.get("name");
    if name.text().is_empty() {
        report.required(&name.path, "name or generateName is required");
    } else {
        report.complaints(&name.path, name.text(), rule.check(name.text(), false));
    }
    let namespace = meta.get("namespace");
    if namespaced {
        report.required_format(&namespace, format::label);
    } else if !namespace.text().is_empty() {
        report.forbidden(&namespace.path, "not allowed on this type");
    }
    report.not_negative(&meta.get("generation"));
    labels::labels(report, &meta.get("labels"));
    labels::annotations(report, &meta.get("annotations"));
    owners(report, &meta.get("ownerReferences"));
    finalizers(report, &meta.get("finalizers"));
}

pub(crate) fn check_update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    if old.has("deletionTimestamp") {
        no_new_finalizers(report, &new.get("finalizers"), &old.get("finalizers"));
    }
    let version = new.get("resourceVersion");
    if version.text().is_empty() {
        report.invalid(&version.path, "", "must be specified for an update");
    }
    let generation = new.get("generation");
    report.not_negative(&generation);
    if generation.int() < old.get("generation").int() {
        report.invalid_number(&generation.path, generation.int(), "must not be decremented");
    }
    for name in ["name", "namespace", "uid"] {
        let (new, old) = (new.get(name), old.get(name));
        if new.text() != old.text() {
            report.invalid(&new.path, new.text(), IMMUTABLE);
        }
    }
    for name in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        immutable(report, &new.get(name), &old.get(name));
    }
    labels::labels(report, &new.get("labels"));
    labels::annotations(report, &new.get("annotations"));
    owners(report, &new.get("ownerReferences"));
}

/// The core kinds take only finalizers with a domain and a few old ones without.
pub(crate) fn core_finalizers(report: &mut Report, meta: &At<'_>) {
    for finalizer in meta.get("finalizers").items() {
        known_finalizer(report, &finalizer.path, finalizer.text());
    }
}

/// A finalizer without a domain must be one of the old ones.
pub(crate) fn known_finalizer(report: &mut Report, path: &Path, name: &str) {
    if !name.contains('/') && !["kubernetes", ORPHAN, FOREGROUND].contains(&name) {
        report.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/// A value must stay as it was.
pub(crate) fn immutable(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    if !same(new.value, old.value) {
        report.invalid_json(&new.path, new.value, IMMUTABLE);
    }
}

/// Whether two values are equal to Go's `Semantic.DeepEqual`, which does not tell an empty list or map from none.
pub(crate) fn same(new: Option<&Value>, old: Option<&Value>) -> bool {
    let bare = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::List(items)) => items.is_empty(),
        Some(_) => false,
    };
    new == old || (bare(new) && bare(old))
}

/// What is said of a field that may not change.
pub(crate) const IMMUTABLE: &str = "field is immutable";
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

fn owners(report: &mut Report, at: &At<'_>) {
    let mut controller: Option<String> = None;
    for owner in at.items() {
        self::owner(report, &owner);
        if !owner.flag_of("controller") || report.is_full() {
            continue;
        }
        let current = format!("{}/{}", owner.text_of("kind"), owner.text_of("name"));
        match &controller {
            None => controller = Some(current),
            Some(first) => {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                );
                let shown = || format!("[{}]", at.items().map(|owner| show(&owner)).collect::<Vec<_>>().join(","));
                report.invalid_shown(&at.path, shown, detail);
            }
        }
    }
}

fn owner(report: &mut Report, owner: &At<'_>) {
    const EMPTY: &str = "must not be empty";
    let version = owner.get("apiVersion");
    let well_formed = version.text().matches('/').count() < 2 && !version.text().ends_with('/');
    if version.text().is_empty() {
        report.required(&version.path, EMPTY);
    } else if !well_formed {
        report.invalid(&version.path, version.text(), "must be <group>/<version> or <version>");
    }
    for name in ["kind", "name", "uid"] {
        if owner.text_of(name).is_empty() {
            report.required(&owner.path.child(name), EMPTY);
        }
    }
    if matches!(version.text(), "v1" | "/v1") && owner.text_of("kind") == "Event" {
        report.invalid_shown(&owner.path, || show(owner), "/v1, Kind=Event is disallowed from being an owner");
    }
}

fn show(owner: &At<'_>) -> String {
    match (schema::lookup("meta.k8s.io/v1", "OwnerReference"), owner.value) {
        (Some(of), Some(value)) => String::from_utf8_lossy(&json::encode(of, value)).trim_end().to_owned(),
        _ => String::new(),
    }
}

fn finalizers(report: &mut Report, at: &At<'_>) {
    let (mut orphan, mut foreground) = (false, false);
    for finalizer in at.items() {
        report.complaints(&at.path, finalizer.text(), format::label_key(finalizer.text()));
        orphan |= finalizer.text() == ORPHAN;
        foreground |= finalizer.text() == FOREGROUND;
    }
    if orphan && foreground {
        let detail = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        report.invalid_json(&at.path, at.value, detail);
    }
}

fn no_new_finalizers(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let names = |at: &At<'_>| at.items().map(|item| item.text().to_owned()).collect::<BTreeSet<_>>();
    let old_names = names(old);
    let extra: Vec<String> = names(new)
        .iter()
        .filter(|name| !old_names.contains(*name))
        .map(|name| coracle_apimachinery::field::quote(name))
        .collect();
    if !extra.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            extra.join(", ")
        );
        report.forbidden(&new.path, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::{create, update};
    use crate::validate::NameRule;
    use coracle_apimachinery::field::Path;
    use coracle_apimachinery::json;

    #[test]
    fn new_metadata_is_checked_in_order() {
        let text = br#"{"annotations":{"A/B/C":"1"},"finalizers":["orphan","foregroundDeletion","a b"],"generateName":"A","labels":{"d":"e f"},"namespace":"x","ownerReferences":[{"apiVersion":"v1","controller":true,"kind":"Event","name":"e","uid":"u"},{"apiVersion":"a/b/c","controller":true}]}"#;
        let meta = json::decode_any(text).unwrap();
        let errors = create(&meta, false, NameRule::Subdomain, &Path::new("metadata"));
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "metadata.generateName",
                "metadata.name",
                "metadata.namespace",
                "metadata.labels",
                "metadata.annotations",
                "metadata.ownerReferences[0]",
                "metadata.ownerReferences[1].apiVersion",
                "metadata.ownerReferences[1].kind",
                "metadata.ownerReferences[1].name",
                "metadata.ownerReferences[1].uid",
                "metadata.ownerReferences",
                "metadata.finalizers",
                "metadata.finalizers",
            ]
        );
        assert_eq!(
            errors[5].body(),
            r#"Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u","controller":true}: /v1, Kind=Event is disallowed from being an owner"#
        );
        assert_eq!(
            errors[10].body(),
            r#"Invalid value: [{"apiVersion":"v1","kind":"Event","name":"e","uid":"u","controller":true},{"apiVersion":"a/b/c","kind":"","name":"","uid":"","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Event/e and /"#
        );
        assert_eq!(
            errors[12].body(),
            r#"Invalid value: ["orphan","foregroundDeletion","a b"]: finalizer orphan and foregroundDeletion cannot be both set"#
        );
    }

    #[test]
    fn an_update_keeps_what_may_not_change() {
        let old = json::decode_any(br#"{"creationTimestamp":"2020-01-01T00:00:00Z","deletionTimestamp":"2021-01-01T00:00:00Z","finalizers":["a/b"],"generation":3,"name":"a","namespace":"n","resourceVersion":"5","uid":"u"}"#).unwrap();
        assert_eq!(update(&old, &old, &Path::new("metadata")), []);
        let new = json::decode_any(br#"{"deletionGracePeriodSeconds":5,"finalizers":["x/z","x/y"],"generation":2,"name":"b","namespace":"m","uid":"v"}"#).unwrap();
        let errors: Vec<String> = update(&new, &old, &Path::new("metadata")).iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x/y", "x/z"}"#,
                r#"metadata.resourceVersion: Invalid value: "": must be specified for an update"#,
                "metadata.generation: Invalid value: 2: must not be decremented",
                r#"metadata.name: Invalid value: "b": field is immutable"#,
                r#"metadata.namespace: Invalid value: "m": field is immutable"#,
                r#"metadata.uid: Invalid value: "v": field is immutable"#,
                "metadata.creationTimestamp: Invalid value: null: field is immutable",
                "metadata.deletionTimestamp: Invalid value: null: field is immutable",
                "metadata.deletionGracePeriodSeconds: Invalid value: 5: field is immutable",
            ]
        );
    }
}
