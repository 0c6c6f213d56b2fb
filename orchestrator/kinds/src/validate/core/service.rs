//! Services.

use super::{container, probe};
use crate::validate::address;
use crate::validate::format;
use crate::validate::labels;
use crate::validate::metadata::same;
use crate::validate::report::{At, Report};
use coracle_apimachinery::field::{Path, quote};
use std::collections::HashSet;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";
const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";
const LONGEST_AFFINITY: i64 = 86400;

/// A new service.
pub(crate) fn create(report: &mut Report, service: &At<'_>) {
    check(report, service, None);
}

/// A changed service.
pub(crate) fn update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    if ![&spec, &old_spec].iter().any(|spec| kind(spec) == "ExternalName") {
        if !(is_headless(&spec) && is_headless(&old_spec)) {
            address_changes(report, &spec, &old_spec);
        }
        if !is_headless(&spec) && !is_headless(&old_spec) {
            family_changes(report, &spec, &old_spec);
        }
    }
    let class = spec.get("loadBalancerClass");
    if kind(&spec) == "LoadBalancer"
        && kind(&old_spec) == "LoadBalancer"
        && !same(class.value, old_spec.member("loadBalancerClass"))
    {
        report.invalid_json(&class.path, class.value, "may not change once set");
    }
    load_balancer_class(report, &spec);
    let port = spec.get("healthCheckNodePort");
    if needs_health_check(&spec)
        && needs_health_check(&old_spec)
        && port.int() != old_spec.get("healthCheckNodePort").int()
    {
        report.forbidden(&port.path, "field is immutable");
    }
    check(report, new, Some(&old_spec));
}

/// A changed status of a service.
pub(crate) fn status(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let [new_ingress, old_ingress] = [new, old].map(|service| service.get("status").get("loadBalancer").get("ingress"));
    if kind(&new.get("spec")) != "LoadBalancer" && new_ingress.len() > 0 {
        report.forbidden(&new_ingress.path, "may only be used when `spec.type` is 'LoadBalancer'");
        return;
    }
    let kept: HashSet<&str> = old_ingress.items().map(|point| point.text_of("ip")).collect();
    for point in new_ingress.items() {
        let (ip, mode, host) = (point.get("ip"), point.get("ipMode"), point.get("hostname"));
        if !ip.text().is_empty() && !kept.contains(ip.text()) {
            address::check(report, &ip.path, ip.text(), &[]);
        }
        match (mode.is_set(), ip.text().is_empty()) {
            (false, false) => report.required(&mode.path, "must be specified when `ip` is set"),
            (true, true) => report.forbidden(&mode.path, "may not be specified when `ip` is not set"),
            (true, false) => report.one_of(&mode, &["Proxy", "VIP"]),
            (false, true) => {}
        }
        report.optional_format(&host, format::subdomain);
        if !host.text().is_empty() && address::lenient(host.text()).is_some() {
            report.invalid(&host.path, host.text(), "must be a DNS name, not an IP address");
        }
    }
}

fn kind<'a>(spec: &At<'a>) -> &'a str {
    spec.text_of("type")
}

fn is_headless(spec: &At<'_>) -> bool {
    let addresses = spec.get("clusterIPs");
    addresses.len() == 1 && addresses.items().all(|ip| ip.text() == "None")
}

fn is_external(spec: &At<'_>) -> bool {
    match kind(spec) {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => spec.get("externalIPs").len() > 0,
        _ => false,
    }
}

fn needs_health_check(spec: &At<'_>) -> bool {
    kind(spec) == "LoadBalancer" && spec.text_of("externalTrafficPolicy") == "Local"
}

