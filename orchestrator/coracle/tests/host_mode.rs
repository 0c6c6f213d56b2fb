//! `coracle` as a user starts it on any Linux, without the OS image and without root.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test starts the real executable and may panic")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use coracle_contract::heartbeat::{DESCRIPTOR_VARIABLE, Message};
use coracle_contract::marker::Marker;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
use rustix::process::{Pid, Signal, kill_process};

/// A running server; it is killed when the test ends early.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        Self::start_with(command, &[])
    }

    fn start_with(command: &mut Command, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let command =
            command.args(["server", "--disable-agent", "--bind-address", "127.0.0.1", "--https-listen-port", "0"]);
        let command = command.arg("--data-dir").arg(directory.path());
        let command = command.arg("--write-kubeconfig").arg(directory.path().join("kubeconfig"));
        let mut child = command.args(more).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, _directory: directory }
    }

    /// The next marker on standard output; the end of the output fails the test.
    fn marker(&mut self) -> Marker {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the server ended: {:?}", self.child.wait());
            if let Some(marker) = Marker::find(&line) {
                return marker;
            }
        }
    }

    fn terminate(mut self) -> bool {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn coracle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coracle"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn version_runs_the_embedded_executables() {
    let output = coracle().arg("version").output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(concat!("coracle version ", env!("CARGO_PKG_VERSION"), " (v1.37.2)\n")), "{text}");
    assert!(text.contains(concat!("\ncoracle-init ", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
    assert!(text.contains(concat!("\ncoracle-runtime ", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
}

#[test]
fn the_server_answers_its_own_check_and_ends_at_sigterm() {
    let mut server = Server::start(&mut coracle());
    let serving = server.marker();
    assert_eq!(serving.name(), "serving");
    assert_ne!(serving.get("address").unwrap().parse::<SocketAddr>().unwrap().port(), 0);
    let readyz = server.marker();
    assert_eq!((readyz.name(), readyz.get("status"), readyz.get("body")), ("readyz", Some("200"), Some("ok")));
    assert!(server.terminate());
}

#[test]
fn a_taken_port_is_named_in_the_error() {
    let mut first = Server::start(&mut coracle());
    let address: SocketAddr = first.marker().get("address").unwrap().parse().unwrap();
    let port = address.port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let mut second = coracle();
    let second =
        second.args(["server", "--disable-agent", "--bind-address", "127.0.0.1", "--https-listen-port", &port]);
    let second = second.arg("--write-kubeconfig").arg(directory.path().join("kubeconfig"));
    let output = second.arg("--data-dir").arg(directory.path()).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains(&format!("cannot listen on 127.0.0.1:{port}: ")), "{}", text(&output));
    assert!(first.terminate());
}

#[test]
fn pid_1_hears_alive_and_then_ready() {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    fcntl_setfd(theirs.as_fd(), FdFlags::empty()).unwrap();
    let mut server = Server::start(coracle().env(DESCRIPTOR_VARIABLE, theirs.as_raw_fd().to_string()));
    drop(theirs);
    let mut packet = [0_u8; 512];
    let mut heard = Vec::new();
    while heard.last() != Some(&Message::Ready) {
        let (length, _) = recv(&ours, &mut packet, RecvFlags::empty()).unwrap();
        heard.push(Message::decode(&packet[..length]).unwrap());
    }
    assert_eq!(heard.first(), Some(&Message::Alive));
    assert_eq!(server.marker().name(), "serving");
    drop(ours);
    let status = server.child.wait().unwrap();
    assert!(!status.success(), "a server that PID 1 has forgotten ends, so that it is started again");
}

#[test]
fn a_configuration_is_checked_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let output = coracle().args(["config", "check"]).arg(&file).args(more).output().unwrap();
        let out = String::from_utf8(output.stdout.clone()).unwrap().replace(file.to_str().unwrap(), "FILE");
        (output.status.code(), out, text_of_errors(&output))
    };
    assert_eq!(check("node-name: porch\n", &[]), (Some(0), "FILE: ok\n".to_owned(), String::new()));
    let (code, out, errors) = check("node-nam: porch\n\ntoken: secret\n", &[]);
    let want = "FILE:1: node-nam: there is no such key; did you mean node-name?\n\
                FILE:3: token: this key joins with the second node, which is not part of this version\n";
    assert_eq!((code, out.as_str()), (Some(1), want));
    assert!(errors.ends_with(": 2 problems\n"), "{errors}");
    let (code, out, _) = check("node-name: porch\n", &["--source", "nocloud"]);
    assert_eq!((code, out.as_str()), (Some(1), "FILE:1: the first line of user-data must be #coracle-config\n"));

    let output = coracle().args(["server", "--config"]).arg(folder.path().join("none")).output().unwrap();
    assert!(!output.status.success() && text_of_errors(&output).contains("none: No such file"), "{}", text(&output));
    std::fs::write(&file, "hostname: porch\n").unwrap();
    let output = coracle().args(["server", "--config"]).arg(&file).output().unwrap();
    assert!(
        text_of_errors(&output).contains("config.yaml: line 1: hostname: is for devices only"),
        "{}",
        text(&output)
    );

    // The port of the flag wins over that of the file, which the server would refuse to share with a stranger.
    std::fs::write(&file, "node-name: porch\nhttps-listen-port: 1\n").unwrap();
    let mut server = Server::start_with(&mut coracle(), &["--config", file.to_str().unwrap()]);
    let serving = server.marker();
    assert_ne!(serving.get("address").unwrap().parse::<SocketAddr>().unwrap().port(), 1);
    assert!(server.terminate());
}

fn text_of_errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
