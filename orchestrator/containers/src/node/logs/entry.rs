//! Entries of a log, `TIME STREAM TAG TEXT`, and how a client sees them.

use coracle_apimachinery::time::{Instant, Precision};

/// No entry is longer; longer ones are not of our making and are cut.
const LONGEST: usize = 1 << 20;

/// Cuts bytes into entries.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    held: Vec<u8>,
}

impl Cutter {
    /// Hands out whole entries until it is told that it is enough; says whether it was.
    pub(super) fn cut(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8]) -> bool) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.held.len());
            self.held.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            if piece.last() != Some(&b'\n') {
                continue;
            }
            let line = std::mem::take(&mut self.held);
            if take(line.strip_suffix(b"\n").unwrap_or(&line)) {
                return true;
            }
        }
        false
    }
}

/// Prints entries.
#[derive(Debug)]
pub(super) struct Printer {
    timestamps: bool,
    since: Option<(i64, u32)>,
    left: Option<u64>,
    /// The last entry was no whole line.
    inside: bool,
}

impl Printer {
    pub(super) fn new(timestamps: bool, since: Option<(i64, u32)>, limit: Option<u64>) -> Self {
        Self { timestamps, since, left: limit, inside: false }
    }

    /// Prints an entry; says whether the limit is reached.
    pub(super) fn print(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let Some((time, tag, text)) = parts(line) else { return self.left == Some(0) };
        if self.since.is_some_and(|since| moment(time).is_some_and(|moment| moment < since)) {
            return false;
        }
        let begin = out.len();
        if self.timestamps && !self.inside {
            out.extend_from_slice(time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(text);
        self.inside = tag.starts_with('P');
        if !self.inside {
            out.push(b'\n');
        }
        let Some(left) = &mut self.left else { return false };
        let added = out.len().saturating_sub(begin);
        let kept = usize::try_from(*left).unwrap_or(usize::MAX).min(added);
        out.truncate(begin.saturating_add(kept));
        *left = left.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
        *left == 0
    }
}

/// Time, tag and text of an entry.
fn parts(line: &[u8]) -> Option<(&str, &str, &[u8])> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let stream = parts.next()?;
    let tag = std::str::from_utf8(parts.next()?).ok()?;
    matches!(stream, b"stdout" | b"stderr").then_some((time, tag, parts.next().unwrap_or_default()))
}

/// Seconds and nanoseconds of a time in UTC with any number of digits behind the point.
fn moment(text: &str) -> Option<(i64, u32)> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = Instant::parse(&format!("{whole}Z"), Precision::Seconds).ok()?.seconds;
    let digits = format!("{fraction:0<9}");
    Some((seconds, digits.get(..9)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "1970-01-01T00:00:01.000000000Z stdout F one\n\
        1970-01-01T00:00:02.500000000Z stdout P two \n\
        1970-01-01T00:00:02.600000000Z stdout F and a half\n\
        broken\n\
        1970-01-01T00:00:03.000000000Z stderr F \n\
        1970-01-01T00:00:04.000000000Z stdout F four";

    fn printed(timestamps: bool, since: Option<(i64, u32)>, limit: Option<u64>, block: usize) -> String {
        let (mut cutter, mut printer, mut out) =
            (Cutter::default(), Printer::new(timestamps, since, limit), Vec::new());
        for bytes in LOG.as_bytes().chunks(block) {
            if cutter.cut(bytes, |line| printer.print(line, &mut out)) {
                break;
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn entries_become_lines() {
        for block in [1, 7, 1000] {
            assert_eq!(printed(false, None, None, block), "one\ntwo and a half\n\n", "an unfinished entry waits");
            assert_eq!(
                printed(true, Some((2, 500_000_000)), None, block),
                "1970-01-01T00:00:02.500000000Z two and a half\n1970-01-01T00:00:03.000000000Z \n"
            );
            assert_eq!(printed(false, None, Some(6), block), "one\ntw");
            assert_eq!(printed(false, None, Some(0), block), "");
        }
        assert_eq!(moment("1970-01-01T00:00:01Z"), Some((1, 0)));
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), Some((1, 500_000_000)));
        assert_eq!(moment("yesterday"), None);
    }
}
