//! Issues the certificates of approved requests.

use std::fmt;
use std::sync::Arc;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, base64};
use coracle_client::object::{int, items};
use coracle_client::resources::CERTIFICATE_SIGNING_REQUESTS as REQUESTS;
use coracle_client::{View, Write};
use tracing::warn;

use super::request::{self, Request};
use super::rules::{Authority, SIGNERS};
use super::{NAME, has, is_issued, usages, with_condition};
use crate::controller::{Controller, Key, Plan, Round, Watches, itself};

/// Lifetime of a certificate unless the request asks for a shorter one: a year, upstream's default.
const LIFETIME: i64 = 365 * 86_400;
/// No request gets less.
const SHORTEST: i64 = 600;
/// Clocks of others may be behind by this.
const BACKDATE: i64 = 300;
/// Certificates that live shorter than this do not end earlier for having begun earlier.
const SHORT: i64 = 8 * 3600;

/// An authority that signs requests. Times are seconds since the epoch.
pub trait Sign: Send + Sync + fmt::Debug {
    /// When the authority's own certificate ends.
    fn not_after(&self) -> i64;

    /// Issues the certificate, as PEM, for a request in DER: with its key, its subject, and its alternative names, for
    /// these usages (the API's names of them) and nothing else.
    ///
    /// # Errors
    /// The request is not signed by the key that it holds, or cannot be put into a certificate.
    fn sign(&self, request: &[u8], usages: &[&str], not_before: i64, not_after: i64) -> Result<String, String>;
}

/// The authorities of the built-in signers.
#[derive(Debug, Clone)]
pub struct Signers {
    /// For clients of the API.
    pub client: Arc<dyn Sign>,
    /// For servers, and for requests of the legacy signer.
    pub serving: Arc<dyn Sign>,
}

/// Issues certificates for approved requests to the signers of `kubernetes.io` and to that of first contact.
#[derive(Debug, Clone)]
pub struct CertificateSigner {
    signers: Signers,
}

impl CertificateSigner {
    /// Signs with these authorities.
    #[must_use]
    pub fn new(signers: Signers) -> Self {
        Self { signers }
    }

    fn authority(&self, of: Authority) -> &dyn Sign {
        match of {
            Authority::Client => &*self.signers.client,
            Authority::Serving => &*self.signers.serving,
        }
    }

    /// The request after signing or refusing, if either is due.
    fn handled(&self, csr: &Value, now: Instant) -> Result<Option<Value>, String> {
        if is_issued(csr) || !has(csr, "Approved") || has(csr, "Denied") || has_failed(csr) {
            return Ok(None);
        }
        let wanted = csr.text_at(&["spec", "signerName"]);
        let Some(signer) = SIGNERS.iter().find(|signer| signer.name == wanted) else { return Ok(None) };
        let request = request::read(csr)?;
        let usages = usages(csr);
        if let Err(why) = (signer.rule)(&request, &usages) {
            let time = now.print(Precision::Seconds);
            return Ok(Some(with_condition(csr, "Failed", "SignerValidationFailure", &why, &time)));
        }
        let asked = csr.at(&["spec", "expirationSeconds"]).map(|_| int(csr, &["spec", "expirationSeconds"], 0));
        let certificate = issue(self.authority(signer.authority), &request, &usages, lifetime(asked), now.seconds)?;
        let mut csr = csr.clone();
        if let Some(members) = csr.as_object_mut() {
            let text = base64::encode(certificate.as_bytes());
            members.object_mut("status").insert("certificate".into(), Value::text(text));
        }
        Ok(Some(csr))
    }
}

impl Controller for CertificateSigner {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&REQUESTS, itself)])
    }

    fn plan(&self, view: &View, key: &Key, round: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(csr) = view.get(&REQUESTS, "", &key.name) else { return plan };
        match self.handled(&csr, round.now) {
            Ok(Some(csr)) => plan.write(Write::status(&REQUESTS, csr)),
            Ok(None) => {}
            // Neither the request nor the authority can change, so there is nothing to try again.
            Err(error) => warn!(csr = key.name, error, "cannot sign a certificate"),
        }
        plan
    }
}

/// Whether a condition says that signing failed; without a status it is true.
fn has_failed(csr: &Value) -> bool {
    let conditions = items(csr, &["status", "conditions"]).iter();
    conditions
        .filter(|condition| condition.text_at(&["type"]) == "Failed")
        .any(|condition| matches!(condition.text_at(&["status"]), "" | "True"))
}

fn lifetime(asked: Option<i64>) -> i64 {
    asked.map_or(LIFETIME, |seconds| seconds.clamp(SHORTEST, LIFETIME))
}

fn issue(authority: &dyn Sign, request: &Request, usages: &[&str], lifetime: i64, now: i64) -> Result<String, String> {
    let end = authority.not_after();
    if now >= end {
        return Err(format!("refusing to sign a certificate that expired in the past: NotAfter={end}"));
    }
    let not_before = now.saturating_sub(BACKDATE);
    let begin = if lifetime < SHORT { now } else { not_before };
    authority.sign(&request.der, usages, not_before, begin.saturating_add(lifetime).min(end))
}
