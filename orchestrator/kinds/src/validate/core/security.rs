//! Security contexts of pods and containers, and the old annotations that say the same.

use super::internal;
use super::pod::{Context, containers};
use super::volume;
use crate::validate::format;
use crate::validate::report::{At, Report};
use coracle_apimachinery::field::{Error, Path};
use std::collections::HashSet;

const PROFILE_TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
/// Old annotation for the seccomp profile of a pod.
pub(crate) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// Old annotation for the seccomp profile of a container.
pub(crate) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// Old annotation for the AppArmor profile of a container.
pub(crate) const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const LOCALHOST: &str = "localhost/";
const IPC_SYSCTLS: [&str; 10] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.shm",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.msg",
];

/// The security context of a container.
pub(crate) fn of_container(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    if !at.is_set() {
        return;
    }
    id(report, &at.get("runAsUser"));
    id(report, &at.get("runAsGroup"));
    let mount = at.get("procMount");
    report.optional_one_of(&mount, &["Default", "Unmasked"]);
    if context.host_users && mount.text() == "Unmasked" {
        report.invalid(&mount.path, mount.text(), "`hostUsers` must be false to use `Unmasked`");
    }
    seccomp(report, &at.get("seccompProfile"));
    let shown = || internal::show("SecurityContext", at.value);
    if at.has("allowPrivilegeEscalation") && !at.flag_of("allowPrivilegeEscalation") {
        if at.flag_of("privileged") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            report.invalid_shown(&at.path, shown, detail);
        }
        let added = at.get("capabilities").get("add");
        if !context.options.keeps_admin_without_escalation
            && added.items().any(|capability| capability.text() == "CAP_SYS_ADMIN")
        {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            report.invalid_shown(&at.path, shown, detail);
        }
    }
    windows(report, &at.get("windowsOptions"));
    apparmor(report, &at.get("appArmorProfile"));
}

/// The security context of a pod.
pub(crate) fn of_pod(report: &mut Report, at: &At<'_>, spec: &At<'_>, context: &Context<'_>) {
    if !at.is_set() {
        return;
    }
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(report, &at.get(name));
    }
    for group in at.get("supplementalGroups").items() {
        id(report, &group);
    }
    sysctls(report, &at.get("sysctls"), spec, context);
    report.optional_one_of(&at.get("fsGroupChangePolicy"), &["Always", "OnRootMismatch"]);
    seccomp(report, &at.get("seccompProfile"));
    windows(report, &at.get("windowsOptions"));
    apparmor(report, &at.get("appArmorProfile"));
    report.optional_one_of(&at.get("supplementalGroupsPolicy"), &["Merge", "Strict"]);
    report.optional_one_of(&at.get("seLinuxChangePolicy"), &["MountOption", "Recursive"]);
}

fn id(report: &mut Report, at: &At<'_>) {
    if let Some(number) = at.some_int() {
        report.number_complaints(&at.path, number, format::id_number(number));
    }
}

fn sysctls(report: &mut Report, at: &At<'_>, spec: &At<'_>, context: &Context<'_>) {
    let mut names = HashSet::new();
    for sysctl in at.items() {
        let name = sysctl.get("name");
        let text = name.text();
        let repeated = !names.insert(text);
        if text.is_empty() {
            report.required(&name.path, "");
        } else if !format::is_sysctl(text) {
            let (limit, regex) = (format::SYSCTL_MAX, format::SYSCTL);
            report.invalid(&name.path, text, format!("must have at most {limit} characters and match regex {regex}"));
        } else if repeated {
            report.duplicate(&name.path, text);
        }
        if !context.options.keeps_host_sysctls
            && let Some(detail) = host_sysctl(text, spec)
        {
            report.invalid(&name.path, text, detail);
        }
    }
}

/// Why a sysctl may not be set for this pod: it belongs to the host's namespace.
pub(crate) fn host_sysctl(name: &str, spec: &At<'_>) -> Option<&'static str> {
    let name = normal_sysctl(name);
    let name = name.split('*').next().unwrap_or_default();
    let ipc = IPC_SYSCTLS.contains(&name) || name.starts_with("fs.mqueue.");
    if spec.flag_of("hostNetwork") && name.starts_with("net.") {
        Some("may not be specified when 'hostNetwork' is true")
    } else if spec.flag_of("hostIPC") && ipc {
        Some("may not be specified when 'hostIPC' is true")
    } else {
        None
    }
}

/// A name with dots: slashes and dots change places when a slash comes first.
fn normal_sysctl(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => {
            let swap = |character| match character {
                '.' => '/',
                '/' => '.',
                other => other,
            };
            name.chars().map(swap).collect()
        }
        _ => name.to_owned(),
    }
}

