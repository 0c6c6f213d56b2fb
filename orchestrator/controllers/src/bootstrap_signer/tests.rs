use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{base64, json};
use coracle_client::Operation;
use coracle_client::memory::Objects;
use coracle_client::resources::NAMESPACES;

use super::*;
use crate::controller::Action;

/// Names and texts.
type Data<'a> = &'a [(&'a str, &'a str)];

const NOW: &str = "2026-06-01T12:00:00Z";
const GOOD: [(&str, &str); 3] =
    [("token-id", "abcdef"), ("token-secret", "0123456789abcdef"), ("usage-bootstrap-signing", "true")];
/// Of upstream's `jws.ComputeDetachedSignature` for the kubeconfig of `info()` and the token of `GOOD`.
const SIGNATURE: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..n-AhRUkKWxdV_mQGG1h0QnD_8Wm0paifP3RTMyq9Edo";
const KUBECONFIG: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n    server: https://192.0.2.1:6443\n  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n";

fn info() -> ClusterInfo {
    let authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    ClusterInfo::new("https://192.0.2.1:6443", authority)
}

fn round() -> Round<'static> {
    Round { now: Instant::parse(NOW, Precision::Seconds).unwrap(), failure: None }
}

fn secret(name: &str, members: &[(&str, &str)], others: &[(&str, &str)]) -> String {
    let mut data: BTreeMap<&str, &str> = members.iter().copied().collect();
    data.extend(others.iter().copied());
    let data: Vec<_> =
        data.iter().map(|(key, text)| format!(r#""{key}":"{}""#, base64::encode(text.as_bytes()))).collect();
    format!(
        r#"{{"data":{{{}}},"metadata":{{"name":"{name}","namespace":"kube-system","uid":"u"}},"type":"bootstrap.kubernetes.io/token"}}"#,
        data.join(",")
    )
}

fn map(data: &[(&str, &str)]) -> Value {
    let data = data.iter().map(|(name, text)| ((*name).to_owned().into(), Value::text(*text))).collect();
    crate::compose::named(&CONFIG_MAPS, NAMESPACE, NAME, [("data", Value::Object(data))])
}

fn data_after(plan: &Plan) -> Option<BTreeMap<String, String>> {
    match plan.actions.as_slice() {
        [] => None,
        [Action::Do(step)] => match &step.write.operation {
            Operation::Update(tree) | Operation::Create(tree) => {
                let data = tree.at(&["data"]).unwrap().as_object().unwrap();
                Some(data.iter().map(|(name, text)| (name.to_owned(), text.as_str().unwrap().to_owned())).collect())
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn data(members: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(members.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn only_good_tokens_sign() {
    let name = "bootstrap-token-abcdef";
    let table: &[(&str, Data<'_>, bool, Option<u64>)] = &[
        (name, &[], true, None),
        (name, &[("expiration", "2026-06-01T12:00:30Z")], true, Some(30)),
        (name, &[("expiration", "2026-06-01T14:00:30+02:00")], true, Some(30)),
        (name, &[("expiration", NOW)], false, None),
        (name, &[("expiration", "tomorrow")], false, None),
        (name, &[("usage-bootstrap-signing", "false")], false, None),
        (name, &[("usage-bootstrap-signing", "True")], false, None),
        (name, &[("token-id", "abcdeg")], false, None),
        (name, &[("token-id", "")], false, None),
        (name, &[("token-secret", "")], false, None),
        ("bootstrap-token-abcdeF", &[("token-id", "abcdeF")], false, None),
        ("bootstrap-token-abcdefg", &[("token-id", "abcdefg")], false, None),
        ("token-abcdef", &[], false, None),
    ];
    for (name, others, signs, again) in table {
        let view = Objects::new()
            .with(&CONFIG_MAPS, map(&[("kubeconfig", KUBECONFIG)]))
            .with_json(&SECRETS, &secret(name, &GOOD, others))
            .view();
        let plan = BootstrapSigner.plan(&view, &Key::new(NAMESPACE, NAME), &round());
        let wanted = data(&[("jws-kubeconfig-abcdef", SIGNATURE), ("kubeconfig", KUBECONFIG)]).filter(|_| *signs);
        assert_eq!(data_after(&plan), wanted, "{name} {others:?}");
        assert_eq!(plan.again_after, again.map(Duration::from_secs), "{name} {others:?}");
    }
}

#[test]
fn signatures_follow_tokens_and_content() {
    let content = ("kubeconfig", KUBECONFIG);
    let signature = ("jws-kubeconfig-abcdef", SIGNATURE);
    let stale = ("jws-kubeconfig-000000", "x");
    let table: &[(Data<'_>, Option<Data<'_>>)] = &[
        (&[signature, content], None),
        (&[stale, signature, content, ("other", "y")], Some(&[signature, content, ("other", "y")])),
        (&[("jws-kubeconfig-abcdef", "x"), content], Some(&[signature, content])),
        (&[stale, ("other", "y")], None),
    ];
    for (before, after) in table {
        let objects = Objects::new().with(&CONFIG_MAPS, map(before));
        let view = objects.with_json(&SECRETS, &secret("bootstrap-token-abcdef", &GOOD, &[])).view();
        let plan = BootstrapSigner.plan(&view, &Key::new(NAMESPACE, NAME), &round());
        assert_eq!(data_after(&plan), after.and_then(data), "{before:?}");
    }
}

#[test]
fn other_secrets_do_not_sign() {
    let good = secret("bootstrap-token-abcdef", &GOOD, &[]);
    for text in [good.replace("kube-system", "default"), good.replace("bootstrap.kubernetes.io/token", "Opaque")] {
        let objects = Objects::new().with(&CONFIG_MAPS, map(&[("kubeconfig", KUBECONFIG)]));
        let plan = BootstrapSigner.plan(&objects.with_json(&SECRETS, &text).view(), &Key::default(), &round());
        assert_eq!(plan, Plan::nothing(), "{text}");
    }
}

#[test]
fn a_token_is_removed_when_it_expires() {
    let table: &[(Data<'_>, bool, Option<u64>)] = &[
        (&[], false, None),
        (&[("expiration", "2026-06-01T12:00:01Z")], false, Some(1)),
        (&[("expiration", NOW)], true, None),
        (&[("expiration", "2026-06-01T11:59:59Z")], true, None),
        (&[("expiration", "never")], true, None),
    ];
    for (others, deleted, again) in table {
        let view = Objects::new().with_json(&SECRETS, &secret("bootstrap-token-abcdef", &GOOD, others)).view();
        let plan = TokenCleaner.plan(&view, &Key::new("kube-system", "bootstrap-token-abcdef"), &round());
        let uid = |action: &Action| match action {
            Action::Do(step) => match &step.write.operation {
                Operation::Delete { uid, .. } => uid.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let uids: Vec<_> = plan.actions.iter().map(uid).collect();
        assert_eq!(uids, vec!["u"; usize::from(*deleted)], "{others:?}");
        assert_eq!(plan.again_after, again.map(Duration::from_secs), "{others:?}");
    }
    let opaque = secret("bootstrap-token-abcdef", &GOOD, &[("expiration", NOW)])
        .replace("bootstrap.kubernetes.io/token", "Opaque");
    let view = Objects::new().with_json(&SECRETS, &opaque).view();
    let plan = TokenCleaner.plan(&view, &Key::new("kube-system", "bootstrap-token-abcdef"), &round());
    assert_eq!(plan, Plan::nothing());
}

#[test]
fn cluster_info_is_made_and_kept() {
    let content = ("kubeconfig", KUBECONFIG);
    let signature = ("jws-kubeconfig-abcdef", "x");
    let table: &[(Option<Data<'_>>, Option<Data<'_>>)] = &[
        (None, Some(&[content])),
        (Some(&[content, signature]), None),
        (Some(&[("kubeconfig", "x"), signature]), Some(&[content, signature])),
        (Some(&[]), Some(&[content])),
    ];
    for (before, after) in table {
        let objects =
            Objects::new().with_json(&NAMESPACES, r#"{"metadata":{"name":"kube-public"},"status":{"phase":"Active"}}"#);
        let objects = match before {
            Some(before) => objects.with(&CONFIG_MAPS, map(before)),
            None => objects,
        };
        let plan = info().plan(&objects.view(), &Key::new(NAMESPACE, NAME), &round());
        assert_eq!(data_after(&plan), after.and_then(data), "{before:?}");
    }
    let nowhere = info().plan(&Objects::new().view(), &Key::new(NAMESPACE, NAME), &round());
    assert_eq!(nowhere, Plan::nothing());
}

#[test]
fn cluster_info_is_a_kubeconfig() {
    let tree = coracle_apimachinery::yaml::decode_any(KUBECONFIG.as_bytes()).unwrap();
    let text = r#"{"apiVersion":"v1","clusters":[{"cluster":{"certificate-authority-data":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=","server":"https://192.0.2.1:6443"},"name":""}],"contexts":null,"current-context":"","kind":"Config","users":null}"#;
    assert_eq!(String::from_utf8(json::encode_any(&tree)).unwrap(), text);
}
