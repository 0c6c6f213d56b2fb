//! Removes requests that nobody needs any more.

use coracle_apimachinery::{Value, base64};
use coracle_client::object::{items, time};
use coracle_client::resources::CERTIFICATE_SIGNING_REQUESTS as REQUESTS;
use coracle_client::{View, Write};
use x509_parser::pem::parse_x509_pem;

use super::{NAME, has, is_issued};
use crate::controller::{Controller, Key, Plan, Round, Step, Watches, itself};
use crate::deadline::until;

/// How long a request stays after its end: issued, denied or failed.
const ENDED: i64 = 3600;
/// How long a request stays that waits: for an approval, or for its certificate.
const WAITING: i64 = 24 * 3600;

/// Removes requests some time after they have ended, and certificates that have expired.
#[derive(Debug, Clone, Copy, Default)]
pub struct CertificateCleaner;

impl Controller for CertificateCleaner {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&REQUESTS, itself)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(csr) = view.get(&REQUESTS, "", &key.name) else { return plan };
        let Some(end) = end(&csr) else { return plan };
        let left = until(end, round.now);
        if left.is_zero() {
            plan.step(Step::new(Write::delete(&REQUESTS, &csr)).fine(&["NotFound"]));
        } else {
            plan.again_after(left);
        }
        plan
    }
}

/// When a request goes, in seconds since the epoch.
fn end(csr: &Value) -> Option<i64> {
    let conditions = items(csr, &["status", "conditions"]);
    if conditions.is_empty() {
        return Some(time(csr, &["metadata", "creationTimestamp"])?.seconds.saturating_add(WAITING));
    }
    let after = |condition: &Value| {
        let stay = match condition.text_at(&["type"]) {
            "Approved" if is_issued(csr) => ENDED,
            "Approved" => WAITING,
            "Denied" | "Failed" => ENDED,
            _ => return None,
        };
        Some(time(condition, &["lastUpdateTime"])?.seconds.saturating_add(stay))
    };
    let expiry = has(csr, "Approved").then(|| expiry(csr)).flatten();
    conditions.iter().filter_map(after).chain(expiry).min()
}

/// When the certificate is no longer valid. A certificate is valid until its last second has passed.
fn expiry(csr: &Value) -> Option<i64> {
    let text = base64::decode(csr.text_at(&["status", "certificate"])).ok()?;
    let (_, block) = parse_x509_pem(&text).ok()?;
    let certificate = block.parse_x509().ok()?;
    Some(certificate.validity().not_after.timestamp().saturating_add(1))
}
