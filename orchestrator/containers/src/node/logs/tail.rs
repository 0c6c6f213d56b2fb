//! The last lines of a file, found from its end.

use std::io::{self, Read, Seek, SeekFrom};

const BLOCK: u64 = 4096;

/// Where the last `lines` lines begin. A line that has no end yet counts.
pub(super) fn begin(file: &mut (impl Read + Seek), lines: u64) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut left) = (end, lines);
    if lines == 0 {
        return Ok(end);
    }
    let mut block = Vec::new();
    while at > 0 {
        let from = at.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        block.clear();
        file.take(at.saturating_sub(from)).read_to_end(&mut block)?;
        for (offset, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = from.saturating_add(u64::try_from(offset).unwrap_or(0)).saturating_add(1);
            // The break at the end of the file ends the last line, it does not begin another one.
            if after == end {
                continue;
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return Ok(after);
            }
        }
        at = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn lines_are_counted_from_the_end() {
        let of = |text: &str, lines| {
            let at = begin(&mut Cursor::new(text.as_bytes()), lines).unwrap();
            text.get(usize::try_from(at).unwrap()..).unwrap().to_owned()
        };
        for (text, lines, want) in [
            ("a\nb\nc\n", 0, ""),
            ("a\nb\nc\n", 1, "c\n"),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc\n", 3, "a\nb\nc\n"),
            ("a\nb\nc\n", 9, "a\nb\nc\n"),
            ("a\nb", 1, "b"),
            ("\n\n\n", 2, "\n\n"),
            ("", 3, ""),
        ] {
            assert_eq!(of(text, lines), want, "{text:?} {lines}");
        }
        let long: String = (0..3000).map(|line| format!("line {line}\n")).collect();
        assert_eq!(
            of(&long, 2000),
            long.split_once("line 1000\n").map(|(_, rest)| format!("line 1000\n{rest}")).unwrap()
        );
    }
}
