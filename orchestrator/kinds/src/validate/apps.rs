//! Validation of the group `apps`.
//!
//! Source of rules and wording: k8s.io/kubernetes v1.37.2, pkg/apis/apps/validation.

use super::core::pod::{self, Options};
use super::format;
use super::labels;
use super::metadata::immutable;
use super::report::{At, Report};
use coracle_apimachinery::{Value, json, schema};

const ABOVE_ALL: &str = "cannot be greater than status.replicas";

/// A new `Deployment`.
pub(crate) fn deployment(report: &mut Report, object: &At<'_>) {
    deployment_spec(report, &object.get("spec"), &Options::default());
}

/// A changed `Deployment`.
pub(crate) fn deployment_update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let (spec, old) = (new.get("spec"), old.get("spec"));
    deployment_spec(report, &spec, &Options::keeping(&old.get("template").get("spec"), false));
    fixed_selector(report, &spec, &old);
}

/// A changed status of a `Deployment`.
pub(crate) fn deployment_status(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let status = new.get("status");
    let names = ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    for name in names.into_iter().chain(["unavailableReplicas", "terminatingReplicas", "collisionCount"]) {
        report.not_negative(&status.get(name));
    }
    counts(report, &status, &["updatedReplicas", "readyReplicas", "availableReplicas"]);
    let (now, was) = (status.get("collisionCount"), old.get("status").get("collisionCount"));
    if was.some_int().is_some_and(|was| now.some_int().is_none_or(|now| now < was)) {
        report.invalid_number(&now.path, now.int(), "cannot be decremented");
    }
}

/// A new `ReplicaSet`.
pub(crate) fn replica_set(report: &mut Report, object: &At<'_>) {
    replica_set_spec(report, &object.get("spec"), &Options::default());
}

/// A changed `ReplicaSet`.
pub(crate) fn replica_set_update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let (spec, old) = (new.get("spec"), old.get("spec"));
    replica_set_spec(report, &spec, &Options::keeping(&old.get("template").get("spec"), false));
    fixed_selector(report, &spec, &old);
}

