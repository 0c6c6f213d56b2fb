//! Reads the logs of containers, which lie in the CRI's form.

mod entry;
mod follow;
mod tail;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coracle_agent::runtime::State;
use coracle_node_connection::Bytes;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use entry::{Cutter, Printer};
use follow::Watch;

/// Bytes that are read at once.
const BLOCK: u64 = 64 << 10;
/// Bytes that wait for a client that reads slowly.
const AHEAD: usize = 64 << 10;

/// Which part of a log is wanted, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) follow: bool,
    pub(super) timestamps: bool,
    pub(super) tail: Option<u64>,
    pub(super) since: Option<SystemTime>,
    pub(super) limit: Option<u64>,
}

/// Opens a log; what it holds comes from a task that ends when nobody reads any more.
pub(super) async fn read(path: PathBuf, wanted: Wanted, state: watch::Receiver<State>) -> io::Result<Bytes> {
    let opened = path.clone();
    let tail = wanted.tail;
    let open = move || -> io::Result<Option<File>> {
        let mut file = match File::open(&opened) {
            Ok(file) => file,
            // The container has not begun to write.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(lines) = tail {
            let begin = tail::begin(&mut file, lines)?;
            file.seek(SeekFrom::Start(begin))?;
        }
        Ok(Some(file))
    };
    // What is written from here on rings, so that nothing is missed between the last look and the wait.
    let watch = if wanted.follow { Some(Watch::new(&path)?) } else { None };
    let file = tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??;
    let (reader, writer) = tokio::io::duplex(AHEAD);
    let printer = Printer::new(wanted.timestamps, wanted.since.map(moment), wanted.limit);
    let task = Reading { path, file, printer, cutter: Cutter::default(), writer };
    tokio::spawn(async move {
        // A client that went away is no trouble; others are told.
        if let Err(error) = task.run(watch, state).await
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::warn!(%error, "a log is not read to its end");
        }
    });
    Ok(Box::new(reader))
}

/// Seconds and nanoseconds since 1970.
fn moment(time: SystemTime) -> (i64, u32) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

struct Reading {
    path: PathBuf,
    file: Option<File>,
    printer: Printer,
    cutter: Cutter,
    writer: DuplexStream,
}

/// Whether more is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    Wanted,
    Enough,
}

impl Reading {
    async fn run(mut self, watch: Option<Watch>, mut state: watch::Receiver<State>) -> io::Result<()> {
        let Some(mut watch) = watch else {
            self.drain().await?;
            return Ok(());
        };
        loop {
            // What was written before the end of the container is there once the end is known.
            let over = super::is_over(&state);
            if self.advance().await? == More::Enough || over {
                return Ok(());
            }
            // A client that went away while nothing is written has to be noticed too.
            tokio::select! {
                rung = watch.rung() => rung?,
                changed = state.changed() => {
                    if changed.is_err() {
                        // The container was removed, and its log with it.
                        return self.advance().await.map(drop);
                    }
                }
                () = closed(&mut self.writer) => return Ok(()),
            }
        }
    }

    /// Reads what there is, through all files that the log was rotated to since.
    async fn advance(&mut self) -> io::Result<More> {
        loop {
            if self.drain().await? == More::Enough {
                return Ok(More::Enough);
            }
            let path = self.path.clone();
            let present = self.file.take();
            let look = move || follow::next(&path, present.as_ref()).map(|next| (present, next));
            let (present, next) = tokio::task::spawn_blocking(look).await.map_err(io::Error::other)??;
            self.file = present;
            let Some(next) = next else { return Ok(More::Wanted) };
            // The last bytes of a file can come between the last read and its rotation.
            if self.drain().await? == More::Enough {
                return Ok(More::Enough);
            }
            self.cutter = Cutter::default();
            self.file = Some(next);
        }
    }

    /// Reads the present file to its end.
    async fn drain(&mut self) -> io::Result<More> {
        while let Some(mut file) = self.file.take() {
            let read = move || -> io::Result<(File, Vec<u8>)> {
                let mut bytes = Vec::new();
                (&mut file).take(BLOCK).read_to_end(&mut bytes)?;
                Ok((file, bytes))
            };
            let (file, bytes) = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
            self.file = Some(file);
            if bytes.is_empty() {
                break;
            }
            let mut out = Vec::new();
            let full = self.cutter.cut(&bytes, |line| self.printer.print(line, &mut out));
            self.writer.write_all(&out).await?;
            if full {
                return Ok(More::Enough);
            }
        }
        Ok(More::Wanted)
    }
}

/// Resolves when nobody reads any more.
async fn closed(writer: &mut DuplexStream) {
    // The other end never writes: what ends this read is its end.
    let mut nothing = [0];
    let _ = tokio::io::AsyncReadExt::read(writer, &mut nothing).await;
}
