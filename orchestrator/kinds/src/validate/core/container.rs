//! Containers of all three sorts, their ports, mounts and devices.

use super::pod::Context;
use super::{environment, probe, resources, security, volume};
use crate::validate::format;
use crate::validate::report::{At, Report};
use std::collections::{HashMap, HashSet};

/// Transport protocols, as ports of pods and services name them.
pub(crate) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];
/// Members that the type of ephemeral containers has, but that they may not use, in Go's order.
const NOT_FOR_EPHEMERAL: [&str; 8] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// The containers that make the pod what it is.
pub(crate) fn regular(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    if at.len() == 0 {
        report.required(&at.path, "");
        return;
    }
    let mut names = HashSet::new();
    for container in at.items() {
        common(report, &container, context);
        if !names.insert(container.text_of("name")) {
            report.duplicate(&container.path.child("name"), container.text_of("name"));
        }
        probe::lifecycle(report, &container.get("lifecycle"), context);
        probe::all(report, &container, context);
        restart_policy(report, &container);
    }
    host_port_conflicts(report, at.items());
}

/// The containers that run first.
pub(crate) fn init(report: &mut Report, at: &At<'_>, others: &At<'_>, context: &Context<'_>) {
    let mut names: HashSet<&str> = others.items().map(|container| container.text_of("name")).collect();
    for container in at.items() {
        common(report, &container, context);
        let always = container.text_of("restartPolicy") == "Always";
        restart_policy(report, &container);
        let name = container.text_of("name");
        if names.contains(name) {
            report.duplicate(&container.path.child("name"), name);
        } else if !name.is_empty() {
            names.insert(name);
        }
        // Upstream numbers the one container as if it were the first.
        let alone = At { value: container.value, path: at.path.index(0) };
        host_port_conflicts(report, std::iter::once(alone));
        if always {
            probe::lifecycle(report, &container.get("lifecycle"), context);
            probe::all(report, &container, context);
        } else {
            for member in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.has(member) {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    report.forbidden(&container.path.child(member), detail);
                }
            }
            if !context.options.keeps_restarting_init_resize {
                no_restart_on_resize(report, &container);
            }
        }
    }
}

fn no_restart_on_resize(report: &mut Report, container: &At<'_>) {
    for policy in container.get("resizePolicy").items() {
        let restart = policy.get("restartPolicy");
        if restart.text() == "RestartContainer" {
            let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            report.invalid_json(&restart.path, restart.value, detail);
        }
    }
}

/// The containers that were added to a running pod.
pub(crate) fn ephemeral(report: &mut Report, at: &At<'_>, others: [&At<'_>; 2], context: &Context<'_>) {
    let others: HashSet<&str> =
        others.iter().flat_map(|list| list.items()).map(|container| container.text_of("name")).collect();
    let mut names = others.clone();
    for container in at.items() {
        common(report, &container, context);
        trimmed_image(report, &container);
        let name = container.text_of("name");
        if !names.insert(name) {
            report.duplicate(&container.path.child("name"), name);
        }
        let target = container.get("targetContainerName");
        if !target.text().is_empty() && !others.contains(target.text()) {
            report.not_found(&target.path, target.text());
        }
        for member in NOT_FOR_EPHEMERAL {
            if container.get(member).value.is_some_and(|value| !value.is_empty()) {
                report.forbidden(&container.path.child(member), NOT_EPHEMERAL);
            }
        }
        for mount in container.get("volumeMounts").items() {
            for member in ["subPath", "subPathExpr"] {
                if !mount.text_of(member).is_empty() {
                    report.forbidden(&mount.path.child(member), NOT_EPHEMERAL);
                }
            }
        }
    }
}

const NOT_EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

/// Pods, unlike templates, take no image with white space around it.
pub(crate) fn trimmed_image(report: &mut Report, container: &At<'_>) {
    let image = container.text_of("image");
    if image.trim() != image {
        report.invalid(&container.path.child("image"), image, "must not have leading or trailing whitespace");
    }
}

