//! Webhook configurations, admission policies and their bindings.

use super::row::{Row, UNSET, text};
use super::{AGE, Column, NAME, Printer, printer, selector};
use coracle_apimachinery::Value;

const GROUP: &str = "admissionregistration.k8s.io";

pub(super) const PRINTERS: &[Printer] = &[
    printer(GROUP, "mutatingwebhookconfigurations", WEBHOOKS, webhooks),
    printer(GROUP, "validatingwebhookconfigurations", WEBHOOKS, webhooks),
    printer(GROUP, "validatingadmissionpolicies", VALIDATING, |row| policy(row, "validations")),
    printer(GROUP, "mutatingadmissionpolicies", MUTATING, |row| policy(row, "mutations")),
    printer(GROUP, "validatingadmissionpolicybindings", BINDING, binding),
    printer(GROUP, "mutatingadmissionpolicybindings", BINDING, binding),
];

const WEBHOOKS: &[Column] = &[NAME, Column::integer("Webhooks"), AGE];

fn webhooks(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), row.count(&["webhooks"]), row.age()]
}

const VALIDATING: &[Column] = &[NAME, Column::integer("Validations"), Column::text("ParamKind"), AGE];
const MUTATING: &[Column] = &[NAME, Column::integer("Mutations"), Column::text("ParamKind"), AGE];

fn policy(row: &Row<'_>, rules: &str) -> Vec<Value> {
    let kind = row.object.at(&["spec", "paramKind"]);
    let kind = kind.map(|kind| format!("{}/{}", kind.text_at(&["apiVersion"]), kind.text_at(&["kind"])));
    vec![row.name(), row.count(&["spec", rules]), text(kind.unwrap_or_else(|| UNSET.to_owned())), row.age()]
}

const BINDING: &[Column] = &[NAME, Column::text("PolicyName"), Column::text("ParamRef"), AGE];

fn binding(row: &Row<'_>) -> Vec<Value> {
    let parameters = row.object.at(&["spec", "paramRef"]).and_then(parameters);
    let parameters = parameters.unwrap_or_else(|| UNSET.to_owned());
    vec![row.name(), row.text(&["spec", "policyName"]), text(parameters), row.age()]
}

/// Which objects parametrise the policy: one by its name, or those that a selector selects.
fn parameters(reference: &Value) -> Option<String> {
    match (reference.text_at(&["name"]), reference.text_at(&["namespace"])) {
        ("", _) => reference.at(&["selector"]).map(selector::go_selector),
        (name, "") => Some(format!("*/{name}")),
        (name, namespace) => Some(format!("{namespace}/{name}")),
    }
}
