//! The token of the first administrator, and what may be asked with it.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, base64, json};
use coracle_apiserver::LocalClient;
use coracle_apiserver::api::request::{Answer, Body, Context, Media, Options, Request, Verb};
use coracle_apiserver::first_contact::{Issued, ensure_token};
use coracle_auth::Identity;
use coracle_client::first_contact::{CLAIMED_BY, GROUP, SIGNER};
use coracle_client::resources::{CONFIG_MAPS, SECRETS};
use coracle_client::{Client as _, PatchKind, Write};

use crate::common::Cluster;

const TOKEN: &str = "abcdef.0123456789abcdef";
const OTHER: &str = "abcdef.fedcba9876543210";
const CSR: &str = include_str!("../../../controllers/src/certificates/fixtures/administrator.csr");

fn client(cluster: &Cluster) -> LocalClient {
    LocalClient::new(cluster.api.clone(), Identity::apiserver())
}

fn secret(cluster: &Cluster) -> Option<Arc<Value>> {
    client(cluster).view().get(&SECRETS, "kube-system", "bootstrap-token-abcdef")
}

fn member(secret: &Value, name: &str) -> String {
    String::from_utf8(base64::decode(secret.text_at(&["data", name])).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_issued_once() {
    let cluster = Cluster::start().await;
    let client = client(&cluster);
    assert_eq!(ensure_token(&cluster.api, TOKEN).await.unwrap(), Issued::Now);
    let made = secret(&cluster).unwrap();
    assert_eq!(made.text_at(&["type"]), "bootstrap.kubernetes.io/token");
    assert_eq!(member(&made, "auth-extra-groups"), GROUP);
    let end = Instant::parse(&member(&made, "expiration"), Precision::Seconds).unwrap().seconds;
    let now = Instant::parse(made.text_at(&["metadata", "creationTimestamp"]), Precision::Seconds).unwrap().seconds;
    assert!((3595..=3600).contains(&(end - now)), "{}", end - now);

    assert_eq!(ensure_token(&cluster.api, TOKEN).await.unwrap(), Issued::Before);
    assert_eq!(secret(&cluster).unwrap(), made);
    // Used or expired, it has gone: the next start with the same seed does not bring it back.
    client.write(Write::delete(&SECRETS, &made)).await.unwrap();
    assert_eq!(ensure_token(&cluster.api, TOKEN).await.unwrap(), Issued::Before);
    assert_eq!(secret(&cluster), None);

    // Another secret of the same id is another token, also while the first one is there.
    assert_eq!(ensure_token(&cluster.api, OTHER).await.unwrap(), Issued::Now);
    assert_eq!(member(&secret(&cluster).unwrap(), "token-secret"), "fedcba9876543210");
    assert_eq!(ensure_token(&cluster.api, "zzzzzz.0123456789abcdef").await.unwrap(), Issued::Now);
    let record = client.view().get(&CONFIG_MAPS, "kube-system", "coracle-first-contact").unwrap();
    assert_eq!(record.at(&["data"]).unwrap().as_object().unwrap().len(), 2);
    // The secret part itself is not recorded.
    assert!(!String::from_utf8(json::encode_any(&record)).unwrap().contains("fedcba9876543210"));
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_completed() {
    let cluster = Cluster::start().await;
    let client = client(&cluster);
    ensure_token(&cluster.api, TOKEN).await.unwrap();
    let made = secret(&cluster).unwrap();
    let record = client.view().get(&CONFIG_MAPS, "kube-system", "coracle-first-contact").unwrap();
    client.write(Write::delete(&CONFIG_MAPS, &record)).await.unwrap();
    // The Secret is kept as it is, so that a token in use does not become a new one.
    assert_eq!(ensure_token(&cluster.api, TOKEN).await.unwrap(), Issued::Now);
    assert_eq!(secret(&cluster).unwrap(), made);
    assert_eq!(ensure_token(&cluster.api, TOKEN).await.unwrap(), Issued::Before);
}

#[tokio::test]
async fn a_secret_of_another_token_is_replaced() {
    let cluster = Cluster::start().await;
    ensure_token(&cluster.api, TOKEN).await.unwrap();
    claim(&cluster).await;
    assert_eq!(ensure_token(&cluster.api, OTHER).await.unwrap(), Issued::Now);
    let made = secret(&cluster).unwrap();
    assert_eq!(member(&made, "token-secret"), "fedcba9876543210");
    assert_eq!(made.at(&["metadata", "annotations"]), None);
}

#[tokio::test]
async fn a_malformed_token_is_refused() {
    let cluster = Cluster::start().await;
    for token in ["", "abcdef", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcde", "abcdef.0123456789abcdef "] {
        let error = ensure_token(&cluster.api, token).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the bootstrap token must be written ID.SECRET: six and sixteen of the characters a-z and 0-9"
        );
    }
}

async fn claim(cluster: &Cluster) {
    let patch = format!(r#"{{"metadata":{{"annotations":{{"{CLAIMED_BY}":"u"}}}}}}"#);
    let patch = json::decode_any(patch.as_bytes()).unwrap();
    let write = Write::patch(&SECRETS, &secret(cluster).unwrap(), PatchKind::Merge, patch);
    client(cluster).write(write).await.unwrap();
}

async fn ask(cluster: &Cluster, name: &str, signer: &str, groups: &[&str]) -> Result<Answer, Status> {
    let body = format!(
        r#"{{"metadata":{{"name":"{name}"}},"spec":{{"request":"{}","signerName":"{signer}","usages":["client auth"]}}}}"#,
        base64::encode(CSR.as_bytes())
    );
    let request = Request {
        verb: Verb::Create,
        group: "certificates.k8s.io".to_owned(),
        version: "v1".to_owned(),
        resource: "certificatesigningrequests".to_owned(),
        subresource: String::new(),
        namespace: String::new(),
        name: String::new(),
        options: Options::default(),
        body: Body::Bytes(Media::Json, body.into()),
    };
    let identity = Identity::new("system:bootstrap:abcdef", groups);
    cluster.api.execute(&Context::new(Arc::new(identity)), request).await
}

#[tokio::test]
async fn a_token_asks_one_signer_until_it_was_used() {
    const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";
    let groups = ["system:bootstrappers", GROUP, "system:authenticated"];
    let cluster = Cluster::start().await;
    let refused = |answer: Result<Answer, Status>| {
        let status = answer.unwrap_err();
        assert_eq!(status.code, 403);
        status.message.to_string()
    };
    let gone = refused(ask(&cluster, "early", SIGNER, &groups).await);
    assert!(gone.ends_with("the bootstrap token abcdef has expired or was deleted"), "{gone}");
    ensure_token(&cluster.api, TOKEN).await.unwrap();
    let other = refused(ask(&cluster, "other", KUBELET, &groups).await);
    assert!(other.contains("is for the signer first-contact.coracle/administrator"), "{other}");
    // Tokens of nodes are none of this rule's business.
    assert_eq!(ask(&cluster, "node", KUBELET, &["system:bootstrappers"]).await.unwrap().code, 201);

    assert_eq!(ask(&cluster, "first", SIGNER, &groups).await.unwrap().code, 201);
    assert_eq!(ask(&cluster, "second", SIGNER, &groups).await.unwrap().code, 201);
    claim(&cluster).await;
    let used = refused(ask(&cluster, "late", SIGNER, &groups).await);
    assert!(used.ends_with("the bootstrap token abcdef was used: it is good for one certificate"), "{used}");
}
