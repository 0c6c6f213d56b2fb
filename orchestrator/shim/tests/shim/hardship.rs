//! What must not harm a shim: helpers that hang or die, clients that misbehave, many of both.

use std::fs::File;
use std::os::fd::AsFd as _;

use coracle_shim_protocol::files::Start;
use coracle_shim_protocol::frame;
use coracle_shim_protocol::message::{Operation, Reason};

use crate::Case;
use crate::rig::{Pod, exec};

pub(crate) const CASES: &[Case] = &[
    ("a_helper_that_hangs_blocks_nobody_and_is_killed", a_helper_that_hangs_blocks_nobody_and_is_killed),
    ("a_helper_that_dies_is_quoted_and_cleaned_up_after", a_helper_that_dies_is_quoted_and_cleaned_up_after),
    ("nonsense_ends_only_its_connection", nonsense_ends_only_its_connection),
    ("a_half_closed_connection_gets_its_answer", a_half_closed_connection_gets_its_answer),
    ("a_thousand_connections_do_not_shut_others_out", a_thousand_connections_do_not_shut_others_out),
    ("failures_leave_no_descriptors_and_no_zombies", failures_leave_no_descriptors_and_no_zombies),
    ("a_client_that_takes_nothing_is_cut_off", a_client_that_takes_nothing_is_cut_off),
];

fn a_helper_that_hangs_blocks_nobody_and_is_killed() {
    let pod = Pod::with(Start { helper_milliseconds: 500, ..Start::default() });
    let mut client = pod.client();
    let mut other = pod.client();
    let create = pod.container("c", &["HANG"]);
    let request = client.send(Operation::Create(create.clone()), &[]);
    while other.list().is_empty() {}
    let busy = other.ask(Operation::Create(create)).unwrap_err();
    assert_eq!(busy.reason, Reason::AlreadyExists);
    assert_eq!(client.answer(request).unwrap_err().reason, Reason::DeadlineExceeded);
    assert!(other.list().is_empty(), "it can be made again");
    client.run(pod.container("c", &["sleep", "1000"]));
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let hang = Operation::Exec(exec("c", "e", &["HANG"]));
    let failure = client.ask_with(hang, &[null.as_fd(), null.as_fd(), null.as_fd()]).unwrap_err();
    assert_eq!(failure.reason, Reason::DeadlineExceeded);
    client.kill("c", 9);
    assert_eq!(client.event().code, 137);
}

fn a_helper_that_dies_is_quoted_and_cleaned_up_after() {
    let pod = Pod::new();
    let mut client = pod.client();
    let failure = client.ask(Operation::Create(pod.container("c", &["CRASH"]))).unwrap_err();
    assert_eq!(failure.reason, Reason::Internal);
    assert!(failure.message.ends_with("was ended by signal 9 without a report: last words"), "{failure}");
    let failure = client.ask(Operation::Create(pod.container("c", &["FAIL"]))).unwrap_err();
    assert_eq!((failure.reason, failure.message.as_str()), (Reason::CreateContainerError, "no such rootfs"));
    client.run(pod.container("c", &["true"]));
    assert_eq!(client.event().code, 0);
}

fn nonsense_ends_only_its_connection() {
    let pod = Pod::new();
    let mut client = pod.client();
    let hello = frame::encode(&serde_json::json!({ "id": 1, "operation": { "hello": { "versions": [1] } } })).unwrap();
    let greeted = |rest: &[u8]| [hello.as_slice(), rest].concat();
    for bytes in [
        vec![0xff; 64],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frame::encode(&serde_json::json!({ "id": 1, "operation": { "list": {} } })).unwrap(),
        frame::encode(&serde_json::json!({ "operation": { "hello": { "versions": [1] } } })).unwrap(),
        frame::encode(&serde_json::json!({ "id": 1, "operation": { "hello": { "versions": [2] } } })).unwrap(),
        greeted(&[0xff; 64]),
        greeted(b"\0\0\0\x03abc"),
        greeted(b"\0\0\0\x02[]"),
    ] {
        let mut stranger = pod.stranger();
        stranger.raw(&bytes);
        assert!(stranger.is_closed(), "{bytes:?}");
    }
    // Descriptors that belong to no request.
    let mut stranger = pod.stranger();
    let null = File::open("/dev/null").unwrap();
    stranger.send(Operation::Hello { versions: vec![1] }, &[null.as_fd(); 4]);
    assert!(stranger.is_closed());
    // A client may be newer.
    let unknown = serde_json::json!({ "id": 77, "operation": { "fly": {} } });
    client.raw(&frame::encode(&unknown).unwrap());
    assert_eq!(client.answer(77).unwrap_err().reason, Reason::InvalidArgument);
    assert!(client.list().is_empty());
}

fn a_half_closed_connection_gets_its_answer() {
    let pod = Pod::new();
    let mut client = pod.stranger();
    client.ask(Operation::Hello { versions: vec![1] }).unwrap();
    let request = client.send(Operation::Create(pod.container("c", &["true"])), &[]);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    client.answer(request).unwrap();
    assert!(client.is_closed(), "nothing can come any more");
    // In the middle of a frame.
    let mut client = pod.stranger();
    client.raw(&[0, 0]);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.is_closed());
    pod.client();
}

fn a_thousand_connections_do_not_shut_others_out() {
    let pod = Pod::new();
    let mut first = pod.client();
    let silent: Vec<_> = (0..1000).map(|_| pod.stranger()).collect();
    assert!(first.list().is_empty(), "who said hello stays");
    let mut second = pod.client();
    assert!(second.list().is_empty());
    assert!(pod.descriptors().len() < 200);
    drop(silent);
    second.run(pod.container("c", &["true"]));
    assert_eq!(first.event().code, 0);
}

fn failures_leave_no_descriptors_and_no_zombies() {
    let pod = Pod::new();
    let mut client = pod.client();
    client.run(pod.container("c", &["sleep", "1000"]));
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let three = [null.as_fd(), null.as_fd(), null.as_fd()];
    let before = pod.descriptors();
    for round in 0..200 {
        let word = ["FAIL", "CRASH", "/no/such", "true"][round % 4];
        let id = format!("d{}", round % 4);
        if client.ask(Operation::Create(pod.container(&id, &[word]))).is_ok() {
            let started = client.ask(Operation::Start { id: id.clone() });
            assert_eq!(started.is_ok(), word == "true");
            client.event();
            client.ask(Operation::Delete { id }).unwrap();
        }
        if client.ask_with(Operation::Exec(exec("c", "e", &[word])), &three).is_ok() {
            client.event();
        }
        let mut tty = exec("c", "t", &[word]);
        tty.tty = true;
        if client.ask(Operation::Exec(tty)).is_ok() {
            client.received.clear();
            client.event();
        }
    }
    assert_eq!(pod.descriptors(), before);
    assert_eq!(pod.children(), 1);
}

fn a_client_that_takes_nothing_is_cut_off() {
    let pod = Pod::new();
    let mut client = pod.client();
    let mut deaf = pod.client();
    deaf.stream.set_nonblocking(true).unwrap();
    // Each answer quotes the word.
    let request = serde_json::json!({ "id": 5, "operation": "x".repeat(100_000) });
    let bytes = frame::encode(&request).unwrap();
    let mut sent = 0;
    for _ in 0..200 {
        match std::io::Write::write(&mut deaf.stream, &bytes) {
            Ok(written) => sent += written,
            Err(_) => break,
        }
    }
    assert!(sent < 4 << 20, "the shim stops reading: {sent}");
    assert!(client.list().is_empty());
}
