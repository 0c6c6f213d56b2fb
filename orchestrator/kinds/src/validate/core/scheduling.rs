//! Where a pod may run: affinity, tolerations, taints, spreading, gates.

use super::pod::Options;
use crate::validate::format;
use crate::validate::labels;
use crate::validate::report::{At, Report};
use std::collections::{HashMap, HashSet};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const WEIGHT: &str = "must be in the range 1-100";
const NO_SELECTOR: &str = "must not be specified when labelSelector is not set";

/// Affinity to nodes and to other pods.
pub(crate) fn affinity(report: &mut Report, at: &At<'_>, options: &Options) {
    let node = at.get("nodeAffinity");
    let required = node.get(REQUIRED);
    if required.is_set() {
        node_selector(report, &required, options.keeps_bad_node_values);
    }
    for term in node.get(PREFERRED).items() {
        weight(report, &term);
        node_selector_term(report, &term.get("preference"), true);
    }
    for name in ["podAffinity", "podAntiAffinity"] {
        let pods = at.get(name);
        for term in pods.get(REQUIRED).items() {
            pod_term(report, &term, options);
        }
        for term in pods.get(PREFERRED).items() {
            weight(report, &term);
            pod_term(report, &term.get("podAffinityTerm"), options);
        }
    }
}

fn weight(report: &mut Report, term: &At<'_>) {
    let weight = term.get("weight");
    if !(1..=100).contains(&weight.int()) {
        report.invalid_number(&weight.path, weight.int(), WEIGHT);
    }
}

/// Nodes by their labels and fields.
pub(crate) fn node_selector(report: &mut Report, at: &At<'_>, lenient: bool) {
    let terms = at.get("nodeSelectorTerms");
    if terms.len() == 0 {
        report.required(&terms.path, "must have at least one node selector term");
    }
    for term in terms.items() {
        node_selector_term(report, &term, lenient);
    }
}

