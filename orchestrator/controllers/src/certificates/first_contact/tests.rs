use coracle_apimachinery::json;
use coracle_client::Operation;
use coracle_client::memory::Objects;
use coracle_client::object::items;

use super::*;
use crate::controller::Action;

const NOW: &str = "2026-06-01T12:00:00Z";
const HOUR: &str = "2026-06-01T13:00:00Z";
const GRACED: &str = "2026-06-01T12:10:00Z";

const ADMINISTRATOR: &str = include_str!("../fixtures/administrator.csr");
const TWO: &str = include_str!("../fixtures/administrator-two.csr");
const ALICE: &str = include_str!("../fixtures/alice.csr");
const MASTERS: &str = include_str!("../fixtures/masters.csr");

const USED: &str = "the bootstrap token abcdef was used: it is good for one certificate";
const GONE: &str = "the bootstrap token abcdef has expired or was deleted";
const WRONG_GROUP: &str = "subject organization is not system:masters";
const WRONG_NAME: &str = "subject common name does not begin with coracle-administrator-";
const WRONG_USAGES: &str = "usages did not match [client auth digital signature]";

/// A request and the token that it was made with.
#[derive(Clone)]
struct Case {
    pem: &'static str,
    signer: &'static str,
    usages: &'static str,
    user: &'static str,
    groups: &'static str,
    conditions: &'static str,
    /// End of the token; `None` when there is none, empty when it has no end.
    expiration: Option<&'static str>,
    claimed_by: &'static str,
    kind: &'static str,
}

const CASE: Case = Case {
    pem: ADMINISTRATOR,
    signer: SIGNER,
    usages: "client auth,digital signature",
    user: "system:bootstrap:abcdef",
    groups: "system:bootstrappers,system:bootstrappers:coracle:administrators,system:authenticated",
    conditions: "",
    expiration: Some(HOUR),
    claimed_by: "",
    kind: "bootstrap.kubernetes.io/token",
};

impl Case {
    fn csr(&self) -> String {
        let list = |text: &str| text.split(',').map(|item| format!("{item:?}")).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"metadata":{{"name":"c","uid":"mine"}},"spec":{{"groups":[{}],"request":"{}","signerName":"{}","usages":[{}],"username":"{}"}},"status":{{"conditions":[{}]}}}}"#,
            list(self.groups),
            base64::encode(self.pem.as_bytes()),
            self.signer,
            list(self.usages),
            self.user,
            self.conditions,
        )
    }

    fn secret(&self) -> Option<String> {
        let expiration = base64::encode(self.expiration?.as_bytes());
        let annotations = match self.claimed_by {
            "" => String::new(),
            uid => format!(r#""annotations":{{"{CLAIMED_BY}":"{uid}"}},"#),
        };
        Some(format!(
            r#"{{"data":{{"expiration":"{expiration}"}},"metadata":{{{annotations}"name":"bootstrap-token-abcdef","namespace":"kube-system","uid":"s"}},"type":"{}"}}"#,
            self.kind
        ))
    }

    fn plan(&self) -> Plan {
        let mut objects = Objects::new().with_json(&REQUESTS, &self.csr());
        if let Some(secret) = self.secret() {
            objects = objects.with_json(&SECRETS, &secret);
        }
        let now = Instant::parse(NOW, Precision::Seconds).unwrap();
        FirstContactApprover.plan(&objects.view(), &Key::new("", "c"), &Round { now, failure: None })
    }
}

