//! The recorded answers of the real Kubernetes, asked from our server in host mode, and kubectl as its users run it.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test starts real executables and may panic")]

mod common;
mod controllers;
mod first_contact;
mod lists;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Server, block_on, kubectl, older_kubectl};
use oracle::{Data, Finding, OpenList};

/// Differences of one recording that are printed.
const SHOWN: usize = 10;

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
    // Recorded without controllers, so that nothing but the answers is compared.
    let server = Server::start(&["--disable-controller-manager", "--disable-scheduler"]);
    let data = Data::read().unwrap();
    let findings = block_on(data.judge(&server.target())).unwrap();
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
    let server = Server::start(&[]);
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

#[test]
fn first_steps_with_debians_kubectl() {
    first_steps(&older_kubectl());
}

#[test]
fn keys_are_for_the_owner_only() {
    let server = Server::start(&[]);
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
