//! How containers ended, as the status shows it.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use coracle_agent::runtime::Exit;
use coracle_apimachinery::time::Instant;
use coracle_shim_protocol::{Nanoseconds, files};

use super::record::ContainerRecord;

/// Bytes of a termination message that are read.
const LONGEST_MESSAGE: u64 = 4096;
/// Bytes and lines at the end of a log that stand in for it.
const LOG_BYTES: u64 = 2048;
const LOG_LINES: usize = 80;
const START_FAILED: i32 = 128;
const UNKNOWN: i32 = 255;

/// What the shim told. Blocks.
pub(super) fn of_shim(record: &ContainerRecord, exit: &files::Exit) -> Exit {
    let reason = match (exit.oom, exit.code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    };
    Exit {
        started: exit.started.map_or_else(|| record.created.into(), instant),
        finished: instant(exit.finished),
        exit_code: exit.code,
        // As containerd has it: the code tells.
        signal: 0,
        reason: reason.to_owned(),
        message: message(record, exit.code),
    }
}

/// It could not be started.
pub(super) fn of_start_failure(message: &str, at: Instant) -> Exit {
    Exit {
        // As containerd has it: it never started.
        started: Instant { seconds: 0, micros: 0 },
        finished: at,
        exit_code: START_FAILED,
        signal: 0,
        reason: "StartError".to_owned(),
        message: message.to_owned(),
    }
}

/// Nobody was there to see.
pub(super) fn unknown(record: &ContainerRecord, now: Instant) -> Exit {
    Exit {
        started: record.created.into(),
        finished: now,
        exit_code: UNKNOWN,
        signal: 0,
        reason: "Unknown".to_owned(),
        message: message(record, UNKNOWN),
    }
}

/// A point in time.
pub(super) fn instant(nanoseconds: Nanoseconds) -> Instant {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let micros = u32::try_from(rest / 1_000).unwrap_or(0);
    Instant::new(i64::try_from(seconds).unwrap_or(0), micros).unwrap_or(Instant { seconds: 0, micros: 0 })
}

fn message(record: &ContainerRecord, code: i32) -> String {
    // The container can write there whatever it likes, so it is opened without waiting and read to a limit.
    let own = read_start(&record.message);
    if own.is_empty() && record.message_from_log && code != 0 { end_of_log(&record.log) } else { own }
}

fn read_start(path: &Path) -> String {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let Ok(file) = fs::OpenOptions::new().read(true).custom_flags(flags).open(path) else { return String::new() };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return String::new();
    }
    let mut bytes = Vec::new();
    // What cannot be read is no message.
    let _ = file.take(LONGEST_MESSAGE).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last lines of a log without times and streams.
fn end_of_log(path: &Path) -> String {
    let Ok(mut file) = fs::File::open(path) else { return String::new() };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    // Each line has about 40 bytes in front.
    let begin = length.saturating_sub(LOG_BYTES.saturating_mul(8));
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(begin)).is_err() || file.take(LOG_BYTES * 8).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let whole: Vec<&str> = text.lines().skip(usize::from(begin > 0)).collect();
    let contents: Vec<&str> = whole.iter().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let mut kept = contents.get(contents.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
    let size = |lines: &[&str]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    while kept.len() > 1 && u64::try_from(size(kept)).unwrap_or(u64::MAX) > LOG_BYTES {
        kept = kept.get(1..).unwrap_or_default();
    }
    kept.iter().flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_a_message() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("0.log");
        fs::write(
            &path,
            "2026-01-01T00:00:00.000000000Z stdout F one two\n2026-01-01T00:00:00.000000000Z stderr F three\n",
        )
        .unwrap();
        assert_eq!(end_of_log(&path), "one two\nthree\n");
        let line = "2026-01-01T00:00:00.000000000Z stdout F 0123456789\n";
        fs::write(&path, line.repeat(5000)).unwrap();
        assert_eq!(end_of_log(&path), "0123456789\n".repeat(80));
        assert_eq!(end_of_log(&scratch.path().join("none")), "");
    }

    #[test]
    fn messages_are_read_with_care() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("message");
        fs::write(&path, "x".repeat(5000)).unwrap();
        assert_eq!(read_start(&path).len(), 4096);
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert_eq!(read_start(&link), "");
        assert_eq!(read_start(scratch.path()), "");
    }

    #[test]
    fn times() {
        assert_eq!(instant(1_500_000_000), Instant::new(1, 500_000).unwrap());
    }
}
