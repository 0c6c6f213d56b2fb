//! What extends the API: definitions of custom kinds, API services and the migration of stored objects.

use super::row::{Row, bool_at, condition, is_true, joined, or, text, with_group};
use super::{AGE, CREATED, Column, NAME, Printer, printer};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] = &[
    Printer {
        null_without_rows: true,
        ..printer("apiextensions.k8s.io", "customresourcedefinitions", DEFINITION, definition)
    },
    printer("apiregistration.k8s.io", "apiservices", API_SERVICE, api_service),
    printer("storagemigration.k8s.io", "storageversionmigrations", MIGRATION, migration),
];

const DEFINITION: &[Column] = &[
    NAME,
    Column::text("Scope"),
    Column::text("Versions"),
    CREATED,
    Column::wide("Group"),
    Column::wide("Kind"),
    Column::wide("ShortNames"),
    Column { priority: 1, ..Column::boolean("Established") },
];

fn definition(row: &Row<'_>) -> Vec<Value> {
    let served = row.items(&["spec", "versions"]).iter().filter(|version| bool_at(version, &["served"]));
    let mut versions: Vec<String> = served
        .map(|version| {
            let stored = if bool_at(version, &["storage"]) { "(storage)" } else { "" };
            format!("{}{stored}", version.text_at(&["name"]))
        })
        .collect();
    versions.sort();
    vec![
        row.name(),
        row.text(&["spec", "scope"]),
        text(versions.join(",")),
        row.created(),
        row.text(&["spec", "group"]),
        row.text(&["spec", "names", "kind"]),
        text(joined(row.object, &["spec", "names", "shortNames"])),
        Value::Bool(is_true(row.items(&["status", "conditions"]), "Established")),
    ]
}

const API_SERVICE: &[Column] = &[NAME, Column::text("Service"), Column::text("Available"), AGE];

fn api_service(row: &Row<'_>) -> Vec<Value> {
    let service = row.object.at(&["spec", "service"]);
    let service = service.map(|to| format!("{}/{}", to.text_at(&["namespace"]), to.text_at(&["name"])));
    let available = condition(row.items(&["status", "conditions"]), "Available").map(|available| {
        match (available.text_at(&["status"]), available.text_at(&["reason"])) {
            ("True", _) => "True".to_owned(),
            (status, "") => status.to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        }
    });
    vec![
        row.name(),
        text(or(service.as_deref().unwrap_or_default(), "Local")),
        text(available.unwrap_or_else(|| "Unknown".to_owned())),
        row.age(),
    ]
}

/// The name of a migration is not marked as one.
const MIGRATION: &[Column] = &[Column::text("Name"), Column::text("Resource"), Column::text("Status")];

fn migration(row: &Row<'_>) -> Vec<Value> {
    let resource = |member: &str| row.object.text_at(&["spec", "resource", member]);
    let conditions = row.items(&["status", "conditions"]).iter();
    let kinds = conditions.filter(|condition| condition.text_at(&["status"]) == "True");
    let mut kinds = kinds.map(|condition| condition.text_at(&["type"]));
    let status = kinds.rfind(|kind| matches!(*kind, "Running" | "Failed" | "Succeeded"));
    let resource = with_group(resource("resource"), resource("group"));
    vec![row.name(), text(resource), text(status.unwrap_or("Unknown"))]
}