fn check(report: &mut Report, service: &At<'_>, old: Option<&At<'_>>) {
    let (spec, annotations) = (service.get("spec"), service.get("metadata").get("annotations"));
    if annotations.has(MODE) && annotations.has(HINTS) && annotations.text_of(MODE) != annotations.text_of(HINTS) {
        let detail = format!("must match annotations[{HINTS}] when both are specified");
        report.invalid(&annotations.path.key(MODE), annotations.text_of(MODE), detail);
    }
    let headless = is_headless(&spec);
    let ports = spec.get("ports");
    if ports.len() == 0 && !headless && kind(&spec) != "ExternalName" {
        report.required(&ports.path, "");
    }
    by_type(report, &spec, headless);
    let mut names = HashSet::new();
    for port in ports.items() {
        service_port(report, &port, ports.len() > 1, &mut names);
    }
    labels::labels(report, &spec.get("selector"));
    affinity(report, &spec);
    cluster_addresses(report, &spec, old);
    external_addresses(report, &spec, old);
    report.required_one_of(&spec.get("type"), &TYPES);
    port_numbers(report, &spec);
    source_ranges(report, &spec, &annotations, old);
    let allocate = spec.get("allocateLoadBalancerNodePorts");
    match (kind(&spec) == "LoadBalancer", allocate.is_set()) {
        (false, true) => report.forbidden(&allocate.path, ONLY_BALANCER),
        (true, false) => report.required(&Path::new("allocateLoadBalancerNodePorts"), ""),
        _ => {}
    }
    load_balancer_class(report, &spec);
    external_policy(report, &spec);
    let internal = spec.get("internalTrafficPolicy");
    if !internal.is_set() && matches!(kind(&spec), "NodePort" | "LoadBalancer" | "ClusterIP") {
        report.required(&internal.path, "");
    }
    report.optional_one_of(&internal, &["Cluster", "Local"]);
    let distribution = spec.get("trafficDistribution");
    report.optional_one_of(&distribution, &["PreferClose", "PreferSameZone", "PreferSameNode"]);
}

fn by_type(report: &mut Report, spec: &At<'_>, headless: bool) {
    match kind(spec) {
        kind @ ("LoadBalancer" | "NodePort") if headless => {
            let path = spec.path.child("clusterIPs").index(0);
            report.invalid(&path, "None", format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            let detail = "may not be set for ExternalName services";
            for name in ["clusterIPs", "ipFamilies"] {
                if spec.get(name).len() > 0 {
                    report.forbidden(&spec.path.child(name), detail);
                }
            }
            if spec.has("ipFamilyPolicy") {
                report.forbidden(&spec.path.child("ipFamilyPolicy"), detail);
            }
            let name = spec.get("externalName");
            let text = name.text().strip_suffix('.').unwrap_or_else(|| name.text());
            if text.is_empty() {
                report.required(&name.path, "");
            } else {
                report.complaints(&name.path, text, format::subdomain(text));
            }
        }
        _ => {}
    }
}

fn service_port<'a>(report: &mut Report, at: &At<'a>, needs_name: bool, names: &mut HashSet<&'a str>) {
    let name = at.get("name");
    if name.text().is_empty() {
        if needs_name {
            report.required(&name.path, "");
        }
    } else {
        report.format(&name, format::label);
        if !names.insert(name.text()) {
            report.duplicate(&name.path, name.text());
        }
    }
    let number = at.get("port");
    report.number_complaints(&number.path, number.int(), format::port_number(number.int()));
    report.required_one_of(&at.get("protocol"), &container::PROTOCOLS);
    let target = at.get("targetPort");
    probe::port(report, target.value, &target.path);
    let protocol = at.get("appProtocol");
    if protocol.is_set() {
        report.format(&protocol, format::label_key);
    }
}

