//! The two control planes that are measured side by side, each in a folder of its own on the same disk.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oracle::cluster::RealCluster;
use oracle::process::{Environment, Program, Server};
use oracle::programs::Programs;
use oracle::server::{RealServer, Setting, free_ports};
use oracle::{DataDirectory, Target};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::client::{Connection, Endpoint};
use crate::error::{Error, Result};
use crate::usage::Usage;

/// How long our server may take until `/readyz` says ok.
const READY: Duration = Duration::from_secs(60);

/// Pause between two questions for readiness; small beside what is measured, and the same program asks both servers.
const PAUSE: Duration = Duration::from_millis(2);

/// What is measured with: executables and the folder of all data.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Our executable.
    pub(crate) coracle: PathBuf,
    /// The executable that it embeds.
    pub(crate) init: PathBuf,
    /// The real ones.
    pub(crate) programs: Programs,
    /// Folder below which all data is kept, on a disk.
    pub(crate) directory: PathBuf,
}

impl Setup {
    /// A folder that is removed with its owner.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn folder(&self, prefix: &str) -> Result<tempfile::TempDir> {
        folder(prefix, &self.directory)
    }
}

fn folder(prefix: &str, parent: &Path) -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    folder.map_err(Error::file("create a folder in", parent))
}

/// How the real control plane keeps its data: as a node does.
fn setting(parent: &Path) -> Setting {
    Setting { parent: Some(parent.to_owned()), durable: true }
}

/// Our server in host mode, without a node.
#[derive(Debug)]
pub(crate) struct Ours {
    server: Server,
    target: Target,
    ready_after: Duration,
    _directory: tempfile::TempDir,
}

impl Ours {
    /// Starts it on an empty folder below `parent` and waits until `/readyz` says ok.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time.
    pub(crate) async fn start(setup: &Setup, parent: &Path) -> Result<Self> {
        let directory = folder("coracle-", parent)?;
        let [port] = free_ports()?;
        let data = directory.path().join("data");
        let text = |path: &Path| path.as_os_str().to_owned();
        let mut arguments = ["server", "--disable-agent", "--bind-address=127.0.0.1"].map(Into::into).to_vec();
        arguments.extend(["--https-listen-port".into(), port.to_string().into(), "--data-dir".into(), text(&data)]);
        arguments.extend(["--write-kubeconfig".into(), text(&directory.path().join("admin.yaml"))]);
        let environment = Environment::Only(Vec::new());
        let program = Program { path: &setup.coracle, arguments, directory: directory.path(), environment };
        let started = Instant::now();
        let mut server = program.serve("coracle", &directory.path().join("coracle.log"))?;
        let target = ready(&mut server, port, &data, directory.path(), started).await?;
        Ok(Self { server, target, ready_after: started.elapsed(), _directory: directory })
    }

    /// From its start until `/readyz` said ok.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// How to reach it.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Ends it.
    ///
    /// # Errors
    /// It could not be told to end.
    pub(crate) async fn stop(self) -> Result<()> {
        Ok(self.server.stop().await?)
    }
}

/// Waits until a server of ours answers `/readyz` with success to a client that trusts its authority.
async fn ready(server: &mut Server, port: u16, data: &Path, directory: &Path, started: Instant) -> Result<Target> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let (url, kubeconfig) = (format!("https://{address}"), directory.join("identities.json"));
    loop {
        server.check()?;
        // Nothing is read of its folder before it listens: the authorities are complete then.
        if TcpStream::connect(address).await.is_ok() {
            let target = Target::of_data_directory(&url, DataDirectory(data), &kubeconfig, Path::new("kubectl"))?;
            let endpoint = Endpoint::of("coracle", &target)?;
            if let Ok(mut connection) = endpoint.connect().await
                && connection.drain(endpoint.get("/readyz")?).await.is_ok()
            {
                return Ok(target);
            }
        }
        if started.elapsed() > READY {
            let (program, seconds, messages) = ("coracle", READY.as_secs(), server.messages());
            return Err(oracle::Error::NotReady { program, seconds, messages }.into());
        }
        sleep_until(Instant::now() + PAUSE).await;
    }
}

/// One of the two control planes, as a measurement sees it.
#[derive(Debug)]
pub(crate) struct Side {
    /// How to reach it.
    pub(crate) endpoint: Endpoint,
    /// All its processes.
    pub(crate) processes: Vec<(&'static str, u32)>,
    /// The one that answers requests.
    server: u32,
}

impl Side {
    fn new(name: &str, target: &Target, servers: &[&Server], answers: &str) -> Result<Self> {
        let mut processes = Vec::new();
        for server in servers {
            let (name, process) = server.process();
            processes.push((name, process.ok_or_else(|| Error::format(name, "it has ended"))?));
        }
        let server = processes.iter().find(|(name, _)| *name == answers);
        let server = server.ok_or_else(|| Error::format(answers, "it is not among the processes"))?.1;
        Ok(Self { endpoint: Endpoint::of(name, target)?, processes, server })
    }

    /// What the process that answers requests uses.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn server(&self) -> Result<Usage> {
        Usage::of(self.server)
    }

    /// What all its processes use.
    ///
    /// # Errors
    /// One has ended.
    pub(crate) fn all(&self) -> Result<Usage> {
        Usage::of_all(self.processes.iter().map(|(_, process)| *process))
    }

    /// Waits until pods can be made in the namespace `default`: until its account is there.
    ///
    /// # Errors
    /// It is not made in time.
    pub(crate) async fn accounts(&self) -> Result<Connection> {
        let mut connection = self.endpoint.connect().await?;
        let path = "/api/v1/namespaces/default/serviceaccounts?watch=1&fieldSelector=metadata.name%3Ddefault";
        connection.watch(path, |_| true).await?;
        Ok(connection)
    }
}

/// Both control planes, running.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Ours.
    pub(crate) ours: Ours,
    /// The real one.
    pub(crate) real: RealCluster,
}

impl Pair {
    /// Starts both on empty folders.
    ///
    /// # Errors
    /// One cannot be started.
    pub(crate) async fn start(setup: &Setup) -> Result<Self> {
        Self::start_below(setup, [&setup.directory; 2]).await
    }

    /// Starts both on empty folders below those given, ours first.
    ///
    /// # Errors
    /// As [`Pair::start`].
    pub(crate) async fn start_below(setup: &Setup, [ours, real]: [&Path; 2]) -> Result<Self> {
        let real = RealCluster::start_without_nodes(&setup.programs, &setting(real)).await?;
        Ok(Self { ours: Ours::start(setup, ours).await?, real })
    }

    /// Both as a measurement sees them, ours first.
    ///
    /// # Errors
    /// A process has ended.
    pub(crate) fn sides(&self) -> Result<[Side; 2]> {
        let real = self.real.servers();
        Ok([
            Side::new("coracle", &self.ours.target, &[&self.ours.server], "coracle")?,
            Side::new("kube-apiserver", self.real.target(), &real, "kube-apiserver")?,
        ])
    }

    /// Ends both.
    ///
    /// # Errors
    /// One could not be told to end.
    pub(crate) async fn stop(self) -> Result<()> {
        let ours = self.ours.stop().await;
        self.real.stop().await?;
        ours
    }
}

/// An etcd and kube-apiserver without controllers.
///
/// # Errors
/// They cannot be started.
pub(crate) async fn real_server(setup: &Setup) -> Result<RealServer> {
    Ok(RealServer::start_with(&setup.programs, &setting(&setup.directory)).await?)
}

/// The size of a file in bytes.
///
/// # Errors
/// It is not there.
pub(crate) fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(Error::file("look at", path))?.len())
}
