//! Approves the one certificate of an administrator that a token of first contact is good for.
//!
//! The token's Secret is claimed for a request before the request is approved, and only the claimant is ever approved.
//! The claim is a write of the Secret as it was read: of two requests that meet, one finds it changed and is denied. A
//! start that was cut short between claim and approval is completed by the next plan, which finds its own claim.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, base64};
use coracle_client::first_contact::{CLAIMED_BY, GROUP, SIGNER, claimant, used};
use coracle_client::object::uid;
use coracle_client::resources::{CERTIFICATE_SIGNING_REQUESTS as REQUESTS, SECRETS};
use coracle_client::{View, Write};

use super::approver::Asker;
use super::rules::administrator;
use super::{has, is_issued, request, usages, with_condition};
use crate::bootstrap_signer::token::{self, Expiry};
use crate::controller::{Controller, Key, Plan, Round, Watches, itself};

/// Seconds that a token still lives after it was used: its holder waits for the certificate with it. The token cleaner
/// deletes it then, and the signature of `cluster-info` goes with it.
const GRACE: u64 = 600;

const USER_PREFIX: &str = "system:bootstrap:";

/// Approves the first request of a token of first contact and denies all others of it. Requests of anybody else to the
/// same signer wait for a person.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstContactApprover;

/// What becomes of a request.
#[derive(Debug)]
enum Verdict {
    /// Not for this approver, or decided already.
    Leave,
    Deny {
        reason: &'static str,
        message: String,
    },
    /// Approve, after this Secret was written if there is one.
    Approve(Option<Value>),
}

impl Controller for FirstContactApprover {
    /// Not a controller of upstream.
    fn name(&self) -> &'static str {
        "first-contact-approver"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&REQUESTS, itself)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(csr) = view.get(&REQUESTS, "", &key.name) else { return plan };
        let decided = match verdict(view, &csr, round.now) {
            Verdict::Leave => return plan,
            Verdict::Deny { reason, message } => with_condition(&csr, "Denied", reason, &message, ""),
            Verdict::Approve(claim) => {
                if let Some(secret) = claim {
                    plan.write(Write::update(&SECRETS, secret));
                }
                let message = "The first request of a token of first contact.";
                with_condition(&csr, "Approved", "FirstContact", message, "")
            }
        };
        plan.write(Write::update(&REQUESTS, decided).at("approval"));
        plan
    }
}

fn verdict(view: &View, csr: &Value, now: Instant) -> Verdict {
    if csr.text_at(&["spec", "signerName"]) != SIGNER || is_issued(csr) || has(csr, "Approved") || has(csr, "Denied") {
        return Verdict::Leave;
    }
    let asker = Asker::of(csr);
    let id = asker.name.strip_prefix(USER_PREFIX).filter(|_| asker.groups.contains(&GROUP));
    let Some(id) = id else { return Verdict::Leave };
    let fits = request::read(csr).and_then(|request| administrator(&request, &usages(csr)));
    if let Err(message) = fits {
        return Verdict::Deny { reason: "SignerValidationFailure", message };
    }
    let secret = view.get(&SECRETS, token::NAMESPACE, &token::secret_name(id));
    let secret = secret.filter(|secret| token::is_token(secret) && token::expiry(secret, now) != Expiry::Passed);
    let Some(secret) = secret else {
        let message = format!("the bootstrap token {id} has expired or was deleted");
        return Verdict::Deny { reason: "TokenExpired", message };
    };
    match claimant(&secret) {
        None => Verdict::Approve(Some(claimed(&secret, uid(csr), now))),
        Some(by) if by == uid(csr) => Verdict::Approve(None),
        Some(_) => Verdict::Deny { reason: "TokenUsed", message: used(id) },
    }
}

/// The Secret with the mark of the request that it is used for, and with the time at which it goes.
fn claimed(secret: &Value, by: &str, now: Instant) -> Value {
    let mut secret = secret.clone();
    let goes = Instant { seconds: now.seconds.saturating_add_unsigned(GRACE), micros: 0 };
    let sooner = match token::expiry(&secret, now) {
        Expiry::After(left) => left.as_secs() > GRACE,
        Expiry::Never | Expiry::Passed => true,
    };
    if let Some(members) = secret.as_object_mut() {
        members.object_mut("metadata").object_mut("annotations").insert(CLAIMED_BY.into(), Value::text(by));
        if sooner {
            let time = base64::encode(goes.print(Precision::Seconds).as_bytes());
            members.object_mut("data").insert("expiration".into(), Value::text(time));
        }
    }
    secret
}

#[cfg(test)]
mod tests;
