//! Ingresses, network policies, addresses and endpoint slices.

use super::row::{NONE, Row, first_of, items_at, joined, text, texts, with_group};
use super::{AGE, Column, NAME, Printer, core, printer, selector};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] = &[
    printer("networking.k8s.io", "ingresses", INGRESS, ingress),
    printer("networking.k8s.io", "ingressclasses", INGRESS_CLASS, ingress_class),
    printer("networking.k8s.io", "networkpolicies", &[NAME, Column::text("Pod-Selector"), AGE], |row| {
        vec![row.name(), selector::selector_cell(row.object.at(&["spec", "podSelector"])), row.age()]
    }),
    printer("networking.k8s.io", "servicecidrs", &[NAME, Column::text("CIDRs"), AGE], |row| {
        vec![row.name(), text(joined(row.object, &["spec", "cidrs"])), row.age()]
    }),
    printer("networking.k8s.io", "ipaddresses", IP_ADDRESS, ip_address),
    printer("discovery.k8s.io", "endpointslices", ENDPOINT_SLICE, endpoint_slice),
];

/// How many hosts, ports or endpoints a cell shows.
const SHOWN: usize = 3;

const INGRESS: &[Column] =
    &[NAME, Column::text("Class"), Column::text("Hosts"), Column::text("Address"), Column::text("Ports"), AGE];

fn ingress(row: &Row<'_>) -> Vec<Value> {
    let tls = !row.items(&["spec", "tls"]).is_empty();
    vec![
        row.name(),
        row.text_or(&["spec", "ingressClassName"], NONE),
        text(hosts(row.items(&["spec", "rules"]))),
        text(core::load_balancer(row.object)),
        text(if tls { "80, 443" } else { "80" }),
        row.age(),
    ]
}

/// The first hosts. A rule counts as one more only behind the last host shown, but then rules without a host, too.
fn hosts(rules: &[Value]) -> String {
    let mut hosts = Vec::new();
    let mut more = false;
    for host in rules.iter().map(|rule| rule.text_at(&["host"])) {
        more |= hosts.len() == SHOWN;
        if !more && !host.is_empty() {
            hosts.push(host);
        }
    }
    match (hosts.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, true) => format!("{} + {} more...", hosts.join(","), rules.len() - SHOWN),
        (false, false) => hosts.join(","),
    }
}

const INGRESS_CLASS: &[Column] = &[NAME, Column::text("Controller"), Column::text("Parameters"), AGE];

fn ingress_class(row: &Row<'_>) -> Vec<Value> {
    let mark = row.object.text_at(&["metadata", "annotations", "ingressclass.kubernetes.io/is-default-class"]);
    let default = if mark == "true" { " (default)" } else { "" };
    let parameters = row.object.at(&["spec", "parameters"]).map(|parameters| {
        let mut kind = parameters.text_at(&["kind"]).to_owned();
        if let Some(group) = parameters.at(&["apiGroup"]).and_then(Value::as_str) {
            kind = format!("{kind}.{group}");
        }
        format!("{kind}/{}", parameters.text_at(&["name"]))
    });
    vec![
        text(format!("{}{default}", row.object.text_at(&["metadata", "name"]))),
        row.text(&["spec", "controller"]),
        text(parameters.unwrap_or_else(|| NONE.to_owned())),
        row.age(),
    ]
}

/// The age of an address stands in its cells, but no column is there for it.
const IP_ADDRESS: &[Column] = &[NAME, Column::text("ParentRef")];

fn ip_address(row: &Row<'_>) -> Vec<Value> {
    let parent = row.object.at(&["spec", "parentRef"]).map(|parent| {
        let of = |member: &str| parent.text_at(&[member]);
        let resource = with_group(of("resource"), of("group")).to_lowercase();
        match of("namespace") {
            "" => format!("{resource}/{}", of("name")),
            namespace => format!("{resource}/{namespace}/{}", of("name")),
        }
    });
    vec![row.name(), text(parent.unwrap_or_else(|| NONE.to_owned())), row.age()]
}

const ENDPOINT_SLICE: &[Column] =
    &[NAME, Column::text("AddressType"), Column::text("Ports"), Column::text("Endpoints"), AGE];

fn endpoint_slice(row: &Row<'_>) -> Vec<Value> {
    let port = |port: &Value| match port.at(&["port"]).and_then(Value::as_int) {
        Some(number) => number.to_string(),
        None => port.at(&["name"]).and_then(Value::as_str).unwrap_or("*").to_owned(),
    };
    let ports: Vec<String> = row.items(&["ports"]).iter().map(port).collect();
    let endpoints = row.items(&["endpoints"]).iter();
    let addresses: Vec<String> =
        endpoints.flat_map(|endpoint| texts(items_at(endpoint, &["addresses"]))).map(str::to_owned).collect();
    vec![
        row.name(),
        row.text(&["addressType"]),
        text(first_of(&ports, SHOWN, ports.len())),
        text(first_of(&addresses, SHOWN, addresses.len())),
        row.age(),
    ]
}
