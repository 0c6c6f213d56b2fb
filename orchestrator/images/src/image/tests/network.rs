//! What registries do to us.

use std::time::Duration;

use base64::Engine as _;
use coracle_image_layout::media_type;

use super::*;

fn layer_digest() -> Digest {
    Digest::of(&Builder::tar(&layers("one")[0]).unwrap())
}

fn keychain(host: &str, user: &str) -> Keychain {
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:secret"));
    let mut keychain = Keychain::default();
    keychain.add_config(format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#).as_bytes()).unwrap();
    keychain
}

#[tokio::test]
async fn a_broken_transfer_is_continued() {
    let scene = Scene::new().await;
    let id = scene.server.add("hello", "1", &layers("one"));
    let blob = format!("blobs/{}", layer_digest());
    scene.server.act(&blob, [Act::Cut(100_000), Act::Cut(50_000)]);
    assert_eq!(scene.pull("hello:1").await.unwrap().id, id);
    let ranges: Vec<_> =
        scene.server.seen().into_iter().filter(|seen| seen.path.contains(&blob)).map(|seen| seen.range).collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], "");
    assert!(ranges[1..].iter().all(|range| range.starts_with("bytes=")), "{ranges:?}");

    // A registry without ranges sends all again.
    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    scene.server.act(&blob, [Act::Cut(100_000), Act::Whole]);
    scene.pull("hello:1").await.unwrap();
}

#[tokio::test]
async fn a_pull_that_was_given_up_is_continued_by_the_next() {
    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    let blob = format!("blobs/{}", layer_digest());
    scene.server.act(&blob, [Act::Cut(100_000), Act::Status(404, String::new())]);
    let error = scene.pull("hello:1").await.unwrap_err();
    assert_eq!(error.code(), "NotFound");
    scene.pull("hello:1").await.unwrap();
    let last = scene.server.seen().into_iter().rfind(|seen| seen.path.contains(&blob)).unwrap();
    assert!(last.range.starts_with("bytes="), "{last:?}");
}

#[tokio::test]
async fn busy_registries_are_asked_again() {
    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    scene.server.act("manifests/1", [Act::Status(429, "retry-after: 1\r\n".to_owned())]);
    scene.server.act("blobs", [Act::Status(503, String::new()), Act::Status(500, String::new())]);
    let start = std::time::Instant::now();
    scene.pull("hello:1").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "the registry's own wish counts");
    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    scene.server.act("manifests/1", [Act::Status(429, "retry-after: 3600\r\n".to_owned())]);
    let error = scene.pull("hello:1").await.unwrap_err().to_string();
    assert!(error.ends_with("manifests/1: 429 Too Many Requests"), "{error}");
}

#[tokio::test]
async fn wrong_bytes_are_never_kept() {
    for part in ["blobs", "manifests/sha256"] {
        let scene = Scene::new().await;
        scene.server.add("hello", "1", &layers("one"));
        scene.server.act(part, [Act::Corrupt]);
        let error = scene.pull("hello:1").await.unwrap_err();
        assert_eq!(error.code(), "FailedPrecondition", "{error}");
        assert!(error.to_string().contains("unexpected commit digest"), "{error}");
        assert_eq!(scene.store.list(), []);
        scene.pull("hello:1").await.unwrap();
    }
}

#[tokio::test]
async fn failures_read_as_containerd_writes_them() {
    let scene = Scene::new().await;
    let host = scene.server.host.clone();
    let missing = scene.pull("nothing:1").await.unwrap_err();
    let name = scene.name("nothing:1");
    assert_eq!(
        missing.event(&name),
        format!(
            "Failed to pull image \"{name}\": rpc error: code = NotFound desc = failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
        )
    );
    assert_eq!(missing.reason(), "ErrImagePull");
    scene.server.add("forbidden", "1", &layers("one"));
    scene.server.act("forbidden", [Act::Status(403, String::new())]);
    let error = scene.pull("forbidden:1").await.unwrap_err().to_string();
    let want = format!("unexpected status from HEAD request to http://{host}/v2/forbidden/manifests/1: 403 Forbidden");
    assert!(error.ends_with(&want), "{error}");

    // Nobody listens at this port.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let name = format!("{gone}/x:1");
    let error = scene.store.pull(&name, Policy::Always, &Keychain::default()).await.unwrap_err();
    let want = format!(
        "failed to resolve reference \"{name}\": failed to do request: Head \"https://{gone}/v2/x/manifests/1\": dial tcp {gone}: connect: connection refused"
    );
    assert!(error.message().ends_with(&want), "{error}");
    assert_eq!(error.code(), "Unknown");
}

