//! Changes of pods: nearly everything of a pod stays as it was created.

use super::internal;
use super::pod::{self, Options, containers};
use super::{resources, scheduling, security, volume};
use crate::validate::format;
use crate::validate::labels;
use crate::validate::metadata::same;
use crate::validate::report::{At, Report, json_text};
use coracle_apimachinery::{Object, Value};
use std::collections::{BTreeMap, HashSet};

const MIRROR: &str = "kubernetes.io/config.mirror";
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

impl Options {
    /// What a stored spec makes allowed.
    pub(crate) fn keeping(old: &At<'_>, is_pod: bool) -> Self {
        let affinity = old.get("affinity");
        let pods = ["podAffinity", "podAntiAffinity"].map(|name| affinity.get(name));
        let terms = pods.iter().flat_map(|pods| {
            let preferred = pods.get("preferredDuringSchedulingIgnoredDuringExecution");
            let preferred = preferred.items().map(|term| term.get("podAffinityTerm"));
            pods.get("requiredDuringSchedulingIgnoredDuringExecution").items().chain(preferred)
        });
        let bad = |term: At<'_>| {
            ["labelSelector", "namespaceSelector"].iter().any(|name| labels::has_bad_value(&term.get(name)))
        };
        let mut selectors = terms;
        let required = affinity.get("nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution");
        let mut node_terms = required.get("nodeSelectorTerms").items();
        let spread = old.get("topologySpreadConstraints");
        let finds = |check: &dyn Fn(&mut Report)| {
            let mut report = Report::default();
            check(&mut report);
            report.len() > 0
        };
        let pages = |container: At<'_>| {
            let resources = container.get("resources");
            ["limits", "requests"].iter().any(|list| {
                let list = resources.get(list);
                list.entries().any(|(name, text)| {
                    name.strip_prefix("hugepages-")
                        .is_some_and(|size| !resources::divides(size, text.as_str().unwrap_or_default()))
                })
            })
        };
        let mut tokens = old.get("volumes").items().flat_map(|volume| volume.get("projected").get("sources").items());
        let mut init = old.get("initContainers").items();
        let host_users = !old.has("hostUsers") || old.flag_of("hostUsers");
        Self {
            is_pod,
            keeps_bad_selector_values: selectors.any(bad),
            keeps_bad_node_values: node_terms.any(|term| labels::has_bad_value(&term)),
            keeps_bad_spread_selector: spread
                .items()
                .any(|constraint| finds(&|report| labels::selector(report, &constraint.get("labelSelector"), false))),
            keeps_older_label_keys: finds(&|report| scheduling::spread_label_keys(report, &spread)),
            keeps_wide_token_paths: tokens.any(|source| {
                finds(&|report| volume::plain_path(report, &source.get("serviceAccountToken").get("path")))
            }),
            keeps_indivisible_pages: containers(old).any(pages),
            keeps_host_sysctls: old
                .get("securityContext")
                .get("sysctls")
                .items()
                .any(|sysctl| security::host_sysctl(sysctl.text_of("name"), old).is_some()),
            keeps_restarting_init_resize: init.any(|container| {
                let mut policies = container.get("resizePolicy").items();
                container.text_of("restartPolicy") != "Always"
                    && policies.any(|policy| policy.text_of("restartPolicy") == "RestartContainer")
            }),
            keeps_empty_image_reference: old
                .get("volumes")
                .items()
                .any(|volume| volume.has("image") && volume.get("image").text_of("reference").is_empty()),
            keeps_host_user_devices: !host_users
                && containers(old).any(|container| container.get("volumeDevices").len() > 0),
            keeps_admin_without_escalation: containers(old).any(|container| {
                let context = container.get("securityContext");
                let mut added = context.get("capabilities").get("add").items();
                context.has("allowPrivilegeEscalation")
                    && !context.flag_of("allowPrivilegeEscalation")
                    && added.any(|capability| capability.text() == "CAP_SYS_ADMIN")
            }),
            keeps_bad_deletion_cost: false,
        }
    }
}

