//! Programs that run in a container beside its first process.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use coracle_agent::runtime::Executed;
use coracle_shim_protocol::message::{Exec, Reason, Size};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::Containers;
use super::parts::{Execution, Shim};
use super::record::{ContainerRecord, new_id};

/// Bytes of output that are kept.
const LONGEST: usize = 16 << 10;
/// What a shell answers for a program that is not there.
const NOT_FOUND: i32 = 127;

/// A program that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) shim: Arc<dyn Shim>,
    pub(crate) id: String,
    pub(crate) exec: String,
    pub(crate) execution: Execution,
}

/// A program that cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotStarted {
    pub(crate) message: String,
    /// Whether it is the program that is missing.
    pub(crate) is_missing: bool,
}

impl From<String> for NotStarted {
    fn from(message: String) -> Self {
        Self { message, is_missing: false }
    }
}

impl Containers {
    /// Starts a program with these streams, or at a terminal.
    pub(crate) async fn start_program(
        &self,
        id: &str,
        command: &[String],
        streams: Vec<OwnedFd>,
        terminal: Option<Size>,
    ) -> Result<Started, NotStarted> {
        let (_, record, shim) = self.find(id).ok_or_else(|| format!("container {id:?} not found"))?;
        let shim = shim.ok_or_else(|| "container not running".to_owned())?;
        let exec = new_id().map_err(|error| error.to_string())?;
        let exec = exec.get(..16).unwrap_or(&exec).to_owned();
        let request = Exec {
            id: record.id.clone(),
            exec: exec.clone(),
            process: process(&record, command, terminal.is_some()),
            tty: terminal.is_some(),
            size: terminal,
        };
        let execution = shim.exec(request, streams).await.map_err(|refusal| NotStarted {
            is_missing: refusal.reason == Reason::ExecError && matches!(refusal.errno, Some(2 | 13)),
            message: refusal.message,
        })?;
        Ok(Started { shim, id: record.id, exec, execution })
    }

    /// Runs a program to its end.
    pub(super) async fn run(&self, id: &str, command: &[String], limit: Duration) -> Result<Executed, String> {
        let (output, writer) = pipe().map_err(|error| error.to_string())?;
        let errors = writer.try_clone().map_err(|error| error.to_string())?;
        let input = OwnedFd::from(File::open("/dev/null").map_err(|error| error.to_string())?);
        let started = match self.start_program(id, command, vec![input, writer, errors], None).await {
            Ok(started) => started,
            Err(NotStarted { message, is_missing: true }) => {
                return Ok(Executed { exit_code: NOT_FOUND, output: message });
            }
            Err(NotStarted { message, .. }) => return Err(message),
        };
        let Started { shim, id, exec, execution } = started;
        let finish = async {
            let (mut kept, mut exit) = (Vec::new(), execution.exit);
            let ended = tokio::select! {
                biased;
                () = collect(&output, &mut kept) => exit.await,
                // Somebody may hold the other end of the output longer than the program runs.
                ended = &mut exit => ended,
            };
            drain(&output, &mut kept);
            (ended.map(|exit| exit.code), kept)
        };
        match timeout(limit, finish).await {
            Ok((Ok(exit_code), kept)) => {
                Ok(Executed { exit_code, output: String::from_utf8_lossy(&kept).into_owned() })
            }
            Ok((Err(_), _)) => Err("the sandbox ended before the program did".to_owned()),
            Err(_) => {
                if let Err(refusal) = shim.kill_exec(&id, &exec).await {
                    tracing::debug!(container = id, exec, %refusal, "a program that takes too long is not killed");
                }
                Err(format!("command {:?} timed out", command.join(" ")))
            }
        }
    }
}

/// What the container's process is, with another command.
fn process(record: &ContainerRecord, command: &[String], terminal: bool) -> serde_json::Value {
    let mut process = record.process.clone();
    if let Some(members) = process.as_object_mut() {
        members.insert("args".to_owned(), command.into());
        members.insert("terminal".to_owned(), terminal.into());
        let has_term = |env: &serde_json::Value| env.as_str().is_some_and(|line| line.starts_with("TERM="));
        if terminal
            && let Some(env) = members.get_mut("env").and_then(serde_json::Value::as_array_mut)
            && !env.iter().any(has_term)
        {
            env.push("TERM=xterm".into());
        }
    }
    process
}

/// A pipe whose reading end is for tokio.
pub(crate) fn pipe() -> io::Result<(Receiver, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((Receiver::from_owned_fd(reader)?, writer))
}

/// Reads to the end and keeps what fits.
async fn collect(from: &Receiver, kept: &mut Vec<u8>) {
    while from.readable().await.is_ok() {
        if read_all(|buffer| from.try_read(buffer), kept) {
            return;
        }
    }
}

/// Reads what is there, whether or not tokio has heard of it.
fn drain(from: &Receiver, kept: &mut Vec<u8>) {
    read_all(|buffer| Ok(rustix::io::read(from, buffer)?), kept);
}

/// Reads what is there and keeps what fits. Says whether that was the end.
fn read_all(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>, kept: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match read(&mut buffer) {
            Ok(0) => return true,
            Ok(read) => {
                let room = LONGEST.saturating_sub(kept.len());
                kept.extend(buffer.get(..read.min(room)).unwrap_or_default());
            }
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
