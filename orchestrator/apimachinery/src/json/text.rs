//! Strings as Go's encoder writes them.

/// Writes `text` in quotes, escaping what is unsafe in HTML and in JavaScript too.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut run = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            0x0c => b"\\f",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            b'&' => b"\\u0026",
            0xe2 => match separator(bytes, at) {
                Some(escape) => escape,
                None => continue,
            },
            _ => continue,
        };
        out.extend_from_slice(bytes.get(run..at).unwrap_or_default());
        run = at + if *byte == 0xe2 { 3 } else { 1 };
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
    }
    out.extend_from_slice(bytes.get(run..).unwrap_or_default());
    out.push(b'"');
}

/// The escape of U+2028 or U+2029 if one begins at `at`.
fn separator(bytes: &[u8], at: usize) -> Option<&'static [u8]> {
    match bytes.get(at..at + 3) {
        Some([0xe2, 0x80, 0xa8]) => Some(b"\\u2028"),
        Some([0xe2, 0x80, 0xa9]) => Some(b"\\u2029"),
        _ => None,
    }
}

/// Copies a JSON document without insignificant white space, escaping as [`quote`] does for HTML and JavaScript, but
/// leaving everything else in its strings as it was written.
pub(crate) fn compact(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut in_string = false;
    let mut escaped = false;
    let mut skip = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'"' if !was_escaped => in_string = !in_string,
            b'\\' if in_string && !was_escaped => escaped = true,
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => continue,
            b'<' | b'>' | b'&' => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            0xe2 => {
                if let Some(escape) = separator(bytes, at) {
                    out.extend_from_slice(escape);
                    skip = 2;
                    continue;
                }
            }
            _ => {}
        }
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::{compact, quote};

    #[test]
    fn escapes_as_go() {
        let mut out = Vec::new();
        quote("a<b>&\"\\\n\u{1}\u{7f}\u{2028}\u{2029}\u{2030}é", &mut out);
        let expected = "\"a\\u003cb\\u003e\\u0026\\\"\\\\\\n\\u0001\u{7f}\\u2028\\u2029\u{2030}é\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn compacting_keeps_strings() {
        let mut out = Vec::new();
        compact("{ \"a\\\" b\" : [ 1.0 , \"<\\\\\" ] }\n", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "{\"a\\\" b\":[1.0,\"\\u003c\\\\\"]}");
    }
}
