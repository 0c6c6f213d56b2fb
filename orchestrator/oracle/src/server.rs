//! The real control plane without its controllers: etcd and kube-apiserver on loopback, in a directory of their own.

use crate::certificates::{Authority, Pair, Purpose, token_key};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::process::{Environment, Program, Server};
use crate::programs::Programs;
use crate::script::{ADMIN, HttpRequest};
use crate::target::{Credentials, Target, identities};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long the API server may take until `/readyz` says ok.
const READY_SECONDS: u64 = 180;

/// Pause between two questions for readiness: a foreign program offers no event for it.
const PAUSE: Duration = Duration::from_millis(20);

/// How a control plane keeps its data.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Folder below which its own folder is made; without it the system's folder for temporary files.
    pub parent: Option<PathBuf>,
    /// Whether etcd waits until its data is on the disk, as it does by default.
    pub durable: bool,
}

/// How etcd itself is reached: only by members and the API server, with certificates of an authority of their own.
#[derive(Debug, Clone)]
pub struct Etcd {
    /// `https://ADDRESS:PORT`.
    pub url: String,
    /// Certificate of the authority to trust, in PEM.
    pub authority: String,
    /// The API server's credentials.
    pub credentials: Credentials,
}

/// A running etcd and kube-apiserver. [`RealServer::stop`] ends them in order; dropping kills them.
#[derive(Debug)]
pub struct RealServer {
    /// How to reach it.
    pub target: Target,
    /// How to reach its etcd.
    pub etcd_address: Etcd,
    /// From the start of etcd until `/readyz` said ok.
    pub ready_after: Duration,
    pub(crate) keys: Keys,
    api_server: Server,
    etcd: Server,
    directory: tempfile::TempDir,
}

/// What the controllers sign with.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Signs client certificates.
    pub(crate) clients: Authority,
    /// Private key of ServiceAccount tokens.
    pub(crate) tokens: PathBuf,
}

impl RealServer {
    /// Starts both programs with fresh certificates and empty storage that no power cut would spare, and waits until
    /// they are ready.
    ///
    /// # Errors
    /// A program cannot be started, ends, or is not ready in time.
    pub async fn start(programs: &Programs) -> Result<Self> {
        Self::start_with(programs, &Setting::default()).await
    }

