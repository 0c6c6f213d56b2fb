//! Everything a guest said and everything QEMU reported about it, in order, and the bounded waits on it.
//!
//! Reader threads append; a wait sleeps on a condition variable until an entry matches, the guest is gone or the bound
//! has passed. The record never forgets, so nothing is lost between two waits.

use crate::pattern::Pattern;
use coracle_contract::marker::Marker;
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// QEMU's name for a reset.
const RESET: &str = "RESET";
/// QEMU's BIOS answers a reset with a second one to get its memory reloaded; that one is no further boot.
pub const RESET_AGAIN: &str = "RESET_AGAIN";
/// Lines that a failed test shows.
const TAIL_LINES: usize = 60;
/// A line without an end is cut here, so that garbage on the console cannot grow without bound.
const LONGEST_LINE: usize = 16 * 1024;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Time since the guest was started.
    pub at: Duration,
    /// The thing.
    pub what: What,
}

/// Kinds of entries.
#[derive(Clone, Debug)]
pub enum What {
    /// A whole console line.
    Line {
        /// Without its end and control characters.
        text: String,
        /// The marker in it.
        marker: Option<Marker>,
    },
    /// An event of QEMU.
    Event(Event),
}

/// An event of QEMU's control socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// For example `RESET`, `WATCHDOG`, `SHUTDOWN`, `GUEST_PANICKED`.
    pub name: String,
    /// Its members.
    pub data: Value,
}

/// Why a wait ended without its pattern.
#[derive(Clone, Debug)]
pub enum Miss {
    /// The bound passed.
    Timeout,
    /// A forbidden entry came first.
    Forbidden(Entry),
    /// The console is closed and nothing more can come.
    Closed,
    /// No console output for this long.
    Silent(Duration),
}

/// A shared record; clones see the same entries.
#[derive(Clone, Debug)]
pub struct Record {
    shared: Arc<Shared>,
    started: Instant,
    /// Longest silence of the console that a wait for the console bears.
    silence: Option<Duration>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    transcript: Vec<u8>,
    partial: Vec<u8>,
    heard: Duration,
    /// Sources beside the console that may still say something.
    others: usize,
    closed: bool,
}

/// One wait: what, what not, how long.
#[derive(Debug)]
pub struct Wait<'a> {
    /// Ends the wait well.
    pub wanted: &'a Pattern,
    /// Ends it badly at once.
    pub forbidden: &'a [Pattern],
    /// The longest it may take.
    pub bound: Duration,
}

impl Record {
    /// An empty record that starts now.
    #[must_use]
    pub fn new(silence: Option<Duration>) -> Self {
        Self { shared: Arc::default(), started: Instant::now(), silence }
    }

    /// Appends bytes of the console.
    pub fn push_console(&self, bytes: &[u8]) {
        let at = self.started.elapsed();
        let mut state = self.state();
        state.heard = at;
        state.transcript.extend_from_slice(bytes);
        for &byte in bytes {
            if byte == b'\n' || state.partial.len() >= LONGEST_LINE {
                let line = std::mem::take(&mut state.partial);
                state.entries.push(Entry { at, what: read_line(&line) });
            }
            if byte != b'\n' {
                state.partial.push(byte);
            }
        }
        self.shared.changed.notify_all();
    }

