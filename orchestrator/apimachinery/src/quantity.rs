//! Resource quantities: reads the text form and prints the canonical one, as upstream's `resource.Quantity` does,
//! including that a text which is already in a form of its fast path is kept as it is (`1.500` stays `1.500`).

mod decimal;

use decimal::Decimal;

/// The text is no quantity. The wording is what clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The shape as a whole is wrong.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The digits are wrong.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Exponents beyond this only serve to make the printed digits long; upstream would print them all.
const EXPONENT_LIMIT: i64 = 1_000;
/// The smallest unit: nano.
const SMALLEST_EXPONENT: i64 = -9;
/// Upstream's fast path takes this many decimal digits.
const FAST_DIGITS: i64 = 18;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Suffixes `n u m k M G T P E`.
    Decimal,
    /// A written exponent.
    Exponent,
    /// Suffixes `Ki Mi Gi Ti Pi Ei`.
    Binary,
}

struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros, at least one.
    whole: &'a str,
    /// Digits behind the point.
    fraction: &'a str,
    suffix: &'a str,
}

/// The canonical text of a quantity.
pub fn canonical(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::Format);
    }
    let parts = split(text)?;
    let (exponent, format) = interpret(parts.suffix)?;
    if is_kept(&parts, exponent, format) {
        return Ok(text.to_owned());
    }
    let fraction_digits = i64::try_from(parts.fraction.len()).map_err(|_| Invalid::Number)?;
    let mut amount = Decimal::new(parts.whole, parts.fraction);
    let mut format = format;
    if format == Format::Binary {
        amount.multiply_by_power_of_two(exponent);
        amount.exponent = -fraction_digits;
    } else {
        amount.exponent = exponent - fraction_digits;
    }
    amount.round_up_to(SMALLEST_EXPONENT);
    if amount.is_zero() {
        return Ok("0".to_owned());
    }
    if format == Format::Binary {
        amount.cap_at(i64::MAX.unsigned_abs());
        match amount.as_integer() {
            Some(integer) if integer >= 1024 => return Ok(signed(parts.negative, &print_binary(integer))),
            _ => format = Format::Decimal,
        }
    }
    let (digits, power) = amount.in_thousands();
    let suffix = match format {
        Format::Exponent if power == 0 => String::new(),
        Format::Exponent => format!("e{power}"),
        _ => decimal_suffix(power).to_owned(),
    };
    Ok(signed(parts.negative, &format!("{digits}{suffix}")))
}

fn signed(negative: bool, text: &str) -> String {
    if negative { format!("-{text}") } else { text.to_owned() }
}

fn split(text: &str) -> Result<Parts<'_>, Invalid> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits_end = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let rest = rest.trim_start_matches('0');
    let (whole, rest) = rest.split_at(digits_end(rest));
    let whole = if whole.is_empty() { "0" } else { whole };
    let (fraction, rest) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(digits_end(rest)),
    };
    let letters = rest.find(|c: char| !"eEinumkKMGTP".contains(c)).unwrap_or(rest.len());
    let tail = &rest[letters..];
    let digits = tail.strip_prefix(['-', '+']).unwrap_or(tail);
    if digits_end(digits) != digits.len() {
        return Err(Invalid::Format);
    }
    Ok(Parts { negative, whole, fraction, suffix: rest })
}

fn interpret(suffix: &str) -> Result<(i64, Format), Invalid> {
    let known = match suffix {
        "n" => (-9, Format::Decimal),
        "u" => (-6, Format::Decimal),
        "m" => (-3, Format::Decimal),
        "" => (0, Format::Decimal),
        "k" => (3, Format::Decimal),
        "M" => (6, Format::Decimal),
        "G" => (9, Format::Decimal),
        "T" => (12, Format::Decimal),
        "P" => (15, Format::Decimal),
        "E" => (18, Format::Decimal),
        "Ki" => (10, Format::Binary),
        "Mi" => (20, Format::Binary),
        "Gi" => (30, Format::Binary),
        "Ti" => (40, Format::Binary),
        "Pi" => (50, Format::Binary),
        "Ei" => (60, Format::Binary),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E']).filter(|digits| !digits.is_empty()).ok_or(Invalid::Suffix)?;
            let exponent: i64 = digits.parse().map_err(|_| Invalid::Suffix)?;
            if !(-EXPONENT_LIMIT..=EXPONENT_LIMIT).contains(&exponent) {
                return Err(Invalid::Suffix);
            }
            (exponent, Format::Exponent)
        }
    };
    Ok(known)
}

/// Whether upstream keeps the text: its fast path applies and the digits look canonical to it.
fn is_kept(parts: &Parts<'_>, exponent: i64, format: Format) -> bool {
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 2);
    let (whole, fraction) = (length(parts.whole), length(parts.fraction));
    if format == Format::Binary {
        let fast = fraction == 0 && 15 - whole - exponent * 3 / 10 > 0;
        let value: u64 = parts.whole.parse().unwrap_or(0);
        let fits = value.checked_shl(u32::try_from(exponent).unwrap_or(64)).is_some();
        return fast && fits && value & 7 != 0;
    }
    let scale = exponent - fraction;
    let last_digits_vary = !format!("{}{}", parts.whole, parts.fraction).ends_with("000");
    whole + fraction <= FAST_DIGITS
        && scale >= SMALLEST_EXPONENT
        && scale % 3 == 0
        && last_digits_vary
        && !parts.whole.starts_with('0')
}

fn print_binary(mut integer: u64) -> String {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut power = 0;
    while integer.is_multiple_of(1024) && power + 1 < SUFFIXES.len() {
        integer /= 1024;
        power += 1;
    }
    format!("{integer}{}", SUFFIXES.get(power).copied().unwrap_or_default())
}

/// Upstream prints no suffix at all for a power it has none for.
fn decimal_suffix(power: i64) -> &'static str {
    match power {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Invalid, canonical};
    use proptest::prelude::*;

    #[test]
    fn canonical_forms() {
        let cases = [
            ("0", "0"),
            ("0Ki", "0"),
            ("-0", "0"),
            ("1", "1"),
            ("100m", "100m"),
            ("0.1", "100m"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1.500", "1.500"),
            ("007", "007"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("1024", "1024"),
            ("12e6", "12e6"),
            ("1e1", "10"),
            ("1E3", "1E3"),
            ("1E", "1E"),
            ("1Ki", "1Ki"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("1000Mi", "1000Mi"),
            ("0.1Ki", "102400m"),
            ("1.1Mi", "1153433600m"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("-1.5", "-1500m"),
            ("+5", "+5"),
            ("1.", "1."),
            (".5", "500m"),
            ("100000000000000000000Ki", "9223372036854775807"),
            ("16Ei", "9223372036854775807"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("5e-324", "1e-9"),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_texts() {
        assert_eq!(canonical(""), Err(Invalid::Format));
        assert_eq!(canonical("1.2.3"), Err(Invalid::Format));
        assert_eq!(canonical("1 "), Err(Invalid::Format));
        assert_eq!(canonical("1iK"), Err(Invalid::Suffix));
        assert_eq!(canonical("1e"), Err(Invalid::Suffix));
        assert_eq!(canonical("1e99999999"), Err(Invalid::Suffix));
    }

    proptest! {
        #[test]
        fn printing_is_idempotent(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,12})?(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti|e-?[0-9]|)") {
            if let Ok(first) = canonical(&text) {
                prop_assert_eq!(canonical(&first), Ok(first));
            }
        }

        #[test]
        fn any_text(text: String) {
            let _ = canonical(&text);
        }
    }
}