/// What a plan writes, in order: `claim UID until TIME`, and `Approved` or `Denied` with reason and message.
fn told(plan: &Plan) -> Vec<String> {
    let mut told = Vec::new();
    for action in &plan.actions {
        let Action::Do(step) = action else { panic!("{action:?}") };
        let Operation::Update(tree) = &step.write.operation else { panic!("{step:?}") };
        assert!(step.fine.is_empty(), "a claim that fails must stop the plan");
        if step.write.resource.is(&SECRETS) {
            let until = base64::decode(tree.text_at(&["data", "expiration"])).unwrap();
            let until = String::from_utf8(until).unwrap();
            told.push(format!("claim {} until {until}", claimant(tree).unwrap()));
        } else {
            assert_eq!(step.write.subresource, "approval");
            let last = items(tree, &["status", "conditions"]).last().unwrap();
            let text = |name| last.text_at(&[name]).to_owned();
            told.push(match text("type").as_str() {
                "Approved" => "approve".to_owned(),
                other => format!("{other} {}: {}", text("reason"), text("message")),
            });
        }
    }
    told
}

#[test]
fn the_first_request_claims_the_token_and_all_others_are_denied() {
    let approved = |end: &str| vec![format!("claim mine until {end}"), "approve".to_owned()];
    let denied = |reason: &str, message: &str| vec![format!("Denied {reason}: {message}")];
    let invalid = |message: &str| denied("SignerValidationFailure", message);
    let table = [
        (CASE, approved(GRACED)),
        (Case { usages: "client auth", ..CASE }, approved(GRACED)),
        (Case { expiration: Some(""), ..CASE }, approved(GRACED)),
        // A token that ends sooner is not prolonged.
        (Case { expiration: Some("2026-06-01T12:00:07Z"), ..CASE }, approved("2026-06-01T12:00:07Z")),
        // A start was cut short between claim and approval.
        (Case { claimed_by: "mine", ..CASE }, vec!["approve".to_owned()]),
        (Case { claimed_by: "other", ..CASE }, denied("TokenUsed", USED)),
        (Case { expiration: Some(NOW), ..CASE }, denied("TokenExpired", GONE)),
        (Case { expiration: Some("soon"), ..CASE }, denied("TokenExpired", GONE)),
        (Case { expiration: None, ..CASE }, denied("TokenExpired", GONE)),
        (Case { kind: "Opaque", ..CASE }, denied("TokenExpired", GONE)),
        (Case { pem: TWO, ..CASE }, invalid(WRONG_GROUP)),
        (Case { pem: ALICE, ..CASE }, invalid(WRONG_GROUP)),
        (Case { pem: MASTERS, ..CASE }, invalid(WRONG_NAME)),
        (Case { usages: "client auth,server auth", ..CASE }, invalid(WRONG_USAGES)),
        (Case { usages: "digital signature", ..CASE }, invalid(WRONG_USAGES)),
        (Case { pem: "x", ..CASE }, invalid("PEM block type must be CERTIFICATE REQUEST")),
    ];
    for (at, (case, wanted)) in table.into_iter().enumerate() {
        assert_eq!(told(&case.plan()), wanted, "row {at}");
    }
}

#[test]
fn what_is_not_first_contact_is_left_alone() {
    for (at, case) in [
        Case { signer: "kubernetes.io/kube-apiserver-client", ..CASE },
        Case { groups: "system:bootstrappers,system:authenticated", ..CASE },
        Case { user: "alice", ..CASE },
        Case { user: "system:admin", groups: "system:masters", ..CASE },
        Case { conditions: r#"{"status":"True","type":"Approved"}"#, ..CASE },
        Case { conditions: r#"{"status":"True","type":"Denied"}"#, ..CASE },
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(case.plan(), Plan::nothing(), "row {at}");
    }
}

/// The Secret stays what it was but for the claim.
#[test]
fn a_claim_changes_nothing_else() {
    let plan = CASE.plan();
    let Some(Action::Do(step)) = plan.actions.first() else { panic!("{plan:?}") };
    let Operation::Update(tree) = &step.write.operation else { panic!("{step:?}") };
    let mut wanted = json::decode_any(Case { claimed_by: "mine", ..CASE }.secret().unwrap().as_bytes()).unwrap();
    let data = wanted.as_object_mut().unwrap().object_mut("data");
    data.insert("expiration".into(), Value::text(base64::encode(GRACED.as_bytes())));
    assert_eq!(*tree, wanted);
}
