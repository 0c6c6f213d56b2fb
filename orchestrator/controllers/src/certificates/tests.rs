use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{base64, json};
use coracle_client::memory::Objects;
use coracle_client::resources::CERTIFICATE_SIGNING_REQUESTS as REQUESTS;
use coracle_client::{Operation, Write};

use super::*;
use crate::controller::{Action, Controller, Key, Plan, Round};

const NOW: &str = "2026-06-01T12:00:00Z";
const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const SERVING: &str = "kubernetes.io/kubelet-serving";
const FIRST_CONTACT: &str = coracle_client::first_contact::SIGNER;
const LEGACY: &str = "kubernetes.io/legacy-unknown";

const NODE: &str = include_str!("fixtures/node.csr");
const TWO: &str = include_str!("fixtures/two.csr");
const ALICE: &str = include_str!("fixtures/alice.csr");
const ADMINISTRATOR: &str = include_str!("fixtures/administrator.csr");
const MASTERS: &str = include_str!("fixtures/masters.csr");
const UNNAMED: &str = include_str!("fixtures/unnamed.csr");
const SERVER: &str = include_str!("fixtures/serving.csr");
const ADDRESS: &str = include_str!("fixtures/address.csr");
const EMAIL: &str = include_str!("fixtures/email.csr");
const URI: &str = include_str!("fixtures/uri.csr");
const CERTIFICATE: &str = include_str!("fixtures/alice.crt");

const APPROVED: &str = r#"{"status":"True","type":"Approved"}"#;

/// A request as the API keeps it.
#[derive(Clone)]
struct Csr {
    signer: &'static str,
    pem: &'static str,
    usages: &'static str,
    user: &'static str,
    groups: &'static str,
    expiration: Option<i64>,
    conditions: &'static str,
    certificate: &'static str,
}

const CSR: Csr = Csr {
    signer: KUBELET,
    pem: NODE,
    usages: "client auth,digital signature",
    user: "system:bootstrap:abcdef",
    groups: "system:bootstrappers",
    expiration: None,
    conditions: "",
    certificate: "",
};

impl Csr {
    fn tree(&self) -> Value {
        let list = |text: &str| text.split(',').map(|item| format!("{item:?}")).collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"metadata":{{"creationTimestamp":"{NOW}","name":"c","uid":"u"}},"spec":{{{}"groups":[{}],"request":"{}","signerName":"{}","usages":[{}],"username":"{}"}},"status":{{"certificate":"{}","conditions":[{}]}}}}"#,
            self.expiration.map(|seconds| format!(r#""expirationSeconds":{seconds},"#)).unwrap_or_default(),
            list(self.groups),
            base64::encode(self.pem.as_bytes()),
            self.signer,
            list(self.usages),
            self.user,
            base64::encode(self.certificate.as_bytes()),
            self.conditions,
        );
        json::decode_any(text.as_bytes()).unwrap()
    }
}

fn plan(controller: &dyn Controller, csr: Value, now: Instant) -> Plan {
    let view = Objects::new().with(&REQUESTS, csr).view();
    controller.plan(&view, &Key::new("", "c"), &Round { now, failure: None })
}

fn now() -> Instant {
    Instant::parse(NOW, Precision::Seconds).unwrap()
}

fn write_of(plan: &Plan) -> Option<&Write> {
    match plan.actions.as_slice() {
        [] => None,
        [Action::Do(step)] => Some(&step.write),
        other => panic!("{other:?}"),
    }
}

/// The last condition of an update, and the subresource.
fn condition_of(plan: &Plan) -> Option<(&'static str, String)> {
    let write = write_of(plan)?;
    let Operation::Update(tree) = &write.operation else { panic!("{write:?}") };
    let last = items(tree, &["status", "conditions"]).last()?;
    Some((write.subresource, String::from_utf8(json::encode_any(last)).unwrap()))
}