    /// Appends an event. A reset before anything was said after the last one is called [`RESET_AGAIN`].
    pub fn push_event(&self, mut event: Event) {
        let at = self.started.elapsed();
        let mut state = self.state();
        if event.name == RESET && state.is_quiet_since_reset() {
            RESET_AGAIN.clone_into(&mut event.name);
        }
        state.entries.push(Entry { at, what: What::Event(event) });
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Announces a source beside the console; it has to [`Self::close`] as well.
    pub fn add_source(&self) {
        self.state().others += 1;
    }

    /// Says that one source is done. After the last one nothing more will come.
    pub fn close(&self) {
        let mut state = self.state();
        match state.others.checked_sub(1) {
            Some(others) => state.others = others,
            None => state.closed = true,
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits for a pattern from entry number `from` on.
    ///
    /// # Errors
    /// The pattern did not come.
    pub fn wait(&self, from: usize, wait: &Wait<'_>) -> std::result::Result<(usize, Entry), Miss> {
        let deadline = Instant::now() + wait.bound;
        let begun = self.started.elapsed();
        let mut seen = from;
        let mut state = self.state();
        loop {
            for (index, entry) in state.entries.iter().enumerate().skip(seen) {
                if wait.wanted.matches(entry) {
                    return Ok((index, entry.clone()));
                }
                if wait.forbidden.iter().any(|pattern| pattern.matches(entry)) {
                    return Err(Miss::Forbidden(entry.clone()));
                }
            }
            seen = seen.max(state.entries.len());
            if state.closed {
                return Err(Miss::Closed);
            }
            let mut left = deadline.saturating_duration_since(Instant::now());
            if let Some(silence) = self.silence.filter(|_| wait.wanted.is_console()) {
                let quiet = self.started.elapsed().saturating_sub(state.heard.max(begun));
                if quiet >= silence {
                    return Err(Miss::Silent(silence));
                }
                left = left.min(silence.saturating_sub(quiet));
            }
            if deadline <= Instant::now() {
                return Err(Miss::Timeout);
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Boots so far: one, and one more for each reset.
    #[must_use]
    pub fn boots(&self) -> usize {
        let is_reset = |entry: &&Entry| matches!(&entry.what, What::Event(event) if event.name == RESET);
        1 + self.state().entries.iter().filter(is_reset).count()
    }

    /// All entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.state().entries.clone()
    }

    /// Number of entries so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// True when nothing was said yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every console byte so far.
    #[must_use]
    pub fn transcript(&self) -> Vec<u8> {
        self.state().transcript.clone()
    }

    /// The last lines and events, for people.
    #[must_use]
    pub fn tail(&self) -> String {
        let state = self.state();
        let skip = state.entries.len().saturating_sub(TAIL_LINES);
        let mut text = String::from("--- end of the console ---\n");
        for entry in state.entries.iter().skip(skip) {
            let line = match &entry.what {
                What::Line { text, .. } => text.clone(),
                What::Event(event) => format!("=== QEMU: {} {}", event.name, event.data),
            };
            text.push_str(&format!("{:8.2} {line}\n", entry.at.as_secs_f64()));
        }
        if !state.partial.is_empty() {
            text.push_str(&format!("   (cut) {}\n", printable(&state.partial)));
        }
        text
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A reader that panicked leaves at worst a line unread.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_quiet_since_reset(&self) -> bool {
        let recent = self.entries.iter().rev().take_while(|entry| matches!(entry.what, What::Event(_)));
        recent.map(|entry| &entry.what).any(|what| matches!(what, What::Event(event) if event.name == RESET))
    }
}

fn read_line(bytes: &[u8]) -> What {
    let text = printable(bytes);
    let marker = Marker::find(&text);
    What::Line { text, marker }
}

/// The text without terminal control sequences, which firmware and GRUB print in plenty.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            if characters.next_if_eq(&'[').is_some() {
                while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
            }
            characters.next();
        } else if !character.is_control() {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{event, line, marker};

    /// A boot as a serial line carries it: escapes, half lines, kernel lines, a marker behind a kernel timestamp.
    const RECORDED: &[u8] = b"\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001\r\n\
        [    0.000000] Linux version 6.12\r\n\
        CORACLE-MARK stage name=pseudo-fs at-ms=12\r\n\
        [    1.2] CORACLE-MARK stage name=modules at-ms=40\r\n\
        CORACLE-MARK fatal stage=disk error=\"no \\\"disk\\\"\"\r\n\
        CORACLE-MARK stage name=cut";

    fn wait<'a>(wanted: &'a Pattern, forbidden: &'a [Pattern]) -> Wait<'a> {
        Wait { wanted, forbidden, bound: Duration::from_millis(1) }
    }

    #[test]
    fn markers_are_read_from_any_cut_of_the_transcript() {
        for size in [1, 2, 7, 4096] {
            let record = Record::new(None);
            RECORDED.chunks(size).for_each(|bytes| record.push_console(bytes));
            let entries = record.entries();
            let names: Vec<_> = entries
                .iter()
                .filter_map(|entry| match &entry.what {
                    What::Line { marker: Some(found), .. } => found.get("name").or_else(|| found.get("error")),
                    _ => None,
                })
                .collect();
            assert_eq!(names, ["pseudo-fs", "modules", "no \"disk\""], "{size}");
            assert_eq!(record.transcript(), RECORDED);
            assert!(record.tail().contains("BdsDxe: loading"), "no escapes: {}", record.tail());
            assert!(record.tail().contains("(cut) CORACLE-MARK stage name=cut"));
        }
    }

    #[test]
    fn waits_find_miss_and_refuse() {
        let record = Record::new(None);
        record.push_console(RECORDED);
        let modules = marker("stage").with("name", "modules");
        let (at, _) = record.wait(0, &wait(&modules, &[])).unwrap();
        assert!(matches!(record.wait(at + 1, &wait(&modules, &[])), Err(Miss::Timeout)), "it came once");
        assert!(matches!(record.wait(0, &wait(&marker("stage").with("name", "cut"), &[])), Err(Miss::Timeout)));
        let refused = record.wait(0, &wait(&marker("readyz"), &[marker("fatal")]));
        assert!(matches!(refused, Err(Miss::Forbidden(entry)) if entry.to_string().contains("disk")));
        assert!(record.wait(0, &wait(&line("Linux version"), &[])).is_ok());
        record.push_event(Event { name: "RESET".into(), data: serde_json::json!({"reason": "guest-reset"}) });
        assert!(record.wait(0, &wait(&event("RESET").with("reason", "guest-reset"), &[])).is_ok());
        assert!(record.wait(0, &wait(&event("RESET").with("reason", "host"), &[])).is_err());
        record.add_source();
        record.close();
        record.push_event(Event { name: "SHUTDOWN".to_owned(), data: serde_json::Value::Null });
        let late = crate::pattern::event("SHUTDOWN");
        assert!(record.wait(at + 1, &wait(&late, &[])).is_ok(), "one source is still open");
        record.close();
        let closed = Wait { bound: Duration::from_secs(3600), ..wait(&modules, &[]) };
        assert!(matches!(record.wait(at + 1, &closed), Err(Miss::Closed)), "a closed console ends the wait at once");
    }

    #[test]
    fn a_wait_is_woken_by_the_reader() {
        let record = Record::new(None);
        let reader = record.clone();
        let thread = std::thread::spawn(move || reader.push_console(RECORDED));
        let wanted = marker("fatal");
        let found = record.wait(0, &Wait { wanted: &wanted, forbidden: &[], bound: Duration::from_secs(60) });
        assert!(found.is_ok());
        thread.join().unwrap();
    }

    #[test]
    fn silence_ends_only_waits_for_the_console() {
        let record = Record::new(Some(Duration::from_millis(20)));
        let bound = Duration::from_millis(60);
        let (console, qemu) = (marker("readyz"), event("RESET"));
        let heard = record.wait(0, &Wait { wanted: &console, forbidden: &[], bound: Duration::from_secs(3600) });
        assert!(matches!(heard, Err(Miss::Silent(_))), "{heard:?}");
        let event = record.wait(0, &Wait { wanted: &qemu, forbidden: &[], bound });
        assert!(matches!(event, Err(Miss::Timeout)), "{event:?}");
    }

    #[test]
    fn a_double_reset_is_one_boot() {
        let record = Record::new(None);
        let reset = || record.push_event(Event { name: "RESET".into(), data: Value::Null });
        assert_eq!(record.boots(), 1);
        for boot in 2..5 {
            record.push_console(b"GRUB\n");
            reset();
            record.push_event(Event { name: "RTC_CHANGE".into(), data: Value::Null });
            reset();
            assert_eq!(record.boots(), boot);
            let again = event(RESET_AGAIN);
            assert!(record.wait(record.len() - 1, &wait(&again, &[])).is_ok());
        }
    }

    #[test]
    fn an_endless_line_is_cut() {
        let record = Record::new(None);
        record.push_console(&vec![b'x'; LONGEST_LINE * 2 + 1]);
        assert_eq!(record.len(), 2);
    }
}