/// A changed status of a `ReplicaSet`.
pub(crate) fn replica_set_status(report: &mut Report, new: &At<'_>, _old: &At<'_>) {
    let status = new.get("status");
    let names = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    for name in names.into_iter().chain(["observedGeneration", "terminatingReplicas"]) {
        report.not_negative(&status.get(name));
    }
    counts(report, &status, &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"]);
}

fn counts(report: &mut Report, status: &At<'_>, names: &[&str]) {
    let all = status.get("replicas").int();
    for name in names {
        let count = status.get(name);
        if count.int() > all {
            report.invalid_number(&count.path, count.int(), ABOVE_ALL);
        }
    }
    let available = status.get("availableReplicas");
    if available.int() > status.get("readyReplicas").int() {
        report.invalid_number(&available.path, available.int(), "cannot be greater than readyReplicas");
    }
}

fn deployment_spec(report: &mut Report, spec: &At<'_>, options: &Options) {
    report.not_negative(&spec.get("replicas"));
    selector_and_template(report, spec, options);
    strategy(report, &spec.get("strategy"));
    let ready = spec.get("minReadySeconds");
    report.not_negative(&ready);
    report.not_negative(&spec.get("revisionHistoryLimit"));
    let deadline = spec.get("progressDeadlineSeconds");
    report.not_negative(&deadline);
    if let Some(seconds) = deadline.some_int().filter(|seconds| *seconds <= ready.int()) {
        report.invalid_number(&deadline.path, seconds, "must be greater than minReadySeconds");
    }
}

fn replica_set_spec(report: &mut Report, spec: &At<'_>, options: &Options) {
    report.not_negative(&spec.get("replicas"));
    report.not_negative(&spec.get("minReadySeconds"));
    selector_and_template(report, spec, options);
}

fn selector_and_template(report: &mut Report, spec: &At<'_>, options: &Options) {
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    let shown = || show_selector(selector.value);
    let empty = selector.get("matchLabels").len() + selector.get("matchExpressions").len() == 0;
    if selector.is_set() {
        labels::selector(report, &selector, false);
        if empty {
            report.invalid_shown(&selector.path, shown, "empty selector is invalid for deployment");
        }
    } else {
        report.required(&selector.path, "");
    }
    let meta = template.get("metadata");
    match labels::matches(&selector, meta.member("labels")) {
        None => {
            report.invalid_shown(&selector.path, shown, "invalid label selector");
            return;
        }
        Some(matches) => {
            // A missing selector is one that matches nothing, but not an empty one.
            if !matches || !selector.is_set() {
                let labels = meta.get("labels");
                report.invalid_json(&labels.path, labels.value, "`selector` does not match template `labels`");
            }
        }
    }
    pod::template(report, &template, options);
    let restart = template.get("spec").get("restartPolicy");
    report.one_of(&restart, &["Always"]);
    let deadline = template.get("spec").get("activeDeadlineSeconds");
    if deadline.is_set() {
        report.forbidden(&deadline.path, "activeDeadlineSeconds in ReplicaSet is not Supported");
    }
}

fn fixed_selector(report: &mut Report, spec: &At<'_>, old: &At<'_>) {
    let (selector, old) = (spec.get("selector"), old.get("selector"));
    let mut changed = Report::default();
    immutable(&mut changed, &selector, &old);
    if changed.len() > 0 {
        report.invalid_shown(&selector.path, || show_selector(selector.value), super::metadata::IMMUTABLE);
    }
}

fn show_selector(selector: Option<&Value>) -> String {
    match (selector, schema::lookup("meta.k8s.io/v1", "LabelSelector")) {
        (Some(value), Some(of)) => String::from_utf8_lossy(&json::encode(of, value)).trim_end().to_owned(),
        _ => "null".to_owned(),
    }
}

fn strategy(report: &mut Report, at: &At<'_>) {
    let rolling = at.get("rollingUpdate");
    match at.text_of("type") {
        "Recreate" => {
            if rolling.is_set() {
                report.forbidden(&rolling.path, "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => {
            if rolling.is_set() {
                rolling_update(report, &rolling);
            } else {
                report.required(&rolling.path, "this should be defaulted and never be nil");
            }
        }
        kind => {
            // Upstream quotes the whole strategy.
            let kind = coracle_apimachinery::field::quote(kind);
            let rolling = rolling.value.map_or_else(
                || "null".to_owned(),
                |_| {
                    format!(
                        "{{\"MaxUnavailable\":{},\"MaxSurge\":{}}}",
                        shown(&rolling, "maxUnavailable"),
                        shown(&rolling, "maxSurge")
                    )
                },
            );
            let shown = format!("{{\"Type\":{kind},\"RollingUpdate\":{rolling}}}");
            let problem = coracle_apimachinery::field::Problem::NotSupported;
            let detail = "supported values: \"Recreate\", \"RollingUpdate\"";
            report.push(coracle_apimachinery::field::Error::new(problem, &at.path, Some(shown), detail));
        }
    }
}

fn shown(at: &At<'_>, name: &str) -> String {
    at.member(name).map_or_else(|| "0".to_owned(), |value| super::report::json_text(Some(value)))
}

fn rolling_update(report: &mut Report, at: &At<'_>) {
    let (unavailable, surge) = (at.get("maxUnavailable"), at.get("maxSurge"));
    for share in [&unavailable, &surge] {
        match share.value {
            Some(Value::String(text)) if format::percent(text).is_none() => {
                report.invalid(&share.path, text, format::percent_complaint());
            }
            Some(Value::String(_)) => {}
            _ => report.not_negative(share),
        }
    }
    if amount(&unavailable) == 0 && amount(&surge) == 0 {
        let detail = "may not be 0 when `maxSurge` is 0";
        report.invalid_shown(&unavailable.path, || shown(at, "maxUnavailable"), detail);
    }
    if format::percent(unavailable.text()).is_some_and(|percent| percent > 100) {
        report.invalid(&unavailable.path, unavailable.text(), "must not be greater than 100%");
    }
}

fn amount(at: &At<'_>) -> i64 {
    match at.value {
        Some(Value::String(text)) => format::percent(text).unwrap_or_else(|| text.parse().unwrap_or_default()),
        _ => at.int(),
    }
}