fn node_selector_term(report: &mut Report, at: &At<'_>, lenient: bool) {
    for expression in at.get("matchExpressions").items() {
        let (operator, values) = (expression.get("operator"), expression.get("values"));
        match (operator.text(), values.len()) {
            ("In" | "NotIn", 0) => {
                report.required(&values.path, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            ("Exists" | "DoesNotExist", 1..) => {
                report.forbidden(&values.path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            ("Gt" | "Lt", 0 | 2..) => {
                report.required(&values.path, "must be specified single value when `operator` is 'Lt' or 'Gt'");
            }
            ("In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", _) => {}
            (other, _) => report.invalid(&operator.path, other, "not a valid selector operator"),
        }
        labels::key(report, &expression.path.child("key"), expression.text_of("key"));
        if !lenient {
            for value in values.items() {
                report.format(&value, format::label_value);
            }
        }
    }
    for field in at.get("matchFields").items() {
        let (operator, values, key) = (field.get("operator"), field.get("values"), field.get("key"));
        if !matches!(operator.text(), "In" | "NotIn") {
            report.invalid(&operator.path, operator.text(), "not a valid selector operator");
        } else if values.len() != 1 {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            report.required(&values.path, detail);
        }
        if key.text() == "metadata.name" {
            for value in values.items() {
                report.format(&value, format::subdomain);
            }
        } else {
            report.invalid(&key.path, key.text(), "not a valid field selector key");
        }
    }
}

fn pod_term(report: &mut Report, at: &At<'_>, options: &Options) {
    labels::selector(report, &at.get("labelSelector"), options.keeps_bad_selector_values);
    labels::selector(report, &at.get("namespaceSelector"), options.keeps_bad_selector_values);
    for namespace in at.get("namespaces").items() {
        let name = namespace.text();
        report.complaints(&at.path.child("namespace"), name, format::label(name));
    }
    label_keys(report, at);
    let key = at.get("topologyKey");
    if key.text().is_empty() {
        report.required(&key.path, "can not be empty");
    }
    labels::key(report, &key.path, key.text());
}

/// Keys whose values the pod's own labels give.
fn label_keys(report: &mut Report, at: &At<'_>) {
    let selector = at.get("labelSelector");
    let (matching, mismatching) = (at.get("matchLabelKeys"), at.get("mismatchLabelKeys"));
    for keys in [&matching, &mismatching] {
        if keys.len() > 0 && !selector.is_set() {
            report.forbidden(&keys.path, NO_SELECTOR);
        } else {
            for key in keys.items() {
                labels::key(report, &key.path, key.text());
            }
        }
    }
    // Of equal keys the last one counts.
    let places: HashMap<&str, usize> = matching.items().enumerate().map(|(at, key)| (key.text(), at)).collect();
    let mut named: HashSet<&str> = selector.get("matchLabels").entries().map(|(key, _)| key).collect();
    for expression in selector.get("matchExpressions").items() {
        let key = expression.text_of("key");
        if let Some(place) = places.get(key)
            && named.contains(key)
        {
            report.invalid(&at.path.index(*place), key, "exists in both matchLabelKeys and labelSelector");
        }
        named.insert(key);
    }
    let others: HashSet<&str> = mismatching.items().map(|key| key.text()).collect();
    for key in matching.items() {
        if others.contains(key.text()) {
            report.invalid(&key.path, key.text(), "exists in both matchLabelKeys and mismatchLabelKeys");
        }
    }
}

/// Keys in the older sense: they may not be in the selector at all.
fn older_label_keys(report: &mut Report, at: &At<'_>, selector: &At<'_>) {
    if at.len() == 0 {
        return;
    }
    if !selector.is_set() {
        report.forbidden(&at.path, NO_SELECTOR);
    }
    let named = labels::selector_keys(selector);
    for key in at.items() {
        labels::key(report, &key.path, key.text());
        if named.contains(key.text()) {
            report.invalid(&key.path, key.text(), "exists in both matchLabelKeys and labelSelector");
        }
    }
}

/// How pods spread over the parts of a cluster.
pub(crate) fn spread(report: &mut Report, at: &At<'_>, options: &Options) {
    let mut left: HashMap<(&str, &str), usize> = HashMap::new();
    for constraint in at.items() {
        *left.entry((constraint.text_of("topologyKey"), constraint.text_of("whenUnsatisfiable"))).or_default() += 1;
    }
    for constraint in at.items() {
        let skew = constraint.get("maxSkew");
        positive(report, &skew, skew.int());
        let (key, action) = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"));
        if key.text().is_empty() {
            report.required(&key.path, "can not be empty");
        }
        report.one_of(&action, &["DoNotSchedule", "ScheduleAnyway"]);
        if let Some(count) = left.get_mut(&(key.text(), action.text())) {
            *count -= 1;
            if *count > 0 {
                let place = constraint.path.child("{topologyKey, whenUnsatisfiable}");
                report.duplicate(&place, &format!("{{{}, {}}}", key.text(), action.text()));
            }
        }
        let domains = constraint.get("minDomains");
        if let Some(number) = domains.some_int() {
            positive(report, &domains, number);
            if action.text() != "DoNotSchedule" {
                let detail =
                    format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}", action.text());
                report.invalid_number(&domains.path, number, detail);
            }
        }
        report.optional_one_of(&constraint.get("nodeAffinityPolicy"), &["Honor", "Ignore"]);
        report.optional_one_of(&constraint.get("nodeTaintsPolicy"), &["Honor", "Ignore"]);
        let selector = constraint.get("labelSelector");
        if options.keeps_older_label_keys {
            older_label_keys(report, &constraint.get("matchLabelKeys"), &selector);
        } else {
            label_keys(report, &constraint);
        }
        if !options.keeps_bad_spread_selector {
            labels::selector(report, &selector, false);
        }
    }
}

/// Only the keys whose values the pod's own labels give.
pub(crate) fn spread_label_keys(report: &mut Report, at: &At<'_>) {
    for constraint in at.items() {
        label_keys(report, &constraint);
    }
}

fn positive(report: &mut Report, at: &At<'_>, number: i64) {
    if number <= 0 {
        report.invalid_number(&at.path, number, "must be greater than zero");
    }
}

/// Taints that a pod puts up with.
pub(crate) fn tolerations(report: &mut Report, at: &At<'_>) {
    for toleration in at.items() {
        let (key, operator, effect) = (toleration.get("key"), toleration.get("operator"), toleration.get("effect"));
        report.optional_format(&key, format::label_key);
        if key.text().is_empty() && operator.text() != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            report.invalid(&operator.path, operator.text(), detail);
        }
        if toleration.has("tolerationSeconds") && effect.text() != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            report.invalid(&effect.path, effect.text(), detail);
        }
        let value = toleration.text_of("value");
        match operator.text() {
            "Equal" | "" => {
                let complaints = format::label_value(value);
                if !complaints.is_empty() {
                    report.invalid(&operator.path, value, complaints.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    report.invalid(&operator.path, value, "value must be empty when `operator` is 'Exists'");
                }
            }
            // Known, but switched off.
            "Lt" | "Gt" => {
                report.not_supported(&operator.path, operator.text(), &["Equal", "Exists", "Lt", "Gt"]);
            }
            _ => report.one_of(&operator, &["Equal", "Exists"]),
        }
        if !effect.text().is_empty() {
            report.one_of(&effect, &EFFECTS);
        }
    }
}

/// Taints of a node.
pub(crate) fn taints(report: &mut Report, at: &At<'_>) {
    let mut seen = HashSet::new();
    for taint in at.items() {
        labels::key(report, &taint.path.child("key"), taint.text_of("key"));
        let value = taint.get("value");
        let complaints = format::label_value(value.text());
        if !complaints.is_empty() {
            report.invalid(&value.path, value.text(), complaints.join(";"));
        }
        report.required_one_of(&taint.get("effect"), &EFFECTS);
        if !seen.insert((taint.text_of("effect"), taint.text_of("key"))) && !report.is_full() {
            let shown = super::internal::show("Taint", taint.value);
            report.duplicate_shown(&taint.path, shown, "taints must be unique by key and effect pair");
        }
    }
}

/// Conditions that must be true before a pod counts as ready.
pub(crate) fn readiness_gates(report: &mut Report, at: &At<'_>) {
    for gate in at.items() {
        report.format(&gate.get("conditionType"), format::label_key);
    }
}

/// What must be lifted before a pod is scheduled.
pub(crate) fn scheduling_gates(report: &mut Report, at: &At<'_>) {
    let mut seen = HashSet::new();
    for gate in at.items() {
        let name = gate.text_of("name");
        report.complaints(&gate.path, name, format::label_key(name));
        if !seen.insert(name) {
            report.duplicate(&gate.path, name);
        }
    }
}
