//! Processes run in containers, and terminals.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;

use coracle_shim_protocol::message::{Operation, Reason, Reply, Size};

use crate::Case;
use crate::rig::{Client, Pod, exec};

pub(crate) const CASES: &[Case] = &[
    ("exec_gets_the_passed_streams", exec_gets_the_passed_streams),
    ("a_failed_exec_says_why", a_failed_exec_says_why),
    ("an_exec_ends_by_signal_alone", an_exec_ends_by_signal_alone),
    ("an_exec_with_a_terminal_gives_its_end_away", an_exec_with_a_terminal_gives_its_end_away),
    ("a_container_with_a_terminal_is_logged_and_resized", a_container_with_a_terminal_is_logged_and_resized),
];

fn sleeper(pod: &Pod) -> Client {
    let mut client = pod.client();
    client.run(pod.container("c", &["sleep", "1000"]));
    client
}

fn exec_gets_the_passed_streams() {
    let pod = Pod::new();
    let mut client = sleeper(&pod);
    let (input, mut feed) = std::io::pipe().unwrap();
    let (mut out, output) = std::io::pipe().unwrap();
    let (mut err, errors) = std::io::pipe().unwrap();
    let operation = Operation::Exec(exec("c", "e", &["sh", "-c", "cat; echo err >&2; exit 6"]));
    client.ask_with(operation, &[input.as_fd(), output.as_fd(), errors.as_fd()]).unwrap();
    drop((input, output, errors));
    assert_eq!(client.list()[0].execs, ["e"]);
    feed.write_all(b"fed").unwrap();
    drop(feed);
    let (mut got_out, mut got_err) = (String::new(), String::new());
    out.read_to_string(&mut got_out).unwrap();
    err.read_to_string(&mut got_err).unwrap();
    assert_eq!((got_out.as_str(), got_err.as_str()), ("fed", "err\n"), "the shim holds no copy");
    let exit = client.event();
    assert_eq!((exit.id.as_str(), exit.exec.as_deref(), exit.code), ("c", Some("e"), 6));
    assert!(client.list()[0].execs.is_empty() && client.list()[0].exit.is_none());
}

fn a_failed_exec_says_why() {
    let pod = Pod::new();
    let mut client = sleeper(&pod);
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let three = [null.as_fd(), null.as_fd(), null.as_fd()];
    for (arguments, want, errno) in [
        ("/no/such", Reason::StartError, Some(2)),
        ("FAIL", Reason::CreateContainerError, None),
        ("CRASH", Reason::Internal, None),
    ] {
        let failure = client.ask_with(Operation::Exec(exec("c", "e", &[arguments])), &three).unwrap_err();
        assert_eq!((failure.reason, failure.errno), (want, errno), "{failure}");
    }
    for (container, name, passed, want) in [
        ("c", "e", &three[..2], Reason::InvalidArgument),
        ("c", "e/", &three[..], Reason::InvalidArgument),
        ("other", "e", &three[..], Reason::NotFound),
    ] {
        let outcome = client.ask_with(Operation::Exec(exec(container, name, &["true"])), passed);
        assert_eq!(outcome.unwrap_err().reason, want);
    }
    for _ in 0..20 {
        client.ask_with(Operation::Exec(exec("c", "e", &["EARLY"])), &three).unwrap();
        assert_eq!(client.event().code, 3, "an end before the report");
    }
    client.kill("c", 9);
    assert!(client.event().exec.is_none());
    let outcome = client.ask_with(Operation::Exec(exec("c", "e", &["true"])), &three);
    assert_eq!(outcome.unwrap_err().reason, Reason::FailedPrecondition);
}

fn an_exec_ends_by_signal_alone() {
    let pod = Pod::new();
    let mut client = sleeper(&pod);
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let three = [null.as_fd(), null.as_fd(), null.as_fd()];
    client.ask_with(Operation::Exec(exec("c", "e", &["sleep", "1000"])), &three).unwrap();
    let again = client.ask_with(Operation::Exec(exec("c", "e", &["true"])), &three);
    assert_eq!(again.unwrap_err().reason, Reason::AlreadyExists);
    client.ask(Operation::Signal { id: "c".into(), exec: Some("e".into()), signal: 9, all: false }).unwrap();
    let exit = client.event();
    assert_eq!((exit.exec.as_deref(), exit.code, exit.signal), (Some("e"), 137, Some(9)));
    assert!(client.list()[0].exit.is_none());
    // What still runs when the container is deleted is ended and told of.
    client.ask_with(Operation::Exec(exec("c", "left", &["sleep", "1000"])), &three).unwrap();
    client.kill("c", 9);
    assert!(client.event().exec.is_none());
    client.ask(Operation::Delete { id: "c".into() }).unwrap();
    let exit = client.event();
    assert_eq!((exit.exec.as_deref(), exit.code), (Some("left"), 137));
    while pod.children() > 0 {
        client.list();
    }
}

fn an_exec_with_a_terminal_gives_its_end_away() {
    let pod = Pod::new();
    let mut client = sleeper(&pod);
    let mut operation = exec("c", "e", &["sh", "-c", "stty size; read line; stty size; exit 4"]);
    operation.tty = true;
    operation.size = Some(Size { columns: 80, rows: 24 });
    let Reply::Process { .. } = client.ask(Operation::Exec(operation)).unwrap() else { panic!() };
    let mut terminal = File::from(client.received.pop().unwrap());
    let mut text = String::new();
    read_until(&mut terminal, &mut text, "24 80");
    let size = Size { columns: 132, rows: 50 };
    client.ask(Operation::Resize { id: "c".into(), exec: Some("e".into()), size }).unwrap();
    terminal.write_all(b"go\n").unwrap();
    read_until(&mut terminal, &mut text, "50 132");
    assert_eq!(client.event().code, 4);
    let gone = client.ask(Operation::Resize { id: "c".into(), exec: Some("e".into()), size });
    assert_eq!(gone.unwrap_err().reason, Reason::NotFound);
}

fn a_container_with_a_terminal_is_logged_and_resized() {
    let pod = Pod::new();
    let mut client = pod.client();
    let script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut create = pod.container("c", &["sh", "-c", script]);
    create.tty = true;
    client.run(create);
    while pod.log("c").is_empty() {
        client.list();
    }
    let size = Size { columns: 77, rows: 33 };
    client.ask(Operation::Resize { id: "c".into(), exec: None, size }).unwrap();
    assert_eq!(client.event().code, 0);
    assert_eq!(pod.log("c"), ["stdout F ready\r", "stdout F 33 77\r"]);
}

fn read_until(terminal: &mut File, text: &mut String, wanted: &str) {
    let mut buffer = [0; 256];
    while !text.contains(wanted) {
        let read = terminal.read(&mut buffer).unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
}
