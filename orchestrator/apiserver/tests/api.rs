//! The verbs over a real store, as callers in this process use them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::{Arc, Mutex};

use coracle_apimachinery::selector::label;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};
use coracle_apiserver::allocate::Networks;
use coracle_apiserver::api::Api;
use coracle_apiserver::api::request::{Answer, Body, Content, Context, Media, Options, Request, Verb};
use coracle_apiserver::api::watch::Event;
use coracle_apiserver::audit::{Audit, Record};
use coracle_apiserver::tokens::Tokens;
use coracle_apiserver::{Object, StoredObjects, bootstrap};
use coracle_auth::pki::Authorities;
use coracle_auth::token::{self, ISSUER};
use coracle_auth::{Authenticator, Identity};
use coracle_store::{LocalStore, Store};

/// Keeps the records of all requests.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Record>>);

impl Audit for Kept {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

struct Cluster {
    api: Api,
    audit: Arc<Kept>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("db");
        std::fs::create_dir(&place).unwrap();
        let store: Arc<dyn Store> = Arc::new(LocalStore::open(&place, coracle_store::Options::default()).unwrap());
        let authorities = Authorities::open(directory.path()).unwrap();
        let issuer = || token::Tokens::new(Arc::clone(&authorities.service_keys), ISSUER, &[ISSUER]);
        let objects = Arc::new(StoredObjects::new(Arc::clone(&store)));
        let authenticator = Authenticator::new(&authorities, issuer(), objects).unwrap();
        let audit = Arc::new(Kept::default());
        let tokens = Arc::new(Tokens::new(authenticator, issuer()));
        let networks = Networks::parse("10.43.0.0/16").unwrap();
        let api = Api::new(store, Arc::clone(&audit) as Arc<dyn Audit>, networks, tokens);
        bootstrap::ensure(&api, 6443).await.unwrap();
        audit.0.lock().unwrap().clear();
        Self { api, audit, _directory: directory }
    }

    async fn ask(&self, who: &str, request: Request) -> Result<Answer, Status> {
        let mut identity = Identity::component(who);
        if who == "admin" {
            identity.groups.push("system:masters".to_owned());
        }
        self.api.execute(&Context::new(Arc::new(identity)), request).await
    }

    /// The tree of the object that an administrator's request answers with.
    async fn object(&self, request: Request) -> Value {
        match self.ask("admin", request).await.unwrap().content {
            Content::Object(_, object) => tree(&object),
            other => panic!("{other:?} is no object"),
        }
    }
}

fn tree(object: &Object) -> Value {
    json::decode_any(&object.json()).unwrap()
}

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
