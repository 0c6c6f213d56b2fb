//! The recorded answers of the real Kubernetes, asked from our server in host mode, and kubectl as its users run it.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test starts real executables and may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use coracle_contract::marker::Marker;
use oracle::{Data, DataDirectory, Finding, OpenList, Target};
use rustix::process::{Pid, Signal, kill_process};

/// Differences of one recording that are printed.
const SHOWN: usize = 10;

/// A server with empty storage; it is killed when the test ends early.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    url: String,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts a server and waits until it has proved itself ready.
    fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("coracle-kubectl-").tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coracle"));
        command.args(["server", "--bind-address", "127.0.0.1", "--https-listen-port", "0", "--data-dir"]);
        command.arg(directory.path().join("data")).arg("--write-kubeconfig").arg(directory.path().join("admin.yaml"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, lines, url: String::new(), directory };
        server.url = format!("https://{}", server.marker("serving").get("address").unwrap());
        assert_eq!(server.marker("readyz").get("status"), Some("200"));
        server
    }

    /// The next marker of the name on standard output; the end of the output fails the test.
    fn marker(&mut self, name: &str) -> Marker {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the server ended: {:?}", self.child.wait());
            if let Some(marker) = Marker::find(&line).filter(|marker| marker.name() == name) {
                return marker;
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.yaml")
    }

    /// Runs kubectl to its end with the kubeconfig that the server wrote.
    fn kubectl(&self, program: &Path, arguments: &str) -> Output {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.directory.path()).env("KUBECONFIG", self.kubeconfig());
        command.args(arguments.split_whitespace()).stdin(Stdio::null()).output().unwrap()
    }

    fn terminate(mut self) {
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

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// kubectl of the oracle's release; `oracle build kubectl` has built it before the suite.
fn kubectl() -> PathBuf {
    let cache = oracle::programs::default_cache().unwrap();
    block_on(oracle::programs::build(&cache, None, &["kubectl".to_owned()])).unwrap().kubectl()
}

/// Prints the start of what differs, by recording.
fn print(findings: &[Finding]) {
    let mut last = ("", 0);
    for finding in findings {
        let name = match finding {
            Finding::Unexpected(difference) => difference.recording.as_str(),
            Finding::NoLongerOccurs { id, .. } => id.as_str(),
        };
        last = if last.0 == name { (name, last.1 + 1) } else { (name, 1) };
        if last.1 <= SHOWN {
            println!("{finding}");
        }
    }
}

#[test]
fn recorded_answers_are_given_but_for_open_ones() {
    let server = Server::start();
    let kubeconfig = server.directory.path().join("identities.json");
    let data_directory = server.data();
    let target = Target::of_data_directory(&server.url, DataDirectory(&data_directory), &kubeconfig, &kubectl());
    let data = Data::read().unwrap();
    let findings = block_on(data.judge(&target.unwrap())).unwrap();
    server.terminate();
    print(&findings);

    let open = OpenList::read(&data.titles()).unwrap();
    if std::env::var_os("CORACLE_UPDATE_OPEN").is_some() {
        fs::write(OpenList::path(), open.updated(&findings)).unwrap();
        return;
    }
    let complaints = open.judge(&findings);
    println!("{} of {} recordings are open", open.len(), data.recordings.len());
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// What a user does first, with the outputs that both releases print alike.
fn first_steps(program: &Path) {
    let server = Server::start();
    let mode = fs::metadata(server.kubeconfig()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (arguments, expected) in [
        ("get namespace default -o name", "namespace/default\n"),
        ("auth can-i * *", "yes\n"),
        ("create configmap c --from-literal=a=1 -o name", "configmap/c\n"),
        ("get configmap c", "NAME   DATA   AGE\nc      1      "),
        ("get configmap c -o jsonpath={.data.a}", "1"),
        ("label configmap c colour=red", "configmap/c labeled\n"),
        ("get configmap -l colour=red -o name", "configmap/c\n"),
        ("create deployment web --image=example.com/web:1 --replicas=2", "deployment.apps/web created\n"),
        ("scale deployment web --replicas=3", "deployment.apps/web scaled\n"),
        ("get deployment web -o jsonpath={.spec.replicas}", "3"),
        ("explain configmap.immutable", "KIND:       ConfigMap\nVERSION:    v1\n"),
        ("delete configmap c -o name", "configmap/c\n"),
        ("get configmap c --ignore-not-found", ""),
    ] {
        let output = server.kubectl(program, arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments}: {stderr}");
        assert!(stdout.starts_with(expected), "{arguments}: {stdout}");
        assert!(!expected.is_empty() || stdout.is_empty(), "{arguments}: {stdout}");
    }
    server.terminate();
}

#[test]
fn first_steps_with_kubectl_of_the_release() {
    first_steps(&kubectl());
}

/// Debian 13 has 1.32: older than the skew that upstream tests, and what a user of that system types.
#[test]
fn first_steps_with_debians_kubectl() {
    first_steps(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-older"));
}

#[test]
fn keys_are_for_the_owner_only() {
    let server = Server::start();
    let mut keys = 0;
    for entry in fs::read_dir(server.data().join("server/tls")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "key") {
            keys += 1;
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.path().display());
        }
    }
    assert!(keys > 0);
    server.terminate();
}
