//! Numbers as Go's `encoding/json` prints them.

/// Prints the shortest text that reads back as `value`: plain digits from 1e-6 up to below 1e21, else an exponent.
/// NaN and infinities cannot be in a tree; should one get here it prints as null, as JSON has no word for it.
pub(crate) fn print(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    let size = value.abs();
    let text = if size == 0.0 || (1e-6..1e21).contains(&size) {
        format!("{value}")
    } else {
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
            _ => text,
        }
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_go_prints() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-7"),
            (0.000001, "0.000001"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            super::print(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
