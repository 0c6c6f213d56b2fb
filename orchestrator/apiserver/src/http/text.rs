//! Texts of URLs and headers, read as Go reads them.

use coracle_apimachinery::field::quote;

/// Undoes percent escapes; none when an escape is malformed or the result is no UTF-8.
pub(super) fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push(hexadecimal(rest.next()?)? << 4 | hexadecimal(rest.next()?)?),
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A boolean parameter: only `0` and `false` (in any case) are false.
pub(crate) fn truth(text: &str) -> bool {
    text != "0" && !text.eq_ignore_ascii_case("false")
}

/// Go's `strconv.ParseInt(text, 10, 64)` with its error texts.
pub(crate) fn integer(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("strconv.ParseInt: parsing {}: invalid syntax", quote(text)));
    }
    text.parse().map_err(|_| format!("strconv.ParseInt: parsing {}: value out of range", quote(text)))
}

/// Go's `strconv.ParseUint(text, 10, 64)` with its error texts.
pub(super) fn unsigned(text: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("strconv.ParseUint: parsing {}: invalid syntax", quote(text)));
    }
    text.parse().map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", quote(text)))
}

/// Whether Go calls the character printable.
pub(super) fn is_printable(character: char) -> bool {
    // Behind a first character, `escape_debug` leaves as they are just the characters that Go prints, and escapes quotes.
    matches!(character, '"' | '\'' | '\\') || format!("a{character}").escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-5", Ok(-5)),
            ("+1", Ok(1)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("", Err("strconv.ParseInt: parsing \"\": invalid syntax")),
            ("x", Err("strconv.ParseInt: parsing \"x\": invalid syntax")),
            ("1_0", Err("strconv.ParseInt: parsing \"1_0\": invalid syntax")),
            (" 1", Err("strconv.ParseInt: parsing \" 1\": invalid syntax")),
            ("+-1", Err("strconv.ParseInt: parsing \"+-1\": invalid syntax")),
            ("9223372036854775808", Err("strconv.ParseInt: parsing \"9223372036854775808\": value out of range")),
        ] {
            assert_eq!(integer(text), expected.map_err(str::to_owned));
        }
        assert_eq!(unsigned("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(unsigned("-1"), Err("strconv.ParseUint: parsing \"-1\": invalid syntax".to_owned()));
        assert_eq!(unsigned("+1"), Err("strconv.ParseUint: parsing \"+1\": invalid syntax".to_owned()));
    }

    #[test]
    fn escapes_are_undone_or_refused() {
        for (text, expected) in [
            ("a%20b", Some("a b")),
            ("%C3%a9", Some("é")),
            ("a+b", Some("a b")),
            ("%zz", None),
            ("%2", None),
            ("%", None),
            ("%ff", None),
        ] {
            assert_eq!(unescape(text, true).as_deref(), expected);
        }
        assert_eq!(unescape("a+b", false).as_deref(), Some("a+b"));
    }

    #[test]
    fn printable_is_what_go_calls_printable() {
        for (character, expected) in [
            ('a', true),
            (' ', true),
            ('"', true),
            ('\\', true),
            ('é', true),
            ('\u{301}', true),
            ('\0', false),
            ('\n', false),
            ('\u{7f}', false),
            ('\u{a0}', false),
            ('\u{200b}', false),
            ('\u{e000}', false),
        ] {
            assert_eq!(is_printable(character), expected, "{character:?}");
        }
    }
}
