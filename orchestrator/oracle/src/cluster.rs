//! The whole real control plane: the server, the controllers, the scheduler, and two nodes that kwok plays.

use crate::certificates::Purpose;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::process::Server;
use crate::programs::Programs;
use crate::scenarios::{Condition, Watcher};
use crate::script::{ADMIN, HttpRequest};
use crate::server::{Files, RealServer, Setting, get};
use crate::target::{Credentials, Target};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The nodes, in the order in which they get their ranges of pod addresses.
pub const NODES: [&str; 2] = ["node-0", "node-1"];

/// How long a node may take until it is ready and has its range.
const NODE: Duration = Duration::from_secs(120);

/// A running control plane with its nodes. [`RealCluster::stop`] ends it in order; dropping kills it.
#[derive(Debug)]
pub struct RealCluster {
    server: RealServer,
    others: Vec<Server>,
}

impl RealCluster {
    /// Starts everything on empty storage and waits until both nodes take pods.
    ///
    /// # Errors
    /// A program cannot be started or ends, or the nodes are not ready in time.
    pub async fn start(programs: &Programs) -> Result<Self> {
        let mut cluster = Self::start_without_nodes(programs, &Setting::default()).await?;
        let nodes = play_nodes(programs, cluster.target(), cluster.directory()).await;
        let joined = cluster.others.iter_mut().try_for_each(Server::check);
        match (joined, nodes) {
            (Ok(()), Ok(nodes)) => {
                cluster.others.push(nodes);
                Ok(cluster)
            }
            (Err(error), _) | (_, Err(error)) => {
                cluster.stop().await?;
                Err(error)
            }
        }
    }

    /// Starts server, controllers and scheduler on empty storage, and no node.
    ///
    /// # Errors
    /// A program cannot be started or ends.
    pub async fn start_without_nodes(programs: &Programs, setting: &Setting) -> Result<Self> {
        let server = RealServer::start_with(programs, setting).await?;
        let mut cluster = Self { server, others: Vec::new() };
        match cluster.join(programs) {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop().await?;
                Err(error)
            }
        }
    }

    /// The server with its etcd.
    #[must_use]
    pub fn server(&self) -> &RealServer {
        &self.server
    }

    /// All programs.
    #[must_use]
    pub fn servers(&self) -> Vec<&Server> {
        self.server.servers().into_iter().chain(&self.others).collect()
    }

    /// The folder of its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.server.files().directory
    }

    /// How to reach it.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.server.target
    }

    fn join(&mut self, programs: &Programs) -> Result<()> {
        let (files, keys) = (self.server.files(), &self.server.keys);
        let authority = files.write("server-ca.pem", &self.server.target.authority)?;
        let clients = files.directory.join("client-ca.pem");
        let clients_key = files.write("client-ca.key", &keys.clients.key())?;
        let manager: [(&str, OsString); 13] = [
            ("kubeconfig", self.kubeconfig("kube-controller-manager")?.into()),
            ("bind-address", "127.0.0.1".into()),
            ("secure-port", "0".into()),
            ("leader-elect", "false".into()),
            ("use-service-account-credentials", "true".into()),
            ("cluster-signing-cert-file", clients.into()),
            ("cluster-signing-key-file", clients_key.into()),
            ("root-ca-file", authority.into()),
            ("service-account-private-key-file", keys.tokens.clone().into()),
            ("allocate-node-cidrs", "true".into()),
            ("cluster-cidr", "10.42.0.0/16".into()),
            ("node-cidr-mask-size", "24".into()),
            ("controllers", "*,bootstrapsigner,tokencleaner".into()),
        ];
        let scheduler: [(&str, OsString); 4] = [
            ("kubeconfig", self.kubeconfig("kube-scheduler")?.into()),
            ("bind-address", "127.0.0.1".into()),
            ("secure-port", "0".into()),
            ("leader-elect", "false".into()),
        ];
        let others = [
            files.serve("kube-controller-manager", &programs.controller_manager(), &manager)?,
            files.serve("kube-scheduler", &programs.scheduler(), &scheduler)?,
        ];
        self.others.extend(others);
        Ok(())
    }

    /// A kubeconfig for a program of the control plane.
    fn kubeconfig(&self, name: &str) -> Result<PathBuf> {
        let pair = self.server.keys.clients.sign(Purpose::Client, &format!("system:{name}"), &[])?;
        let credentials = Credentials::Certificate { chain: pair.certificate, key: pair.key };
        let path = self.server.files().write(&format!("{name}.kubeconfig"), "")?;
        let target = Target {
            identities: BTreeMap::from([(ADMIN.to_owned(), credentials)]),
            kubeconfig: path.clone(),
            ..self.server.target.clone()
        };
        target.write_kubeconfig()?;
        Ok(path)
    }

    /// The ends of the messages of all programs but the server's, for a step that did not come to its end.
    #[must_use]
    pub fn messages(&self) -> String {
        self.others.iter().map(Server::messages).collect::<Vec<_>>().join("\n")
    }

    /// Ends all programs, the server last, and removes their directory.
    ///
    /// # Errors
    /// A program could not be told to end.
    pub async fn stop(self) -> Result<()> {
        let mut result = Ok(());
        for other in self.others.into_iter().rev() {
            result = other.stop().await.and(result);
        }
        self.server.stop().await.and(result)
    }
}

/// Makes [`NODES`] in the cluster that `target` reaches and lets kwok play them and their pods; its files stand in
/// `directory`. Ends when both nodes take pods.
///
/// # Errors
/// kwok cannot be started or ends, or the nodes are not ready in time.
pub async fn play_nodes(programs: &Programs, target: &Target, directory: &Path) -> Result<Server> {
    let flags: [(&str, OsString); 4] = [
        ("kubeconfig", target.kubeconfig.clone().into()),
        ("config", crate::directory().join("scenarios/kwok/stages.yaml").into()),
        ("manage-all-nodes", "true".into()),
        ("node-lease-duration-seconds", "40".into()),
    ];
    let mut kwok = Files { directory }.serve("kwok", &programs.kwok(), &flags)?;
    let client = Client::new(target)?;
    for name in NODES {
        let joined = join_node(&client, name).await;
        kwok.check()?;
        joined?;
    }
    Ok(kwok)
}

/// Makes a node as a kubelet registers itself, and waits until pods may go there.
async fn join_node(client: &Client, name: &str) -> Result<()> {
    let mut create = get("/api/v1/nodes");
    "POST /api/v1/nodes".clone_into(&mut create.line);
    let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    let create = HttpRequest { headers, body: node(name).to_string(), ..create };
    let answer = client.ask(ADMIN, &create).await?;
    if answer.status != 201 {
        return Err(Error::format(name, String::from_utf8_lossy(&answer.body)));
    }
    let holds = ["/status/conditions/Ready/status = True", "/spec/taints = null", "/spec/podCIDR != null"];
    let condition = Condition::of(&format!("nodes/{name}"), &holds)?;
    Watcher { client, namespace: "" }.until(&condition, NODE).await
}

fn node(name: &str) -> Value {
    let labels = json!({
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
    });
    let resources = json!({"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "10Gi"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": resources, "allocatable": resources},
    })
}