fn affinity(report: &mut Report, spec: &At<'_>) {
    const WHEN: &str = "when session affinity type is ClientIP";
    let (affinity, config) = (spec.get("sessionAffinity"), spec.get("sessionAffinityConfig"));
    report.required_one_of(&affinity, &["ClientIP", "None"]);
    match affinity.text() {
        "ClientIP" => {
            let client = config.get("clientIP");
            let timeout = client.get("timeoutSeconds");
            if let Some(missing) = [&config, &client, &timeout].into_iter().find(|at| !at.is_set()) {
                report.required(&missing.path, WHEN);
            } else if !(1..=LONGEST_AFFINITY).contains(&timeout.int()) {
                let detail = format!("must be greater than 0 and less than {LONGEST_AFFINITY}");
                report.invalid_number(&timeout.path, timeout.int(), detail);
            }
        }
        "None" if config.is_set() => {
            report.forbidden(&config.path, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

fn texts<'a>(list: Option<&At<'a>>, name: &str) -> HashSet<&'a str> {
    list.into_iter().flat_map(|spec| spec.get(name).items()).map(|item| item.text()).collect()
}

fn cluster_addresses(report: &mut Report, spec: &At<'_>, old: Option<&At<'_>>) {
    if kind(spec) == "ExternalName" {
        return;
    }
    let (all, families) = (spec.get("clusterIPs"), spec.get("ipFamilies"));
    let first = all.items().next();
    match (spec.text_of("clusterIP"), &first) {
        ("", Some(_)) => {
            report.invalid_json(&all.path, all.value, "must be empty when `clusterIP` is not specified");
        }
        ("", None) => {}
        (_, None) => report.required(&all.path, ""),
        (single, Some(first)) if first.text() != single => {
            report.invalid_json(&all.path, all.value, "first value must match `clusterIP`");
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    for family in families.items() {
        report.one_of(&family, &["IPv4", "IPv6"]);
        if !seen.insert(family.text()) {
            report.duplicate(&family.path, family.text());
        }
    }
    report.optional_one_of(&spec.get("ipFamilyPolicy"), &["PreferDualStack", "RequireDualStack", "SingleStack"]);
    let kept = texts(old, "clusterIPs");
    let mut bad = false;
    for (at, ip) in all.items().enumerate() {
        if at == 0 && ip.text() == "None" {
            if all.len() > 1 {
                bad = true;
                report.invalid_json(&all.path, all.value, "'None' must be the first and only value");
            }
        } else if !kept.contains(ip.text()) {
            bad |= !address::check(report, &ip.path, ip.text(), &[]);
        }
    }
    if all.len() > 2 {
        report.invalid_json(&all.path, all.value, "may only hold up to 2 values");
    }
    if bad {
        return;
    }
    if all.len() > 1 && address::is_dual_stack(all.items().map(|ip| ip.text())) != Some(true) {
        report.invalid_json(&all.path, all.value, "may specify no more than one IP for each IP family");
    }
    if is_headless(spec) {
        return;
    }
    for (at, (ip, family)) in all.items().zip(families.items()).enumerate() {
        let is_v6 = address::is_v6(ip.text());
        if (family.text() == "IPv4" && is_v6) || (family.text() == "IPv6" && !is_v6) {
            let detail = format!("expected an {} value as indicated by `ipFamilies[{at}]`", family.text());
            report.invalid(&ip.path, ip.text(), detail);
        }
    }
}

fn external_addresses(report: &mut Report, spec: &At<'_>, old: Option<&At<'_>>) {
    let kept = texts(old, "externalIPs");
    for ip in spec.get("externalIPs").items() {
        if kept.contains(ip.text()) || address::check(report, &ip.path, ip.text(), &[]) {
            address::check_endpoint(report, &ip.path, ip.text());
        }
    }
}

fn port_numbers(report: &mut Report, spec: &At<'_>) {
    let ports = spec.get("ports");
    let node = |port: &At<'_>| port.get("nodePort").int();
    for port in ports.items().filter(|port| kind(spec) == "ClusterIP" && node(port) != 0) {
        report.forbidden(&port.path.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
    }
    let mut taken = HashSet::new();
    for port in ports.items().filter(|port| node(port) != 0) {
        if !taken.insert((port.text_of("protocol"), node(&port))) {
            report.duplicate_shown(&port.path.child("nodePort"), node(&port).to_string(), "");
        }
    }
    let mut taken = HashSet::new();
    for port in ports.items() {
        let (protocol, number) = (port.text_of("protocol"), port.get("port").int());
        if !taken.insert((protocol, number)) {
            let protocol = quote(protocol);
            let shown = format!(
                r#"{{"Name":"","Protocol":{protocol},"AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            report.duplicate_shown(&port.path, shown, "");
        }
    }
}

fn source_ranges(report: &mut Report, spec: &At<'_>, annotations: &At<'_>, old: Option<&At<'_>>) {
    let ranges = spec.get_as("loadBalancerSourceRanges", "LoadBalancerSourceRanges");
    if ranges.len() > 0 {
        if kind(spec) != "LoadBalancer" {
            report.forbidden(&ranges.path, ONLY_BALANCER);
        }
        let kept: HashSet<&str> = texts(old, "loadBalancerSourceRanges").into_iter().map(str::trim).collect();
        for range in ranges.items().filter(|range| !kept.contains(range.text().trim())) {
            address::check_range(report, &range.path, range.text().trim(), &[]);
        }
    } else if annotations.has(RANGES) {
        let path = annotations.path.key(RANGES);
        if kind(spec) != "LoadBalancer" {
            report.forbidden(&path, ONLY_BALANCER);
        }
        let text = annotations.text_of(RANGES).trim();
        for range in text.split(',').filter(|_| !text.is_empty()) {
            address::check_range(report, &path, range.trim(), &[]);
        }
    }
}

fn load_balancer_class(report: &mut Report, spec: &At<'_>) {
    let class = spec.get("loadBalancerClass");
    if !class.is_set() {
        return;
    }
    if kind(spec) == "LoadBalancer" {
        report.format(&class, format::label_key);
    } else {
        report.forbidden(&class.path, ONLY_BALANCER);
    }
}

fn external_policy(report: &mut Report, spec: &At<'_>) {
    let policy = spec.get("externalTrafficPolicy");
    if is_external(spec) {
        report.required_one_of(&policy, &["Cluster", "Local"]);
    } else if !policy.text().is_empty() {
        report.invalid(&policy.path, policy.text(), "may only be set for externally-accessible services");
    }
    let port = spec.get("healthCheckNodePort");
    if !needs_health_check(spec) {
        if port.int() != 0 {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            report.invalid_number(&port.path, port.int(), detail);
        }
    } else if port.int() == 0 {
        report.required(&port.path, "");
    } else {
        report.number_complaints(&port.path, port.int(), format::port_number(port.int()));
    }
}

const FIXED: &str = "may not change once set";

fn address_changes(report: &mut Report, spec: &At<'_>, old: &At<'_>) {
    let (new, old) = (spec.get("clusterIPs"), old.get("clusterIPs"));
    let first = new.path.index(0);
    if new.len() == old.len() {
        for (now, _) in new.items().zip(old.items()).filter(|(now, was)| now.text() != was.text()) {
            report.invalid_json(&now.path, new.value, FIXED);
        }
        return;
    }
    let pair = new.items().next().zip(old.items().next());
    let changed = pair.is_some_and(|(now, was)| now.text() != was.text());
    if old.len() > new.len() && new.len() == 0 {
        report.invalid_json(&first, new.value, "primary clusterIP can not be unset");
    }
    if changed {
        report.invalid_json(&first, new.value, FIXED);
    }
    if old.len() > new.len() && new.len() == 1 {
        release(report, spec, "clusterIP");
    }
}

fn family_changes(report: &mut Report, spec: &At<'_>, old: &At<'_>) {
    let (new, old) = (spec.get("ipFamilies"), old.get("ipFamilies"));
    let first = new.path.index(0);
    if new.len() == old.len() {
        for _ in new.items().zip(old.items()).filter(|(now, was)| now.text() != was.text()) {
            report.invalid_json(&first, new.value, FIXED);
        }
        return;
    }
    let shrinks = old.len() > new.len();
    let addresses = spec.get("clusterIPs");
    if shrinks && addresses.len() == 0 {
        report.invalid_json(&first, new.value, "primary ipFamily can not be unset");
    }
    let pair = new.items().next().zip(old.items().next());
    if pair.is_some_and(|(now, was)| now.text() != was.text()) {
        // Upstream shows the addresses here.
        report.invalid_json(&first, addresses.value, FIXED);
    }
    if shrinks && new.len() == 1 {
        release(report, spec, "ipFamily");
    }
}

fn release(report: &mut Report, spec: &At<'_>, what: &str) {
    let policy = spec.get("ipFamilyPolicy");
    if policy.text() != "SingleStack" {
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        report.invalid_json(&policy.path, policy.value, detail);
    }
}

/// What is odd about a service.
pub(crate) fn warnings(out: &mut Vec<String>, service: &At<'_>) {
    let spec = service.get("spec");
    if service.get("metadata").get("annotations").has(HINTS) {
        out.push(format!("annotation {HINTS} is deprecated, please use {MODE} instead"));
    }
    let single = spec.text_of("clusterIP");
    if !single.is_empty() && single != "None" {
        for ip in spec.get("clusterIPs").items() {
            address::warnings(&ip.path, ip.text(), out);
        }
    }
    let headless = kind(&spec) == "ClusterIP" && single == "None";
    let external = spec.get("externalIPs");
    let balancer = spec.get("loadBalancerIP");
    if headless {
        let ignored = [
            ("spec.loadBalancerIP", !balancer.text().is_empty()),
            ("spec.externalIPs", external.len() > 0),
            ("spec.SessionAffinity", spec.text_of("sessionAffinity") != "None"),
        ];
        let ignored = ignored.iter().filter(|(_, is_set)| *is_set);
        out.extend(ignored.map(|(name, _)| format!("{name} is ignored for headless services")));
    }
    for ip in external.items() {
        address::warnings(&ip.path, ip.text(), out);
    }
    if external.len() > 0 && !headless && kind(&spec) != "ExternalName" {
        out.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    if !balancer.text().is_empty() {
        address::warnings(&balancer.path, balancer.text(), out);
    }
    for range in spec.get("loadBalancerSourceRanges").items() {
        address::range_warnings(&range.path, range.text(), out);
    }
    if kind(&spec) == "ExternalName" {
        if external.len() > 0 {
            out.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
        }
    } else if !spec.text_of("externalName").is_empty() {
        out.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if spec.text_of("trafficDistribution") == "PreferClose" {
        out.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
}
