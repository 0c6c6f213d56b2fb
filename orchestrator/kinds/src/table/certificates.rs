//! Certificate requests and trust bundles.

use super::duration::human_duration;
use super::row::{NONE, Row, condition, or, text};
use super::{AGE, Column, NAME, Printer, printer, selector};
use coracle_apimachinery::Value;

const GROUP: &str = "certificates.k8s.io";

pub(super) const PRINTERS: &[Printer] = &[
    printer(GROUP, "certificatesigningrequests", SIGNING_REQUEST, signing_request),
    printer(GROUP, "clustertrustbundles", &[NAME, Column::text("SignerName")], |row| vec![row.name(), signer(row)]),
    printer(GROUP, "podcertificaterequests", POD_REQUEST, pod_request),
];

fn signer(row: &Row<'_>) -> Value {
    text(or(row.object.text_at(&["spec", "signerName"]), NONE))
}

const SIGNING_REQUEST: &[Column] = &[
    NAME,
    AGE,
    Column::text("SignerName"),
    Column::text("Requestor"),
    Column::text("RequestedDuration"),
    Column::text("Condition"),
];

fn signing_request(row: &Row<'_>) -> Vec<Value> {
    let duration = row.object.at(&["spec", "expirationSeconds"]).and_then(Value::as_int);
    vec![
        row.name(),
        row.age(),
        signer(row),
        row.text(&["spec", "username"]),
        text(duration.map_or_else(|| NONE.to_owned(), human_duration)),
        text(signing_status(row)),
    ]
}

fn signing_status(row: &Row<'_>) -> String {
    let conditions = row.items(&["status", "conditions"]);
    let has = |kind: &str| condition(conditions, kind).is_some();
    let verdict = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    };
    let failed = if has("Failed") { ",Failed" } else { "" };
    let issued = if row.object.text_at(&["status", "certificate"]).is_empty() { "" } else { ",Issued" };
    format!("{verdict}{failed}{issued}")
}

const POD_REQUEST: &[Column] = &[
    NAME,
    Column::text("PodName"),
    Column::text("ServiceAccountName"),
    Column::text("NodeName"),
    Column::text("SignerName"),
    Column::text("State"),
    Column::text("UnverifiedUserAnnotations"),
];

fn pod_request(row: &Row<'_>) -> Vec<Value> {
    // The three exclude each other; should they not, the last one counts.
    let mut kinds = row.items(&["status", "conditions"]).iter().map(|condition| condition.text_at(&["type"]));
    let state = kinds.rfind(|kind| matches!(*kind, "Issued" | "Denied" | "Failed"));
    vec![
        row.name(),
        row.text(&["spec", "podName"]),
        row.text(&["spec", "serviceAccountName"]),
        row.text(&["spec", "nodeName"]),
        row.text(&["spec", "signerName"]),
        text(state.unwrap_or("Pending")),
        text(selector::labels(row.object.at(&["spec", "unverifiedUserAnnotations"]))),
    ]
}