fn common(report: &mut Report, container: &At<'_>, context: &Context<'_>) {
    report.required_format(&container.get("name"), format::label);
    report.required_text(&container.get("image"));
    report.required_one_of(&container.get("terminationMessagePolicy"), &["File", "FallbackToLogsOnError"]);
    ports(report, &container.get("ports"));
    environment::variables(report, &container.get("env"));
    environment::sources(report, &container.get("envFrom"));
    let (mounts, devices) = (container.get("volumeMounts"), container.get("volumeDevices"));
    volume_mounts(report, &mounts, &devices, container, context);
    volume_devices(report, &devices, &mounts, context);
    pull_policy(report, &container.get("imagePullPolicy"));
    resources::of_container(report, &container.get("resources"), context);
    resize_policies(report, &container.get("resizePolicy"), context.never_restarts);
    security::of_container(report, &container.get("securityContext"), context);
}

/// When an image is fetched.
pub(crate) fn pull_policy(report: &mut Report, at: &At<'_>) {
    report.required_one_of(at, &PULL_POLICIES);
}

fn ports(report: &mut Report, at: &At<'_>) {
    let mut names = HashSet::new();
    for port in at.items() {
        let name = port.get("name");
        if !name.text().is_empty() {
            let complaints = format::port_name(name.text());
            if !complaints.is_empty() {
                report.complaints(&name.path, name.text(), complaints);
            } else if !names.insert(name.text()) {
                report.duplicate(&name.path, name.text());
            }
        }
        let number = port.get("containerPort");
        if number.int() == 0 {
            report.required(&number.path, "");
        } else {
            report.number_complaints(&number.path, number.int(), format::port_number(number.int()));
        }
        let host = port.get("hostPort");
        if host.int() != 0 {
            report.number_complaints(&host.path, host.int(), format::port_number(host.int()));
        }
        report.required_one_of(&port.get("protocol"), &PROTOCOLS);
    }
}

fn host_port_conflicts<'a>(report: &mut Report, containers: impl Iterator<Item = At<'a>>) {
    let mut taken = HashSet::new();
    for port in containers.flat_map(|container| container.get("ports").items()) {
        let host = port.get("hostPort");
        if host.int() != 0 {
            let text = format!("{}/{}/{}", port.text_of("protocol"), port.text_of("hostIP"), host.int());
            if taken.contains(&text) {
                report.duplicate(&host.path, &text);
            } else {
                taken.insert(text);
            }
        }
    }
}

/// Names and paths of mounts or devices; of equal names the last one counts.
fn taken<'a>(list: &At<'a>, path: &str) -> (HashSet<&'a str>, HashSet<&'a str>) {
    let by_name: HashMap<&str, &str> = list.items().map(|item| (item.text_of("name"), item.text_of(path))).collect();
    (by_name.keys().copied().collect(), by_name.values().copied().collect())
}

fn volume_mounts(report: &mut Report, at: &At<'_>, devices: &At<'_>, container: &At<'_>, context: &Context<'_>) {
    let (device_names, device_paths) = taken(devices, "devicePath");
    let mut paths = HashSet::new();
    for mount in at.items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        report.required_text(&name);
        if !context.volumes.contains_key(name.text()) {
            report.not_found(&name.path, name.text());
        }
        report.required_text(&path);
        if !paths.insert(path.text()) {
            report.invalid(&path.path, path.text(), "must be unique");
        }
        if device_names.contains(name.text()) {
            report.invalid(&name.path, name.text(), "must not already exist in volumeDevices");
        }
        if device_paths.contains(path.text()) {
            report.invalid(&path.path, path.text(), "must not already exist as a path in volumeDevices");
        }
        // These places are named without the number of the mount.
        let sub_path = At { value: mount.member("subPath"), path: at.path.child("subPath") };
        volume::descending_path(report, &sub_path);
        let expression = mount.text_of("subPathExpr");
        if !expression.is_empty() {
            if !sub_path.text().is_empty() {
                let detail = "subPathExpr and subPath are mutually exclusive";
                report.invalid(&mount.path.child("subPathExpr"), expression, detail);
            }
            let place = At { value: mount.member("subPathExpr"), path: at.path.child("subPathExpr") };
            volume::descending_path(report, &place);
        }
        propagation(report, at, &mount, container);
        recursive_read_only(report, at, &mount);
    }
}

