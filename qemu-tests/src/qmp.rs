//! QEMU's control protocol: commands with their answers, and events into the record.

use crate::error::{Error, Result};
use crate::record::{Event, Record};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// QEMU answers in milliseconds; under load in seconds.
const BOUND: Duration = Duration::from_secs(60);

/// The control connection of one guest.
#[derive(Debug)]
pub(crate) struct Control {
    stream: UnixStream,
    answers: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts reading and leaves the negotiation mode.
    pub(crate) fn open(stream: UnixStream, record: Record) -> Result<Self> {
        let failed = |source: std::io::Error| qmp("connect", &source.to_string());
        let lines = BufReader::new(stream.try_clone().map_err(failed)?);
        let (sender, answers) = channel();
        record.add_source();
        let reader = std::thread::spawn(move || {
            read(lines, &sender, &record);
            record.close();
        });
        let mut control = Self { stream, answers, reader: Some(reader) };
        control.command("qmp_capabilities", &json!({}))?;
        Ok(control)
    }

    /// One command and its answer.
    pub(crate) fn command(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let line = format!("{}\n", json!({ "execute": name, "arguments": arguments }));
        self.stream.write_all(line.as_bytes()).map_err(|source| qmp(name, &source.to_string()))?;
        let mut answer = self.answers.recv_timeout(BOUND).map_err(|source| qmp(name, &source.to_string()))?;
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => Err(qmp(name, &answer.to_string())),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Ends the reader also when QEMU is still being killed.
        let _closed_before = self.stream.shutdown(std::net::Shutdown::Both);
        if let Some(Err(_)) = self.reader.take().map(JoinHandle::join) {
            eprintln!("the control reader of a guest panicked");
        }
    }
}

fn qmp(command: &str, message: &str) -> Error {
    Error::Qmp { command: command.to_owned(), message: message.to_owned() }
}

/// Sorts QEMU's lines until it closes: greeting dropped, events recorded, the rest are answers.
fn read(lines: BufReader<UnixStream>, answers: &Sender<Value>, record: &Record) {
    for line in lines.lines() {
        let Ok(line) = line else { break };
        match sort(&line) {
            Some(Message::Event(event)) => record.push_event(event),
            Some(Message::Answer(answer)) => {
                // A test that no longer waits has already failed.
                if answers.send(answer).is_err() {
                    break;
                }
            }
            Some(Message::Greeting) => {}
            None => eprintln!("QEMU's control socket sent what is not understood: {line}"),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Message {
    Greeting,
    Event(Event),
    Answer(Value),
}

fn sort(line: &str) -> Option<Message> {
    let mut value: Value = serde_json::from_str(line).ok()?;
    if value.get("QMP").is_some() {
        return Some(Message::Greeting);
    }
    if let Some(name) = value.get("event") {
        let name = name.as_str()?.to_owned();
        let data = value.get_mut("data").map_or(Value::Null, Value::take);
        return Some(Message::Event(Event { name, data }));
    }
    (value.get("return").is_some() || value.get("error").is_some()).then_some(Message::Answer(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted() {
        assert_eq!(sort(r#"{"QMP": {"version": {}}}"#), Some(Message::Greeting));
        let event = Event { name: "WATCHDOG".into(), data: json!({"action": "reset"}) };
        let line = r#"{"timestamp": {"seconds": 1}, "event": "WATCHDOG", "data": {"action": "reset"}}"#;
        assert_eq!(sort(line), Some(Message::Event(event)));
        assert!(matches!(sort(r#"{"return": {}}"#), Some(Message::Answer(_))));
        assert!(matches!(sort(r#"{"error": {"class": "GenericError"}}"#), Some(Message::Answer(_))));
        for line in ["", "{}", "[1]", r#"{"event": 3}"#] {
            assert_eq!(sort(line), None, "{line}");
        }
    }
}
