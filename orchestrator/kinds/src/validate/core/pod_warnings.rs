//! What is odd about pods and templates of pods, though it is taken.

use super::pod::containers;
use super::security;
use crate::validate::address;
use crate::validate::format;
use crate::validate::quantity::Quantity;
use crate::validate::report::At;
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Path, quote};
use std::collections::{HashMap, HashSet};

/// Warnings after which no more are given.
const MAX: usize = 512;
const FRACTION: &str = "is invalid, must be an integer";
const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

const OLD_LABELS: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", r#"deprecated since v1.14; use "kubernetes.io/arch" instead"#),
    ("beta.kubernetes.io/os", r#"deprecated since v1.14; use "kubernetes.io/os" instead"#),
    (
        "failure-domain.beta.kubernetes.io/region",
        r#"deprecated since v1.17; use "topology.kubernetes.io/region" instead"#,
    ),
    ("failure-domain.beta.kubernetes.io/zone", r#"deprecated since v1.17; use "topology.kubernetes.io/zone" instead"#),
    ("beta.kubernetes.io/instance-type", r#"deprecated since v1.17; use "node.kubernetes.io/instance-type" instead"#),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", r#"use "node-role.kubernetes.io/control-plane" instead"#),
];
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        r#"non-functional in v1.16+; use the "priorityClassName" field instead"#,
    ),
    ("security.alpha.kubernetes.io/sysctls", r#"non-functional in v1.11+; use the "sysctls" field instead"#),
    ("security.alpha.kubernetes.io/unsafe-sysctls", r#"non-functional in v1.11+; use the "sysctls" field instead"#),
];
const OLD_VOLUMES: [(&str, &str, &str); 9] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// A pod.
pub(crate) fn pod(out: &mut Vec<String>, pod: &At<'_>) {
    name(out, pod, "this is used in the Pod's hostname");
    check(out, pod, false);
}

/// A kind with a template under its spec.
pub(crate) fn templated(out: &mut Vec<String>, object: &At<'_>) {
    name(out, object, "this is used in Pod names and hostnames");
    check(out, &object.get("spec").get("template"), true);
}

fn name(out: &mut Vec<String>, object: &At<'_>, why: &str) {
    let complaints = format::label(object.get("metadata").text_of("name"));
    if !complaints.is_empty() {
        let list = complaints.join(" ");
        out.push(format!(
            "metadata.name: {why}, which can result in surprising behavior; a DNS label is recommended: [{list}]"
        ));
    }
}

fn check(out: &mut Vec<String>, at: &At<'_>, is_template: bool) {
    let (spec, annotations) = (at.get("spec"), at.get("metadata").get("annotations"));
    scheduling(out, &spec);
    for (key, words) in OLD_ANNOTATIONS {
        if annotations.has(key) {
            out.push(format!("{}: {words}", annotations.path.key(key)));
        }
    }
    for volume in spec.get("volumes").items() {
        for (member, shown, words) in OLD_VOLUMES {
            if volume.has(member) {
                out.push(format!("{}: {words}", volume.path.child(shown)));
            }
        }
    }
    repeated(out, &spec, "hostAliases", "ip");
    repeated(out, &spec, "imagePullSecrets", "name");
    for secret in spec.get("imagePullSecrets").items().filter(|secret| secret.text_of("name").is_empty()) {
        out.push(format!("{}: invalid empty name \"\"", secret.path.child("name")));
    }
    fractions(out, &spec.get("overhead"));
    let context = spec.get("securityContext");
    if !context.has("seccompProfile") && annotations.has(security::SECCOMP_POD) {
        old_profile(out, &annotations, security::SECCOMP_POD, "non-functional in v1.27+", "seccompProfile");
    }
    for container in containers(&spec) {
        let own = container.get("securityContext");
        let key = format!("{}{}", security::SECCOMP_CONTAINER, container.text_of("name"));
        if !own.has("seccompProfile") && annotations.has(&key) {
            old_profile(out, &annotations, &key, "non-functional in v1.27+", "seccompProfile");
        }
        let key = format!("{}{}", security::APPARMOR, container.text_of("name"));
        if is_template && !own.has("appArmorProfile") && annotations.has(&key) && !context.has("appArmorProfile") {
            old_profile(out, &annotations, &key, "deprecated since v1.30", "appArmorProfile");
        }
        for list in ["limits", "requests"] {
            fractions(out, &container.get("resources").get(list));
        }
        variables(out, &container.get("env"));
    }
    ports(out, &spec);
    let grace = spec.get("terminationGracePeriodSeconds");
    if grace.int() < 0 {
        out.push(format!("{}: must be >= 0; negative values are invalid and will be treated as 1", grace.path));
    }
    for name in ["podAffinity", "podAntiAffinity"] {
        let pods = spec.get("affinity").get(name);
        let required = pods.get("requiredDuringSchedulingIgnoredDuringExecution").items();
        let preferred = pods.get("preferredDuringSchedulingIgnoredDuringExecution").items();
        for term in required.chain(preferred.map(|term| term.get("podAffinityTerm"))) {
            if !term.has("labelSelector") {
                out.push(format!("{}: {NULL_SELECTOR}", term.path.child("labelSelector")));
            }
        }
    }
    for server in spec.get("dnsConfig").get("nameservers").items() {
        address::warnings(&server.path, server.text(), out);
    }
    for alias in spec.get("hostAliases").items() {
        address::warnings(&alias.path.child("ip"), alias.text_of("ip"), out);
    }
    out.truncate(MAX);
}

fn old_label(key: &str) -> Option<&'static str> {
    OLD_LABELS.iter().find(|(label, _)| *label == key).map(|(_, words)| *words)
}

fn scheduling(out: &mut Vec<String>, spec: &At<'_>) {
    let selector = spec.get("nodeSelector");
    for (key, _) in selector.entries() {
        if let Some(words) = old_label(key) {
            out.push(format!("{}: {words}", selector.path.key(key)));
        }
    }
    let node = spec.get("affinity").get("nodeAffinity");
    let required = node.get("requiredDuringSchedulingIgnoredDuringExecution").get("nodeSelectorTerms").items();
    let preferred = node.get("preferredDuringSchedulingIgnoredDuringExecution").items();
    let preferred = preferred.map(|term| (term.get("preference"), true));
    for (term, checks_values) in required.map(|term| (term, false)).chain(preferred) {
        for expression in term.get("matchExpressions").items() {
            let key = expression.text_of("key");
            if let Some(words) = old_label(key) {
                out.push(format!("{}: {key} is {words}", expression.path.child("key")));
            }
            for value in expression.get("values").items().filter(|_| checks_values) {
                let complaints = format::label_value(value.text());
                out.extend(
                    complaints.iter().map(|words| format!("{}: {} is invalid, {words}", value.path, value.text())),
                );
            }
        }
    }
    for constraint in spec.get("topologySpreadConstraints").items() {
        let key = constraint.text_of("topologyKey");
        if let Some(words) = old_label(key) {
            out.push(format!("{}: {key} is {words}", constraint.path.child("topologyKey")));
        }
        if !constraint.has("labelSelector") {
            out.push(format!("{}: {NULL_SELECTOR}", constraint.path.child("labelSelector")));
        }
    }
}

fn repeated(out: &mut Vec<String>, spec: &At<'_>, list: &str, member: &str) {
    let mut seen = HashSet::new();
    for item in spec.get(list).items() {
        let text = item.text_of(member);
        if !seen.insert(text) {
            out.push(format!("{}: duplicate {member} {}", item.path.child(member), quote(text)));
        }
    }
}

fn fractions(out: &mut Vec<String>, list: &At<'_>) {
    for name in ["memory", "ephemeral-storage"] {
        if let Some(text) = list.member(name).and_then(Value::as_str)
            && Quantity::new(text).milli() % 1000 != 0
        {
            out.push(format!("{}: fractional byte value {} {FRACTION}", list.path.key(name), quote(text)));
        }
    }
}

fn old_profile(out: &mut Vec<String>, annotations: &At<'_>, key: &str, since: &str, member: &str) {
    out.push(format!("{}: {since}; use the \"{member}\" field instead", annotations.path.key(key)));
}

fn variables(out: &mut Vec<String>, at: &At<'_>) {
    let mut seen = HashSet::new();
    for variable in at.items() {
        let (name, value) = (variable.text_of("name"), variable.text_of("value"));
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        if variable.has("valueFrom") || value == reference || !value.contains(&reference) {
            let words = "which may be dropped when using apply";
            out.push(format!("{}: hides previous definition of {}, {words}", variable.path, quote(name)));
        }
    }
}

fn ports(out: &mut Vec<String>, spec: &At<'_>) {
    let mut all: HashMap<(i64, &str), Vec<At<'_>>> = HashMap::new();
    let mut names: HashMap<&str, Path> = HashMap::new();
    let every: Vec<At<'_>> = containers(spec).flat_map(|container| container.get("ports").items()).collect();
    for port in &every {
        if out.len() > MAX {
            return;
        }
        let (ip, host) = (port.text_of("hostIP"), port.get("hostPort").int());
        let others = all.entry((port.get("containerPort").int(), port.text_of("protocol"))).or_default();
        for other in others.iter().take(MAX) {
            let (other_ip, other_host) = (other.text_of("hostIP"), other.get("hostPort").int());
            let words = if ip == other_ip && host == other_host {
                "duplicate"
            } else if host == 0 || other_host == 0 {
                "overlapping"
            } else if host == other_host && ip.is_empty() != other_ip.is_empty() {
                "dangerously ambiguous"
            } else {
                continue;
            };
            out.push(format!("{}: {words} port definition with {}", port.path, other.path));
        }
        others.push(port.clone());
    }
    for port in every {
        let name = port.text_of("name");
        if name.is_empty() {
            continue;
        }
        if let Some(other) = names.get(name) {
            let words = format!("services and probes that select ports by name will use {other}");
            out.push(format!("{}: duplicate port name {} with {other}, {words}", port.path, quote(name)));
        } else {
            names.insert(name, port.path);
        }
    }
}
