use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use coracle_agent::runtime::Exit;
use coracle_apimachinery::time::Instant;
use tokio::io::AsyncReadExt;

use super::*;

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for line in text.lines() {
        writeln!(file, "2026-01-01T00:00:00.000000000Z stdout F {line}").unwrap();
    }
}

fn running() -> watch::Sender<State> {
    watch::Sender::new(State::Running { started: Instant { seconds: 0, micros: 0 } })
}

fn ended() -> State {
    let zero = Instant { seconds: 0, micros: 0 };
    let (reason, message) = (String::new(), String::new());
    State::Exited(Exit { started: zero, finished: zero, exit_code: 0, signal: 0, reason, message })
}

async fn expect(log: &mut Bytes, want: &str) {
    let mut got = vec![0; want.len()];
    let read = tokio::time::timeout(Duration::from_secs(20), log.read_exact(&mut got)).await;
    assert!(read.is_ok_and(|read| read.is_ok()), "{want}");
    assert_eq!(String::from_utf8(got).unwrap(), want);
}

#[tokio::test]
async fn a_log_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("0.log");
    append(&path, "1\n2\n3");
    let state = running();
    for (wanted, want) in [
        (Wanted::default(), "1\n2\n3\n"),
        (Wanted { tail: Some(2), ..Wanted::default() }, "2\n3\n"),
        (Wanted { tail: Some(0), ..Wanted::default() }, ""),
        (Wanted { limit: Some(3), ..Wanted::default() }, "1\n2"),
        (Wanted { tail: Some(1), timestamps: true, ..Wanted::default() }, "2026-01-01T00:00:00.000000000Z 3\n"),
        (Wanted { since: Some(SystemTime::now() + Duration::from_secs(1 << 33)), ..Wanted::default() }, ""),
    ] {
        let mut text = String::new();
        let mut log = read(path.clone(), wanted.clone(), state.subscribe()).await.unwrap();
        log.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, want, "{wanted:?}");
    }
}

#[tokio::test]
async fn rotations_are_followed_without_loss() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("0.log");
    let rotate = |to: &str| std::fs::rename(&path, scratch.path().join(format!("0.log.{to}"))).unwrap();
    append(&path, "1\n2");
    let state = running();
    let wanted = Wanted { follow: true, tail: Some(1), ..Wanted::default() };
    let mut log = read(path.clone(), wanted, state.subscribe()).await.unwrap();
    expect(&mut log, "2\n").await;
    append(&path, "3");
    expect(&mut log, "3\n").await;
    // Twice before the reader looks.
    append(&path, "4");
    rotate("20260101-000001");
    append(&path, "5");
    rotate("20260101-000002");
    std::fs::write(scratch.path().join("0.log.20260101-000000.gz"), "packed").unwrap();
    append(&path, "6");
    expect(&mut log, "4\n5\n6\n").await;
    append(&path, "7");
    state.send_replace(ended());
    let mut rest = String::new();
    log.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "7\n", "the end of the container is the end of its log");
}

#[tokio::test]
async fn a_log_that_begins_later_is_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("0.log");
    let state = running();
    let wanted = Wanted { follow: true, ..Wanted::default() };
    let mut log = read(path.clone(), wanted, state.subscribe()).await.unwrap();
    append(&path, "1");
    expect(&mut log, "1\n").await;
    drop(state);
    let mut rest = String::new();
    log.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "", "a container that was removed has no more to say");
}
