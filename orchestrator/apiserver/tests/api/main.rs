//! The verbs over a real store, as callers in this process use them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod first_contact;
mod local;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::selector::label;
use coracle_apiserver::api::request::{Body, Content, Media, Options, Request, Verb};
use coracle_apiserver::api::watch::Event;

use common::{Cluster, tree};

fn request(verb: Verb, resource: &str, name: &str, body: &str) -> Request {
    let media = if verb == Verb::Patch { Media::MergePatch } else { Media::Json };
    let body = if body.is_empty() { Body::None } else { Body::Bytes(media, body.to_owned().into()) };
    Request {
        verb,
        group: String::new(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        subresource: String::new(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        options: Options::default(),
        body,
    }
}

fn config_map(name: &str, colour: &str) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","labels":{{"colour":"{colour}"}}}},"data":{{"a":"1"}}}}"#)
}

#[tokio::test]
async fn every_request_leaves_exactly_one_record() {
    let cluster = Cluster::start().await;
    for (who, request, code) in [
        ("admin", request(Verb::Create, "configmaps", "", &config_map("c", "red")), 201),
        ("admin", request(Verb::Create, "configmaps", "", &config_map("c", "red")), 409),
        ("admin", request(Verb::Get, "configmaps", "none", ""), 404),
        ("nobody", request(Verb::Get, "configmaps", "c", ""), 403),
        ("admin", request(Verb::Get, "gadgets", "c", ""), 404),
        ("admin", request(Verb::Create, "configmaps", "", "{"), 400),
        ("admin", request(Verb::Delete, "configmaps", "c", ""), 200),
    ] {
        let answered = cluster.ask(who, request).await.map_or_else(|status| status.code, |answer| answer.code);
        assert_eq!(answered, code);
        let records = std::mem::take(&mut *cluster.audit.0.lock().unwrap());
        assert_eq!(records.iter().map(|record| (record.user.as_str(), record.code)).collect::<Vec<_>>(), [(who, code)]);
    }
}

#[tokio::test]
async fn the_api_has_a_service_of_its_own() {
    let cluster = Cluster::start().await;
    let service = cluster.object(request(Verb::Get, "services", "kubernetes", "")).await;
    let port = &service.at(&["spec", "ports"]).unwrap().items()[0];
    assert_eq!(service.text_at(&["spec", "clusterIP"]), "10.43.0.1");
    assert_eq!(port.at(&["targetPort"]).and_then(Value::as_int), Some(6443));
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_revision() {
    let cluster = Cluster::start().await;
    let made = cluster.object(request(Verb::Create, "configmaps", "", &config_map("c", "red"))).await;
    let before = cluster.api.store().revision();
    let same = cluster.object(request(Verb::Patch, "configmaps", "c", r#"{"data":{"a":"1"}}"#)).await;
    assert_eq!(same, made);
    let same = cluster.object(request(Verb::Update, "configmaps", "c", &config_map("c", "red"))).await;
    assert_eq!(same, made);
    assert_eq!(cluster.api.store().revision(), before);
    let changed = cluster.object(request(Verb::Patch, "configmaps", "c", r#"{"data":{"a":null}}"#)).await;
    assert_ne!(changed.text_at(&["metadata", "resourceVersion"]), made.text_at(&["metadata", "resourceVersion"]));
    assert!(changed.at(&["data"]).is_none());
}

#[tokio::test]
async fn a_selecting_watch_sees_objects_come_and_go() {
    let cluster = Cluster::start().await;
    let mut watch = request(Verb::Watch, "configmaps", "", "");
    watch.options.labels = label::Selector::parse("colour=red").unwrap();
    watch.options.resource_version = cluster.api.store().revision().to_string();
    let Content::Watch(_, mut events) = cluster.ask("admin", watch).await.unwrap().content else { panic!("no watch") };
    for name in ["a", "b"] {
        let colour = if name == "a" { "red" } else { "blue" };
        cluster.object(request(Verb::Create, "configmaps", "", &config_map(name, colour))).await;
    }
    for (name, colour) in [("a", "blue"), ("b", "red")] {
        let patch = format!(r#"{{"metadata":{{"labels":{{"colour":"{colour}"}}}}}}"#);
        cluster.object(request(Verb::Patch, "configmaps", name, &patch)).await;
    }
    cluster.ask("admin", request(Verb::Delete, "configmaps", "b", "")).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (word, object) = match events.next().await.unwrap() {
            Event::Added(object) => ("ADDED", object),
            Event::Modified(object) => ("MODIFIED", object),
            Event::Deleted(object) => ("DELETED", object),
            other => panic!("{other:?}"),
        };
        seen.push(format!("{word} {}", tree(&object).text_at(&["metadata", "name"])));
    }
    assert_eq!(seen, ["ADDED a", "DELETED a", "ADDED b", "DELETED b"]);
}

#[tokio::test]
async fn writers_that_meet_lose_nothing() {
    let cluster = Arc::new(Cluster::start().await);
    cluster.object(request(Verb::Create, "configmaps", "", &config_map("c", "red"))).await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let cluster = Arc::clone(&cluster);
        writers.spawn(async move {
            let patch = format!(r#"{{"data":{{"k{number}":"v"}}}}"#);
            cluster.object(request(Verb::Patch, "configmaps", "c", &patch)).await;
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let end = cluster.object(request(Verb::Get, "configmaps", "c", "")).await;
    assert_eq!(end.at(&["data"]).unwrap().as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn services_never_share_an_address() {
    let cluster = Arc::new(Cluster::start().await);
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let cluster = Arc::clone(&cluster);
        writers.spawn(async move {
            let body = format!(
                r#"{{"metadata":{{"name":"s{number}"}},"spec":{{"type":"NodePort","ports":[{{"port":80,"protocol":"TCP","targetPort":80}}]}}}}"#
            );
            let service = cluster.object(request(Verb::Create, "services", "", &body)).await;
            let port = service.at(&["spec", "ports"]).unwrap().items()[0].at(&["nodePort"]).unwrap().as_int().unwrap();
            (service.text_at(&["spec", "clusterIP"]).to_owned(), port)
        });
    }
    let mut taken = std::collections::BTreeSet::new();
    while let Some(done) = writers.join_next().await {
        let (address, port) = done.unwrap();
        assert!(address.starts_with("10.43.") && (30_000..=32_767).contains(&port));
        assert!(taken.insert(address) && taken.insert(port.to_string()));
    }
    assert_eq!(taken.len(), 16);
}

#[tokio::test]
async fn a_namespace_that_ends_takes_nothing_new() {
    let cluster = Cluster::start().await;
    let body = r#"{"metadata":{"name":"n"},"spec":{"finalizers":["kubernetes"]}}"#;
    cluster.object(request(Verb::Create, "namespaces", "", body)).await;
    cluster.object(request(Verb::Delete, "namespaces", "n", "")).await;
    let mut create = request(Verb::Create, "configmaps", "", &config_map("c", "red"));
    create.namespace = "n".to_owned();
    let refused = cluster.ask("admin", create).await.unwrap_err();
    assert_eq!((refused.code, &*refused.details.unwrap().causes[0].reason), (403, "NamespaceTerminating"));
    for name in ["default", "kube-system", "kube-public"] {
        assert_eq!(cluster.ask("admin", request(Verb::Delete, "namespaces", name, "")).await.unwrap_err().code, 403);
    }
}