#[test]
fn kubelets_are_approved() {
    const OWN: &str = "Auto approving self kubelet client certificate after SubjectAccessReview.";
    const NEW: &str = "Auto approving kubelet client certificate after SubjectAccessReview.";
    let node = Csr { user: "system:node:n1", groups: "system:nodes,system:authenticated", ..CSR };
    let table = [
        (CSR, Some(NEW)),
        (Csr { usages: "key encipherment,client auth,digital signature", ..CSR }, Some(NEW)),
        (node.clone(), Some(OWN)),
        (Csr { user: "system:node:n2", ..node }, None),
        (Csr { user: "root", groups: "system:masters", ..CSR }, Some(NEW)),
        (Csr { groups: "system:authenticated", ..CSR }, None),
        (Csr { signer: CLIENT, ..CSR }, None),
        (Csr { usages: "client auth", ..CSR }, None),
        (Csr { usages: "client auth,digital signature,server auth", ..CSR }, None),
        (Csr { pem: TWO, ..CSR }, None),
        (Csr { pem: ALICE, ..CSR }, None),
        (Csr { pem: SERVER, ..CSR }, None),
        (Csr { pem: CERTIFICATE, ..CSR }, None),
        (Csr { conditions: APPROVED, ..CSR }, None),
        (Csr { conditions: r#"{"status":"True","type":"Denied"}"#, ..CSR }, None),
        (Csr { certificate: CERTIFICATE, ..CSR }, None),
    ];
    for (at, (csr, message)) in table.into_iter().enumerate() {
        let plan = plan(&CertificateApprover::new(by_group), csr.tree(), now());
        let wanted = message.map(|message| {
            let text =
                format!(r#"{{"message":"{message}","reason":"AutoApproved","status":"True","type":"Approved"}}"#);
            ("approval", text)
        });
        assert_eq!(condition_of(&plan), wanted, "row {at}");
    }
}

/// Says what it is asked to sign.
#[derive(Debug)]
struct Told(&'static str, i64);

impl Sign for Told {
    fn not_after(&self) -> i64 {
        self.1
    }

    fn sign(&self, request: &[u8], usages: &[&str], not_before: i64, not_after: i64) -> Result<String, String> {
        assert_eq!(request.first(), Some(&0x30), "DER");
        let from = not_before - now().seconds;
        Ok(format!("{} {} {from} {}", self.0, usages.join(","), not_after - now().seconds))
    }
}

fn signer(end: i64) -> CertificateSigner {
    CertificateSigner::new(Signers { client: Arc::new(Told("client", end)), serving: Arc::new(Told("serving", end)) })
}

/// What was signed, as `Told` writes it, or the message of the failure.
fn outcome(csr: &Csr, end: i64) -> String {
    let plan = plan(&signer(end), csr.tree(), now());
    let Some(write) = write_of(&plan) else { return String::new() };
    assert_eq!(write.subresource, "status");
    let Operation::Update(tree) = &write.operation else { panic!("{write:?}") };
    let certificate = tree.text_at(&["status", "certificate"]);
    if !certificate.is_empty() {
        return String::from_utf8(base64::decode(certificate).unwrap()).unwrap();
    }
    let failed = items(tree, &["status", "conditions"]).last().unwrap();
    assert_eq!(failed.text_at(&["type"]), "Failed");
    assert_eq!(failed.text_at(&["status"]), "True");
    assert_eq!(failed.text_at(&["reason"]), "SignerValidationFailure");
    assert_eq!(failed.text_at(&["lastUpdateTime"]), NOW);
    failed.text_at(&["message"]).to_owned()
}

#[test]
fn each_signer_has_its_rules() {
    const ENCIPHER: &str = "client auth,digital signature,key encipherment";
    const SERVE: &str = "digital signature,server auth";
    const YEAR: i64 = 365 * 86_400 - 300;
    let table = [
        (KUBELET, NODE, "client auth,digital signature", format!("client client auth,digital signature -300 {YEAR}")),
        (KUBELET, NODE, ENCIPHER, format!("client {ENCIPHER} -300 {YEAR}")),
        (KUBELET, ALICE, ENCIPHER, "subject organization is not system:nodes".into()),
        (KUBELET, TWO, ENCIPHER, "subject organization is not system:nodes".into()),
        (KUBELET, SERVER, ENCIPHER, "DNS subjectAltNames are not allowed".into()),
        (KUBELET, ADDRESS, ENCIPHER, "IP subjectAltNames are not allowed".into()),
        (KUBELET, NODE, "client auth", "usages did not match [client auth digital signature key encipherment]".into()),
        (SERVING, SERVER, SERVE, format!("serving {SERVE} -300 {YEAR}")),
        (SERVING, ADDRESS, SERVE, format!("serving {SERVE} -300 {YEAR}")),
        (SERVING, NODE, SERVE, "DNS or IP subjectAltName is required".into()),
        (SERVING, EMAIL, SERVE, "Email subjectAltNames are not allowed".into()),
        (SERVING, URI, SERVE, "URI subjectAltNames are not allowed".into()),
        (SERVING, UNNAMED, SERVE, "subject common name does not begin with system:node:".into()),
        (SERVING, SERVER, ENCIPHER, "usages did not match [digital signature key encipherment server auth]".into()),
        (CLIENT, ALICE, "client auth", format!("client client auth -300 {YEAR}")),
        (CLIENT, TWO, ENCIPHER, format!("client {ENCIPHER} -300 {YEAR}")),
        (CLIENT, ALICE, "client auth,server auth", "invalid usage for client certificate: server auth".into()),
        (CLIENT, ALICE, "digital signature", "missing required usage for client certificate: client auth".into()),
        (LEGACY, ALICE, "code signing", format!("serving code signing -300 {YEAR}")),
        (
            FIRST_CONTACT,
            ADMINISTRATOR,
            "client auth,digital signature",
            format!("client client auth,digital signature -300 {YEAR}"),
        ),
        (FIRST_CONTACT, ALICE, "client auth", "subject organization is not system:masters".into()),
        (
            FIRST_CONTACT,
            MASTERS,
            "client auth",
            "subject common name does not begin with coracle-administrator-".into(),
        ),
        ("example.com/own", ALICE, "client auth", String::new()),
        ("kubernetes.io/other", ALICE, "client auth", String::new()),
        (CLIENT, CERTIFICATE, "client auth", String::new()),
    ];
    for (signer, pem, usages, wanted) in table {
        let csr = Csr { signer, pem, usages, conditions: APPROVED, ..CSR };
        assert_eq!(outcome(&csr, i64::MAX), wanted, "{signer} {usages}");
    }
}

#[test]
fn only_what_is_approved_is_signed() {
    let table = [
        ("", false),
        (APPROVED, true),
        (r#"{"status":"True","type":"Denied"}"#, false),
        (r#"{"status":"True","type":"Approved"},{"status":"True","type":"Denied"}"#, false),
        (r#"{"status":"True","type":"Approved"},{"status":"True","type":"Failed"}"#, false),
        (r#"{"status":"True","type":"Approved"},{"status":"False","type":"Failed"}"#, true),
    ];
    for (conditions, signed) in table {
        let csr = Csr { conditions, ..CSR };
        assert_eq!(!outcome(&csr, i64::MAX).is_empty(), signed, "{conditions}");
    }
    let issued = Csr { conditions: APPROVED, certificate: CERTIFICATE, ..CSR };
    assert_eq!(plan(&signer(i64::MAX), issued.tree(), now()), Plan::nothing());
}

#[test]
fn lifetimes_are_bounded() {
    const YEAR: i64 = 365 * 86_400;
    let table = [
        (None, i64::MAX, Some(YEAR - 300)),
        (Some(2 * YEAR), i64::MAX, Some(YEAR - 300)),
        (Some(8 * 3600), i64::MAX, Some(8 * 3600 - 300)),
        (Some(8 * 3600 - 1), i64::MAX, Some(8 * 3600 - 1)),
        (Some(3600), i64::MAX, Some(3600)),
        (Some(600), i64::MAX, Some(600)),
        (Some(1), i64::MAX, Some(600)),
        (Some(3600), 1800, Some(1800)),
        (Some(3600), 1, Some(1)),
        (Some(3600), 0, None),
        (Some(3600), -1, None),
    ];
    for (expiration, end, until) in table {
        let csr = Csr { conditions: APPROVED, expiration, ..CSR };
        let wanted =
            until.map(|until| format!("client client auth,digital signature -300 {until}")).unwrap_or_default();
        assert_eq!(outcome(&csr, now().seconds.saturating_add(end)), wanted, "{expiration:?} {end}");
    }
}

#[test]
fn requests_go_when_nobody_needs_them() {
    /// Validity of the fixture ends here: 2026-11-26T08:35:42Z.
    const END: i64 = 1_795_682_142;
    let at = |text: &str| Instant::parse(text, Precision::Seconds).unwrap().seconds;
    let condition = |of: &str, time: &str| format!(r#"{{"lastUpdateTime":"{time}","status":"True","type":"{of}"}}"#);
    let table = [
        ("", String::new(), Some(at(NOW) + 86_400)),
        ("", condition("Denied", "2026-06-01T13:00:00Z"), Some(at("2026-06-01T14:00:00Z"))),
        ("", condition("Failed", "2026-06-01T13:00:00Z"), Some(at("2026-06-01T14:00:00Z"))),
        ("", condition("Approved", "2026-06-01T13:00:00Z"), Some(at("2026-06-02T13:00:00Z"))),
        ("x", condition("Approved", "2026-06-01T13:00:00Z"), Some(at("2026-06-01T14:00:00Z"))),
        (CERTIFICATE, condition("Approved", "2026-11-26T08:00:00Z"), Some(END + 1)),
        (CERTIFICATE, condition("Approved", "2026-11-26T07:00:00Z"), Some(at("2026-11-26T08:00:00Z"))),
        ("", condition("Other", NOW), None),
        ("", r#"{"type":"Denied"}"#.to_owned(), None),
    ];
    for (certificate, conditions, end) in table {
        let conditions: &'static str = conditions.leak();
        let csr = Csr { certificate, conditions, ..CSR }.tree();
        let Some(end) = end else {
            assert_eq!(plan(&CertificateCleaner, csr, now()), Plan::nothing(), "{conditions}");
            continue;
        };
        let before = plan(&CertificateCleaner, csr.clone(), Instant { seconds: end - 7, micros: 500_000 });
        assert_eq!(before.again_after, Some(Duration::from_millis(6_500)), "{conditions}");
        assert_eq!(write_of(&before), None, "{conditions}");
        let then = plan(&CertificateCleaner, csr.clone(), Instant { seconds: end, micros: 0 });
        assert_eq!(then.again_after, None, "{conditions}");
        assert_eq!(write_of(&then), Some(&Write::delete(&REQUESTS, &csr)), "{conditions}");
    }
}
