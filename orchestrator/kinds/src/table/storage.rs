//! Volumes, their claims and classes, and what CSI drivers tell.

use super::row::{NONE, Row, UNSET, items_at, joined, or, quantity_at, text, texts, time};
use super::{AGE, Column, NAME, Printer, printer};
use coracle_apimachinery::Value;

const GROUP: &str = "storage.k8s.io";

pub(super) const PRINTERS: &[Printer] = &[
    Printer { default_of: default_class, ..printer(GROUP, "storageclasses", STORAGE_CLASS, storage_class) },
    printer(GROUP, "volumeattributesclasses", &[NAME, Column::text("DriverName"), AGE], |row| {
        vec![row.name(), row.text(&["driverName"]), row.age()]
    }),
    printer(GROUP, "volumeattachments", ATTACHMENT, attachment),
    printer(GROUP, "csinodes", &[NAME, Column::integer("Drivers"), AGE], |row| {
        vec![row.name(), row.count(&["spec", "drivers"]), row.age()]
    }),
    printer(GROUP, "csidrivers", DRIVER, driver),
];

pub(super) const VOLUME: &[Column] = &[
    NAME,
    Column::text("Capacity"),
    Column::text("Access Modes"),
    Column::text("Reclaim Policy"),
    Column::text("Status"),
    Column::text("Claim"),
    Column::text("StorageClass"),
    Column::text("VolumeAttributesClass"),
    Column::text("Reason"),
    AGE,
    Column::wide("VolumeMode"),
];

pub(super) fn volume(row: &Row<'_>) -> Vec<Value> {
    let claim = row.object.at(&["spec", "claimRef"]);
    let claim = claim.map(|claim| format!("{}/{}", claim.text_at(&["namespace"]), claim.text_at(&["name"])));
    vec![
        row.name(),
        text(quantity_at(row.object, &["spec", "capacity", "storage"])),
        text(access_modes(row.items(&["spec", "accessModes"]))),
        row.text(&["spec", "persistentVolumeReclaimPolicy"]),
        phase(row),
        text(claim.unwrap_or_default()),
        class(row),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.text(&["status", "reason"]),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

pub(super) const CLAIM: &[Column] = &[
    NAME,
    Column::text("Status"),
    Column::text("Volume"),
    Column::text("Capacity"),
    Column::text("Access Modes"),
    Column::text("StorageClass"),
    Column::text("VolumeAttributesClass"),
    AGE,
    Column::wide("VolumeMode"),
];

pub(super) fn claim(row: &Row<'_>) -> Vec<Value> {
    let volume = row.object.text_at(&["spec", "volumeName"]);
    // Without a volume the status is not one of a volume yet.
    let (capacity, modes) = match volume {
        "" => (text(""), text("")),
        _ => (
            text(quantity_at(row.object, &["status", "capacity", "storage"])),
            text(access_modes(row.items(&["status", "accessModes"]))),
        ),
    };
    vec![
        row.name(),
        phase(row),
        text(volume),
        capacity,
        modes,
        class(row),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

fn phase(row: &Row<'_>) -> Value {
    if row.is_ending() { text("Terminating") } else { row.text(&["status", "phase"]) }
}

/// The storage class of a volume or claim, where an old annotation comes before the member.
fn class(row: &Row<'_>) -> Value {
    let annotation = row.object.at(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]);
    let class = annotation.or_else(|| row.object.at(&["spec", "storageClassName"]));
    text(class.and_then(Value::as_str).unwrap_or_default())
}

/// Access modes in short, each once and in a fixed order.
fn access_modes(modes: &[Value]) -> String {
    const SHORT: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let given = SHORT.iter().filter(|(mode, _)| texts(modes).any(|given| given == *mode));
    given.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

const STORAGE_CLASS: &[Column] = &[
    NAME,
    Column::text("Provisioner"),
    Column::text("ReclaimPolicy"),
    Column::text("VolumeBindingMode"),
    Column::text("AllowVolumeExpansion"),
    AGE,
];

fn storage_class(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        row.text(&["provisioner"]),
        row.text_or(&["reclaimPolicy"], "Delete"),
        row.text_or(&["volumeBindingMode"], "Immediate"),
        row.flag(&["allowVolumeExpansion"]),
        row.age(),
    ]
}

/// The class that claims without one get: of those marked so the youngest, of equally old ones the first by name.
fn default_class(classes: &[&Value]) -> Option<String> {
    const MARKS: [&str; 2] =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let is_marked = |class: &&&Value| MARKS.iter().any(|m| class.text_at(&["metadata", "annotations", m]) == "true");
    let name = |class: &Value| class.text_at(&["metadata", "name"]).to_owned();
    let rank = |class: &&&Value| {
        let created = time(class.at(&["metadata", "creationTimestamp"])).map_or(i64::MIN, |time| time.seconds);
        (std::cmp::Reverse(created), name(class))
    };
    classes.iter().filter(is_marked).min_by_key(rank).map(|class| name(class))
}

const ATTACHMENT: &[Column] =
    &[NAME, Column::named("Attacher"), Column::text("PV"), Column::text("Node"), Column::boolean("Attached"), AGE];

fn attachment(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        row.text(&["spec", "attacher"]),
        row.text(&["spec", "source", "persistentVolumeName"]),
        row.text(&["spec", "nodeName"]),
        row.flag(&["status", "attached"]),
        row.age(),
    ]
}

const DRIVER: &[Column] = &[
    NAME,
    Column::boolean("AttachRequired"),
    Column::boolean("PodInfoOnMount"),
    Column::boolean("StorageCapacity"),
    Column::text("TokenRequests"),
    Column::boolean("RequiresRepublish"),
    Column::text("Modes"),
    AGE,
];

fn driver(row: &Row<'_>) -> Vec<Value> {
    let attach = row.object.at(&["spec", "attachRequired"]).and_then(Value::as_bool).unwrap_or(true);
    let audiences: Vec<&str> =
        items_at(row.object, &["spec", "tokenRequests"]).iter().map(|request| request.text_at(&["audience"])).collect();
    let audiences = if audiences.is_empty() { UNSET.to_owned() } else { audiences.join(",") };
    vec![
        row.name(),
        Value::Bool(attach),
        row.flag(&["spec", "podInfoOnMount"]),
        row.flag(&["spec", "storageCapacity"]),
        text(audiences),
        row.flag(&["spec", "requiresRepublish"]),
        text(or(&joined(row.object, &["spec", "volumeLifecycleModes"]), NONE)),
        row.age(),
    ]
}
