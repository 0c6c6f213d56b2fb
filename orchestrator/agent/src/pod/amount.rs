//! Amounts of resources to reckon with.

use coracle_apimachinery::quantity;

/// An amount of a resource in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

const UNIT: i128 = 1_000_000_000;

impl Amount {
    /// Reads a quantity; none if it is none or beyond all sense.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(split)?;
        let scale = match suffix {
            "n" => 1,
            "u" => 1_000,
            "m" => 1_000_000,
            "" => UNIT,
            "k" => UNIT * 1_000,
            "M" => UNIT * 1_000_000,
            "G" => UNIT * 1_000_000_000,
            "T" => UNIT * 1_000_000_000_000,
            "P" => UNIT * 1_000_000_000_000_000,
            "E" => UNIT * 1_000_000_000_000_000_000,
            "Ki" => UNIT << 10,
            "Mi" => UNIT << 20,
            "Gi" => UNIT << 30,
            "Ti" => UNIT << 40,
            "Pi" => UNIT << 50,
            "Ei" => UNIT << 60,
            _ => {
                let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                UNIT.checked_mul(10_i128.checked_pow(exponent)?)?
            }
        };
        let negative = number.starts_with('-');
        let (whole, fraction) = number.trim_start_matches(['+', '-']).split_once('.').unwrap_or((number, ""));
        let whole = whole.trim_start_matches(['+', '-']);
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut nano = whole.checked_mul(scale)?;
        let mut unit = scale;
        for digit in fraction.bytes() {
            unit /= 10;
            nano = nano.checked_add(i128::from(digit.checked_sub(b'0')?).checked_mul(unit)?)?;
        }
        Some(Self(if negative { -nano } else { nano }))
    }

    /// The amount in thousandths, rounded up.
    pub fn millis(self) -> i64 {
        self.in_units(UNIT / 1_000)
    }

    /// The amount in wholes, rounded up.
    pub fn wholes(self) -> i64 {
        self.in_units(UNIT)
    }

    fn in_units(self, unit: i128) -> i64 {
        i64::try_from(-((-self.0).div_euclid(unit))).unwrap_or(i64::MAX)
    }

    /// The sum.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Prints it, with binary suffixes if so wanted and possible.
    pub(crate) fn print(self, binary: bool) -> String {
        let whole = self.0 / UNIT;
        let text = if binary && self.0 % UNIT == 0 && whole % 1_024 == 0 && whole != 0 {
            format!("{}Ki", whole / 1_024)
        } else if self.0 % UNIT == 0 {
            whole.to_string()
        } else {
            format!("{}n", self.0)
        };
        quantity::canonical(&text).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn amounts() {
        let cases = [
            ("100m", 100, 1),
            ("1.5", 1_500, 2),
            ("1Ki", 1_024_000, 1_024),
            ("2e3", 2_000_000, 2_000),
            ("-1", -1_000, -1),
            (".5", 500, 1),
        ];
        for (text, millis, wholes) in cases {
            let amount = Amount::parse(text).unwrap();
            assert_eq!((amount.millis(), amount.wholes()), (millis, wholes), "{text}");
        }
        assert_eq!(Amount::parse("x"), None);
    }
}
