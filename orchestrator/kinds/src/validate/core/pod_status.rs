//! Changes of the status of pods.

use super::pod_update;
use crate::validate::address;
use crate::validate::format;
use crate::validate::metadata::IMMUTABLE;
use crate::validate::report::{At, Report};
use std::collections::{HashMap, HashSet};

/// A changed status.
pub(crate) fn update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let [annotations, old_annotations] = [new, old].map(|pod| pod.get("metadata").get("annotations"));
    pod_update::annotation_changes(report, &annotations, &old_annotations);
    let (status, old_status) = (new.get("status"), old.get("status"));
    for condition in status.get("conditions").items() {
        negative_generation(report, &condition);
        let kind = condition.get_as("type", "Type");
        if !["PodScheduled", "Ready", "Initialized"].contains(&kind.text()) {
            report.format(&kind, format::label_key);
        }
    }
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    if spec.text_of("nodeName") != old_spec.text_of("nodeName") {
        report.forbidden(&status.path.child("nodeName"), "may not be changed directly");
    }
    let nominated = status.get("nominatedNodeName");
    if nominated.text() != old_status.text_of("nominatedNodeName") && !nominated.text().is_empty() {
        report.format(&nominated, format::subdomain);
        if !old_spec.text_of("nodeName").is_empty() {
            report.forbidden(&nominated.path, "may not be set on pods that are already bound to a node");
        }
    }
    negative_generation(report, &status);
    let class = status.get("qosClass");
    if class.text() != old_status.text_of("qosClass") {
        report.invalid(&class.path, class.text(), IMMUTABLE);
    }
    transitions(report, &status, &old_status, &old_spec);
    addresses(report, &status, &old_status);
}

fn negative_generation(report: &mut Report, at: &At<'_>) {
    let generation = at.get("observedGeneration");
    if generation.int() < 0 {
        report.invalid_number(&generation.path, generation.int(), "must be a non-negative integer");
    }
}

/// Containers that ended for good stay ended.
fn transitions(report: &mut Report, new: &At<'_>, old: &At<'_>, spec: &At<'_>) {
    let lists = [
        ("containerStatuses", Some("containers")),
        ("initContainerStatuses", Some("initContainers")),
        ("ephemeralContainerStatuses", None),
    ];
    for (member, containers) in lists {
        if containers.is_some() && restarts_all(spec) {
            continue;
        }
        let now: HashMap<&str, bool> = new
            .get(member)
            .items()
            .map(|status| (status.text_of("name"), status.get("state").has("terminated")))
            .collect();
        let specs: HashMap<&str, At<'_>> = containers
            .into_iter()
            .flat_map(|list| spec.get(list).items())
            .map(|container| (container.text_of("name"), container))
            .collect();
        for status in old.get(member).items() {
            let ended = status.get("state").get("terminated");
            let name = status.text_of("name");
            if !ended.is_set() || now.get(name) != Some(&false) {
                continue;
            }
            let code = ended.get("exitCode").int();
            if !specs.get(name).is_some_and(|container| restarts(container, spec, code)) {
                report.forbidden(&status.path.child("state"), "may not be transitioned to non-terminated state");
            }
        }
    }
}

/// Whether a rule of some container may restart all of them.
fn restarts_all(spec: &At<'_>) -> bool {
    ["containers", "initContainers"].iter().flat_map(|list| spec.get(list).items()).any(|container| {
        container.get("restartPolicyRules").items().any(|rule| rule.text_of("action") == "RestartAllContainers")
    })
}

fn restarts(container: &At<'_>, spec: &At<'_>, code: i64) -> bool {
    for rule in container.get("restartPolicyRules").items() {
        let codes = rule.get("exitCodes");
        let listed = codes.get("values").items().any(|value| value.int() == code);
        let applies = match codes.text_of("operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        if applies {
            return true;
        }
    }
    let own = container.text_of("restartPolicy");
    match if own.is_empty() { spec.text_of("restartPolicy") } else { own } {
        "Always" => true,
        "OnFailure" => code != 0,
        _ => false,
    }
}

fn addresses(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    const FAMILIES: &str = "may specify no more than one IP for each IP family";
    for (list, single) in [("podIPs", "podIP"), ("hostIPs", "hostIP")] {
        let (list, kept) = (new.get(list), old.get(list));
        let kept: HashSet<&str> = kept.items().map(|ip| ip.text_of("ip")).collect();
        let single_text = new.text_of(single);
        let first = list.items().next();
        let differs = |report: &mut Report| {
            if let Some(first) = first.as_ref().filter(|first| first.text_of("ip") != single_text) {
                let detail = format!("must be equal to `{single}`");
                report.invalid(&first.path.child("ip"), first.text_of("ip"), detail);
            }
        };
        let shown = || {
            let ips = list.items().map(|ip| super::internal::show("PodIP", ip.value));
            if list.len() == 0 { "null".to_owned() } else { format!("[{}]", ips.collect::<Vec<_>>().join(",")) }
        };
        if single == "hostIP" {
            differs(report);
        }
        for ip in list.items() {
            let text = ip.text_of("ip");
            if !kept.contains(text) {
                address::check(report, &ip.path, text, &[]);
            }
        }
        if list.len() > 1 {
            let dual = address::is_dual_stack(list.items().map(|ip| ip.text_of("ip")));
            if dual != Some(true) || list.len() > 2 {
                report.invalid_shown(&list.path, shown, FAMILIES);
            }
        }
        if single == "podIP" {
            if single_text.is_empty() != (list.len() == 0) {
                let detail = "podIP and podIPs must either both be set or both be unset";
                report.invalid_shown(&list.path, shown, detail);
            } else {
                differs(report);
            }
        }
    }
}