/// A changed pod.
pub(crate) fn update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let options = Options::keeping(&old_spec, true);
    let annotations = new.get("metadata").get("annotations");
    pod::body(report, new, &options);
    annotation_changes(report, &annotations, &old.get("metadata").get("annotations"));
    for list in ["containers", "initContainers"] {
        let (list, old_list) = (spec.get(list), old_spec.get(list));
        if list.len() != old_list.len() {
            report.forbidden(&list.path, "pod updates may not add or remove containers");
            return;
        }
    }
    if !deadline(report, &spec.get("activeDeadlineSeconds"), &old_spec.get("activeDeadlineSeconds")) {
        return;
    }
    only_added_tolerations(report, &spec.get("tolerations"), &old_spec.get("tolerations"));
    only_lifted_gates(report, &spec.get("schedulingGates"), &old_spec.get("schedulingGates"));
    if same(spec.value, old_spec.value) {
        return;
    }
    let mut munged = spec.value.cloned().unwrap_or(Value::Null);
    let Some(members) = munged.as_object_mut() else { return };
    take_over(members, &old_spec);
    if old_spec.get("schedulingGates").len() > 0 {
        gated(report, members, &old_spec);
    }
    if !equal(&munged, old_spec.value) {
        let before = internal::pretty("PodSpec", old_spec.value);
        let after = internal::pretty("PodSpec", Some(&munged));
        let difference = super::difference::unified(&before, &after);
        report.forbidden(&spec.path, format!("{CHANGEABLE}\n{difference}"));
    }
}

fn equal(new: &Value, old: Option<&Value>) -> bool {
    same(Some(new), old)
}

/// Puts the old values into the members that may change.
fn take_over(members: &mut Object, old: &At<'_>) {
    for name in ["containers", "initContainers"] {
        let images: Vec<Option<Value>> = old.get(name).items().map(|item| item.member("image").cloned()).collect();
        let items = members.get_mut(name).and_then(Value::items_mut).into_iter().flatten();
        for (container, image) in items.filter_map(Value::as_object_mut).zip(images) {
            put(container, "image", image);
        }
    }
    let grace = "terminationGracePeriodSeconds";
    let was = old.get(grace);
    for name in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        put(members, name, old.member(name).cloned());
    }
    if was.int() < 0 && members.get(grace).and_then(Value::as_int) == Some(1) {
        put(members, grace, was.value.cloned());
    }
}

fn put(members: &mut Object, name: &'static str, value: Option<Value>) {
    match value {
        Some(value) => members.insert(name.into(), value),
        None => members.remove(name),
    };
}

/// Pods that are not scheduled yet may narrow where they run.
fn gated(report: &mut Report, members: &mut Object, old: &At<'_>) {
    let selector = old.get("nodeSelector");
    let new = members.get("nodeSelector").cloned();
    if !same(new.as_ref(), selector.value) {
        let kept = |(key, value): (&str, &Value)| new.as_ref().and_then(|new| new.at(&[key])) == Some(value);
        if !selector.entries().all(kept) {
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            report.invalid_shown(&selector.path, || json_text(new.as_ref()), detail);
        }
        put(members, "nodeSelector", selector.value.cloned());
    }
    let affinity = old.get("affinity");
    let node = affinity.get("nodeAffinity");
    let new_affinity = members.get("affinity").cloned();
    let new_node = new_affinity.as_ref().and_then(|affinity| affinity.at(&["nodeAffinity"])).cloned();
    if same(new_node.as_ref(), node.value) {
        return;
    }
    let new_at = At { value: new_node.as_ref(), path: node.path.clone() };
    narrowed(report, &new_at, &node);
    let others = |name: &str| new_affinity.as_ref().is_some_and(|affinity| affinity.at(&[name]).is_some());
    if new_affinity.is_some() && !affinity.is_set() && !others("podAffinity") && !others("podAntiAffinity") {
        put(members, "affinity", None);
    } else {
        put(members.object_mut("affinity"), "nodeAffinity", node.value.cloned());
    }
}