#[tokio::test]
async fn tokens_are_fetched_and_used_again() {
    for user in [None, Some("me")] {
        let scene = Scene::new().await;
        let host = &scene.server.host;
        scene.server.add("hello", "1", &layers("one"));
        scene.server.tokens("t0k");
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="here",scope="repository:hello:pull""#);
        scene.server.lock("Bearer t0k", &challenge);
        let keys = user.map(|user| keychain(host, user)).unwrap_or_default();
        scene.store.pull(&scene.name("hello:1"), Policy::Always, &keys).await.unwrap();
        let asked: Vec<_> = scene.server.seen().into_iter().filter(|seen| seen.path.starts_with("/token")).collect();
        assert_eq!(asked.len(), 1, "one token serves the whole pull");
        assert_eq!(asked[0].path, "/token?service=here&scope=repository%3Ahello%3Apull");
        assert_eq!(asked[0].authorization, if user.is_some() { "Basic bWU6c2VjcmV0" } else { "" });
    }
}

#[tokio::test]
async fn who_may_not_pull_is_told_so() {
    let scene = Scene::new().await;
    let host = &scene.server.host;
    scene.server.add("hello", "1", &layers("one"));
    scene.server.lock("Basic bWU6c2VjcmV0", "Basic realm=x");
    let error = scene.pull("hello:1").await.unwrap_err().to_string();
    let denied = "pull access denied, repository does not exist or may require authorization: ";
    assert!(error.ends_with(&format!("{denied}authorization failed: no basic auth credentials")), "{error}");
    let name = scene.name("hello:1");
    let wrong = scene.store.pull(&name, Policy::Always, &keychain(host, "you")).await.unwrap_err().to_string();
    assert!(wrong.ends_with(&format!("{denied}authorization failed")), "{wrong}");
    scene.store.pull(&name, Policy::Always, &keychain(host, "me")).await.unwrap();

    scene.server.lock("never", &format!(r#"Bearer realm="http://{host}/token",service="s""#));
    let error = scene.pull("hello:1").await.unwrap_err().to_string();
    let want = format!(
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to http://{host}/token?service=s&scope=repository%3Ahello%3Apull: 401 Unauthorized"
    );
    assert!(error.ends_with(&want), "{error}");
}

#[tokio::test]
async fn redirections_do_not_carry_secrets_to_others() {
    let (scene, other) = (Scene::new().await, Server::start(None).await);
    scene.server.add("hello", "1", &layers("one"));
    other.add("hello", "1", &layers("one"));
    scene.server.lock("Basic bWU6c2VjcmV0", "Basic realm=x");
    let blob = format!("/v2/hello/blobs/{}", layer_digest());
    let header = format!("location: http://{}{blob}\r\n", other.host);
    scene.server.act(&blob, [Act::Status(307, header)]);
    let keys = keychain(&scene.server.host, "me");
    scene.store.pull(&scene.name("hello:1"), Policy::Always, &keys).await.unwrap();
    let seen = other.seen();
    assert_eq!((seen.len(), seen[0].authorization.as_str()), (1, ""));

    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    let round = (0..9).map(|_| Act::Status(302, "location: /v2/hello/manifests/1\r\n".to_owned()));
    scene.server.act("manifests/1", round);
    let error = scene.pull("hello:1").await.unwrap_err().to_string();
    assert!(error.contains("stopped after 5 redirects"), "{error}");
}

#[tokio::test]
async fn a_mirror_serves_first_and_gets_no_foreign_secrets() {
    let (mirror, origin) = (Server::start(None).await, Server::start(None).await);
    let folder = scratch();
    let text = format!("mirrors: {{'{0}': {{endpoint: ['http://{1}', 'http://{0}']}}}}", origin.host, mirror.host);
    let client = Client::new(Registries::parse(text.as_bytes()).unwrap(), Timeouts::default()).unwrap();
    let roots = Roots { writable: folder.path().to_owned(), prebaked: None };
    let store = Store::open(roots, client, platform()).await.unwrap();
    let keys = keychain(&origin.host, "me");
    mirror.lock("never", "Basic realm=x");
    origin.lock("Basic bWU6c2VjcmV0", "Basic realm=x");
    origin.add("hello", "1", &layers("one"));
    store.pull(&format!("{}/hello:1", origin.host), Policy::Always, &keys).await.unwrap();
    assert!(!mirror.seen().is_empty() && mirror.seen().iter().all(|seen| seen.authorization.is_empty()));
}

#[tokio::test]
async fn indexes_lead_to_the_manifest_for_this_machine() {
    let scene = Scene::new().await;
    let mut builder = Builder::new();
    let mut other = platform();
    other.architecture = "riscv64".to_owned();
    let foreign = builder.image("", &other, ImageConfig::default(), &layers("foreign")).unwrap();
    let mine = builder.image("", &platform(), ImageConfig::default(), &layers("mine")).unwrap();
    let index = builder.index("x", vec![foreign.clone(), mine]).unwrap();
    scene.server.add_built("multi", "1", &builder, &index);
    let only = builder.index("x", vec![foreign.clone()]).unwrap();
    scene.server.add_built("other", "1", &builder, &only);
    scene.server.add_built("plain", "1", &builder, &foreign);
    let pulled = scene.pull("multi:1").await.unwrap();
    assert_eq!(pulled.digests, [scene.name(&format!("multi@{}", index.digest))]);
    let prepared = scene.store.prepare("c", pulled.id).await.unwrap();
    assert_eq!(std::fs::read(prepared.lowers[1].join("hello")).unwrap(), b"mine");
    for image in ["other:1", "plain:1"] {
        let error = scene.pull(image).await.unwrap_err();
        assert!(error.to_string().contains("no match for platform in manifest"), "{error}");
    }
}

#[tokio::test]
async fn broken_documents_are_refused() {
    let (good, digest) = (Builder::tar(&layers("one")[0]).unwrap(), layer_digest());
    let scene = Scene::new().await;
    for (name, layers, want) in [
        ("kind", vec![(digest, "application/x-tar", good.clone())], "unsupported layer media type"),
        ("diff", vec![(Digest::of(b"x"), media_type::LAYER, good.clone())], "wrong diff id calculated on extraction"),
        ("tar", vec![(Digest::of(b"x"), media_type::LAYER, b"no tar".to_vec())], "failed to extract layer sha256:"),
    ] {
        let mut builder = Builder::new();
        let image = builder.image_of_blobs("", &platform(), ImageConfig::default(), layers).unwrap();
        scene.server.add_built(name, "1", &builder, &image);
        let error = scene.pull(&format!("{name}:1")).await.unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
    for (name, document, want) in [
        ("empty", "", "invalid image manifest"),
        ("array", "[]", "invalid image manifest"),
        ("old", r#"{"schemaVersion":1}"#, "is no longer supported, please rebuild the image"),
        ("both", r#"{"schemaVersion":2,"manifests":[],"config":{}}"#, "document is a manifest and an index"),
        ("none", r#"{"schemaVersion":2,"manifests":[]}"#, "no match for platform"),
    ] {
        let mut builder = Builder::new();
        let target = builder.blob(media_type::MANIFEST, document.as_bytes().to_vec());
        scene.server.add_built(name, "1", &builder, &target);
        let error = scene.pull(&format!("{name}:1")).await.unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
    assert_eq!(scene.store.list(), []);
}

#[tokio::test]
async fn tls_needs_an_authority_that_is_named() {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let server = Server::start(Some(Arc::new(config))).await;
    server.add("hello", "1", &layers("one"));
    let folder = scratch();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certified.cert.pem()).unwrap();
    let name = format!("{}/hello:1", server.host);
    let named = format!("configs: {{'{}': {{tls: {{ca_file: '{}'}}}}}}", server.host, file.display());
    for (text, trusted) in [("", false), (named.as_str(), true)] {
        let client = Client::new(Registries::parse(text.as_bytes()).unwrap(), Timeouts::default()).unwrap();
        let roots = Roots { writable: folder.path().join(trusted.to_string()), prebaked: None };
        let store = Store::open(roots, client, platform()).await.unwrap();
        match store.pull(&name, Policy::Always, &Keychain::default()).await {
            Ok(_) => assert!(trusted),
            Err(error) => {
                assert!(!trusted, "{error}");
                let want = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
                assert!(error.to_string().ends_with(want), "{error}");
            }
        }
    }
    std::fs::write(&file, "no certificate").unwrap();
    let error = Client::new(Registries::parse(named.as_bytes()).unwrap(), Timeouts::default()).unwrap_err();
    assert!(error.to_string().ends_with("no certificate in it"), "{error}");
}

#[tokio::test]
async fn a_silent_registry_is_given_up() {
    let server = Server::start(None).await;
    server.add("hello", "1", &layers("one"));
    let never = Arc::new(tokio::sync::Semaphore::new(0));
    server.act("manifests", (0..9).map(|_| Act::Hold(Arc::clone(&never))));
    let text = format!("mirrors: {{'{0}': {{endpoint: ['http://{0}']}}}}", server.host);
    let short = Timeouts { answer: Duration::from_millis(50), ..Timeouts::default() };
    let client = Client::new(Registries::parse(text.as_bytes()).unwrap(), short).unwrap();
    let folder = scratch();
    let roots = Roots { writable: folder.path().to_owned(), prebaked: None };
    let store = Store::open(roots, client, platform()).await.unwrap();
    let error = store.pull(&format!("{}/hello:1", server.host), Policy::Always, &Keychain::default()).await;
    assert!(error.unwrap_err().to_string().ends_with("net/http: timeout awaiting response headers"));
}
