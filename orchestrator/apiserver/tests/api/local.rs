//! What components in this process see of the API.

use std::sync::Arc;

use coracle_apimachinery::{Value, json};
use coracle_apiserver::LocalClient;
use coracle_auth::Identity;
use coracle_client::resources::{CONFIG_MAPS, NODES, PODS, SERVICE_ACCOUNTS};
use coracle_client::{Changes, Client, Interest, PatchKind, Write, object};

use crate::common::Cluster;

fn client(cluster: &Cluster) -> LocalClient {
    LocalClient::new(cluster.api.clone(), Identity::apiserver())
}

fn tree(json: &str) -> Value {
    json::decode_any(json.as_bytes()).unwrap()
}

fn config_map(name: &str) -> Value {
    tree(&format!(r#"{{"metadata":{{"namespace":"default","name":"{name}"}},"data":{{"a":"1"}}}}"#))
}

/// `+name`, `~name` or `-name` of the next batch.
async fn told(changes: &mut Box<dyn Changes>) -> Vec<String> {
    let batch = changes.next().await.unwrap();
    let sign = |old: bool, new: bool| match (old, new) {
        (false, _) => '+',
        (true, true) => '~',
        (true, false) => '-',
    };
    batch
        .changes
        .iter()
        .map(|change| format!("{}{}", sign(change.old.is_some(), change.new.is_some()), change.name()))
        .collect()
}

#[tokio::test]
async fn writes_are_seen_and_followed() {
    let cluster = Cluster::start().await;
    let client = client(&cluster);
    client.write(Write::create(&CONFIG_MAPS, config_map("a"))).await.unwrap();
    let mut changes = client.subscribe(Interest::Only(&[&CONFIG_MAPS]));
    assert!(told(&mut changes).await.contains(&"+a".to_owned()));

    let made = client.write(Write::create(&CONFIG_MAPS, config_map("b"))).await.unwrap();
    assert_eq!(client.view().get(&CONFIG_MAPS, "default", "b").as_deref(), Some(&*made));
    assert_eq!(told(&mut changes).await, ["+b"]);

    let patch = tree(r#"{"data":{"b":"2"}}"#);
    let patched = client.write(Write::patch(&CONFIG_MAPS, &made, PatchKind::Merge, patch)).await.unwrap();
    assert_eq!((patched.text_at(&["data", "a"]), patched.text_at(&["data", "b"])), ("1", "2"));
    // The tree of before the patch is out of date.
    let refused = client.write(Write::update(&CONFIG_MAPS, Value::clone(&made))).await.unwrap_err();
    assert_eq!(refused.reason, "Conflict");
    client.write(Write::delete(&CONFIG_MAPS, &made)).await.unwrap();
    assert_eq!(told(&mut changes).await, ["~b", "-b"]);
    assert!(client.view().get(&CONFIG_MAPS, "default", "b").is_none());
}

#[tokio::test]
async fn run_time_kinds_are_followed_with_everything() {
    let cluster = Cluster::start().await;
    let client = client(&cluster);
    let mut changes = client.subscribe(Interest::Everything);
    let first = told(&mut changes).await;
    assert!(first.contains(&"+default".to_owned()), "{first:?}");
    let definition = r#"{"metadata":{"name":"gadgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
        "names":{"plural":"gadgets","singular":"gadget","kind":"Gadget","listKind":"GadgetList"},
        "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}"#;
    static DEFINITIONS: coracle_client::Resource = coracle_client::Resource::clustered(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
    );
    client.write(Write::create(&DEFINITIONS, tree(definition))).await.unwrap();
    while client.view().resources().iter().all(|resource| resource.plural != "gadgets") {
        told(&mut changes).await;
    }
    static GADGETS: coracle_client::Resource =
        coracle_client::Resource::namespaced("example.com", "v1", "gadgets", "Gadget");
    let gadget =
        tree(r#"{"apiVersion":"example.com/v1","kind":"Gadget","metadata":{"namespace":"default","name":"g"}}"#);
    client.write(Write::create(&GADGETS, gadget)).await.unwrap();
    while !told(&mut changes).await.contains(&"+g".to_owned()) {}
}

#[tokio::test]
async fn owners_and_nodes_find_objects() {
    let cluster = Cluster::start().await;
    let client = client(&cluster);
    let account = tree(r#"{"metadata":{"namespace":"default","name":"default"}}"#);
    client.write(Write::create(&SERVICE_ACCOUNTS, account)).await.unwrap();
    client.write(Write::create(&NODES, tree(r#"{"metadata":{"name":"n"}}"#))).await.unwrap();
    let owner = client.write(Write::create(&CONFIG_MAPS, config_map("owner"))).await.unwrap();
    let mut pod = tree(
        r#"{"metadata":{"namespace":"default","name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}"#,
    );
    let reference = Value::List(vec![object::controlled_by(&CONFIG_MAPS, &owner)]);
    pod.as_object_mut().unwrap().object_mut("metadata").insert("ownerReferences".into(), reference);
    client.write(Write::create(&PODS, pod)).await.unwrap();
    let view = client.view();
    let names =
        |objects: Vec<Arc<Value>>| objects.iter().map(|found| object::name(found).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(view.owned_by(&PODS, object::uid(&owner))), ["p"]);
    assert_eq!(names(view.pods_on("n")), ["p"]);
    assert!(names(view.pods_on("other")).is_empty());
    assert!(view.age(&PODS, "default", "p").is_some());
}

#[tokio::test]
async fn writes_need_the_rights_of_the_component() {
    let cluster = Cluster::start().await;
    let client = LocalClient::new(cluster.api.clone(), Identity::controller("replicaset-controller"));
    let refused = client.write(Write::create(&CONFIG_MAPS, config_map("a"))).await.unwrap_err();
    assert_eq!(refused.code, 403, "{}", refused.message);
}
