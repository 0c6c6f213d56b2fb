//! Pods' companions in the core group: services, nodes, volumes' claims, events and the small kinds.

use super::row::{
    NONE, Row, UNKNOWN, condition, count, first_of, int_at, items_at, joined, length_at, or, quantity_at, text,
};
use super::{AGE, Column, NAME, Printer, cluster, pods, printer, selector, storage};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] = &[
    Printer { conditions: pods::conditions, ..printer("", "pods", POD, pods::cells) },
    printer("", "podtemplates", POD_TEMPLATE, pod_template),
    printer("", "replicationcontrollers", REPLICATION_CONTROLLER, replication_controller),
    printer("", "services", SERVICE, service),
    printer("", "endpoints", ENDPOINTS, endpoints),
    printer("", "events", EVENT, event),
    printer("events.k8s.io", "events", EVENT, event),
    printer("", "namespaces", &[NAME, Column::text("Status"), AGE], |row| {
        vec![row.name(), row.text(&["status", "phase"]), row.age()]
    }),
    printer("", "secrets", &[NAME, Column::text("Type"), Column::text("Data"), AGE], |row| {
        vec![row.name(), row.text(&["type"]), row.count(&["data"]), row.age()]
    }),
    printer("", "configmaps", &[NAME, Column::text("Data"), AGE], |row| {
        let entries = length_at(row.object, &["data"]) + length_at(row.object, &["binaryData"]);
        vec![row.name(), count(entries), row.age()]
    }),
    printer("", "serviceaccounts", &[NAME, AGE], |row| vec![row.name(), row.age()]),
    printer("", "resourcequotas", &[NAME, Column::text("Request"), Column::text("Limit"), AGE], resource_quota),
    printer("", "componentstatuses", COMPONENT_STATUS, component_status),
    printer("", "nodes", cluster::NODE, cluster::node),
    printer("", "persistentvolumes", storage::VOLUME, storage::volume),
    printer("", "persistentvolumeclaims", storage::CLAIM, storage::claim),
];

const POD: &[Column] = &[
    NAME,
    Column::text("Ready"),
    Column::text("Status"),
    Column::text("Restarts"),
    AGE,
    Column::wide("IP"),
    Column::wide("Node"),
    Column::wide("Nominated Node"),
    Column::wide("Readiness Gates"),
];

const POD_TEMPLATE: &[Column] = &[NAME, Column::text("Containers"), Column::text("Images"), Column::text("Pod Labels")];

fn pod_template(row: &Row<'_>) -> Vec<Value> {
    let template = &["template", "spec"];
    let [names, images] = super::row::containers(row.object.at(template));
    let labels = selector::labels(row.object.at(&["template", "metadata", "labels"]));
    vec![row.name(), names, images, text(labels)]
}

