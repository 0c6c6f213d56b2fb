//! Amounts of resources: enough arithmetic on quantities for defaults and classes of service.

use std::fmt;
use std::ops::Add;

/// An exact amount in billionths with the form in which it prints. Amounts that do not fit are left to others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    nano: i128,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

const NANO: i128 = 1_000_000_000;
const NANO_PER_MILLI: i128 = 1_000_000;
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Amount {
    /// Reads the text of a valid quantity.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits_end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits_end);
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (factor, form) = scale(suffix)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut value: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit.checked_sub(b'0')?))?;
        }
        let scaled = value.checked_mul(factor)?;
        let nano = divide_up(scaled, 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?);
        Some(Self { nano: if negative { -nano } else { nano }, form })
    }

    /// Rounded away from zero to whole thousandths.
    pub(crate) fn rounded_to_milli(self) -> Option<Self> {
        let rounded = divide_up(self.nano.abs(), NANO_PER_MILLI).checked_mul(NANO_PER_MILLI)?;
        Some(Self { nano: rounded * self.nano.signum(), ..self })
    }

    /// Whether it is nothing.
    pub(crate) fn is_zero(self) -> bool {
        self.nano == 0
    }
}

/// Only the amount counts, not how it prints.
impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.nano.cmp(&other.nano))
    }
}

/// A sum prints like its first part, as upstream's does, unless that is nothing.
impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let form = if self.is_zero() { other.form } else { self.form };
        Self { nano: self.nano.saturating_add(other.nano), form }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let sign = if self.nano < 0 { "-" } else { "" };
        let nano = self.nano.abs();
        if self.form == Form::Binary && nano >= 1024 * NANO {
            let (number, power) = reduce(divide_up(nano, NANO), 1024, BINARY.len() - 1);
            return write!(f, "{sign}{number}{}", BINARY.get(power).copied().unwrap_or_default());
        }
        let (number, power) = reduce(nano, 1000, DECIMAL.len() - 1);
        match (self.form, power) {
            (Form::Exponent, 3) => write!(f, "{sign}{number}"),
            (Form::Exponent, 0..3) => write!(f, "{sign}{number}e-{}", 9 - 3 * power),
            (Form::Exponent, _) => write!(f, "{sign}{number}e{}", 3 * power - 9),
            _ => write!(f, "{sign}{number}{}", DECIMAL.get(power).copied().unwrap_or_default()),
        }
    }
}

/// Divides as often as nothing remains, at most `limit` times.
fn reduce(mut number: i128, by: i128, limit: usize) -> (i128, usize) {
    let mut power = 0;
    while power < limit && number % by == 0 {
        number /= by;
        power += 1;
    }
    (number, power)
}

fn divide_up(number: i128, by: i128) -> i128 {
    number / by + i128::from(number % by != 0)
}

/// Billionths in one unit with this suffix.
fn scale(suffix: &str) -> Option<(i128, Form)> {
    if let Some(power) = DECIMAL.iter().position(|known| *known == suffix) {
        return Some((1000_i128.pow(u32::try_from(power).ok()?), Form::Decimal));
    }
    if let Some(power) = BINARY.iter().position(|known| *known == suffix) {
        return Some((1024_i128.pow(u32::try_from(power).ok()?) * NANO, Form::Binary));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((10_i128.checked_pow(u32::try_from(exponent + 9).ok()?)?, Form::Exponent))
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn amounts_print_as_upstream_prints_rounded_ones() {
        let table = [
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("100n", "1m"),
            ("1500u", "2m"),
            ("-100n", "-1m"),
            ("0", "0"),
            ("1000000", "1M"),
            ("1000Ki", "1000Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("10e1", "100"),
            ("12E", "12E"),
        ];
        for (text, printed) in table {
            let rounded = Amount::parse(text).and_then(Amount::rounded_to_milli).map(|amount| amount.to_string());
            assert_eq!(rounded.as_deref(), Some(printed), "{text}");
        }
    }
}
