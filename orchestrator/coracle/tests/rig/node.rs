//! A running node from outside: kubectl, its processes, and what it leaves behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use coracle_contract::marker::Marker;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Case, inside};

/// How long anything may take that has to come; kubectl waits as long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A node; dropping it ends all its processes.
pub(crate) struct Node {
    folder: tempfile::TempDir,
    group: PathBuf,
    outer: Child,
    /// The first process of its namespaces.
    first: i32,
    lines: Receiver<String>,
    kubectl: PathBuf,
    /// What an idle node holds.
    idle: BTreeSet<String>,
}

impl Node {
    /// Starts a node in a folder that was prepared and waits until it is ready.
    pub(crate) fn start(prepare: fn(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("coracle-rig-").tempdir().unwrap();
        prepare(folder.path());
        let name = folder.path().file_name().unwrap();
        let group = inside::cgroups().join(name);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(inside::OUTER).arg(folder.path()).arg(&group).arg(env!("CARGO_BIN_EXE_coracle"));
        command.args(["server", "--cgroup-mode", "group-only", "--data-dir", "/var/lib/coracle", "--write-kubeconfig"]);
        let mut outer = command.arg(folder.path().join("kubeconfig")).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = outer.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Who does not want to hear any more has ended the node.
                let _ = sender.send(line);
            }
        });
        let cache = oracle::programs::default_cache().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let programs = runtime.block_on(oracle::programs::build(&cache, None, &["kubectl".to_owned()])).unwrap();
        let kubectl = programs.kubectl();
        let mut node = Self { folder, group, outer, first: 0, lines, kubectl, idle: BTreeSet::new() };
        node.await_ready();
        let outer = i32::try_from(node.outer.id()).unwrap();
        node.first = children(outer).into_iter().next().unwrap();
        node.succeed("wait --for=condition=Ready node/rig --timeout=120s");
        node.idle = node.held();
        node
    }

    /// Waits until the server has proved itself ready (again).
    pub(crate) fn await_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap();
            if Marker::find(&line).is_some_and(|marker| marker.name() == "readyz") {
                return;
            }
        }
    }

    /// Runs a case in a namespace of its own, and removes the namespace.
    pub(crate) fn run(&self, namespace: &str, case: Case) {
        self.succeed(&format!("create namespace {namespace}"));
        // Pods need the account, which a controller makes.
        self.succeed(&format!("wait --for=create serviceaccount/default -n {namespace} --timeout=60s"));
        let result = catch_unwind(AssertUnwindSafe(|| case(self, namespace)));
        if let Err(panic) = result {
            for what in ["get pods -o wide", "get events --sort-by=.lastTimestamp"] {
                println!("{}", self.succeed(&format!("{what} -n {namespace}")));
            }
            self.succeed(&format!("delete namespace {namespace} --wait=false"));
            resume_unwind(panic);
        }
        self.succeed(&format!("delete pods --all --grace-period=2 -n {namespace} --timeout=60s"));
        self.succeed(&format!("delete namespace {namespace} --timeout=120s"));
    }

    /// Where its files lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program in the network namespace of the node.
    pub(crate) fn enter(&self, program: &Path) -> Command {
        self.enter_by(inside::ENTER, program)
    }

    fn enter_by(&self, way: &str, program: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env_clear().env("HOME", self.folder.path()).env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        command.arg(way).arg(self.first.to_string()).arg(program);
        command
    }

    /// kubectl with arguments, whose standard input becomes its controlling terminal.
    pub(crate) fn command_in_terminal(&self, arguments: &[&str]) -> Command {
        let mut command = self.enter_by(inside::TERMINAL, &self.kubectl);
        command.args(arguments).env("TERM", "xterm");
        command
    }

    /// kubectl with arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.enter(&self.kubectl);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs kubectl to its end; arguments are separated by blanks.
    pub(crate) fn kubectl(&self, arguments: &str) -> Output {
        self.command(&arguments.split_whitespace().collect::<Vec<_>>()).output().unwrap()
    }

    /// What kubectl printed; its failure fails the case.
    pub(crate) fn succeed(&self, arguments: &str) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies documents.
    pub(crate) fn apply(&self, namespace: &str, documents: &str) {
        let output = self.feed(&["apply", "-n", namespace, "-f", "-"], documents.as_bytes());
        assert!(output.status.success(), "{}\n{documents}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs kubectl with an input.
    pub(crate) fn feed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(arguments);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        drop(writer.join());
        output
    }

    /// Asks until the answer is as wanted; reading again is how a test without a watch waits.
    pub(crate) fn until(&self, arguments: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.kubectl(arguments);
            let found = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && wanted(&found) {
                return found;
            }
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "{arguments}: {found}{errors}");
        }
    }

    /// Fetches a page from the node's own network.
    pub(crate) fn fetch(&self, address: &str) -> Result<String, String> {
        let output = self.enter(Path::new("payload")).args(["fetch", address, "/index.html"]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The orchestrator.
    pub(crate) fn server(&self) -> i32 {
        let is_server = |pid: &i32| arguments(*pid).get(1).is_some_and(|argument| argument == "server");
        children(self.first).into_iter().find(is_server).unwrap()
    }

    /// SIGKILL to the orchestrator; returns when the next one is ready.
    pub(crate) fn kill_server(&self) {
        kill_process(Pid::from_raw(self.server()).unwrap(), Signal::KILL).unwrap();
        self.await_ready();
    }

    /// Processes of containers in the node, by the name in their arguments.
    pub(crate) fn payloads(&self) -> BTreeSet<i32> {
        let shims = children(self.first).into_iter().filter(|pid| arguments(*pid).get(1).is_some_and(|a| a == "shim"));
        shims.flat_map(children).filter(|pid| arguments(*pid).first().is_some_and(|a| a.ends_with("payload"))).collect()
    }

    /// Everything that a pod could leave: mounts, links, control groups, folders, processes, descriptors by number.
    fn held(&self) -> BTreeSet<String> {
        let root = PathBuf::from(format!("/proc/{}/root", self.first));
        let mut held = BTreeSet::new();
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", self.first)).unwrap();
        held.extend(mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(|at| format!("mount {at}")));
        let links = fs::read_to_string(format!("/proc/{}/net/dev", self.first)).unwrap();
        let links = links.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
        // The bridge stays: it is the node's.
        held.extend(links.filter(|name| *name != "cni0").map(|name| format!("link {name}")));
        for level in ["kubepods", "kubepods/besteffort", "kubepods/burstable", "kubepods/shims"] {
            held.extend(folders(&self.group.join(level)).into_iter().map(|name| format!("group {level}/{name}")));
        }
        for folder in ["run/coracle/pods", "var/lib/kubelet/pods", "var/log/pods", "var/log/containers"] {
            held.extend(folders(&root.join(folder)).into_iter().map(|name| format!("folder {folder}/{name}")));
        }
        let upper = root.join("var/lib/coracle/agent/containers/upper");
        held.extend(folders(&upper).into_iter().map(|name| format!("upper {name}")));
        held.extend(children(self.first).into_iter().map(|pid| format!("process {:?}", arguments(pid))));
        held
    }

    /// What the pods left behind, once it does not become less any more.
    fn left(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left: Vec<String> = self.held().difference(&self.idle).cloned().collect();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::yield_now();
        }
    }

    /// Ends the node; gives what its pods have left.
    pub(crate) fn end(mut self) -> Vec<String> {
        let left = self.left();
        self.stop();
        left
    }

    fn stop(&mut self) {
        if let Some(first) = Pid::from_raw(self.first) {
            let _ = kill_process(first, Signal::KILL);
        }
        let _ = self.outer.wait();
        remove(&self.group);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

fn children(of: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn arguments(of: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{of}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

fn folders(of: &Path) -> Vec<String> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let is_file = |path: &Path| path.is_file() && !path.is_symlink();
    entries
        .filter(|entry| !is_file(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Removes a control group with those in it.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
        remove(&entry.path());
    }
    let _ = fs::remove_dir(group);
}