    /// As [`RealServer::start`], with data kept as `setting` says.
    ///
    /// # Errors
    /// As [`RealServer::start`].
    pub async fn start_with(programs: &Programs, setting: &Setting) -> Result<Self> {
        let parent = setting.parent.clone().unwrap_or_else(std::env::temp_dir);
        let directory = tempfile::Builder::new().prefix("coracle-oracle-").tempdir_in(&parent);
        let directory = directory.map_err(Error::file("create", parent))?;
        let files = Files { directory: directory.path() };
        let [etcd_port, peer_port, port] = free_ports()?;
        let (etcd_authority, server_authority) = (Authority::new("etcd-ca")?, Authority::new("server-ca")?);
        let (client_authority, front_authority) = (Authority::new("client-ca")?, Authority::new("front-proxy-ca")?);

        let etcd_url = format!("https://127.0.0.1:{etcd_port}");
        let etcd_ca = files.write("etcd-ca.pem", &etcd_authority.certificate())?;
        let etcd_keys = etcd_authority.sign(Purpose::Both, "etcd", &[])?;
        let etcd_pair = files.pair("etcd", &etcd_keys)?;
        let etcd_address = Etcd {
            url: etcd_url.clone(),
            authority: etcd_authority.certificate(),
            credentials: Credentials::Certificate { chain: etcd_keys.certificate, key: etcd_keys.key },
        };
        let etcd_flags = [
            ("name", "oracle".into()),
            ("data-dir", directory.path().join("etcd").into()),
            ("listen-client-urls", etcd_url.clone().into()),
            ("advertise-client-urls", etcd_url.clone().into()),
            ("listen-peer-urls", format!("https://127.0.0.1:{peer_port}").into()),
            ("initial-advertise-peer-urls", format!("https://127.0.0.1:{peer_port}").into()),
            ("initial-cluster", format!("oracle=https://127.0.0.1:{peer_port}").into()),
            ("client-cert-auth", "true".into()),
            ("trusted-ca-file", etcd_ca.clone().into()),
            ("cert-file", etcd_pair.0.clone().into()),
            ("key-file", etcd_pair.1.clone().into()),
            ("peer-client-cert-auth", "true".into()),
            ("peer-trusted-ca-file", etcd_ca.clone().into()),
            ("peer-cert-file", etcd_pair.0.clone().into()),
            ("peer-key-file", etcd_pair.1.clone().into()),
            // A recording lives shorter than any power cut is worth an fsync.
            ("unsafe-no-fsync", (!setting.durable).to_string().into()),
        ];
        let started = Instant::now();
        let etcd = files.serve("etcd", &programs.etcd(), &etcd_flags)?;

        let serving = files.pair("serving", &server_authority.sign(Purpose::Server, "kube-apiserver", &[])?)?;
        let front = files.pair("front-proxy", &front_authority.sign(Purpose::Client, "front-proxy-client", &[])?)?;
        let (token_private, token_public) = token_key()?;
        let token_private = files.write("service-account.key", &token_private)?;
        let flags = [
            ("etcd-servers", etcd_url.into()),
            ("etcd-cafile", etcd_ca.into()),
            ("etcd-certfile", etcd_pair.0.into()),
            ("etcd-keyfile", etcd_pair.1.into()),
            ("bind-address", "127.0.0.1".into()),
            ("advertise-address", "127.0.0.1".into()),
            ("secure-port", port.to_string().into()),
            // The kubernetes Service would need an address that is not loopback.
            ("endpoint-reconciler-type", "none".into()),
            ("tls-cert-file", serving.0.into()),
            ("tls-private-key-file", serving.1.into()),
            ("client-ca-file", files.write("client-ca.pem", &client_authority.certificate())?.into()),
            ("requestheader-client-ca-file", files.write("front-ca.pem", &front_authority.certificate())?.into()),
            ("requestheader-allowed-names", "front-proxy-client".into()),
            ("requestheader-username-headers", "X-Remote-User".into()),
            ("requestheader-group-headers", "X-Remote-Group".into()),
            ("requestheader-extra-headers-prefix", "X-Remote-Extra-".into()),
            ("proxy-client-cert-file", front.0.into()),
            ("proxy-client-key-file", front.1.into()),
            ("authorization-mode", "Node,RBAC".into()),
            ("enable-admission-plugins", "NodeRestriction".into()),
            ("enable-bootstrap-token-auth", "true".into()),
            ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".into()),
            ("service-account-key-file", files.write("service-account.pub", &token_public)?.into()),
            ("service-account-signing-key-file", token_private.clone().into()),
            ("service-cluster-ip-range", "10.43.0.0/16".into()),
            ("allow-privileged", "true".into()),
        ];
        let api_server = files.serve("kube-apiserver", &programs.api_server(), &flags)?;

        let target = Target {
            url: format!("https://127.0.0.1:{port}"),
            authority: server_authority.certificate(),
            identities: identities(&client_authority)?,
            kubeconfig: directory.path().join("kubeconfig"),
            kubectl: programs.kubectl(),
        };
        target.write_kubeconfig()?;
        let keys = Keys { clients: client_authority, tokens: token_private };
        let ready_after = Duration::ZERO;
        let mut server = Self { target, etcd_address, ready_after, keys, api_server, etcd, directory };
        match server.ready(started).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await?;
                Err(error)
            }
        }
    }

    /// Waits until the server is ready and has made what it makes by itself after that.
    async fn ready(&mut self, started: Instant) -> Result<()> {
        let client = Client::new(&self.target)?;
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS);
        loop {
            self.etcd.check()?;
            self.api_server.check()?;
            if client.ask(ADMIN, &get("/readyz")).await.is_ok_and(|answer| answer.status == 200) {
                self.ready_after = started.elapsed();
                break;
            }
            if Instant::now() > deadline {
                let messages = self.api_server.messages();
                return Err(Error::NotReady { program: "kube-apiserver", seconds: READY_SECONDS, messages });
            }
            sleep_until(Instant::now() + PAUSE).await;
        }
        // Made by loops that readiness does not wait for; a watch from the start ends with their first event.
        for (path, name) in [("/api/v1/namespaces", "default"), ("/api/v1/namespaces/default/services", "kubernetes")] {
            let mut request = get(&format!("{path}?watch=1&fieldSelector=metadata.name%3D{name}"));
            request.events = Some(1);
            client.ask(ADMIN, &request).await?;
        }
        Ok(())
    }

    /// Ends both programs and removes their directory.
    ///
    /// # Errors
    /// A program could not be told to end.
    pub async fn stop(self) -> Result<()> {
        let api_server = self.api_server.stop().await;
        self.etcd.stop().await.and(api_server)
    }
}

impl RealServer {
    /// Both programs.
    #[must_use]
    pub fn servers(&self) -> [&Server; 2] {
        [&self.etcd, &self.api_server]
    }

    /// The directory of this control plane.
    pub(crate) fn files(&self) -> Files<'_> {
        Files { directory: self.directory.path() }
    }
}

/// A GET without headers.
pub(crate) fn get(path: &str) -> HttpRequest {
    let line = format!("GET {path}");
    HttpRequest { line, headers: BTreeMap::new(), body: String::new(), events: None, without_descriptions: false }
}

/// Ports that nobody listens on. All are held until the last one is known, so they differ.
///
/// # Errors
/// Loopback gives no more ports.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let failed = |source| Error::Start { program: "a listener on loopback".to_owned(), source };
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The directory of one control plane.
pub(crate) struct Files<'a> {
    pub(crate) directory: &'a Path,
}

impl Files<'_> {
    /// Writes a file that only this user reads.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(Error::file("protect", &path))?;
        Ok(path)
    }

    pub(crate) fn pair(&self, name: &str, pair: &Pair) -> Result<(PathBuf, PathBuf)> {
        Ok((self.write(&format!("{name}.pem"), &pair.certificate)?, self.write(&format!("{name}.key"), &pair.key)?))
    }

    /// Starts a program with flags of the form `--name=value` and an environment of its own.
    pub(crate) fn serve(&self, name: &'static str, path: &Path, flags: &[(&str, OsString)]) -> Result<Server> {
        let flag = |(name, value): &(&str, OsString)| {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(value);
            flag
        };
        let arguments = flags.iter().map(flag).collect();
        let environment = Environment::Only(vec![("HOME", self.directory.into())]);
        let program = Program { path, arguments, directory: self.directory, environment };
        program.serve(name, &self.directory.join(format!("{name}.log")))
    }
}
