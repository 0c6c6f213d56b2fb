//! Approves, signs and removes CertificateSigningRequests.
//!
//! Source: kubernetes v1.37.2, pkg/controller/certificates and pkg/apis/certificates/helpers.go. All three controllers
//! share one identity there, and here.

mod approver;
mod cleaner;
mod first_contact;
mod request;
mod rules;
mod signer;

use coracle_apimachinery::Value;
use coracle_client::object::{condition, items};

pub use approver::{Asker, CertificateApprover, May, by_group};
pub use cleaner::CertificateCleaner;
pub use first_contact::FirstContactApprover;
pub use signer::{CertificateSigner, Sign, Signers};

/// Identity of the controllers.
const NAME: &str = "certificate-controller";

/// Whether a certificate was issued.
fn is_issued(csr: &Value) -> bool {
    !csr.text_at(&["status", "certificate"]).is_empty()
}

/// Whether there is a condition, whatever its status.
fn has(csr: &Value, of: &str) -> bool {
    condition(csr, of).is_some()
}

/// The usages that are asked for.
fn usages(csr: &Value) -> Vec<&str> {
    items(csr, &["spec", "usages"]).iter().filter_map(Value::as_str).collect()
}

/// The same request with a condition more. `time` may be empty: then the API sets it.
fn with_condition(csr: &Value, of: &str, reason: &str, message: &str, time: &str) -> Value {
    let mut csr = csr.clone();
    let mut condition = crate::compose::object([
        ("message", Value::text(message)),
        ("reason", Value::text(reason)),
        ("status", Value::text("True")),
        ("type", Value::text(of)),
    ]);
    if let (false, Some(members)) = (time.is_empty(), condition.as_object_mut()) {
        members.insert("lastUpdateTime".into(), Value::text(time));
    }
    if let Some(members) = csr.as_object_mut() {
        let status = members.object_mut("status");
        status.insert_default("conditions", || Value::List(Vec::new()));
        if let Some(list) = status.get_mut("conditions").and_then(Value::items_mut) {
            list.push(condition);
        }
    }
    csr
}

#[cfg(test)]
mod tests;
