//! Pods and templates of pods.

use super::{container, resources, scheduling, security, volume};
use crate::validate::format;
use crate::validate::labels;
use crate::validate::report::{At, Report};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, quote};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What is only allowed because the stored object has it already.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one allowance of its own")]
pub(crate) struct Options {
    /// This is a pod, not a template.
    pub(crate) is_pod: bool,
    pub(crate) keeps_bad_selector_values: bool,
    pub(crate) keeps_bad_node_values: bool,
    pub(crate) keeps_bad_spread_selector: bool,
    pub(crate) keeps_older_label_keys: bool,
    pub(crate) keeps_wide_token_paths: bool,
    pub(crate) keeps_indivisible_pages: bool,
    pub(crate) keeps_host_sysctls: bool,
    pub(crate) keeps_restarting_init_resize: bool,
    pub(crate) keeps_empty_image_reference: bool,
    pub(crate) keeps_host_user_devices: bool,
    pub(crate) keeps_admin_without_escalation: bool,
    pub(crate) keeps_bad_deletion_cost: bool,
}

/// What the parts of a pod need to know of the whole.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    /// Sound volumes by name.
    pub(crate) volumes: HashMap<&'a str, At<'a>>,
    /// Names of the pod's claims for devices.
    pub(crate) claims: BTreeSet<&'a str>,
    pub(crate) grace: Option<i64>,
    pub(crate) os: Option<&'a str>,
    pub(crate) never_restarts: bool,
    pub(crate) host_users: bool,
}

const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// All containers of a pod: those that run first, those that run, those that were added.
pub(crate) fn containers<'a>(spec: &At<'a>) -> impl Iterator<Item = At<'a>> + use<'a> {
    let lists = ["initContainers", "containers", "ephemeralContainers"].map(|name| spec.get(name));
    lists.into_iter().flat_map(|list| list.items())
}

