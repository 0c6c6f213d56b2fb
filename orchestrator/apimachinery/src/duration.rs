//! Durations as Go's `time` package reads and prints them: nanoseconds in 64 bits.

use std::fmt::Write;

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time: {problem} {text:?}")]
pub struct Invalid {
    problem: String,
    text: String,
}

const SECOND: u64 = 1_000_000_000;

/// Prints nanoseconds, for example `1h0m0.5s`, `2ms`, `0s`.
pub fn print(nanoseconds: i64) -> String {
    let size = nanoseconds.unsigned_abs();
    let mut out = String::new();
    if nanoseconds < 0 {
        out.push('-');
    }
    if size == 0 {
        return "0s".to_owned();
    }
    if size < SECOND {
        let (unit, scale) = match size {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        push_fraction(&mut out, size, scale);
        out.push_str(unit);
        return out;
    }
    let (hours, rest) = (size / (3600 * SECOND), size % (3600 * SECOND));
    let (minutes, rest) = (rest / (60 * SECOND), rest % (60 * SECOND));
    if hours > 0 {
        push_number(&mut out, hours);
        out.push('h');
    }
    if hours > 0 || minutes > 0 {
        push_number(&mut out, minutes);
        out.push('m');
    }
    push_fraction(&mut out, rest, SECOND);
    out.push('s');
    out
}

fn push_number(out: &mut String, number: u64) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{number}");
}

/// `size / scale` with as many decimals as needed.
fn push_fraction(out: &mut String, size: u64, scale: u64) {
    push_number(out, size / scale);
    let mut rest = size % scale;
    if rest == 0 {
        return;
    }
    out.push('.');
    let mut unit = scale;
    while rest > 0 {
        unit /= 10;
        out.push(char::from(b'0' + u8::try_from(rest / unit).unwrap_or(0)));
        rest %= unit;
    }
}

/// Reads a duration into nanoseconds.
pub fn parse(text: &str) -> Result<i64, Invalid> {
    let fail = |problem: &str| Invalid { problem: problem.to_owned(), text: text.to_owned() };
    let invalid = || fail("invalid duration");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, tail) = rest.split_at(whole_end);
        let (fraction, tail) = match tail.strip_prefix('.') {
            None => ("", tail),
            Some(tail) => tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        if unit.is_empty() {
            return Err(fail("missing unit in duration"));
        }
        let scale = unit_scale(unit).ok_or_else(|| fail(&format!("unknown unit {unit:?} in duration")))?;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let mut part = whole.checked_mul(scale).ok_or_else(invalid)?;
        part = part.checked_add(fraction_part(fraction, scale)).ok_or_else(invalid)?;
        total = total.checked_add(part).filter(|total| *total <= 1 << 63).ok_or_else(invalid)?;
        rest = tail;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(value)) => Ok(value),
        (true, Ok(value)) => Ok(-value),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Err(_)) => Err(invalid()),
    }
}

/// The nanoseconds of decimals behind the point; digits below one nanosecond are dropped.
fn fraction_part(digits: &str, scale: u64) -> u64 {
    let mut value: u64 = 0;
    let mut divisor: f64 = 1.0;
    for digit in digits.bytes() {
        let Some(next) = value.checked_mul(10).and_then(|next| next.checked_add(u64::from(digit - b'0'))) else {
            break;
        };
        if next > i64::MAX.unsigned_abs() {
            break;
        }
        value = next;
        divisor *= 10.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the reference computes this product in floating point; the result is below one unit, at most 3.6e12"
    )]
    let part = (value as f64 * (scale as f64 / divisor)) as u64;
    part
}

fn unit_scale(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, print};
    use proptest::prelude::*;

    #[test]
    fn known_texts() {
        let cases = [
            ("0s", 0),
            ("1ns", 1),
            ("1.1µs", 1_100),
            ("2.2ms", 2_200_000),
            ("1m0s", 60_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("-2562047h47m16.854775808s", i64::MIN),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text).unwrap(), value);
            assert_eq!(print(value), text);
        }
        assert_eq!(parse("1.5h").unwrap(), 5_400_000_000_000);
        for wrong in ["", "-", "3", "1d", ".s", "1h1", "9223372036854775808ns"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(value: i64) {
            prop_assert_eq!(parse(&print(value)).unwrap(), value);
        }

        #[test]
        fn any_text(text: String) {
            let _ = parse(&text);
        }
    }
}
