//! Life of containers.

use std::fs;
use std::path::Path;

use coracle_shim_protocol::files::EXIT;
use coracle_shim_protocol::message::{Operation, Reason, State};

use crate::Case;
use crate::rig::Pod;

pub(crate) const CASES: &[Case] = &[
    ("exit_codes_and_both_streams_arrive", exit_codes_and_both_streams_arrive),
    ("a_signal_ends_a_container", a_signal_ends_a_container),
    ("all_processes_of_a_group_get_a_signal", all_processes_of_a_group_get_a_signal),
    ("a_program_that_cannot_be_executed_is_a_start_error", a_program_that_cannot_be_executed_is_a_start_error),
    ("an_end_before_the_report_is_not_lost", an_end_before_the_report_is_not_lost),
    ("operations_in_the_wrong_state_are_refused", operations_in_the_wrong_state_are_refused),
    ("a_container_that_was_never_started_is_deleted", a_container_that_was_never_started_is_deleted),
    ("containers_outlive_their_client", containers_outlive_their_client),
    ("orphans_are_reaped", orphans_are_reaped),
    ("input_stays_open_only_if_asked_for", input_stays_open_only_if_asked_for),
];

fn exit_codes_and_both_streams_arrive() {
    let pod = Pod::new();
    let mut client = pod.client();
    for code in [0, 7, 255] {
        let id = format!("c{code}");
        let script = format!("echo out; echo err >&2; printf 'no end'; exit {code}");
        let pid = client.run(pod.container(&id, &["sh", "-c", &script]));
        let exit = client.event();
        assert_eq!((exit.id.as_str(), exit.code, exit.signal, exit.oom), (id.as_str(), code, None, false));
        assert!(exit.exec.is_none() && exit.started.unwrap() <= exit.finished);
        assert_eq!(pod.exit_file(&id), exit);
        let mut log = pod.log(&id);
        log.sort_unstable();
        assert_eq!(log, ["stderr F err", "stdout F out", "stdout P no end"]);
        let shown = client.list().into_iter().find(|container| container.id == id).unwrap();
        assert_eq!((shown.state, shown.pid, shown.exit), (State::Exited, Some(pid), Some(exit)));
        client.ask(Operation::Delete { id: id.clone() }).unwrap();
        client.ask(Operation::Delete { id }).unwrap();
    }
    assert!(client.list().is_empty());
}

fn a_signal_ends_a_container() {
    let pod = Pod::new();
    let mut client = pod.client();
    for (signal, code, ended_by) in [(15, 143, Some(15)), (9, 137, Some(9)), (34 + 3, 128 + 37, Some(37))] {
        let id = format!("c{signal}");
        client.run(pod.container(&id, &["sleep", "1000"]));
        assert_eq!(client.list().pop().map(|container| container.state), Some(State::Running));
        client.kill(&id, signal);
        let exit = client.event();
        assert_eq!((exit.code, exit.signal), (code, ended_by));
        client.ask(Operation::Delete { id }).unwrap();
    }
    client.run(pod.container("trap", &["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"]));
    while pod.log("trap").is_empty() {
        client.list();
    }
    client.kill("trap", 15);
    assert_eq!(client.event().code, 5);
}

/// Needs a writable control group of version 2; says so where there is none.
fn all_processes_of_a_group_get_a_signal() {
    let mut roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new).into_iter();
    let Some(root) = roots.find(|root| root.join("cgroup.procs").exists()) else {
        return println!("no control groups of version 2 here");
    };
    let group = root.join(format!("coracle-shim-test-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&group) {
        return println!("cannot make a control group: {error}");
    }
    let pod = Pod::new();
    let mut client = pod.client();
    for signal in [15, 9] {
        let args = ["sh", "-c", "sleep 1000 & sleep 1001 & wait"];
        let config = serde_json::json!({ "process": { "args": args }, "cgroup": group });
        let mut create = pod.configured("c", &config);
        create.cgroup = Some(group.clone());
        client.run(create);
        while fs::read_to_string(group.join("cgroup.procs")).unwrap().lines().count() < 3 {
            client.list();
        }
        client.ask(Operation::Signal { id: "c".into(), exec: None, signal, all: true }).unwrap();
        assert_eq!(client.event().code, 128 + signal);
        while !fs::read_to_string(group.join("cgroup.procs")).unwrap().is_empty() {
            client.list();
        }
        client.ask(Operation::Delete { id: "c".into() }).unwrap();
    }
    while fs::remove_dir(&group).is_err() {
        client.list();
    }
}

fn a_program_that_cannot_be_executed_is_a_start_error() {
    let pod = Pod::new();
    let mut client = pod.client();
    client.ask(Operation::Create(pod.container("c", &["/no/such/program"]))).unwrap();
    let failure = client.ask(Operation::Start { id: "c".into() }).unwrap_err();
    assert_eq!((failure.reason, failure.errno), (Reason::StartError, Some(2)));
    let exit = client.event();
    assert_eq!((exit.code, exit.started), (1, None), "the event comes after the answer");
    client.ask(Operation::Delete { id: "c".into() }).unwrap();
}

