//! The workloads of the group `apps` and the scale subresource.

use super::row::{NONE, Row, bool_at, containers, int_at, text, with_group};
use super::{AGE, Column, NAME, Printer, autoscaling, printer, selector};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] = &[
    printer("apps", "deployments", DEPLOYMENT, deployment),
    printer("apps", "replicasets", REPLICA_SET, replica_set),
    printer("apps", "statefulsets", STATEFUL_SET, stateful_set),
    printer("apps", "daemonsets", DAEMON_SET, daemon_set),
    printer("apps", "controllerrevisions", CONTROLLER_REVISION, controller_revision),
    printer("autoscaling", "horizontalpodautoscalers", autoscaling::AUTOSCALER, autoscaling::autoscaler),
    printer("autoscaling", "scale", SCALE, |row| {
        vec![row.name(), row.int(&["spec", "replicas"]), row.int(&["status", "replicas"]), row.age()]
    }),
];

const DEPLOYMENT: &[Column] = &[
    NAME,
    Column::text("Ready"),
    Column::text("Up-to-date"),
    Column::text("Available"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn deployment(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = containers(row.object.at(&["spec", "template", "spec"]));
    // Unlike in the other kinds, a selector of everything leaves this cell empty.
    let selector = selector::selector(row.object.at(&["spec", "selector"]));
    vec![
        row.name(),
        text(ready(row)),
        row.int(&["status", "updatedReplicas"]),
        row.int(&["status", "availableReplicas"]),
        row.age(),
        names,
        images,
        text(selector.unwrap_or_else(|_| "<invalid>".to_owned())),
    ]
}

/// How many of the wanted replicas are ready.
fn ready(row: &Row<'_>) -> String {
    let ready = int_at(row.object, &["status", "readyReplicas"]);
    format!("{ready}/{}", int_at(row.object, &["spec", "replicas"]))
}

const REPLICA_SET: &[Column] = &[
    NAME,
    Column::integer("Desired"),
    Column::integer("Current"),
    Column::integer("Ready"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn replica_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = containers(row.object.at(&["spec", "template", "spec"]));
    vec![
        row.name(),
        row.int(&["spec", "replicas"]),
        row.int(&["status", "replicas"]),
        row.int(&["status", "readyReplicas"]),
        row.age(),
        names,
        images,
        selector::selector_cell(row.object.at(&["spec", "selector"])),
    ]
}

const STATEFUL_SET: &[Column] = &[NAME, Column::text("Ready"), AGE, Column::wide("Containers"), Column::wide("Images")];

fn stateful_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = containers(row.object.at(&["spec", "template", "spec"]));
    vec![row.name(), text(ready(row)), row.age(), names, images]
}

const DAEMON_SET: &[Column] = &[
    NAME,
    Column::integer("Desired"),
    Column::integer("Current"),
    Column::integer("Ready"),
    Column::integer("Up-to-date"),
    Column::integer("Available"),
    Column::text("Node Selector"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn daemon_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = containers(row.object.at(&["spec", "template", "spec"]));
    vec![
        row.name(),
        row.int(&["status", "desiredNumberScheduled"]),
        row.int(&["status", "currentNumberScheduled"]),
        row.int(&["status", "numberReady"]),
        row.int(&["status", "updatedNumberScheduled"]),
        row.int(&["status", "numberAvailable"]),
        text(selector::labels(row.object.at(&["spec", "template", "spec", "nodeSelector"]))),
        row.age(),
        names,
        images,
        selector::selector_cell(row.object.at(&["spec", "selector"])),
    ]
}

const CONTROLLER_REVISION: &[Column] = &[NAME, Column::text("Controller"), Column::text("Revision"), AGE];

fn controller_revision(row: &Row<'_>) -> Vec<Value> {
    let owners = row.items(&["metadata", "ownerReferences"]);
    let controller = owners.iter().find(|owner| bool_at(owner, &["controller"])).map(|owner| {
        let (kind, name) = (owner.text_at(&["kind"]), owner.text_at(&["name"]));
        let group = owner.text_at(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
        if kind.is_empty() && group.is_empty() {
            return name.to_owned();
        }
        format!("{}/{name}", with_group(kind, group).to_lowercase())
    });
    let controller = controller.unwrap_or_else(|| NONE.to_owned());
    vec![row.name(), text(controller), row.int(&["revision"]), row.age()]
}

/// The name of a scale is not marked as one.
const SCALE: &[Column] = &[Column::text("Name"), Column::integer("Desired"), Column::integer("Available"), AGE];
