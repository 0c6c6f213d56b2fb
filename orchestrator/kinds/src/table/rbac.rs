//! Role bindings and disruption budgets. Roles have no columns of their own.

use super::row::{Row, text};
use super::{AGE, Column, NAME, Printer, printer};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] = &[
    printer("rbac.authorization.k8s.io", "rolebindings", BINDING, binding),
    printer("rbac.authorization.k8s.io", "clusterrolebindings", BINDING, binding),
    printer("policy", "poddisruptionbudgets", BUDGET, budget),
];

const BINDING: &[Column] =
    &[NAME, Column::text("Role"), AGE, Column::wide("Users"), Column::wide("Groups"), Column::wide("ServiceAccounts")];

fn binding(row: &Row<'_>) -> Vec<Value> {
    let role = |member: &str| row.object.text_at(&["roleRef", member]);
    let subjects = |kind: &str| {
        let of_kind = row.items(&["subjects"]).iter().filter(|subject| subject.text_at(&["kind"]) == kind);
        let names = of_kind.map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", subject.text_at(&["namespace"]), subject.text_at(&["name"])),
            _ => subject.text_at(&["name"]).to_owned(),
        });
        text(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        row.name(),
        text(format!("{}/{}", role("kind"), role("name"))),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

const BUDGET: &[Column] = &[
    NAME,
    Column::text("Min Available"),
    Column::text("Max Unavailable"),
    Column::integer("Allowed Disruptions"),
    AGE,
];

fn budget(row: &Row<'_>) -> Vec<Value> {
    // A number or a percentage, in both cases a text in the cell.
    let amount = |member: &str| match row.object.at(&["spec", member]) {
        Some(Value::Int(number)) => text(number.to_string()),
        Some(Value::String(percentage)) => text(percentage.clone()),
        _ => text("N/A"),
    };
    vec![
        row.name(),
        amount("minAvailable"),
        amount("maxUnavailable"),
        row.int(&["status", "disruptionsAllowed"]),
        row.age(),
    ]
}
