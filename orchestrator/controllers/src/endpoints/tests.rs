use coracle_apimachinery::json;
use coracle_apimachinery::time::Instant;
use coracle_client::Operation;
use coracle_client::memory::Objects;

use super::*;
use crate::controller::Action;

const GOOD: &str = r#"{"apiVersion":"v1","kind":"Endpoints","metadata":{"labels":{"endpointslice.kubernetes.io/skip-mirror":"true"},"name":"kubernetes","namespace":"default"},"subsets":[{"addresses":[{"ip":"192.0.2.1"}],"ports":[{"name":"https","port":6443,"protocol":"TCP"}]}]}"#;
const SLICE: &str = r#"{"addressType":"IPv4","apiVersion":"discovery.k8s.io/v1","endpoints":[{"addresses":["192.0.2.1"],"conditions":{"ready":true}}],"kind":"EndpointSlice","metadata":{"labels":{"kubernetes.io/service-name":"kubernetes"},"name":"kubernetes","namespace":"default"},"ports":[{"name":"https","port":6443,"protocol":"TCP"}]}"#;

/// What is written: verb, resource and tree.
fn written(address: &str, endpoints: &str, slice: &str) -> Vec<(&'static str, String, String)> {
    let namespace = r#"{"metadata":{"name":"default"},"status":{"phase":"Active"}}"#;
    let mut objects = Objects::new().with_json(&NAMESPACES, namespace);
    if !endpoints.is_empty() {
        objects = objects.with_json(&ENDPOINTS, endpoints);
    }
    if !slice.is_empty() {
        objects = objects.with_json(&ENDPOINT_SLICES, slice);
    }
    let controller = KubernetesEndpoints::new(address.parse().unwrap(), 6443);
    let round = Round { now: Instant { seconds: 0, micros: 0 }, failure: None };
    let plan = controller.plan(&objects.view(), &Key::new(NAMESPACE, NAME), &round);
    let text = |tree: &Value| String::from_utf8(json::encode_any(tree)).unwrap();
    let write = |action: &Action| {
        let Action::Do(step) = action else { panic!("{action:?}") };
        let (verb, tree) = match &step.write.operation {
            Operation::Create(tree) => ("create", text(tree)),
            Operation::Update(tree) => ("update", text(tree)),
            Operation::Delete { .. } => ("delete", String::new()),
            other @ Operation::Patch(..) => panic!("{other:?}"),
        };
        (verb, step.write.resource.plural.to_string(), tree)
    };
    plan.actions.iter().map(write).collect()
}

fn update(resource: &str, tree: &str) -> Vec<(&'static str, String, String)> {
    vec![("update", resource.to_owned(), tree.to_owned())]
}

#[test]
fn both_objects_are_made() {
    let create = |resource: &str, tree: &str| ("create", resource.to_owned(), tree.to_owned());
    let both = [create("endpoints", GOOD), create("endpointslices", SLICE)];
    assert_eq!(written("192.0.2.1", "", ""), both);
    assert_eq!(written("192.0.2.1", GOOD, SLICE), []);
    assert_eq!(written("192.0.2.1", GOOD, ""), both[1..]);
    assert_eq!(written("192.0.2.1", "", SLICE), both[..1]);
}

#[test]
fn both_objects_are_restored() {
    let named = GOOD.replace(r#"{"ip""#, r#"{"hostname":"x","ip""#);
    assert_eq!(written("192.0.2.1", &named, SLICE), [], "a name beside the address");
    for (old, new) in [
        ("192.0.2.1", "192.0.2.9"),
        ("6443", "443"),
        (r#""protocol":"TCP""#, r#""protocol":"UDP""#),
        (r#"{"ip":"192.0.2.1"}"#, r#"{"ip":"192.0.2.1"},{"ip":"192.0.2.2"}"#),
        (r#""endpointslice.kubernetes.io/skip-mirror":"true""#, r#""endpointslice.kubernetes.io/skip-mirror":"no""#),
        (r#"{"addresses":[{"ip":"192.0.2.1"}],"ports":[{"name":"https","port":6443,"protocol":"TCP"}]}"#, ""),
    ] {
        let changed = GOOD.replace(old, new);
        assert_ne!(changed, GOOD);
        assert_eq!(written("192.0.2.1", &changed, SLICE), update("endpoints", GOOD), "{old} {new}");
    }
    for (old, new) in [
        ("192.0.2.1", "192.0.2.9"),
        ("6443", "443"),
        (r#"{"ready":true}"#, r#"{"ready":false}"#),
        (r#""kubernetes.io/service-name":"kubernetes""#, r#""kubernetes.io/service-name":"kubernetes","x":"y""#),
        (r#""labels":{"kubernetes.io/service-name":"kubernetes"},"#, ""),
    ] {
        let changed = SLICE.replace(old, new);
        assert_ne!(changed, SLICE);
        assert_eq!(written("192.0.2.1", GOOD, &changed), update("endpointslices", SLICE), "{old} {new}");
    }
    let annotated = SLICE.replace(r#""metadata":{"#, r#""metadata":{"annotations":{"x":"y"},"#);
    assert_eq!(written("192.0.2.1", GOOD, &annotated), [], "annotations are nobody's concern");
}

#[test]
fn a_slice_of_the_other_family_makes_way() {
    let (good, slice) = (GOOD.replace("192.0.2.1", "2001:db8::1"), SLICE.replace("192.0.2.1", "2001:db8::1"));
    let slice = slice.replace("IPv4", "IPv6");
    let wanted = [
        ("update", "endpoints".to_owned(), good),
        ("delete", "endpointslices".to_owned(), String::new()),
        ("create", "endpointslices".to_owned(), slice),
    ];
    assert_eq!(written("2001:db8::1", GOOD, SLICE), wanted);
}