fn narrowed(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    if !old.has(REQUIRED) {
        return;
    }
    let (old, new) = (old.get(REQUIRED).get("nodeSelectorTerms"), new.get(REQUIRED).get("nodeSelectorTerms"));
    if old.len() > 0 && old.len() != new.len() {
        let shown = || {
            let terms: Vec<String> = new.items().map(|term| internal::show("NodeSelectorTerm", term.value)).collect();
            if new.is_set() { format!("[{}]", terms.join(",")) } else { "null".to_owned() }
        };
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        report.invalid_shown(&new.path, shown, detail);
        return;
    }
    for (term, was) in new.items().zip(old.items()) {
        let extends = |name: &str| {
            let (now, was) = (term.get(name), was.get(name));
            now.len() >= was.len() && now.items().zip(was.items()).all(|(now, was)| now.value == was.value)
        };
        let any = |at: &At<'_>| ["matchExpressions", "matchFields"].iter().any(|name| at.get(name).len() > 0);
        if (!any(&was) && any(&term)) || !extends("matchExpressions") || !extends("matchFields") {
            let shown = || internal::show("NodeSelectorTerm", term.value);
            report.invalid_shown(&term.path, shown, "only additions are allowed (no mutations or deletions)");
        }
    }
}

/// Annotations that stay as they were created.
pub(crate) fn annotation_changes(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    for (key, _) in old.entries().filter(|(key, value)| new.member(key) != Some(*value)) {
        if key.starts_with(security::APPARMOR) {
            report.forbidden(&new.path.key(key), "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            report.forbidden(&new.path.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for (key, _) in new.entries().filter(|(key, _)| old.member(key).is_none()) {
        if key.starts_with(security::APPARMOR) {
            report.forbidden(&new.path.key(key), "may not add AppArmor annotations");
        }
        if key == MIRROR {
            report.forbidden(&new.path.key(key), "may not add mirror pod annotation");
        }
    }
}

/// Says whether the rest is worth looking at.
fn deadline(report: &mut Report, new: &At<'_>, old: &At<'_>) -> bool {
    match (new.some_int(), old.some_int()) {
        (Some(seconds), was) => {
            let complaints = format::in_range(seconds, 0, i64::from(i32::MAX));
            let within = complaints.is_empty();
            report.number_complaints(&new.path, seconds, complaints);
            let grows = was.is_some_and(|was| was < seconds);
            if within && grows {
                report.invalid_number(&new.path, seconds, "must be less than or equal to previous value");
            }
            within && !grows
        }
        (None, Some(_)) => {
            report.invalid_json(&new.path, None, "must not update from a positive integer to nil value");
            true
        }
        (None, None) => true,
    }
}

fn only_added_tolerations(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    // Compared by their text without the one member that may change: linear, however many there are.
    let text = |toleration: At<'_>| {
        let mut value = toleration.value.cloned().unwrap_or(Value::Null);
        if let Some(members) = value.as_object_mut() {
            members.remove("tolerationSeconds");
        }
        json_text(Some(&value))
    };
    let present: HashSet<String> = new.items().map(text).collect();
    for toleration in old.items() {
        if !present.contains(&text(toleration)) {
            report.forbidden(&new.path, "existing toleration can not be modified except its tolerationSeconds");
            return;
        }
    }
    scheduling::tolerations(report, new);
}

fn only_lifted_gates(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let known: HashSet<&str> = old.items().map(|gate| gate.text_of("name")).collect();
    let added: BTreeMap<&str, At<'_>> = new.items().map(|gate| (gate.text_of("name"), gate)).collect();
    for (name, gate) in added.iter().filter(|(name, _)| !known.contains(*name)) {
        let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
        report.forbidden(&gate.path.child("name"), detail);
    }
}
