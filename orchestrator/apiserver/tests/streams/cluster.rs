//! An API server on a loopback port with one node that is connected.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use coracle_apiserver::allocate::Networks;
use coracle_apiserver::api::Api;
use coracle_apiserver::api::request::{Body, Context, Media, Options, Request, Verb};
use coracle_apiserver::audit::LogAudit;
use coracle_apiserver::front::Front;
use coracle_apiserver::health::Checks;
use coracle_apiserver::server::Server;
use coracle_apiserver::tokens::Tokens;
use coracle_apiserver::{StoredObjects, Terms, bootstrap};
use coracle_auth::pki::{self, Authorities, Lifetime};
use coracle_auth::token::{self, ISSUER};
use coracle_auth::{Authenticator, Identity, tls};
use coracle_node_connection::Membership;
use coracle_store::{LocalStore, Options as StoreOptions, Store};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::node::Fake;

/// Longest that anything in these tests takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The pod that runs, with the state of its containers.
const RUNNING: &str = r#"{"status":{"phase":"Running","podIP":"10.42.0.5","podIPs":[{"ip":"10.42.0.5"}],
    "conditions":[{"type":"Ready","status":"True"}],
    "containerStatuses":[
    {"name":"c","image":"i","imageID":"","ready":true,"restartCount":1,"containerID":"x://2",
     "state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}},
     "lastState":{"terminated":{"exitCode":1,"containerID":"x://1"}}},
    {"name":"broken","image":"i","imageID":"","ready":true,"restartCount":0,"containerID":"x://3",
     "state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}},
    {"name":"late","image":"i","imageID":"","ready":false,"restartCount":0,
     "state":{"waiting":{"reason":"ContainerCreating"}}}]}}"#;

/// The server; it ends with its directory.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) node: Arc<Fake>,
    pub(crate) authorities: Authorities,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) directory: tempfile::TempDir,
    _membership: Membership,
    _server: tokio::task::JoinSet<()>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("db");
        std::fs::create_dir(&place).unwrap();
        let options = StoreOptions { indexer: Arc::new(Terms), ..StoreOptions::default() };
        let store: Arc<dyn Store> = Arc::new(LocalStore::open(&place, options).unwrap());
        let authorities = Authorities::open(directory.path()).unwrap();
        let issuer = || token::Tokens::new(Arc::clone(&authorities.service_keys), ISSUER, &[ISSUER]);
        let objects = Arc::new(StoredObjects::new(Arc::clone(&store)));
        let tokens = Arc::new(Tokens::new(Authenticator::new(&authorities, issuer(), objects).unwrap(), issuer()));
        let networks = Networks::parse("10.43.0.0/16").unwrap();
        let api = Api::new(store, Arc::new(LogAudit), networks, Arc::clone(&tokens));
        bootstrap::ensure(&api, 6443).await.unwrap();

        let serving = authorities.serving(&["localhost"], &["127.0.0.1".parse().unwrap()]).unwrap();
        let config = tls::server_config(tls::Serving::new(&serving).unwrap(), &authorities).unwrap();
        let front = Front::new(api.clone(), Checks::default(), tokens);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), config, front).await.unwrap();
        let address = server.address();
        let admin = authorities.client("system:admin", &["system:masters"], Lifetime::Device).unwrap();
        let kubeconfig = pki::kubeconfig(&format!("https://{address}"), &authorities.server, &admin);
        pki::write_kubeconfig(&directory.path().join("admin.yaml"), &kubeconfig).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(server.run(std::future::pending()));

        let node = Arc::new(Fake::default());
        let membership = api.nodes().join("n", Arc::clone(&node) as _);
        let cluster = Self { api, node, authorities, address, directory, _membership: membership, _server: tasks };
        cluster.fill().await;
        cluster
    }

    /// Makes a node and a pod on it, and pods that are nowhere or on a node that is not connected.
    async fn fill(&self) {
        for name in ["n", "away"] {
            self.ask(Verb::Create, "nodes", "", "", &format!(r#"{{"metadata":{{"name":"{name}"}}}}"#)).await;
        }
        self.ask(Verb::Create, "serviceaccounts", "", "", r#"{"metadata":{"name":"default"}}"#).await;
        for (name, node, containers) in [
            ("p", "n", &["c", "broken", "late"][..]),
            ("one", "n", &["c"]),
            ("far", "away", &["c"]),
            ("new", "", &["c"]),
        ] {
            let list: Vec<String> =
                containers.iter().map(|name| format!(r#"{{"name":"{name}","image":"i"}}"#)).collect();
            let list = list.join(",");
            let body = format!(
                r#"{{"metadata":{{"name":"{name}","labels":{{"app":"{name}"}}}},"spec":{{"nodeName":"{node}","containers":[{list}]}}}}"#
            );
            self.ask(Verb::Create, "pods", "", "", &body).await;
            if !node.is_empty() {
                self.ask(Verb::Patch, "pods", name, "status", RUNNING).await;
            }
        }
        let service = r#"{"metadata":{"name":"s"},"spec":{"selector":{"app":"one"},"ports":[{"port":8000,"protocol":"TCP","targetPort":80}]}}"#;
        self.ask(Verb::Create, "services", "", "", service).await;
    }

    async fn ask(&self, verb: Verb, resource: &str, name: &str, subresource: &str, body: &str) {
        let media = if verb == Verb::Patch { Media::MergePatch } else { Media::Json };
        let request = Request {
            verb,
            group: String::new(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: if resource == "nodes" { String::new() } else { "default".to_owned() },
            name: name.to_owned(),
            options: Options::default(),
            body: Body::Bytes(media, body.to_owned().into()),
        };
        let identity = Identity::new("admin", &["system:masters"]);
        self.api.execute(&Context::new(Arc::new(identity)), request).await.unwrap();
    }

    /// kubectl with the administrator's rights and piped streams; it ends with the test.
    pub(crate) fn kubectl(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        self.administrate(&mut command);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Gives a command the administrator's rights.
    pub(crate) fn administrate(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("KUBECONFIG", self.directory.path().join("admin.yaml"));
        command.kill_on_drop(true);
    }

    /// Runs kubectl to its end: exit code, output, errors.
    pub(crate) async fn run(&self, program: &Path, arguments: &str) -> (i32, String, String) {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = self.kubectl(program, &words);
        let output = timeout(LIMIT, command.stdin(Stdio::null()).output()).await.unwrap().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Waits until no stream is open and nothing runs on the node.
    pub(crate) async fn settled(&self) {
        let waiting = async {
            while self.api.open_streams() > 0 || self.node.running() > 0 {
                tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(10)).await;
            }
        };
        let left = || format!("{} streams and {} at the node stay", self.api.open_streams(), self.node.running());
        timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("{}", left()));
    }
}

/// Ends a program at once, as a user who closes the terminal.
pub(crate) async fn kill(mut child: Child) {
    child.kill().await.unwrap();
}

/// kubectl of the release and Debian's: new clients and old ones.
pub(crate) async fn kubectls() -> [PathBuf; 2] {
    let cache = oracle::programs::default_cache().unwrap();
    let built = oracle::programs::build(&cache, None, &["kubectl".to_owned()]).await.unwrap();
    [built.kubectl(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-older")]
}
