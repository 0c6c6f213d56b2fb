//! Environment variables and where they come from.

use super::volume;
use crate::validate::format::{self, NameRule};
use crate::validate::quantity::Quantity;
use crate::validate::report::{At, Report};

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of a pod that this version of the API knows by name.
const KNOWN_FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const SIZES: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const MANY: &str = "may not have more than one field specified at a time";

/// The variables of a container.
pub(crate) fn variables(report: &mut Report, at: &At<'_>) {
    for variable in at.items() {
        report.required_format(&variable.get("name"), format::environment_name);
        let source = variable.get("valueFrom");
        if source.is_set() {
            value_from(report, &source, !variable.text_of("value").is_empty());
        }
    }
}

fn value_from(report: &mut Report, at: &At<'_>, has_value: bool) {
    let mut sources = 0;
    let mut source = |name: &str| Some(at.get(name)).filter(At::is_set).inspect(|_| sources += 1);
    if let Some(field) = source("fieldRef") {
        field_selector(report, &field, &FIELDS);
    }
    if let Some(resource) = source("resourceFieldRef") {
        resource_selector(report, &resource, false);
    }
    if let Some(key) = source("configMapKeyRef") {
        key_selector(report, &key);
    }
    if let Some(key) = source("secretKeyRef") {
        key_selector(report, &key);
    }
    if let Some(file) = source("fileKeyRef") {
        file_selector(report, &file);
    }
    if sources == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        report.invalid(&at.path, "", detail);
    } else if has_value {
        report.invalid(&at.path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        report.invalid(&at.path, "", MANY);
    }
}

/// A field of the pod; `allowed` are the names without a subscript.
pub(crate) fn field_selector(report: &mut Report, at: &At<'_>, allowed: &[&str]) {
    let (version, field) = (at.get("apiVersion"), at.get("fieldPath"));
    if let Some(missing) = [&version, &field].into_iter().find(|at| at.text().is_empty()) {
        report.required(&missing.path, "");
        return;
    }
    let mut path = field.text();
    let failure = if version.text() != "v1" {
        Some(format!("unsupported pod version: {}", version.text()))
    } else if let Some((base, _)) = subscript(path) {
        let known = matches!(base, "metadata.annotations" | "metadata.labels");
        (!known).then(|| format!("field label does not support subscript: {path}"))
    } else if path == "spec.host" {
        path = "spec.nodeName";
        None
    } else {
        (!KNOWN_FIELDS.contains(&path)).then(|| format!("field label not supported: {path}"))
    };
    if let Some(failure) = failure {
        report.invalid(&field.path, field.text(), format!("error converting fieldPath: {failure}"));
        return;
    }
    match subscript(path) {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            report.complaints(&at.path, &key, format::label_key(&key));
        }
        Some((_, key)) => report.complaints(&at.path, key, format::label_key(key)),
        None if allowed.contains(&path) => {}
        None => report.not_supported(&field.path, path, allowed),
    }
}

/// `base['key']` in its parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['").filter(|(base, _)| !base.is_empty())
}

/// A resource of a container; `volume` says that the container must be named.
pub(crate) fn resource_selector(report: &mut Report, at: &At<'_>, volume: bool) {
    let name = at.get("resource");
    let huge = name.text().starts_with("requests.hugepages-") || name.text().starts_with("limits.hugepages-");
    if volume && at.text_of("containerName").is_empty() {
        report.required(&at.path.child("containerName"), "");
    } else if name.text().is_empty() {
        report.required(&name.path, "");
    } else if !huge {
        report.one_of(&name, &RESOURCES);
    }
    let divisor = at.get("divisor");
    if Quantity::new(divisor.text()).is_zero() {
        return;
    }
    let what = match name.text() {
        "limits.cpu" | "requests.cpu" => {
            if !["1m", "1"].contains(&divisor.text()) {
                let detail = "only divisor's values 1m and 1 are supported with the cpu resource";
                report.invalid(&divisor.path, name.text(), detail);
            }
            return;
        }
        "limits.memory" | "requests.memory" => "memory",
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => "local ephemeral storage",
        _ if huge => "hugepages",
        _ => return,
    };
    if !SIZES.contains(&divisor.text()) {
        let list = SIZES.join(", ");
        let detail = format!("only divisor's values {list} are supported with the {what} resource");
        report.invalid(&divisor.path, name.text(), detail);
    }
}

fn key_selector(report: &mut Report, at: &At<'_>) {
    report.format(&at.get("name"), format::subdomain);
    report.required_format(&at.get("key"), format::config_map_key);
}

fn file_selector(report: &mut Report, at: &At<'_>) {
    report.required_format(&at.get("key"), format::environment_name);
    report.required_format(&at.get("volumeName"), format::label);
    let path = at.get("path");
    report.required_text(&path);
    volume::no_backsteps(report, &path);
}

/// The objects whose every key becomes a variable.
pub(crate) fn sources(report: &mut Report, at: &At<'_>) {
    for source in at.items() {
        report.optional_format(&source.get("prefix"), format::environment_name);
        let mut count = 0;
        for member in ["configMapRef", "secretRef"] {
            let reference = source.get(member);
            if reference.is_set() {
                count += 1;
                let name = reference.get("name");
                if name.text().is_empty() {
                    report.required(&name.path, "");
                } else {
                    report.complaints(&name.path, name.text(), NameRule::Subdomain.check(name.text(), true));
                }
            }
        }
        match count {
            0 => report.invalid(&at.path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => report.invalid(&at.path, "", MANY),
        }
    }
}