fn propagation(report: &mut Report, list: &At<'_>, mount: &At<'_>, container: &At<'_>) {
    let at = At { value: mount.member("mountPropagation"), path: list.path.child("mountPropagation") };
    report.optional_one_of(&at, &["Bidirectional", "HostToContainer", "None"]);
    if at.text() == "Bidirectional" && !container.get("securityContext").flag_of("privileged") {
        report.forbidden(&at.path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn recursive_read_only(report: &mut Report, list: &At<'_>, mount: &At<'_>) {
    let at = At { value: mount.member("recursiveReadOnly"), path: list.path.child("recursiveReadOnly") };
    report.optional_one_of(&at, &["Disabled", "Enabled", "IfPossible"]);
    if matches!(at.text(), "Enabled" | "IfPossible") {
        if !mount.flag_of("readOnly") {
            report.forbidden(&at.path, "may only be specified when readOnly is true");
        }
        if mount.has("mountPropagation") && mount.text_of("mountPropagation") != "None" {
            report.forbidden(&at.path, "may only be specified when mountPropagation is None or not specified");
        }
    }
}

fn volume_devices(report: &mut Report, at: &At<'_>, mounts: &At<'_>, context: &Context<'_>) {
    let (mount_names, mount_paths) = taken(mounts, "mountPath");
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for device in at.items() {
        let (name, path) = (device.get("name"), device.get("devicePath"));
        report.required_text(&name);
        if names.contains(name.text()) {
            report.invalid(&name.path, name.text(), "must be unique");
        }
        match context.volumes.get(name.text()) {
            None => report.not_found(&name.path, name.text()),
            Some(volume) if !volume.has("persistentVolumeClaim") && !volume.has("ephemeral") => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                report.invalid(&name.path, name.text(), detail);
            }
            Some(_) => {}
        }
        report.required_text(&path);
        if paths.contains(path.text()) {
            report.invalid(&path.path, path.text(), "must be unique");
        }
        if volume::has_backstep(path.text()) {
            report.invalid(&path.path, path.text(), "can not contain backsteps ('..')");
        } else {
            paths.insert(path.text());
        }
        if mount_names.contains(name.text()) {
            report.invalid(&name.path, name.text(), "must not already exist in volumeMounts");
        }
        if mount_paths.contains(path.text()) {
            report.invalid(&path.path, path.text(), "must not already exist as a path in volumeMounts");
        }
        if !name.text().is_empty() {
            names.insert(name.text());
        }
    }
}

fn resize_policies(report: &mut Report, at: &At<'_>, never_restarts: bool) {
    let mut resources = HashSet::new();
    for policy in at.items() {
        let resource = policy.text_of("resourceName");
        if !resources.insert(resource) {
            report.duplicate(&policy.path, resource);
        }
        let here = |name: &str| At { value: policy.member(name), path: at.path.clone() };
        report.required_one_of(&here("resourceName"), &["cpu", "memory"]);
        report.required_one_of(&here("restartPolicy"), &["NotRequired", "RestartContainer"]);
        let restart = policy.text_of("restartPolicy");
        if never_restarts && restart != "NotRequired" {
            report.invalid(&at.path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}

fn restart_policy(report: &mut Report, container: &At<'_>) {
    let (policy, rules) = (container.get("restartPolicy"), container.get("restartPolicyRules"));
    if policy.is_set() {
        report.one_of(&policy, &RESTART_POLICIES);
    } else {
        if rules.len() > 0 {
            report.required(&policy.path, "must specify restartPolicy when restart rules are used");
        }
        if container.path.as_str().contains("initContainers") {
            return;
        }
    }
    if rules.len() > 20 {
        report.too_many(&rules.path, rules.len(), 20);
    }
    for rule in rules.items() {
        report.one_of(&rule.get("action"), &["Restart", "RestartAllContainers"]);
        let codes = rule.get("exitCodes");
        if !codes.is_set() {
            report.required(&codes.path, "must be specified");
            continue;
        }
        report.one_of(&codes.get("operator"), &["In", "NotIn"]);
        let values = codes.get("values");
        if values.len() > 255 {
            report.too_many(&values.path, values.len(), 255);
        }
    }
}
