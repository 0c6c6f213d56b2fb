//! Programs in containers for clients.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use coracle_node_connection::{Bytes, Error, ExecRequest, ExecSession, Exit, Sink, Size};
use coracle_shim_protocol::message;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Sender;
use tokio::sync::watch;

use super::terminal::Terminal;
use crate::runtime::parts::Shim;
use crate::runtime::{Containers, Started, pipe};

/// Kills a program that nobody waits for any more.
#[derive(Debug)]
struct Guard {
    shim: Arc<dyn Shim>,
    id: String,
    exec: String,
    done: bool,
}

impl Guard {
    fn finish(&mut self) {
        self.done = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (shim, id, exec) = (Arc::clone(&self.shim), self.id.clone(), self.exec.clone());
        // Without a runtime the program ends, and the program's container is adopted by the next one.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(refusal) = shim.kill_exec(&id, &exec).await {
                    tracing::debug!(container = id, exec, %refusal, "a program whose client left is not killed");
                }
            });
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Failed(format!("failed to exec in container: {error}"))
}

/// Starts a program.
pub(super) async fn start(containers: &Containers, id: &str, request: &ExecRequest) -> Result<ExecSession, Error> {
    if request.tty { at_terminal(containers, id, request).await } else { with_pipes(containers, id, request).await }
}

async fn with_pipes(containers: &Containers, id: &str, request: &ExecRequest) -> Result<ExecSession, Error> {
    let (stdin, input) = input(request.stdin).map_err(failed)?;
    let (stdout, output_end) = output(request.stdout).map_err(failed)?;
    let (stderr, errors) = output(request.stderr).map_err(failed)?;
    let started = containers.start_program(id, &request.command, vec![input, output_end, errors], None).await;
    let started = started.map_err(|refused| failed(refused.message))?;
    Ok(ExecSession { stdin, stdout, stderr, resize: None, exit: exit(started) })
}

async fn at_terminal(containers: &Containers, id: &str, request: &ExecRequest) -> Result<ExecSession, Error> {
    let size = message::Size::default();
    let started = containers.start_program(id, &request.command, Vec::new(), Some(size)).await;
    let mut started = started.map_err(|refused| failed(refused.message))?;
    let end = started.execution.terminal.take().ok_or_else(|| failed("the program has no terminal"))?;
    let terminal = Terminal::new(end).map_err(failed)?;
    let (resize, sizes) = watch::channel(Size::default());
    tokio::spawn(follow_size(Arc::clone(&started.shim), started.id.clone(), started.exec.clone(), sizes));
    let stdin = request.stdin.then(|| Box::new(terminal.clone()) as Sink);
    let stdout = request.stdout.then(|| Box::new(terminal) as Bytes);
    Ok(ExecSession { stdin, stdout, stderr: None, resize: Some(resize), exit: exit(started) })
}

/// Tells the terminal its sizes until nobody tells any more.
async fn follow_size(shim: Arc<dyn Shim>, id: String, exec: String, mut sizes: watch::Receiver<Size>) {
    while sizes.changed().await.is_ok() {
        let Size { columns, rows } = *sizes.borrow_and_update();
        if let Err(refusal) = shim.resize(&id, &exec, message::Size { columns, rows }).await {
            tracing::debug!(container = id, exec, %refusal, "a terminal keeps its size");
        }
    }
}

fn exit(started: Started) -> Exit {
    let Started { shim, id, exec, execution } = started;
    let mut guard = Guard { shim, id, exec, done: false };
    Box::pin(async move {
        let exit = execution.exit.await;
        guard.finish();
        exit.map(|exit| exit.code).map_err(|_| Error::Failed("the pod ended before the command did".to_owned()))
    })
}

fn nothing(write: bool) -> io::Result<OwnedFd> {
    OpenOptions::new().read(!write).write(write).open("/dev/null").map(File::into)
}

fn input(wanted: bool) -> io::Result<(Option<Sink>, OwnedFd)> {
    if !wanted {
        return Ok((None, nothing(false)?));
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    Ok((Some(Box::new(Sender::from_owned_fd(writer)?)), reader))
}

fn output(wanted: bool) -> io::Result<(Option<Bytes>, OwnedFd)> {
    if !wanted {
        return Ok((None, nothing(true)?));
    }
    let (reader, writer) = pipe()?;
    Ok((Some(Box::new(reader)), writer))
}
