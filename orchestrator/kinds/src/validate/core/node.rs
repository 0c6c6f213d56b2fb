//! Nodes.

use super::{internal, resources, scheduling};
use crate::validate::address;
use crate::validate::format;
use crate::validate::report::{At, Report};
use std::collections::HashSet;

const FEATURE: &str = "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";

/// A new node.
pub(crate) fn create(report: &mut Report, node: &At<'_>) {
    let spec = node.get("spec");
    taints(report, node);
    amounts(report, node);
    declared(report, node);
    let ranges = spec.get("podCIDRs");
    for range in ranges.items() {
        address::check_range(report, &range.path, range.text(), &[]);
    }
    if ranges.len() > 1 {
        let dual = address::is_dual_stack(ranges.items().map(|range| range.text()));
        if dual != Some(true) || ranges.len() > 2 {
            report.invalid_json(&ranges.path, ranges.value, "may specify no more than one CIDR for each IP family");
        }
    }
}

/// A changed node.
pub(crate) fn update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    create(report, new);
    status(report, new, old);
}

/// A changed status of a node, which is held to the same rules as the rest.
pub(crate) fn status(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    amounts(report, new);
    declared(report, new);
    let mut seen = HashSet::new();
    for address in new.get("status").get("addresses").items() {
        if !seen.insert((address.text_of("type"), address.text_of("address"))) {
            report.duplicate_shown(&address.path, internal::show("NodeAddress", address.value), "");
        }
    }
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let (ranges, old_ranges) = (spec.get("podCIDRs"), old_spec.get("podCIDRs"));
    if old_ranges.len() > 0 {
        let same = ranges.len() == old_ranges.len()
            && ranges.items().zip(old_ranges.items()).all(|(now, was)| now.text() == was.text());
        if !same {
            let detail = "node updates may not change podCIDR except from \"\" to valid";
            report.forbidden(&ranges.path, detail);
        }
    }
    let (id, old_id) = (spec.get("providerID"), old_spec.text_of("providerID"));
    if !old_id.is_empty() && id.text() != old_id {
        let what = if id.text().is_empty() { "cleared" } else { "modified" };
        report.invalid_json(&id.path, None, format!("field cannot be {what} once set"));
    }
    if let Some(source) = Some(spec.get("configSource")).filter(At::is_set) {
        config_source(report, &source, true);
    }
    for name in ["assigned", "active", "lastKnownGood"] {
        let source = new.get("status").get("config").get(name);
        if source.is_set() {
            config_source(report, &source, false);
        }
    }
    taints(report, new);
    if spec.text_of("externalID") != old_spec.text_of("externalID") {
        report.forbidden(&spec.path.child("externalID"), "may not be updated");
    }
}

fn taints(report: &mut Report, node: &At<'_>) {
    // Upstream names taints as if they stood in the metadata.
    let taints = At { value: node.get("spec").member("taints"), path: node.path.child("metadata").child("taints") };
    scheduling::taints(report, &taints);
}

fn amounts(report: &mut Report, node: &At<'_>) {
    for list in ["capacity", "allocatable"] {
        let list = node.get("status").get(list);
        for (name, text) in list.entries() {
            resources::amount(report, &list.path.child(name), name, text.as_str().unwrap_or_default());
        }
    }
}

fn declared(report: &mut Report, node: &At<'_>) {
    let mut before: Option<&str> = None;
    for feature in node.get("status").get("declaredFeatures").items() {
        let name = feature.text();
        match before {
            Some(before) if before == name => report.duplicate(&feature.path, name),
            Some(before) if before > name => {
                report.invalid(&feature.path, name, "list must be sorted alphabetically");
            }
            _ => {}
        }
        before = Some(name);
        let shown = || format!("invalid feature name {}", coracle_apimachinery::field::quote(name));
        if name.len() > 253 {
            report.invalid(&feature.path, name, format!("{}: {}", shown(), format::max_length(253)));
        } else if !is_feature(name) {
            report.invalid(&feature.path, name, format!("{}: {FEATURE}", shown()));
        }
    }
}

fn is_feature(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.split('/').all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

fn config_source(report: &mut Report, at: &At<'_>, is_spec: bool) {
    let map = at.get("configMap");
    if !map.is_set() {
        let shown = || internal::show("NodeConfigSource", at.value);
        report.invalid_shown(&at.path, shown, "exactly one reference subfield must be non-nil");
        return;
    }
    for name in ["uid", "resourceVersion"] {
        let part = map.get(name);
        if !is_spec {
            report.required_text(&part);
        } else if !part.text().is_empty() {
            report.forbidden(&part.path, format!("{name} must not be set in spec"));
        }
    }
    report.required_format(&map.get("namespace"), format::label);
    report.required_format(&map.get("name"), format::subdomain);
    report.required_format(&map.get("kubeletConfigKey"), format::config_map_key);
}

/// What is odd about a node.
pub(crate) fn warnings(out: &mut Vec<String>, node: &At<'_>) {
    let spec = node.get("spec");
    if spec.has("configSource") {
        out.push("spec.configSource: the feature is removed".to_owned());
    }
    if !spec.text_of("externalID").is_empty() {
        out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    for range in spec.get("podCIDRs").items() {
        address::range_warnings(&range.path, range.text(), out);
    }
}