fn an_end_before_the_report_is_not_lost() {
    let pod = Pod::new();
    let mut client = pod.client();
    for _ in 0..20 {
        client.ask(Operation::Create(pod.container("c", &["EARLY"]))).unwrap();
        let exit = client.event();
        assert_eq!((exit.code, exit.started), (3, None));
        assert_eq!(pod.exit_file("c"), exit);
        let failure = client.ask(Operation::Start { id: "c".into() }).unwrap_err();
        assert_eq!(failure.reason, Reason::FailedPrecondition);
        client.ask(Operation::Delete { id: "c".into() }).unwrap();
    }
}

fn operations_in_the_wrong_state_are_refused() {
    let pod = Pod::new();
    let mut client = pod.client();
    let c = || "c".to_owned();
    client.run(pod.container("c", &["sleep", "1000"]));
    for (operation, want) in [
        (Operation::Create(pod.container("c", &["true"])), Reason::AlreadyExists),
        (Operation::Create(pod.container("../c", &["true"])), Reason::InvalidArgument),
        (Operation::Start { id: c() }, Reason::FailedPrecondition),
        (Operation::Start { id: "other".into() }, Reason::NotFound),
        (Operation::Delete { id: c() }, Reason::FailedPrecondition),
        (Operation::Delete { id: "a/b".into() }, Reason::InvalidArgument),
        (Operation::Signal { id: c(), exec: None, signal: 99, all: false }, Reason::InvalidArgument),
        (Operation::Signal { id: c(), exec: Some("e".into()), signal: 9, all: false }, Reason::NotFound),
        (Operation::Rotate { id: "other".into() }, Reason::NotFound),
        (Operation::Attach { id: c() }, Reason::Unimplemented),
        (Operation::Ports {}, Reason::Unimplemented),
        (Operation::End {}, Reason::FailedPrecondition),
    ] {
        let shown = format!("{operation:?}");
        assert_eq!(client.ask(operation).unwrap_err().reason, want, "{shown}");
    }
    let mut create = pod.container("d", &["true"]);
    create.log = Some("/nowhere/0.log".into());
    assert_eq!(client.ask(Operation::Create(create)).unwrap_err().reason, Reason::CreateContainerError);
    client.kill("c", 9);
    client.event();
    let kill = Operation::Signal { id: c(), exec: None, signal: 9, all: false };
    assert_eq!(client.ask(kill).unwrap_err().reason, Reason::NotFound, "an ended container");
}

fn a_container_that_was_never_started_is_deleted() {
    let pod = Pod::new();
    let mut client = pod.client();
    client.ask(Operation::Create(pod.container("c", &["true"]))).unwrap();
    client.ask(Operation::Delete { id: "c".into() }).unwrap();
    client.run(pod.container("c", &["sh", "-c", "exit 9"]));
    let mut exit = client.event();
    while exit.started.is_none() {
        exit = client.event();
    }
    assert_eq!(exit.code, 9);
}

fn containers_outlive_their_client() {
    let pod = Pod::new();
    let mut first = pod.client();
    first.send(Operation::Create(pod.container("c", &["sh", "-c", "echo start; sleep 0.3; echo end; exit 7"])), &[]);
    drop(first);
    let mut second = pod.client();
    while second.list().first().is_none_or(|container| container.state == State::Creating) {}
    second.send(Operation::Start { id: "c".into() }, &[]);
    drop(second);
    let file = pod.folder().join("c").join(EXIT);
    let mut third = pod.client();
    while third.list().pop().unwrap().exit.is_none() {}
    assert!(file.exists(), "the file comes before the word");
    assert_eq!(pod.exit_file("c").code, 7);
    assert_eq!(pod.log("c"), ["stdout F start", "stdout F end"]);
}

fn orphans_are_reaped() {
    let pod = Pod::new();
    let mut client = pod.client();
    client.run(pod.container("c", &["sh", "-c", "for i in 1 2 3; do (sh -c 'sleep 0.1; exit 4' &); done; sleep 0.05"]));
    assert_eq!(client.event().code, 0);
    while pod.children() > 0 {
        client.list();
    }
}

fn input_stays_open_only_if_asked_for() {
    let pod = Pod::new();
    let mut client = pod.client();
    client.run(pod.container("closed", &["cat"]));
    assert_eq!(client.event().code, 0);
    let mut create = pod.container("open", &["cat"]);
    create.stdin = true;
    client.run(create);
    client.run(pod.container("later", &["sleep", "0.2"]));
    assert_eq!(client.event().id, "later");
    client.kill("open", 9);
    assert_eq!(client.event().id, "open");
}
