//! What is wrong with a document, for the person who wrote it.

use std::fmt;

/// More problems than anybody reads at once; the rest is only counted.
const MOST: usize = 50;

/// How many stand in one sentence.
const SHOWN: usize = 3;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The path of the key, names with dots between and numbers of items in brackets; empty for the whole document.
    pub key: String,
    /// What is wrong. It never holds a secret.
    pub text: String,
}

/// Everything that is wrong with a document, at least one thing, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    found: Vec<Problem>,
    more: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(out, "line {}: {}", self.line, self.text),
            key => write!(out, "line {}: {key}: {}", self.line, self.text),
        }
    }
}

impl Problems {
    /// One problem with the whole document.
    pub(crate) fn one(line: usize, text: impl Into<String>) -> Self {
        Self { found: vec![Problem { line, key: String::new(), text: masked(&text.into()) }], more: 0 }
    }

    /// The problems, the first lines first.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.found
    }

    /// How many further ones were found.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.found.iter().take(SHOWN).map(ToString::to_string).collect();
        out.write_str(&shown.join("; "))?;
        match self.found.len().saturating_sub(SHOWN).saturating_add(self.more) {
            0 => Ok(()),
            1 => out.write_str("; and one more"),
            more => write!(out, "; and {more} more"),
        }
    }
}

/// Collects problems while a document is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<Problem>,
    more: usize,
}

impl Report {
    /// Adds a problem.
    pub(crate) fn add(&mut self, line: usize, key: &str, text: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(Problem { line, key: shortened(key), text: masked(&text.into()) });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// How many problems there are.
    pub(crate) fn count(&self) -> usize {
        self.found.len().saturating_add(self.more)
    }

    /// What was read, if nothing is wrong with it.
    pub(crate) fn judge<T>(mut self, read: T) -> Result<T, Problems> {
        if self.found.is_empty() {
            return Ok(read);
        }
        self.found.sort();
        Err(Problems { found: self.found, more: self.more })
    }
}

/// A text of the document as a message may show it: on one line, not too long, and without a secret.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    // Enough to find a token that the end of the text would cut.
    let head: String = text.chars().take(MOST * 2).collect();
    let head = masked(&head);
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let mut short: String = head.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// The text without secrets of bootstrap tokens: a token may stand at a wrong key.
fn masked(text: &str) -> String {
    let is_letter = |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let mut parts = text.split('.');
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let id = masked.chars().rev().take_while(is_letter).count();
        let secret = part.chars().take_while(is_letter).count();
        masked.push('.');
        if id >= 6 && secret >= 16 {
            masked.push('…');
            masked.extend(part.chars().skip(secret));
        } else {
            masked.push_str(part);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        for (text, want) in [
            ("a.example.com", "a.example.com"),
            ("\"abcdef.0123456789abcdef\" is no label", "\"abcdef.…\" is no label"),
            ("x abcdef.0123456789abcdef.abcdef.0123456789abcdef", "x abcdef.….abcdef.…"),
            (".", "."),
            ("", ""),
        ] {
            assert_eq!(masked(text), want);
        }
        let cut = format!("{}abcdef.0123456789abcdef", "-".repeat(70));
        assert!(!shortened(&cut).contains("012"), "{}", shortened(&cut));
    }
}