const REPLICATION_CONTROLLER: &[Column] = &[
    NAME,
    Column::integer("Desired"),
    Column::integer("Current"),
    Column::integer("Ready"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn replication_controller(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = super::row::containers(row.object.at(&["spec", "template", "spec"]));
    vec![
        row.name(),
        row.int(&["spec", "replicas"]),
        row.int(&["status", "replicas"]),
        row.int(&["status", "readyReplicas"]),
        row.age(),
        names,
        images,
        text(selector::labels(row.object.at(&["spec", "selector"]))),
    ]
}

const SERVICE: &[Column] = &[
    NAME,
    Column::text("Type"),
    Column::text("Cluster-IP"),
    Column::text("External-IP"),
    Column::text("Port(s)"),
    AGE,
    Column::wide("Selector"),
];

fn service(row: &Row<'_>) -> Vec<Value> {
    let service = row.object;
    let address = row.items(&["spec", "clusterIPs"]).first().and_then(Value::as_str).unwrap_or(NONE);
    vec![
        row.name(),
        row.text(&["spec", "type"]),
        text(address),
        text(external_address(service)),
        text(or(&ports(items_at(service, &["spec", "ports"])), NONE)),
        row.age(),
        text(selector::labels(service.at(&["spec", "selector"]))),
    ]
}

/// Where a service can be reached from outside, by its type.
fn external_address(service: &Value) -> String {
    let external = joined(service, &["spec", "externalIPs"]);
    match service.text_at(&["spec", "type"]) {
        "ClusterIP" | "NodePort" => or(&external, NONE).to_owned(),
        "LoadBalancer" => {
            let balancer = load_balancer(service);
            match (balancer.is_empty(), external.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => external,
                (false, true) => balancer,
                (false, false) => format!("{balancer},{external}"),
            }
        }
        "ExternalName" => service.text_at(&["spec", "externalName"]).to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The addresses that a load balancer has given to a service or ingress, sorted.
pub(super) fn load_balancer(object: &Value) -> String {
    let points = items_at(object, &["status", "loadBalancer", "ingress"]).iter();
    let addresses = points.map(|point| or(point.text_at(&["ip"]), point.text_at(&["hostname"])));
    let addresses: std::collections::BTreeSet<&str> = addresses.filter(|address| !address.is_empty()).collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

fn ports(ports: &[Value]) -> String {
    let port = |port: &Value| {
        let (number, protocol) = (int_at(port, &["port"]), port.text_at(&["protocol"]));
        match int_at(port, &["nodePort"]) {
            node_port @ 1.. => format!("{number}:{node_port}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    };
    ports.iter().map(port).collect::<Vec<_>>().join(",")
}

const ENDPOINTS: &[Column] = &[NAME, Column::text("Endpoints"), AGE];

fn endpoints(row: &Row<'_>) -> Vec<Value> {
    let subsets = row.items(&["subsets"]);
    let mut list = Vec::new();
    for subset in subsets {
        let addresses = || items_at(subset, &["addresses"]).iter().map(|address| address.text_at(&["ip"]));
        let ports = items_at(subset, &["ports"]);
        if ports.is_empty() {
            list.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let port = int_at(port, &["port"]);
            list.extend(addresses().map(|address| match address.contains(':') {
                true => format!("[{address}]:{port}"),
                false => format!("{address}:{port}"),
            }));
        }
    }
    let shown = match (subsets.is_empty(), list.is_empty()) {
        (true, _) => NONE.to_owned(),
        (false, true) => String::new(),
        (false, false) => first_of(&list, 3, list.len()),
    };
    vec![row.name(), text(shown), row.age()]
}

const EVENT: &[Column] = &[
    Column::text("Last Seen"),
    Column::text("Type"),
    Column::text("Reason"),
    Column::text("Object"),
    Column::wide("Subobject"),
    Column::wide("Source"),
    Column::text("Message"),
    Column::wide("First Seen"),
    Column::wide("Count"),
    Column { priority: 1, ..Column::named("Name") },
];

/// An event of either group: where their members differ, an object has only one of the two.
fn event(row: &Row<'_>) -> Vec<Value> {
    let event = row.object;
    let either = |one: &str, other: &str| event.at(&[one]).or_else(|| event.at(&[other]));
    let either_text = |one: &str, other: &str| either(one, other).and_then(Value::as_str).unwrap_or_default();
    let seen = |time: Option<&Value>| super::row::time(time).map(|time| row.since_time(time));

    let first = seen(either("firstTimestamp", "deprecatedFirstTimestamp"));
    let first = first.unwrap_or_else(|| row.since(event.at(&["eventTime"])));
    let mut last = seen(either("lastTimestamp", "deprecatedLastTimestamp")).unwrap_or_else(|| first.clone());
    let mut number = either("count", "deprecatedCount").and_then(Value::as_int).unwrap_or_default();
    if let Some(series) = event.at(&["series"]) {
        last = row.since(series.at(&["lastObservedTime"]));
        number = int_at(series, &["count"]);
    } else if number == 0 {
        // An event that happened once has no count in the newer group.
        number = 1;
    }

    let object = either("involvedObject", "regarding");
    let of_object = |member: &str| object.map_or("", |object| object.text_at(&[member]));
    let source = either("source", "deprecatedSource");
    let of_source = |member: &str| source.map_or("", |source| source.text_at(&[member]));
    let mut target = of_object("kind").to_lowercase();
    if !of_object("name").is_empty() {
        target = format!("{target}/{}", of_object("name"));
    }
    let controller = either_text("reportingComponent", "reportingController");
    let mut reporter = or(of_source("component"), controller).to_owned();
    let instance = or(of_source("host"), event.text_at(&["reportingInstance"]));
    if !instance.is_empty() {
        reporter = format!("{reporter}, {instance}");
    }
    vec![
        text(last),
        row.text(&["type"]),
        row.text(&["reason"]),
        text(target),
        text(of_object("fieldPath")),
        text(reporter),
        text(either_text("message", "note").trim()),
        text(first),
        Value::Int(number),
        row.name(),
    ]
}

fn resource_quota(row: &Row<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = row.object.at(&["status", "hard"]).and_then(Value::as_object);
    for (resource, quantity) in hard.into_iter().flat_map(|hard| hard.iter()) {
        let used = quantity_at(row.object, &["status", "used", resource]);
        let column = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{resource}: {used}/{}", quantity.as_str().unwrap_or("0")));
    }
    vec![row.name(), text(requests.join(", ")), text(limits.join(", ")), row.age()]
}

const COMPONENT_STATUS: &[Column] = &[NAME, Column::text("Status"), Column::text("Message"), Column::text("Error")];

fn component_status(row: &Row<'_>) -> Vec<Value> {
    let healthy = condition(row.items(&["conditions"]), "Healthy");
    let status = match healthy.map(|healthy| healthy.text_at(&["status"])) {
        None => "Unknown",
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
    };
    let of_condition = |member: &str| text(healthy.map_or("", |healthy| healthy.text_at(&[member])));
    vec![row.name(), text(status), of_condition("message"), of_condition("error")]
}
