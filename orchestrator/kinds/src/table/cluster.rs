//! Nodes, leases, namespaces' neighbours: what the cluster itself is made of.

use super::row::{NONE, Row, UNKNOWN, bool_at, items_at, or, text};
use super::{AGE, Column, NAME, Printer, printer};
use coracle_apimachinery::Value;
use std::collections::BTreeSet;

pub(super) const PRINTERS: &[Printer] = &[
    printer("coordination.k8s.io", "leases", &[NAME, Column::text("Holder"), AGE], |row| {
        vec![row.name(), row.text(&["spec", "holderIdentity"]), row.age()]
    }),
    printer("node.k8s.io", "runtimeclasses", &[NAME, Column::text("Handler"), AGE], |row| {
        vec![row.name(), row.text(&["handler"]), row.age()]
    }),
    printer("scheduling.k8s.io", "priorityclasses", PRIORITY_CLASS, |row| {
        let (value, default) = (row.int(&["value"]), row.flag(&["globalDefault"]));
        vec![row.name(), value, default, row.age(), row.text(&["preemptionPolicy"])]
    }),
    printer("flowcontrol.apiserver.k8s.io", "flowschemas", FLOW_SCHEMA, flow_schema),
    printer("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", PRIORITY_LEVEL, priority_level),
];

pub(super) const NODE: &[Column] = &[
    NAME,
    Column::text("Status"),
    Column::text("Roles"),
    AGE,
    Column::text("Version"),
    Column::wide("Internal-IP"),
    Column::wide("External-IP"),
    Column::wide("OS-Image"),
    Column::wide("Kernel-Version"),
    Column::wide("Container-Runtime"),
];

pub(super) fn node(row: &Row<'_>) -> Vec<Value> {
    let node = row.object;
    let info = |member: &str| node.text_at(&["status", "nodeInfo", member]);
    let mut kernel = or(info("kernelVersion"), UNKNOWN).to_owned();
    if !info("architecture").is_empty() {
        kernel = format!("{kernel} ({})", info("architecture"));
    }
    vec![
        row.name(),
        text(node_status(node)),
        text(or(&roles(node), NONE)),
        row.age(),
        text(info("kubeletVersion")),
        text(address(node, "InternalIP")),
        text(address(node, "ExternalIP")),
        text(or(info("osImage"), UNKNOWN)),
        text(kernel),
        text(or(info("containerRuntimeVersion"), UNKNOWN)),
    ]
}

fn node_status(node: &Value) -> String {
    // Of several conditions of one type the last one counts.
    let conditions = items_at(node, &["status", "conditions"]).iter();
    let ready = conditions.rev().find(|condition| condition.text_at(&["type"]) == "Ready");
    let status = match ready.map(|ready| ready.text_at(&["status"])) {
        None => "Unknown",
        Some("True") => "Ready",
        Some(_) => "NotReady",
    };
    let closed = if bool_at(node, &["spec", "unschedulable"]) { ",SchedulingDisabled" } else { "" };
    format!("{status}{closed}")
}

/// The roles that the labels of a node give it, sorted.
fn roles(node: &Value) -> String {
    let labels = node.at(&["metadata", "labels"]).and_then(Value::as_object);
    let role = |(key, value): (&'_ str, &'_ Value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    let roles = labels.into_iter().flat_map(|labels| labels.iter()).filter_map(role);
    let roles: BTreeSet<String> = roles.filter(|role| !role.is_empty()).collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let addresses = items_at(node, &["status", "addresses"]);
    let found = addresses.iter().find(|address| address.text_at(&["type"]) == kind);
    found.map_or(NONE, |found| found.text_at(&["address"]))
}

const PRIORITY_CLASS: &[Column] =
    &[NAME, Column::integer("Value"), Column::boolean("Global-Default"), AGE, Column::text("PreemptionPolicy")];

const FLOW_SCHEMA: &[Column] = &[
    NAME,
    Column::text("PriorityLevel"),
    Column::text("MatchingPrecedence"),
    Column::text("DistinguisherMethod"),
    AGE,
    Column::text("MissingPL"),
];

fn flow_schema(row: &Row<'_>) -> Vec<Value> {
    let method = row.object.at(&["spec", "distinguisherMethod"]).map_or(NONE, |method| method.text_at(&["type"]));
    let dangling = super::row::condition(row.items(&["status", "conditions"]), "Dangling");
    vec![
        row.name(),
        row.text(&["spec", "priorityLevelConfiguration", "name"]),
        row.int(&["spec", "matchingPrecedence"]),
        text(method),
        row.age(),
        text(dangling.map_or("?", |dangling| dangling.text_at(&["status"]))),
    ]
}

const PRIORITY_LEVEL: &[Column] = &[
    NAME,
    Column::text("Type"),
    Column::text("NominalConcurrencyShares"),
    Column::text("Queues"),
    Column::text("HandSize"),
    Column::text("QueueLengthLimit"),
    AGE,
];

fn priority_level(row: &Row<'_>) -> Vec<Value> {
    let limited = row.object.at(&["spec", "limited"]);
    let queuing = limited.and_then(|limited| limited.at(&["limitResponse", "queuing"]));
    // The numbers stand as numbers, but what is not there as text.
    let number = |of: Option<&Value>, member: &str| match of {
        Some(of) => Value::Int(super::row::int_at(of, &[member])),
        None => text(NONE),
    };
    vec![
        row.name(),
        row.text(&["spec", "type"]),
        number(limited, "nominalConcurrencyShares"),
        number(queuing, "queues"),
        number(queuing, "handSize"),
        number(queuing, "queueLengthLimit"),
        row.age(),
    ]
}