/// A new pod.
pub(crate) fn create(report: &mut Report, pod: &At<'_>) {
    let options = Options { is_pod: true, ..Options::default() };
    body(report, pod, &options);
    let spec = pod.get("spec");
    if spec.get("ephemeralContainers").len() > 0 {
        report.forbidden(&spec.path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !spec.text_of("nodeName").is_empty() && spec.get("schedulingGates").len() > 0 {
        report.forbidden(&spec.path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
    }
    security::annotations_match(report, &pod.get("metadata").get("annotations"), &spec);
}

/// What new and changed pods have in common.
pub(crate) fn body(report: &mut Report, pod: &At<'_>, options: &Options) {
    let (meta, spec) = (pod.get("metadata"), pod.get("spec"));
    annotations(report, &meta.get("annotations"), &spec, options);
    self::spec(report, &spec, Some(&meta), options);
    if spec.text_of("serviceAccountName").is_empty() {
        for source in spec.get("volumes").items().flat_map(|volume| volume.get("projected").get("sources").items()) {
            if source.has("serviceAccountToken") {
                let detail = "must not be specified when serviceAccountName is not set";
                report.forbidden(&source.path.child("serviceAccountToken"), detail);
            }
        }
    }
    let grace = spec.get("terminationGracePeriodSeconds");
    report.not_negative(&grace);
    for list in ["containers", "initContainers"] {
        for container in spec.get(list).items() {
            container::trimmed_image(report, &container);
        }
    }
}

/// A template of pods.
pub(crate) fn template(report: &mut Report, at: &At<'_>, options: &Options) {
    let (meta, spec) = (at.get("metadata"), at.get("spec"));
    // Upstream names these as if they stood beside the spec.
    labels::labels(report, &At { value: meta.member("labels"), path: at.path.child("labels") });
    let annotations = At { value: meta.member("annotations"), path: at.path.child("annotations") };
    labels::annotations(report, &annotations);
    self::annotations(report, &annotations, &spec, options);
    self::spec(report, &spec, None, options);
    security::annotations_match(report, &annotations, &spec);
    if spec.get("ephemeralContainers").len() > 0 {
        report.forbidden(&spec.path.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// Annotations that mean something to pods.
pub(crate) fn annotations(report: &mut Report, at: &At<'_>, spec: &At<'_>, options: &Options) {
    if at.has(MIRROR) && spec.text_of("nodeName").is_empty() {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        report.invalid(&at.path.key(MIRROR), at.text_of(MIRROR), detail);
    }
    if at.has(DELETION_COST) && !options.keeps_bad_deletion_cost && !is_deletion_cost(at.text_of(DELETION_COST)) {
        report.invalid(&at.path.key(DELETION_COST), at.text_of(DELETION_COST), "must be a 32bit integer");
    }
    security::annotations(report, at, spec);
}

/// Whether a text is a 32-bit number without a plus sign or leading zeros.
fn is_deletion_cost(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" && text == "0" || !digits.starts_with(['0', '+']);
    plain && text.parse::<i32>().is_ok()
}

/// The spec of a pod or template; `meta` only of a pod.
pub(crate) fn spec(report: &mut Report, at: &At<'_>, meta: Option<&At<'_>>, options: &Options) {
    let grace = at.get("terminationGracePeriodSeconds");
    if !grace.is_set() {
        report.required(&grace.path, "");
    }
    let os = at.get("os");
    let claims = at.get("resourceClaims");
    let volumes = volume::all(report, &at.get("volumes"), meta.map(|meta| meta.text_of("name")), options);
    let context = Context {
        options,
        volumes,
        claims: claims.items().map(|claim| claim.text_of("name")).filter(|name| !name.is_empty()).collect(),
        grace: grace.some_int(),
        os: os.is_set().then(|| os.text_of("name")),
        never_restarts: at.text_of("restartPolicy") == "Never",
        host_users: !at.has("hostUsers") || at.flag_of("hostUsers"),
    };
    device_claims(report, &claims, meta);
    let (regular, init) = (at.get("containers"), at.get("initContainers"));
    container::regular(report, &regular, &context);
    container::init(report, &init, &regular, &context);
    container::ephemeral(report, &at.get("ephemeralContainers"), [&regular, &init], &context);
    resources::of_pod(report, at, &context);
    host_ports(report, at, options);
    report.required_one_of(&at.get("restartPolicy"), &["Always", "OnFailure", "Never"]);
    report.required_one_of(&at.get("dnsPolicy"), &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    labels::labels(report, &at.get("nodeSelector"));
    security::of_pod(report, &at.get("securityContext"), at, &context);
    let shared = at.get("shareProcessNamespace");
    if at.flag_of("shareProcessNamespace") && at.flag_of("hostPID") {
        report.invalid_json(&shared.path, shared.value, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
    scheduling::affinity(report, &at.get("affinity"), options);
    dns(report, &at.get("dnsConfig"), at.text_of("dnsPolicy"));
    scheduling::readiness_gates(report, &at.get("readinessGates"));
    scheduling::scheduling_gates(report, &at.get("schedulingGates"));
    scheduling::spread(report, &at.get("topologySpreadConstraints"), options);
    security::host_process(report, at);
    host_users(report, at, &context);
    hostname_override(report, at);
    names(report, at);
    if at.has("overhead") {
        resources::overhead(report, &at.get("overhead"), &context);
    }
    security::for_system(report, at);
    let group = at.get("schedulingGroup");
    if group.is_set() {
        let name = group.get("podGroupName");
        if name.is_set() {
            report.format(&name, format::subdomain);
        } else {
            report.invalid_json(&name.path, None, "must specify one of: `podGroupName`");
        }
    }
    file_references(report, at);
}

fn names(report: &mut Report, at: &At<'_>) {
    let account = at.get("serviceAccountName");
    report.optional_format(&account, format::subdomain);
    let older = at.get_as("serviceAccount", "deprecatedServiceAccount");
    if older.text() != account.text() {
        let detail = format!("must be the same as serviceAccountName: {}", quote(account.text()));
        report.invalid(&older.path, older.text(), detail);
    }
    report.optional_format(&at.get("nodeName"), format::subdomain);
    let deadline = at.get("activeDeadlineSeconds");
    if let Some(seconds) = deadline.some_int() {
        report.number_complaints(&deadline.path, seconds, format::in_range(seconds, 1, i64::from(i32::MAX)));
    }
    report.optional_format(&at.get("hostname"), format::label);
    report.optional_format(&at.get("subdomain"), format::label);
    scheduling::tolerations(report, &at.get("tolerations"));
    for alias in at.get("hostAliases").items() {
        let ip = alias.get("ip");
        crate::validate::address::check(report, &ip.path, ip.text(), &[]);
        for name in alias.get("hostnames").items() {
            report.format(&name, format::subdomain);
        }
    }
    report.optional_format(&at.get("priorityClassName"), format::subdomain);
    let runtime = at.get("runtimeClassName");
    if runtime.is_set() {
        report.format(&runtime, format::subdomain);
    }
    let preemption = at.get("preemptionPolicy");
    if preemption.is_set() {
        report.required_one_of(&preemption, &["PreemptLowerPriority", "Never"]);
    }
}

fn device_claims(report: &mut Report, at: &At<'_>, meta: Option<&At<'_>>) {
    let mirrored = meta.is_some_and(|meta| meta.get("annotations").has(MIRROR));
    let mut names = HashSet::new();
    for claim in at.items() {
        if mirrored {
            // This is how upstream prints the place of the whole object.
            let place = coracle_apimachinery::field::Path::new("[]");
            report.forbidden(&place, "static pods do not support resource claims");
            continue;
        }
        let name = claim.get("name");
        if name.text().is_empty() {
            report.required(&name.path, "");
        } else if names.insert(name.text()) {
            report.format(&name, format::label);
        } else {
            report.duplicate(&name.path, name.text());
        }
        let (own, template) = (claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName"));
        let detail = match (own.is_set(), template.is_set()) {
            (true, true) => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            (false, false) => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !detail.is_empty() {
            report.invalid_shown(&claim.path, || super::internal::show("PodResourceClaim", claim.value), detail);
        }
        for reference in [own, template].into_iter().filter(At::is_set) {
            report.format(&reference, format::subdomain);
        }
    }
}

fn host_ports(report: &mut Report, at: &At<'_>, options: &Options) {
    if !at.flag_of("hostNetwork") {
        return;
    }
    for port in at.get("containers").items().flat_map(|container| container.get("ports").items()) {
        let host = port.get("hostPort");
        if (options.is_pod || host.int() != 0) && host.int() != port.get("containerPort").int() {
            let detail = "must match `containerPort` when `hostNetwork` is true";
            report.invalid_number(&host.path, host.int(), detail);
        }
    }
}

fn dns(report: &mut Report, at: &At<'_>, policy: &str) {
    let (servers, searches) = (at.get("nameservers"), at.get("searches"));
    if policy == "None" {
        if !at.is_set() {
            report.required(&at.path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if servers.len() == 0 {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            report.required(&servers.path, detail);
            return;
        }
    }
    if servers.len() > 3 {
        report.invalid_json(&servers.path, servers.value, "must not have more than 3 nameservers");
    }
    for server in servers.items() {
        crate::validate::address::check(report, &server.path, server.text(), &[]);
    }
    if searches.len() > 32 {
        report.invalid_json(&searches.path, searches.value, "must not have more than 32 search paths");
    }
    let length: usize = searches.items().map(|search| search.text().len() + 1).sum();
    if length > 2049 {
        let detail = "must not have more than 2048 characters (including spaces) in the search list";
        report.invalid_json(&searches.path, searches.value, detail);
    }
    for search in searches.items() {
        if search.text() != "." {
            let name = search.text().strip_suffix('.').unwrap_or_else(|| search.text());
            report.complaints(&search.path, name, format::subdomain_with_underscore(name));
        }
    }
    for option in at.get("options").items() {
        if option.text_of("name").is_empty() {
            report.required(&option.path, "must not be empty");
        }
    }
}

fn host_users(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    const DETAIL: &str = "when `hostUsers` is false";
    if context.host_users {
        return;
    }
    for (name, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if at.flag_of(name) {
            report.forbidden(&at.path.child(shown), DETAIL);
        }
    }
    if !context.options.keeps_host_user_devices {
        for container in containers(at).filter(|container| container.get("volumeDevices").len() > 0) {
            report.forbidden(&container.path.child("volumeDevices"), DETAIL);
        }
    }
}

fn hostname_override(report: &mut Report, at: &At<'_>) {
    let name = at.get("hostnameOverride");
    if !name.is_set() {
        return;
    }
    if at.flag_of("setHostnameAsFQDN") {
        report.forbidden(&name.path, "may not be specified when setHostnameAsFQDN is true");
    }
    if at.flag_of("hostNetwork") {
        report.forbidden(&name.path, "may not be specified when hostNetwork is true");
    }
    if name.text().len() > 64 {
        report.push(Error::too_long(&name.path, 64));
    }
    report.format(&name, format::subdomain);
}

/// Variables that are read from files need a volume that the pod fills itself.
fn file_references(report: &mut Report, at: &At<'_>) {
    let volumes: HashMap<&str, Option<&Value>> =
        at.get("volumes").items().map(|volume| (volume.text_of("name"), volume.member("emptyDir"))).collect();
    for variable in containers(at).flat_map(|container| container.get("env").items()) {
        let name = variable.get("valueFrom").get("fileKeyRef");
        if !name.is_set() {
            continue;
        }
        let name = name.get("volumeName");
        match volumes.get(name.text()) {
            None => report.not_found(&name.path, name.text()),
            Some(None) => report.invalid(&name.path, name.text(), "referenced volume must be of type emptyDir"),
            Some(Some(_)) => {}
        }
    }
}
