use coracle_apimachinery::json;
use coracle_apimachinery::time::Instant;
use coracle_client::Operation;
use coracle_client::memory::Objects;

use super::*;
use crate::controller::Action;

const ACTIVE: &str = r#"{"metadata":{"name":"a"},"status":{"phase":"Active"}}"#;
const WANTED: &str = r#"{"apiVersion":"v1","data":{"ca.crt":"PEM"},"kind":"ConfigMap","metadata":{"annotations":{"kubernetes.io/description":"Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."},"name":"kube-root-ca.crt","namespace":"a"}}"#;

/// The word for what is written, and the tree.
fn written(namespace: &str, maps: &[&str]) -> Option<(&'static str, String)> {
    let objects = maps.iter().fold(Objects::new(), |objects, map| objects.with_json(&CONFIG_MAPS, map));
    let view = objects.with_json(&NAMESPACES, namespace).view();
    let round = Round { now: Instant { seconds: 0, micros: 0 }, failure: None };
    let plan = RootCa::new("PEM").plan(&view, &Key::new("", "a"), &round);
    let text = |tree: &Value| String::from_utf8(json::encode_any(tree)).unwrap();
    match plan.actions.as_slice() {
        [] => None,
        [Action::Do(step)] => match &step.write.operation {
            Operation::Create(tree) => Some(("create", text(tree))),
            Operation::Update(tree) => Some(("update", text(tree))),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_authority_is_published_and_restored() {
    let described = WANTED.replace("Contains a CA", "Holds a CA");
    let changed = WANTED.replace(r#""PEM""#, r#""other""#);
    let more = WANTED.replace(r#""PEM""#, r#""PEM","x":"y""#);
    let bare = r#"{"apiVersion":"v1","data":{"ca.crt":"PEM"},"kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","namespace":"a"}}"#;
    let elsewhere = WANTED.replace(r#""namespace":"a""#, r#""namespace":"b""#);
    let create = Some(("create", WANTED.to_owned()));
    let update = Some(("update", WANTED.to_owned()));
    let table = [
        ("absent", vec![], create.clone()),
        ("in another namespace", vec![elsewhere.as_str()], create),
        ("as it should be", vec![WANTED], None),
        ("described otherwise", vec![described.as_str()], None),
        ("changed", vec![changed.as_str()], update.clone()),
        ("more in it", vec![more.as_str()], update.clone()),
        ("without description", vec![bare], update),
    ];
    for (name, maps, wanted) in table {
        assert_eq!(written(ACTIVE, &maps), wanted, "{name}");
    }
}

#[test]
fn a_namespace_that_ends_is_left_alone() {
    assert_eq!(written(r#"{"metadata":{"name":"a"},"status":{"phase":"Terminating"}}"#, &[]), None);
    assert_eq!(written(r#"{"metadata":{"name":"b"},"status":{"phase":"Active"}}"#, &[]), None);
}