fn seccomp(report: &mut Report, at: &At<'_>) {
    if !at.is_set() {
        return;
    }
    let (kind, profile) = (at.get("type"), at.get("localhostProfile"));
    if kind.text().is_empty() {
        report.required(&kind.path, "type is required when seccompProfile is set");
    } else {
        report.one_of(&kind, &PROFILE_TYPES);
    }
    if kind.text() != "Localhost" {
        if profile.is_set() {
            let shown = || internal::show("SeccompProfile", at.value);
            report.invalid_shown(&profile.path, shown, "can only be set when seccomp type is Localhost");
        }
    } else if profile.is_set() {
        volume::descending_path(report, &profile);
    } else {
        report.required(&profile.path, "must be set when seccomp type is Localhost");
    }
}

fn apparmor(report: &mut Report, at: &At<'_>) {
    const MISSING: &str = "must be set when AppArmor type is Localhost";
    const PATH_LIMIT: usize = 4095;
    if !at.is_set() {
        return;
    }
    let (kind, profile) = (at.get("type"), at.get("localhostProfile"));
    match kind.text() {
        "Localhost" if !profile.is_set() => report.required(&profile.path, MISSING),
        "Localhost" => {
            if profile.text().trim() != profile.text() {
                report.invalid(&profile.path, profile.text(), "must not be padded with whitespace");
            } else if profile.text().is_empty() {
                report.required(&profile.path, MISSING);
            }
            if profile.text().len() > PATH_LIMIT {
                report.push(Error::too_long(&profile.path, PATH_LIMIT));
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if profile.is_set() {
                report.invalid_json(&profile.path, profile.value, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => report.required(&kind.path, "type is required when appArmorProfile is set"),
        _ => report.one_of(&kind, &PROFILE_TYPES),
    }
}

fn windows(report: &mut Report, at: &At<'_>) {
    const SPEC_LIMIT: usize = 64 * 1024;
    let name = at.get("gmsaCredentialSpecName");
    if name.is_set() {
        report.format(&name, format::subdomain);
    }
    let spec = at.get("gmsaCredentialSpec");
    if spec.is_set() {
        if spec.text().is_empty() {
            report.invalid(&spec.path, "", "gmsaCredentialSpec cannot be an empty string");
        } else if spec.text().len() > SPEC_LIMIT {
            report.invalid_json(&spec.path, spec.value, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    let user = at.get("runAsUserName");
    if user.is_set() {
        for complaint in windows_user(user.text()) {
            report.invalid_json(&user.path, user.value, complaint);
        }
    }
}

fn windows_user(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.bytes().any(|byte| byte.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    if name.matches('\\').count() > 1 {
        return vec!["runAsUserName cannot contain more than one backslash"];
    }
    let (domain, user) = name.split_once('\\').map_or((None, name), |(domain, user)| (Some(domain), user));
    let mut complaints = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= 256) {
        complaints.push("runAsUserName's Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_windows_domain(domain)) {
        complaints.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        complaints.push("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        complaints.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|character| matches!(character, '.' | ' ')) {
        complaints.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        complaints.push(r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#);
    }
    complaints
}

fn is_net_bios(text: &str) -> bool {
    let count = text.chars().count();
    (1..=15).contains(&count)
        && !text.starts_with('.')
        && !text.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|'])
}

fn is_windows_domain(text: &str) -> bool {
    text.split('.').all(|part| {
        let bytes = part.as_bytes();
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        part.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

/// Containers that run as processes of a Windows host.
pub(crate) fn host_process(report: &mut Report, spec: &At<'_>) {
    let of = |at: &At<'_>| {
        at.get("securityContext").get("windowsOptions").member("hostProcess").and_then(|value| value.as_bool())
    };
    let pod = of(spec);
    let (mut count, mut on_host) = (0_usize, 0_usize);
    for container in containers(spec) {
        count += 1;
        let own = of(&container);
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let path = container.path.child("securityContext").child("windowsOptions").child("hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            report.invalid_shown(&path, || own.to_string(), detail);
        }
        if own.or(pod) == Some(true) {
            on_host += 1;
        }
    }
    if on_host > 0 {
        if on_host != count {
            let detail =
                "If pod contains any hostProcess containers then all containers must be HostProcess containers";
            report.invalid(&spec.path, "", detail);
        }
        if !spec.flag_of("hostNetwork") {
            let detail = "hostNetwork must be true if pod contains any hostProcess containers";
            report.invalid_shown(&spec.path.child("hostNetwork"), || "false".to_owned(), detail);
        }
    }
}

/// What old annotations say must be well-formed.
pub(crate) fn annotations(report: &mut Report, at: &At<'_>, spec: &At<'_>) {
    if at.has(SECCOMP_POD) {
        seccomp_annotation(report, &at.path.child(SECCOMP_POD), at.text_of(SECCOMP_POD));
    }
    for (key, value) in at.entries() {
        if key.starts_with(SECCOMP_CONTAINER) {
            seccomp_annotation(report, &at.path.child(key), value.as_str().unwrap_or_default());
        }
    }
    let names: HashSet<&str> = containers(spec).map(|container| container.text_of("name")).collect();
    for (key, value) in at.entries() {
        let Some(name) = key.strip_prefix(APPARMOR) else { continue };
        let path = at.path.key(key);
        if !names.contains(name) {
            report.invalid(&path, name, "container not found");
        }
        let profile = value.as_str().unwrap_or_default();
        if !matches!(profile, "" | "runtime/default" | "unconfined") && !profile.starts_with(LOCALHOST) {
            let detail = format!("invalid AppArmor profile name: {}", coracle_apimachinery::field::quote(profile));
            report.invalid(&path, profile, detail);
        }
    }
}

fn seccomp_annotation(report: &mut Report, path: &Path, profile: &str) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    let Some(local) = profile.strip_prefix(LOCALHOST) else {
        report.invalid(path, profile, "must be a valid seccomp profile");
        return;
    };
    if local.starts_with('/') {
        report.invalid(path, local, "must be a relative path");
    }
    if volume::has_backstep(local) {
        report.invalid(path, local, "must not contain '..'");
    }
}

/// What old annotations say must be what the fields say.
pub(crate) fn annotations_match(report: &mut Report, annotations: &At<'_>, spec: &At<'_>) {
    let context = spec.get("securityContext");
    let seccomp = context.get("seccompProfile");
    if seccomp.is_set() && annotations.has(SECCOMP_POD) {
        profile_matches(report, &seccomp, annotations.text_of(SECCOMP_POD), "seccomp", true);
    }
    for container in containers(spec) {
        let profile = container.get("securityContext").get("seccompProfile");
        let key = format!("{SECCOMP_CONTAINER}{}", container.text_of("name"));
        if profile.is_set() && annotations.has(&key) {
            profile_matches(report, &profile, annotations.text_of(&key), "seccomp", true);
        }
    }
    if spec.get("os").text_of("name") == "windows" {
        return;
    }
    for container in containers(spec) {
        let mut profile = container.get("securityContext").get("appArmorProfile");
        if !profile.is_set() {
            profile.value = context.member("appArmorProfile");
        }
        let key = format!("{APPARMOR}{}", container.text_of("name"));
        if profile.is_set() && annotations.has(&key) {
            profile_matches(report, &profile, annotations.text_of(&key), "apparmor", false);
        }
    }
}

fn profile_matches(report: &mut Report, profile: &At<'_>, annotation: &str, what: &str, docker: bool) {
    let kind_matches = match profile.text_of("type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => annotation == "runtime/default" || (docker && annotation == "docker/default"),
        "Localhost" => annotation.starts_with(LOCALHOST),
        _ => return,
    };
    if !kind_matches {
        let detail = format!("{what} type in annotation and field must match");
        report.forbidden(&profile.path.child("type"), detail);
    } else if profile.text_of("type") == "Localhost"
        && (!profile.has("localhostProfile")
            || annotation.strip_prefix(LOCALHOST) != Some(profile.text_of("localhostProfile")))
    {
        let detail = format!("{what} profile in annotation and field must match");
        report.forbidden(&profile.path.child("localhostProfile"), detail);
    }
}

/// What only one of the two operating systems has.
pub(crate) fn for_system(report: &mut Report, spec: &At<'_>) {
    const NOT_WINDOWS: &str = "cannot be set for a windows pod";
    let os = spec.get("os");
    if !os.is_set() {
        return;
    }
    let mut forbid = |at: &At<'_>, names: &[&str], detail: &str| {
        for name in names {
            if at.has(name) {
                report.forbidden(&at.path.child(name), detail);
            }
        }
    };
    let context = spec.get("securityContext");
    match os.text_of("name") {
        "linux" => {
            let detail = "windows options cannot be set for a linux pod";
            forbid(&context, &["windowsOptions"], detail);
            for container in containers(spec) {
                forbid(&container.get("securityContext"), &["windowsOptions"], detail);
            }
        }
        "windows" => {
            let names = ["appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy"];
            forbid(&context, &names, NOT_WINDOWS);
            let names = ["sysctls", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy"];
            forbid(&context, &names, NOT_WINDOWS);
            forbid(&context, &["seLinuxChangePolicy"], NOT_WINDOWS);
            forbid(spec, &["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"], NOT_WINDOWS);
            for container in containers(spec) {
                let context = container.get("securityContext");
                let names = ["appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities"];
                forbid(&context, &names, NOT_WINDOWS);
                let names = ["readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount"];
                forbid(&context, &names, NOT_WINDOWS);
                forbid(&context, &["runAsUser", "runAsGroup"], NOT_WINDOWS);
            }
        }
        "" => report.required(&os.path.child("name"), ""),
        other => report.not_supported(&os.path, other, &["linux", "windows"]),
    }
}
