//! Which style the text of a YAML scalar needs, so that a reader takes it for a text.

use super::time::is_time;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    /// A block of lines.
    Block,
}

/// How a text can be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar<'a> {
    pub(super) text: &'a str,
    pub(super) style: Style,
    /// It has several lines.
    multiline: bool,
}

impl<'a> Scalar<'a> {
    /// Chooses the style as Go's emitter does.
    pub(super) fn of(text: &'a str) -> Self {
        // At a line's end, both quotes and blocks would lose a space.
        let space_before_break = text.split(is_break).rev().skip(1).any(|line| line.ends_with(' '));
        let space_after_break = text.split(is_break).skip(1).any(|line| line.starts_with(' '));
        let special = text.chars().any(|character| character != '\t' && !is_printable(character));
        let multiline = text.contains(is_break);
        let one_line = !special && !space_before_break && !space_after_break && !text.contains('\t');
        let style = if text.contains('\n') {
            let fits = !special && !space_before_break && !text.ends_with(' ');
            if fits { Style::Block } else { Style::Double }
        } else if !is_text(text) || !one_line {
            Style::Double
        } else if multiline || text.starts_with(' ') || text.ends_with(' ') || has_indicators(text) {
            Style::Single
        } else {
            Style::Plain
        };
        Self { text, style, multiline }
    }

    /// Whether it can be a key that no question mark announces.
    pub(super) fn is_simple_key(&self) -> bool {
        const LONGEST: usize = 128;
        !self.multiline && self.text.len() <= LONGEST
    }
}

/// Whether a character ends a line for YAML readers.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a plain text would be read as structure or a comment.
fn has_indicators(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") || text.starts_with(INDICATORS) {
        return true;
    }
    // A dash, colon or question mark is structure only with a space or nothing behind it.
    let starts_badly = text.strip_prefix(['-', '?', ':']).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    starts_badly || text.ends_with(':') || text.contains(": ") || text.contains(" #")
}

const INDICATORS: [char; 16] = ['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'];

/// Whether a character may stand as itself.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && character != '\u{feff}'
}

/// Whether a plain scalar is a text to YAML readers, rather than a number, a date, a truth value or nothing.
fn is_text(text: &str) -> bool {
    const WORDS: [&str; 23] = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", ".nan", ".NaN", ".NAN",
        ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ];
    if WORDS.contains(&text) {
        return false;
    }
    match text.as_bytes().first() {
        Some(b'.') => !(has_separators_only_in_digits(text) && is_float(&text.replace('_', ""))),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain = text.replace('_', "");
            !(is_time(text) || is_integer(&plain) || is_float(&plain))
        }
        _ => true,
    }
}

/// An integer of 64 bits with Go's prefixes: `0x`, `0o`, `0b`, and `0` for octal.
fn is_integer(text: &str) -> bool {
    // Behind these two prefixes, Go takes one more sign.
    if let Some((digits, radix)) =
        text.strip_prefix("0b").map(|rest| (rest, 2)).or_else(|| text.strip_prefix("0o").map(|rest| (rest, 8)))
        && i64::from_str_radix(digits, radix).is_ok()
    {
        return true;
    }
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.get(..1), rest),
        None => (None, text),
    };
    let prefixed = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let found = prefixed.into_iter().find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, radix)));
    let octal = || digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8));
    let (digits, radix) = found.or_else(octal).unwrap_or((digits, 10));
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return false;
    }
    match (u64::from_str_radix(digits, radix), sign) {
        (Ok(_), None) => true,
        (Ok(size), Some("+")) => size <= i64::MAX.unsigned_abs(),
        (Ok(size), Some(_)) => size <= i64::MIN.unsigned_abs(),
        (Err(_), _) => false,
    }
}

/// Whether every underscore stands between two digits.
fn has_separators_only_in_digits(text: &str) -> bool {
    let parts = || text.split('_');
    let ends = |part: &str| part.ends_with(|last: char| last.is_ascii_digit());
    let starts = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    parts().skip(1).all(starts) && parts().rev().skip(1).all(ends)
}

/// A finite number in decimal digits, with a point or exponent or neither.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|first: char| first.is_ascii_digit());
    starts
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && unsigned.parse::<f64>().is_ok_and(f64::is_finite)
}
