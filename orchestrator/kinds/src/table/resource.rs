//! Devices and the claims to them.

use super::row::{Row, text};
use super::{AGE, Column, NAME, Printer, printer};
use coracle_apimachinery::Value;

const GROUP: &str = "resource.k8s.io";

pub(super) const PRINTERS: &[Printer] = &[
    printer(GROUP, "deviceclasses", &[NAME, AGE], |row| vec![row.name(), row.age()]),
    printer(GROUP, "resourceclaimtemplates", &[NAME, AGE], |row| vec![row.name(), row.age()]),
    printer(GROUP, "resourceclaims", &[NAME, Column::text("State"), AGE], |row| {
        vec![row.name(), text(claim_state(row)), row.age()]
    }),
    printer(GROUP, "resourceslices", SLICE, |row| {
        let spec = |member: &str| row.text(&["spec", member]);
        vec![row.name(), spec("nodeName"), spec("driver"), row.text(&["spec", "pool", "name"]), row.age()]
    }),
    printer(GROUP, "devicetaintrules", TAINT, taint),
];

const SLICE: &[Column] = &[NAME, Column::text("Node"), Column::text("Driver"), Column::text("Pool"), AGE];

fn claim_state(row: &Row<'_>) -> &'static str {
    let allocated = row.object.at(&["status", "allocation"]).is_some();
    let reserved = !row.items(&["status", "reservedFor"]).is_empty();
    match (row.is_ending(), allocated, reserved) {
        (false, false, _) => "pending",
        (false, true, false) => "allocated",
        (false, true, true) => "allocated,reserved",
        (true, false, _) => "deleted",
        (true, true, false) => "deleted,allocated",
        (true, true, true) => "deleted,allocated,reserved",
    }
}

const TAINT: &[Column] =
    &[NAME, Column::text("Key"), Column::text("Value"), Column::text("Effect"), Column::text("TimeAdded"), AGE];

fn taint(row: &Row<'_>) -> Vec<Value> {
    let taint = |member: &str| row.text(&["spec", "taint", member]);
    let added = row.object.at(&["spec", "taint", "timeAdded"]);
    let added = added.map(|added| row.since(Some(added)));
    vec![row.name(), taint("key"), taint("value"), taint("effect"), text(added.unwrap_or_default()), row.age()]
}
