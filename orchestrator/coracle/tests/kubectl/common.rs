//! A server in host mode on loopback, and the oracle's kubectl.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use coracle_contract::marker::Marker;
use oracle::{DataDirectory, Target};
use rustix::process::{Pid, Signal, kill_process};

/// A server with empty storage; it is killed when the test ends early.
pub(crate) struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
}

impl Server {
    /// Starts a server with more arguments and waits until it has proved itself ready.
    pub(crate) fn start(more: &[&str]) -> Self {
        Self::start_at("127.0.0.1", more)
    }

    /// As [`Server::start`], bound to another address.
    pub(crate) fn start_at(bound: &str, more: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("coracle-kubectl-").tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coracle"));
        command.args(["server", "--disable-agent", "--bind-address", bound, "--https-listen-port", "0", "--data-dir"]);
        command.arg(directory.path().join("data")).arg("--write-kubeconfig").arg(directory.path().join("admin.yaml"));
        let mut child = command.args(more).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, lines, url: String::new(), directory };
        server.url = format!("https://{}", server.marker("serving").get("address").unwrap());
        assert_eq!(server.marker("readyz").get("status"), Some("200"));
        server
    }

    /// The next marker of the name on standard output; the end of the output fails the test.
    pub(crate) fn marker(&mut self, name: &str) -> Marker {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the server ended: {:?}", self.child.wait());
            if let Some(marker) = Marker::find(&line).filter(|marker| marker.name() == name) {
                return marker;
            }
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.yaml")
    }

    /// Runs kubectl to its end with the kubeconfig that the server wrote.
    pub(crate) fn kubectl(&self, program: &Path, arguments: &str) -> Output {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.directory.path()).env("KUBECONFIG", self.kubeconfig());
        command.args(arguments.split_whitespace()).stdin(Stdio::null()).output().unwrap()
    }

    /// The server as the oracle asks it.
    pub(crate) fn target(&self) -> Target {
        let kubeconfig = self.directory.path().join("identities.json");
        Target::of_data_directory(&self.url, DataDirectory(&self.data()), &kubeconfig, &kubectl()).unwrap()
    }

    pub(crate) fn terminate(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// kubectl of the oracle's release; `oracle build kubectl` has built it before the suite.
pub(crate) fn kubectl() -> PathBuf {
    let cache = oracle::programs::default_cache().unwrap();
    block_on(oracle::programs::build(&cache, None, &["kubectl".to_owned()])).unwrap().kubectl()
}

/// kubectl of Debian 13, which is 1.32: older than the skew that upstream tests, and what a user of that system types.
pub(crate) fn older_kubectl() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-older")
}
