//! From bytes to entries: `TIME STREAM TAG TEXT`, tag `F` for a full line or the end of one, `P` for a part of a line.

/// The most bytes of text in one entry; longer lines become several entries (as with containerd).
pub(super) const LONGEST: usize = 16 << 10;

/// Cuts one stream into lines. Holds what follows the last line break, at most [`LONGEST`] bytes.
#[derive(Debug)]
pub(super) struct Lines {
    name: &'static str,
    held: Vec<u8>,
}

impl Lines {
    /// For the stream of this name.
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, held: Vec::new() }
    }

    /// Takes bytes and appends the entries that they complete to `out`.
    pub(super) fn push(&mut self, mut bytes: &[u8], time: &str, out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let room = LONGEST.saturating_sub(self.held.len());
            let line_end = bytes.iter().take(room.saturating_add(1)).position(|byte| *byte == b'\n');
            if let Some(end) = line_end {
                let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
                self.entry(b'F', line, time, out);
                bytes = rest.get(1..).unwrap_or_default();
            } else if let Some((part, rest)) = bytes.split_at_checked(room).filter(|(_, rest)| !rest.is_empty()) {
                // The line goes on: only then is it known that this is a part and not the line's end.
                self.entry(b'P', part, time, out);
                bytes = rest;
            } else {
                self.held.extend_from_slice(bytes);
                return;
            }
        }
    }

    /// The stream ended: what is held was no whole line.
    pub(super) fn finish(&mut self, time: &str, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.entry(b'P', &[], time, out);
        }
    }

    fn entry(&mut self, tag: u8, text: &[u8], time: &str, out: &mut Vec<u8>) {
        for part in [time.as_bytes(), b" ", self.name.as_bytes(), b" ", &[tag], b" ", &self.held, text, b"\n"] {
            out.extend_from_slice(part);
        }
        // Given back, not kept: most streams rest most of the time.
        self.held = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::new("stdout"), Vec::new());
        for part in parts {
            lines.push(part, "T", &mut out);
            assert!(lines.held.len() <= LONGEST);
        }
        lines.finish("T", &mut out);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_become_entries() {
        for (parts, want) in [
            (vec![b"a\n".as_slice()], vec!["T stdout F a"]),
            (vec![b"a\nb\n"], vec!["T stdout F a", "T stdout F b"]),
            (vec![b"a", b"b\nc"], vec!["T stdout F ab", "T stdout P c"]),
            (vec![b"\n\n"], vec!["T stdout F ", "T stdout F "]),
            (vec![b"a\r\n"], vec!["T stdout F a\r"]),
            (vec![], vec![]),
        ] {
            // `lines` of std drops a carriage return at the end, so compare without it.
            let want: Vec<String> = want.iter().map(|line| line.trim_end_matches('\r').to_owned()).collect();
            assert_eq!(entries(&parts), want);
        }
    }

    #[test]
    fn long_lines_are_cut_at_the_limit_wherever_the_reads_end() {
        let long = vec![b'x'; LONGEST * 2 + 3];
        let mut whole = long.clone();
        whole.push(b'\n');
        for step in [1, 7, 4096, LONGEST - 1, LONGEST, LONGEST + 1, whole.len()] {
            let parts: Vec<&[u8]> = whole.chunks(step).collect();
            let found = entries(&parts);
            let tags: Vec<(&str, usize)> = found.iter().map(|line| (&line[9..10], line.len() - 11)).collect();
            assert_eq!(tags, [("P", LONGEST), ("P", LONGEST), ("F", 3)], "{step}");
        }
        let mut exact = vec![b'x'; LONGEST];
        exact.push(b'\n');
        for step in [1, LONGEST, LONGEST + 1] {
            let found = entries(&exact.chunks(step).collect::<Vec<_>>());
            assert_eq!(found.len(), 1, "a line of exactly the limit is one full line");
        }
    }
}
